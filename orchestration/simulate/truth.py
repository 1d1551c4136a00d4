"""The truth: every finding that the story of a scenario must lead to, and no other.

What belongs here: turning the simulator's own daily records into (check, date, subject) by a small exact computation
of its own. What doesn't: the pipeline, which is never run here. Only what an act can bring about is looked at: the
rest of the exchange is sound by construction. Where a decision needs a rule with several readings (what an own token
fetches, in which order wallets count), both ends are computed and must agree: a story near a limit is a broken story.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orchestration.simulate.acts.affiliate import (
    BANK_WALLET,
    CREDIT_ACCOUNT,
    HIDDEN_ACCOUNT,
    HIDDEN_ENTITY,
    AffiliatePrivileges,
    DivertedWires,
    UnexplainedTransfer,
)
from orchestration.simulate.acts.base import Act
from orchestration.simulate.acts.reporting import InventedInsuranceFund, NettedLiabilities, YearEndRevenue
from orchestration.simulate.assets import (
    ASSETS,
    GROUPS,
    INDEX,
    LEDGER_PLACES,
    OWN_TOKEN,
    OWN_TOKEN_INDEX,
    SYMBOLS,
    members,
)
from orchestration.simulate.book import Book
from orchestration.simulate.clock import Clock
from orchestration.simulate.record import Records
from orchestration.simulate.reports import ELIGIBLE_CUSTODY, STOCK_DELAY_DAYS
from orchestration.simulate.scenario import Scenario
from orchestration.simulate.world import MARKET_MAKER, MARKET_MAKER_ACCOUNT, OPERATOR, World

DUST_USD = Decimal(1)
EXPOSURE_LIMIT = Decimal("0.01")
OWN_TOKEN_COLLATERAL_LIMIT = Decimal("0.20")
CONCENTRATION_LIMIT = Decimal("0.50")
LIQUIDITY_WINDOW_DAYS = 7
LIQUID_CUSTODY = ("hot", "bank")
MOST_SOLD_OF_VOLUME = 3
"""At most 10 % of a day's volume for 30 days can be sold."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding that must be there, on the day number it is dated."""

    check: str
    day: int
    subject: str
    asset: str | None
    act: str
    note: str


@dataclass
class Judge:
    """Looks at one simulation after its last day."""

    scenario: Scenario
    acts: list[Act]
    book: Book
    records: Records

    @property
    def world(self) -> World:
        """The world of the simulation."""
        return self.book.world

    @property
    def days(self) -> range:
        """All day numbers."""
        return range(self.scenario.days)

    def faults(self) -> list[Fault]:
        """All faults, ordered by day, check and subject."""
        found = [fault for act in self.acts for fault in self._of_act(act)]
        if self.acts:
            for day in self.days:
                found += [*self._accounts(day), *self._affiliate(day), *self._groups(day)]
        return sorted(found, key=lambda fault: (fault.day, fault.check, fault.subject, fault.asset or ""))

    # --- planted directly ----------------------------------------------------------------------------------------

    def _of_act(self, act: Act) -> Iterator[Fault]:
        """What an act leaves behind by itself, without looking at balances."""
        name = act.plan.name
        if isinstance(act, AffiliatePrivileges):
            for day in self._from(act):
                yield Fault(
                    "affiliate_privileges", day, CREDIT_ACCOUNT, None, name, "may go negative, never liquidated"
                )
        if isinstance(act, DivertedWires):
            for day in self._from(act):
                yield Fault(
                    "customer_funds_segregated", day, BANK_WALLET, None, name, "customers' wires in an affiliate's bank"
                )
                yield Fault("undeclared_affiliates", day, HIDDEN_ENTITY, None, name, "took over the affiliate's debt")
        if isinstance(act, UnexplainedTransfer):
            yield from self._unexplained(act)
        if isinstance(act, InventedInsuranceFund | NettedLiabilities):
            for month_end in self._published_ends(act):
                yield from self._stock(act, month_end)
        if isinstance(act, YearEndRevenue):
            month = f"{self.world.clock.date_of(act.month_end):%Y-%m}"
            day = int(act.value("published"))
            yield Fault("reported_revenue_supported", day, month, None, name, "more reported than the ledger shows")
            yield Fault("revenue_not_backdated", day, month, None, name, "effective at year end, known weeks later")
            yield Fault("revenue_not_affiliate", day, month, None, name, "paid by the affiliate on time")

    def _from(self, act: Act) -> range:
        return range(act.plan.day, self.scenario.days)

    def _unexplained(self, act: UnexplainedTransfer) -> Iterator[Fault]:
        source, _ = act.slots(self.book)
        wallet = self.world.wallets[int(self.book.slot_wallet[source])].wallet_id
        name, day = act.plan.name, act.plan.day
        transfer = f"t{act.transfer_number:010d}"
        yield Fault("transfers_to_affiliates_explained", day, transfer, "SOL", name, "no withdrawal behind it")
        yield Fault("reserve_not_drained", day, wallet, "SOL", name, "emptied into the affiliate's wallet")

    def _published_ends(self, act: Act) -> list[int]:
        clock: Clock = self.world.clock
        ends = clock.month_ends(self.scenario.days)
        return [end for end in ends if end >= act.plan.day and end + STOCK_DELAY_DAYS < self.scenario.days]

    def _stock(self, act: Act, month_end: int) -> Iterator[Fault]:
        day, name = month_end + STOCK_DELAY_DAYS, act.plan.name
        if isinstance(act, InventedInsuranceFund):
            yield Fault("insurance_fund_matches", day, "insurance_fund", None, name, "no account holds it")
        if isinstance(act, NettedLiabilities):
            netted = act.netted(self.book, self.records, month_end)
            note = "negative balances netted"
            yield Fault("reported_liabilities_match", day, "customer_liabilities", None, name, note)
            for asset in netted:
                symbol = SYMBOLS[asset]
                yield Fault("reported_liabilities_match", day, "customer_liabilities", symbol, name, note)

    # --- consequences for accounts -------------------------------------------------------------------------------

    def _special(self, day: int, account_id: str) -> list[int]:
        return self.records.days[day].special[self.world.account_index(account_id)]

    def _usd(self, day: int, asset: int, exact: int) -> Decimal:
        return self.records.value_usd(day, asset, exact)

    def _collateral(self, day: int, account_id: str) -> tuple[Decimal, Decimal]:
        """The least and most that an account's positive balances can count for after any haircut."""
        least = most = Decimal(0)
        for asset, exact in enumerate(self._special(day, account_id)):
            if exact > 0 and asset == OWN_TOKEN_INDEX:
                most += min(self._usd(day, asset, exact), self._most_sold(day))
            elif exact > 0:
                least += self._usd(day, asset, exact) / 2
                most += self._usd(day, asset, exact)
        return least, most

    def _most_sold(self, day: int) -> Decimal:
        """No more of the own token can be sold than a part of what trades, whatever the price does meanwhile."""
        return Decimal(MOST_SOLD_OF_VOLUME * self.records.own_token_volume_usd[day])

    def _borrowing(self, day: int, account_id: str) -> Decimal:
        balances = self._special(day, account_id)
        return sum((-self._usd(day, asset, e) for asset, e in enumerate(balances) if e < 0), Decimal(0))

    def _accounts(self, day: int) -> Iterator[Fault]:
        """Negative balances and equity of the two accounts that borrow without cover."""
        for account_id, act in ((CREDIT_ACCOUNT, "affiliate_borrowing"), (HIDDEN_ACCOUNT, "diverted_wires")):
            if not self._exists(account_id):
                continue
            borrowing = self._borrowing(day, account_id)
            least, most = self._collateral(day, account_id)
            if not borrowing:
                continue
            assert most < borrowing, "the story's loans are far from covered"
            for asset, exact in enumerate(self._special(day, account_id)):
                if exact < 0 and -self._usd(day, asset, exact) >= DUST_USD:
                    note = "negative beyond any collateral"
                    yield Fault("no_negative_balance", day, account_id, SYMBOLS[asset], act, note)
            if _decided(borrowing - most, borrowing - least, DUST_USD):
                yield Fault("no_negative_equity", day, account_id, None, act, "owes more than it holds")

    def _exists(self, account_id: str) -> bool:
        return any(account.account_id == account_id for account in self.world.accounts)

    # --- consequences for the affiliate --------------------------------------------------------------------------

    def _affiliate(self, day: int) -> Iterator[Fault]:
        """Exposure, quality of collateral, and how much of the own token the group holds."""
        act = "affiliate_borrowing"
        if not self._exists(CREDIT_ACCOUNT):
            return
        borrowing = self._borrowing(day, CREDIT_ACCOUNT)
        least, most = self._collateral(day, CREDIT_ACCOUNT)
        limit = self.records.liability_usd(day) * EXPOSURE_LIMIT
        if _decided(borrowing - most, borrowing - least, limit):
            for subject in (MARKET_MAKER, "group"):
                yield Fault("affiliate_exposure_within_limit", day, subject, None, act, "borrowed without cover")
        claims = own = Decimal(0)
        for account_id in (CREDIT_ACCOUNT, MARKET_MAKER_ACCOUNT):
            for asset, exact in enumerate(self._special(day, account_id)):
                value = self._usd(day, asset, max(exact, 0))
                claims += value
                own += value if asset == OWN_TOKEN_INDEX else Decimal(0)
        if borrowing >= DUST_USD and own > claims * OWN_TOKEN_COLLATERAL_LIMIT:
            note = "collateral is the exchange's own token"
            yield Fault("affiliate_collateral_quality", day, MARKET_MAKER, None, act, note)
        circulating = self.world.token_circulating[OWN_TOKEN] * 10**LEDGER_PLACES
        if self._group_holding(day) > circulating * CONCENTRATION_LIMIT:
            yield Fault("own_token_concentration", day, OWN_TOKEN, OWN_TOKEN, act, "the group holds most of it")

    def _group_holding(self, day: int) -> int:
        """The group's own tokens: house wallets, affiliates' wallets, affiliates' balances."""
        held = sum(
            max(self._special(day, account.account_id)[OWN_TOKEN_INDEX], 0)
            for account in self.world.accounts
            if account.entity_id == MARKET_MAKER
        )
        for slot, exact in enumerate(self.records.days[day].slots):
            wallet = self.world.wallets[int(self.book.slot_wallet[slot])]
            proprietary = wallet.purpose == "house" if wallet.owner == OPERATOR else wallet.purpose != "customer"
            if proprietary and self.book.slot_asset[slot] == OWN_TOKEN_INDEX:
                held += exact
        return held

    # --- consequences for reserves -------------------------------------------------------------------------------

    def _eligible(self, day: int, group: str, custody: tuple[str, ...]) -> int:
        """Reserves of a group in wallets of the given custody, in 10**-18 of its reference asset."""
        total = 0
        for slot, exact in enumerate(self.records.days[day].slots):
            wallet = self.world.wallets[int(self.book.slot_wallet[slot])]
            asset = ASSETS[int(self.book.slot_asset[slot])]
            if asset.group == group and wallet.is_reserve and wallet.custody in custody:
                total += exact * (100 - wallet.encumbered_pct) // 100
        return total

    def _groups(self, day: int) -> Iterator[Fault]:
        """Shortfalls in kind and in total, and groups that couldn't pay another such day of withdrawals."""
        net, short = Decimal(0), []
        for group in GROUPS:
            liability = sum(self.records.days[day].liability[asset] for asset in members(group))
            eligible = self._eligible(day, group, ELIGIBLE_CUSTODY)
            if group == OWN_TOKEN:
                eligible = min(eligible, liability)
            net += self._usd(day, INDEX[group], eligible - liability)
            if eligible < liability:
                short.append(group)
        for group in short:
            act = "unexplained_transfer" if group == "SOL" else "affiliate_borrowing"
            yield Fault("reserves_cover_liabilities", day, group, group, act, "less held in kind than owed")
        if net < 0:
            note = "less held in all than owed"
            yield Fault("total_reserves_cover_liabilities", day, "exchange", None, "affiliate_borrowing", note)
        for group in GROUPS:
            if self._is_illiquid(day, group):
                note = "hot wallets and banks couldn't pay such a day again"
                yield Fault("liquidity_covers_withdrawals", day, group, group, "withdrawal_run", note)

    def _is_illiquid(self, day: int, group: str) -> bool:
        window = range(max(day - LIQUIDITY_WINDOW_DAYS + 1, 0), day + 1)
        needed = max(sum(self.records.days[other].withdrawn[asset] for asset in members(group)) for other in window)
        most = least = self._eligible(day, group, LIQUID_CUSTODY)
        if group == OWN_TOKEN:
            liability = self.records.days[day].liability[OWN_TOKEN_INDEX]
            elsewhere = self._eligible(day, group, ELIGIBLE_CUSTODY) - most
            most, least = min(most, liability), max(min(most, liability - elsewhere), 0)
        return _decided(Decimal(needed - most), Decimal(needed - least), Decimal(0))


def _decided(low: Decimal, high: Decimal, limit: Decimal) -> bool:
    """Whether a figure somewhere between low and high exceeds a limit; it must not matter where it lies."""
    assert (low > limit) == (high > limit), "a story must stay away from the limits it plays with"
    return low > limit


def truth_document(scenario: Scenario, seed: int, acts: list[Act], book: Book, records: Records) -> dict[str, Any]:
    """The content of truth.json: what was simulated, and one entry per finding and day."""
    faults = Judge(scenario, acts, book, records).faults()
    return {
        "scenario": scenario.name,
        "seed": seed,
        "first_date": scenario.start.isoformat(),
        "last_date": scenario.last.isoformat(),
        "first_fault_date": scenario.date_of(faults[0].day).isoformat() if faults else None,
        "faults": [
            {
                "check": fault.check,
                "date": scenario.date_of(fault.day).isoformat(),
                "subject": fault.subject,
                "asset": fault.asset,
                "act": fault.act,
                "note": fault.note,
            }
            for fault in faults
        ],
    }
