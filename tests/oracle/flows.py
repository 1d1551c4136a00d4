"""What moves between wallets, customers and the outside: DOMAIN.md sections 2, 4 and 7.

What belongs here: matching of transfers and entries, roll-forward, window dressing, draining, liquidity.
What doesn't: what a balance is worth to customers (reserves).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.oracle.books import ONE_DAY, Books, Row, day_end, day_start
from tests.oracle.decimals import HUNDRED, ZERO, total, value_usd
from tests.oracle.ledger import Ledger, day_of_snapshot
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.relations import Relations
from tests.oracle.reported import figures, snapshot_day
from tests.oracle.reserves import Reserves
from tests.oracle.tokens import Tokens
from tests.oracle.wallets import Wallets, normalised_address

OUTSIDE_TYPES = frozenset({"opening", "deposit", "withdrawal"})
REFERENCED_TYPES = frozenset({"deposit", "withdrawal"})


@dataclass
class Match:
    """Entries and the transfer that carry one reference and asset."""

    entries: list[Row] = field(default_factory=list)
    transfer: Row | None = None

    @property
    def agrees(self) -> bool:
        """Whether both sides are there and move the same amount."""
        if self.transfer is None or not self.entries:
            return False
        return bool(total(entry["amount"] for entry in self.entries) == self.transfer["amount"])

    def booked_by(self, day: date) -> Decimal:
        """What the entries effective on the day or before it sum to."""
        return total(entry["amount"] for entry in self.entries if entry["effective_at"].date() <= day)


@dataclass(frozen=True)
class Drift:
    """A roll-forward that doesn't hold: what the balance is and what it should be."""

    wallet_id: str
    asset: str
    observed: Decimal
    expected: Decimal


class Flows:
    """Movements by day."""

    def __init__(
        self,
        *,
        books: Books,
        policy: Policy,
        relations: Relations,
        prices: Prices,
        ledger: Ledger,
        wallets: Wallets,
        tokens: Tokens,
        reserves: Reserves,
    ):
        self.books = books
        self.policy = policy
        self.relations = relations
        self.prices = prices
        self.ledger = ledger
        self.wallets = wallets
        self.tokens = tokens
        self.reserves = reserves

    # matching ---------------------------------------------------------------------------------------------------

    def matches(self) -> dict[tuple[str, str], Match]:
        """Deposits and withdrawals by reference and asset."""
        found: dict[tuple[str, str], Match] = defaultdict(Match)
        for entry in self.ledger.entries:
            if entry["entry_type"] in REFERENCED_TYPES:
                found[entry["reference"] or f"entry {entry['entry_id']}", entry["asset"]].entries.append(entry)
        for transfer in self.books.rows("wallet_transfers"):
            key = (transfer["transfer_id"], transfer["asset"])
            if transfer["transfer_type"] in REFERENCED_TYPES or key in found:
                found[key].transfer = transfer
        return found

    def is_matched(self, transfer: Row) -> bool:
        """Whether the ledger's deposits or withdrawals account for the transfer's whole amount, and did in time."""
        match = self.matches().get((transfer["transfer_id"], transfer["asset"]))
        due = transfer["block_time"].date() + timedelta(days=self.policy.unmatched_transfer_days)
        return match is not None and match.agrees and all(e["effective_at"].date() <= due for e in match.entries)

    def unmatched(self, day: date) -> set[tuple[str, str]]:
        """What is found on the day: sides that waited the policy's days in vain, and amounts that differ.

        A side without the other, or with a part of it, is found once, the policy's days after it happened; an amount
        that differs in the end when the last of it has come; what may not touch the outside when it does.
        """
        found = set()
        patience = timedelta(days=self.policy.unmatched_transfer_days)
        for match in self.matches().values():
            transfer = match.transfer
            moved_on = transfer["block_time"].date() if transfer else None
            booked_on = [entry["effective_at"].date() for entry in match.entries]
            for entry in match.entries:
                overdue = entry["effective_at"].date() + patience
                is_booked_back = transfer is None and max(booked_on) <= overdue and match.booked_by(overdue) == 0
                if overdue == day and (moved_on is None or moved_on > overdue) and not is_booked_back:
                    found.add((entry["entry_id"], entry["asset"]))
            if transfer is None or moved_on is None:
                continue
            is_due = transfer["transfer_type"] in REFERENCED_TYPES and moved_on + patience == day
            if is_due and not self.is_other_half(transfer) and (not booked_on or min(booked_on) > day):
                found.add((transfer["transfer_id"], transfer["asset"]))
            if not booked_on:
                continue
            due = max(moved_on, min(booked_on)) + patience
            if match.agrees and due == day and match.booked_by(day) != transfer["amount"]:
                found.add((transfer["transfer_id"], transfer["asset"]))
            if not match.agrees and max(moved_on, *booked_on) == day:
                found.add((transfer["transfer_id"], transfer["asset"]))
        return found | self.misused_outside(day)

    def is_other_half(self, transfer: Row) -> bool:
        """Whether another's wallet records what one of the operator's wallets sent it or had from it."""
        owner = self.wallets.owner_relation(transfer["wallet_id"], transfer["block_time"])
        return owner in ("affiliate", "customer") and self.is_with_operator(transfer)

    def is_with_operator(self, transfer: Row) -> bool:
        """Whether the other side is a wallet of the operator at the time."""
        other = transfer["counterparty_wallet_id"]
        return other is not None and self.wallets.owner_relation(other, transfer["block_time"]) == "operator"

    def misused_outside(self, day: date) -> set[tuple[str, str]]:
        """Entries on external accounts of a type that may not touch them, on the day they are effective."""
        found = set()
        for entry in self.books.rows("ledger_entries"):
            if self.relations.account_class(entry["account_id"]) != "external":
                continue
            if not day_start(day) <= entry["effective_at"] < day_end(day):
                continue
            late_opening = entry["entry_type"] == "opening" and day > self.books.first_date
            if entry["entry_type"] not in OUTSIDE_TYPES or late_opening:
                found.add((entry["entry_id"], entry["asset"]))
        return found

    def customer_amount(self, transfer: Row) -> Decimal:
        """What of the transfer customers' deposits and withdrawals account for, signed."""
        match = self.matches().get((transfer["transfer_id"], transfer["asset"]), Match())
        return total(entry["amount"] for entry in match.entries if self._is_customers(entry))

    def _is_customers(self, entry: Row) -> bool:
        is_suspense = self.relations.account_class(entry["account_id"]) == "suspense"
        return is_suspense or self.relations.account(entry["account_id"], entry["effective_at"].date()) == "customer"

    # wallets ----------------------------------------------------------------------------------------------------

    def roll_forward(self, day: date) -> list[Drift]:
        """Wallets whose balance moved by more or less than their transfers, beyond the tolerance.

        Every row is compared with the one before it; a wallet's very first row needs nothing behind it on the first
        day only. A transfer at the very moment of a row may be in it or not, but the same way at both ends.
        """
        found = []
        for row in self.books.rows("wallet_balances"):
            if day_of_snapshot(row) != day:
                continue
            place = (row["wallet_id"], row["asset"])
            earlier = [
                other
                for other in self.books.rows("wallet_balances")
                if (other["wallet_id"], other["asset"]) == place and other["as_of"] < row["as_of"]
            ]
            if not earlier and day <= self.books.first_date:
                continue
            previous = max(earlier, key=lambda other: other["as_of"]) if earlier else None
            since = previous["as_of"] if previous else datetime.min
            start = previous["balance"] if previous else ZERO
            before = start + self._moved(place, lambda moment, row=row, since=since: since <= moment < row["as_of"])
            through = start + self._moved(place, lambda moment, row=row, since=since: since < moment <= row["as_of"])
            expected = min(before, through, key=lambda given, row=row: abs(row["balance"] - given))
            if self._is_beyond_tolerance(abs(row["balance"] - expected), row["asset"], day):
                found.append(Drift(row["wallet_id"], row["asset"], row["balance"], expected))
        return found

    def _moved(self, place: tuple[str, str], counts: Callable[[datetime], bool]) -> Decimal:
        return total(
            transfer["amount"]
            for transfer in self.books.rows("wallet_transfers")
            if (transfer["wallet_id"], transfer["asset"]) == place and counts(transfer["block_time"])
        )

    def _is_beyond_tolerance(self, drift: Decimal, asset: str, day: date) -> bool:
        if asset in self.policy.roll_forward_units_by_asset:
            return drift > self.policy.roll_forward_units_by_asset[asset]
        value = value_usd(drift, self.prices.usd(asset, day))
        if value is None:
            return drift >= self.policy.dust_unpriced_units
        return value > self.policy.roll_forward_usd

    def drained(self, day: date) -> set[tuple[str, str]]:
        """Wallet and asset that held much of a group's reserves when last heard of and is now empty or silent."""
        found = set()
        for wallet_id, asset in {key[1:] for key in self.wallets.daily_rows}:
            earlier = [key[0] for key in self.wallets.daily_rows if key[1:] == (wallet_id, asset) and key[0] < day]
            if not earlier or not self._mattered(wallet_id, asset, max(earlier)):
                continue
            row = self.wallets.daily_rows.get((day, wallet_id, asset))
            is_gone = row is None or row["balance"] <= 0 or self.ledger.is_dust(row["balance"], asset, day)
            if not is_gone:
                continue
            since = self.wallets.daily_rows[max(earlier), wallet_id, asset]
            left = self._unexplained(wallet_id, asset, since, row["as_of"] if row else day_end(day))
            if left > 0 and not self.ledger.is_dust(left, asset, day):
                found.add((wallet_id, asset))
        return found

    def _mattered(self, wallet_id: str, asset: str, day: date) -> bool:
        """Whether what was eligible of the balance was a large enough part of its group's reserves."""
        held = [held for held in self.reserves.holdings(day) if (held.wallet_id, held.asset) == (wallet_id, asset)]
        group = self.tokens.in_kind_group(asset, day)
        eligible = total(self.reserves.in_reference_units(holding.eligible, asset, day) for holding in held)
        if not held:
            return False
        whole = self.reserves.coverage(day)[group].eligible
        return self.reserves.held_share_is_at_least(eligible, whole, self.policy.drained_held_pct)

    def _unexplained(self, wallet_id: str, asset: str, since: Row, until: datetime) -> Decimal:
        """What was held less what went to other eligible wallets, to customers and to the network."""
        left: Decimal = since["balance"]
        for transfer in self.books.rows("wallet_transfers"):
            if (transfer["wallet_id"], transfer["asset"]) != (wallet_id, asset):
                continue
            if not since["as_of"] <= transfer["block_time"] <= until:
                continue
            other, day = transfer["counterparty_wallet_id"], transfer["block_time"].date()
            is_eligible = other is not None and other != wallet_id and self.reserves.rule_broken(other, day) is None
            whole = is_eligible or transfer["transfer_type"] == "network_fee"
            left += transfer["amount"] if whole else self.customer_amount(transfer)
        return left

    # snapshots --------------------------------------------------------------------------------------------------

    def unexplained_flow(self, group: str, since: datetime, until: datetime) -> Decimal:
        """Net flow of the group in the operator's wallets, without customers' and not between operator wallets.

        House wallets count: a loan may pass through one.
        """
        flow = ZERO
        for transfer in self.books.rows("wallet_transfers"):
            day = transfer["block_time"].date()
            if not since <= transfer["block_time"] < until:
                continue
            if self.wallets.owner_relation(transfer["wallet_id"], transfer["block_time"]) != "operator":
                continue
            if self.tokens.in_kind_group(transfer["asset"], day) != group:
                continue
            if self.is_with_operator(transfer):
                continue
            flow += transfer["amount"] - self.customer_amount(transfer)
        return flow

    def window_dressed(self, day: date) -> set[str]:
        """Groups whose reserves came in before a snapshot and are first seen to have left on the day."""
        span = timedelta(days=self.policy.window_dressing_days)
        found = set()
        for figure in figures(self.books, "reserves"):
            described = snapshot_day(figure)
            is_moment = (figure.period_end - timedelta(microseconds=1)).date() == described
            snapshot = figure.period_end if is_moment else day_end(described)
            if not snapshot < day_end(day) or day_start(day) >= snapshot + span:
                continue
            if not self.books.first_date <= described <= self.books.last_date:
                continue
            for group, line in self.reserves.coverage(described).items():
                limit = line.eligible * self.policy.window_dressing_flow_pct
                if limit <= 0 or self.unexplained_flow(group, snapshot - span, snapshot) * HUNDRED < limit:
                    continue
                ends = [min(day_end(other), snapshot + span) for other in (day - ONE_DAY, day)]
                left = [-self.unexplained_flow(group, snapshot, end) * HUNDRED for end in ends]
                if left[1] >= limit > left[0]:
                    found.add(group)
        return found

    # customers' money -------------------------------------------------------------------------------------------

    def unsegregated(self, day: date) -> set[str]:
        """Affiliates' wallets that are for customers' money, or that received a customer's deposit on the day."""
        found = set()
        for wallet_id in self.wallets.wallet_ids:
            for version in self.wallets.versions(wallet_id, day):
                is_affiliates = self.relations.entity(version["owner_entity_id"], day) == "affiliate"
                if is_affiliates and version["purpose"] == "customer":
                    found.add(wallet_id)
        matches = self.matches()
        for transfer in self.books.rows("wallet_transfers"):
            if not day_start(day) <= transfer["block_time"] < day_end(day) or transfer["amount"] <= 0:
                continue
            if self.wallets.owner_relation(transfer["wallet_id"], transfer["block_time"]) != "affiliate":
                continue
            match = matches.get((transfer["transfer_id"], transfer["asset"]))
            if match is not None and any(self._credits_customer(entry, day) for entry in match.entries):
                found.add(transfer["wallet_id"])
        return found

    def _credits_customer(self, entry: Row, day: date) -> bool:
        is_suspense = self.relations.account_class(entry["account_id"]) == "suspense"
        return entry["amount"] > 0 and (is_suspense or self.relations.account(entry["account_id"], day) == "customer")

    def to_affiliates(self, day: date) -> set[tuple[str, str]]:
        """Transfers out of customer wallets into affiliates' wallets without a matching withdrawal."""
        found = set()
        for transfer in self.books.rows("wallet_transfers"):
            moment = transfer["block_time"]
            if not day_start(day) <= moment < day_end(day) or transfer["amount"] >= 0 or self.is_matched(transfer):
                continue
            source = self.wallets.version_at(transfer["wallet_id"], moment)
            if source is None or source["purpose"] != "customer":
                continue
            is_operators = self.relations.entity(source["owner_entity_id"], day) == "operator"
            if is_operators and self._goes_to_affiliate(transfer, source):
                found.add((transfer["transfer_id"], transfer["asset"]))
        return found

    def _goes_to_affiliate(self, transfer: Row, source: Row) -> bool:
        """Whether the wallet named, or the one at the address on the same network, is an affiliate's at the time."""
        place = normalised_address({**source, "address": transfer["counterparty_address"] or ""})
        for wallet_id in self.wallets.wallet_ids:
            version = self.wallets.version_at(wallet_id, transfer["block_time"])
            if version is None or self.wallets.owner_relation(wallet_id, transfer["block_time"]) != "affiliate":
                continue
            if wallet_id == transfer["counterparty_wallet_id"] or normalised_address(version) == place:
                return True
        return False

    # liquidity --------------------------------------------------------------------------------------------------

    def withdrawals(self, group: str, day: date, judged_on: date) -> Decimal:
        """What customers withdrew on the day from what is the group on another, in reference units one for one."""
        withdrawn = ZERO
        for entry in self.ledger.entries:
            if entry["entry_type"] != "withdrawal" or not day_start(day) <= entry["effective_at"] < day_end(day):
                continue
            if self._is_customers(entry) and self.tokens.in_kind_group(entry["asset"], judged_on) == group:
                withdrawn -= entry["amount"]
        return withdrawn

    def illiquid(self, day: date) -> dict[str, tuple[Decimal, Decimal]]:
        """Groups whose liquid reserves don't cover the largest recent day of withdrawals: held and needed."""
        found = {}
        window = [day - ONE_DAY * offset for offset in range(self.policy.liquidity_window_days)]
        groups = {self.tokens.in_kind_group(asset, day) for asset in self.tokens.tokens}
        for group in sorted(groups):
            needed = max(self.withdrawals(group, other, day) for other in window if other >= self.books.first_date)
            liquid = ZERO
            for held in self.reserves.holdings(day):
                in_group = self.tokens.in_kind_group(held.asset, day) == group
                if in_group and self.reserves.is_liquid(held.wallet_id, day):
                    liquid += self.reserves.in_reference_units(held.eligible, held.asset, day)
            if liquid < needed:
                found[group] = (liquid, needed)
        return found
