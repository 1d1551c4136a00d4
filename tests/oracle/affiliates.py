"""Affiliates' exposure and customers who look like affiliates: DOMAIN.md section 6.

What belongs here: exposure by affiliate, suspicions by entity. What doesn't: the graph itself (relations).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from tests.oracle.books import ONE_DAY, Books, Row, day_end, day_start
from tests.oracle.decimals import HUNDRED, ZERO, quotient, total, value_usd
from tests.oracle.equity import Equities
from tests.oracle.ledger import Ledger
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.relations import Relations, holds_at, holds_during
from tests.oracle.tokens import Tokens
from tests.oracle.wallets import Wallets

HARD_ATTRIBUTES = frozenset({"bank_account", "withdrawal_address", "device"})


@dataclass
class Exposure:
    """What one account, or all accounts of one affiliate, claims and borrows, in USD."""

    claims: Decimal = ZERO
    borrowing: Decimal = ZERO
    collateral_haircut: Decimal = ZERO
    collateral_liquidation: Decimal = ZERO
    own_token_collateral: Decimal = ZERO
    uncollateralised: Decimal = ZERO
    privileges: set[str] = field(default_factory=set)
    credit_line: Decimal = ZERO

    def add(self, other: Exposure) -> None:
        """Sum without netting."""
        self.privileges = self.privileges | other.privileges
        for name, amount in vars(other).items():
            if isinstance(amount, Decimal):
                setattr(self, name, getattr(self, name) + amount)


class Affiliates:
    """Exposure and suspicion by day."""

    def __init__(
        self,
        *,
        books: Books,
        policy: Policy,
        relations: Relations,
        prices: Prices,
        ledger: Ledger,
        tokens: Tokens,
        equities: Equities,
        wallets: Wallets,
    ):
        self.books = books
        self.policy = policy
        self.relations = relations
        self.prices = prices
        self.ledger = ledger
        self.tokens = tokens
        self.equities = equities
        self.wallets = wallets

    def privileges(self, account: str, day: date) -> list[Row]:
        """Privileges that the account holds at any moment of the day."""
        return [
            row
            for row in self.books.rows("account_privileges")
            if row["account_id"] == account and holds_during(row, day)
        ]

    def of_account(self, account: str, day: date) -> Exposure:
        """One account's exposure; what lies in a suspense account is customers', not collateral."""
        exposure = Exposure()
        is_suspense = self.relations.account_class(account) == "suspense"
        for (holder, asset), balance in self.ledger.balances(day).items():
            if holder != account:
                continue
            price = self.prices.usd(asset, day)
            if balance < 0:
                exposure.borrowing += value_usd(-balance, price) or ZERO
            elif not is_suspense:
                mark = value_usd(balance, price) or ZERO
                exposure.claims += mark
                exposure.collateral_haircut += self.equities.after_haircut_usd(balance, asset, day)
                exposure.collateral_liquidation += self.tokens.liquidation_value_usd(balance, asset, day) or ZERO
                if self.tokens.is_own(asset, day):
                    exposure.own_token_collateral += mark
        exposure.uncollateralised = max(ZERO, exposure.borrowing - exposure.collateral_haircut)
        exposure.privileges = {row["privilege"] for row in self.privileges(account, day)}
        exposure.credit_line = self.credit_line(account, day)
        return exposure

    def balance_rows(self, day: date) -> list[Row]:
        """fct_affiliate_balance_daily: balances of affiliates' accounts, but for what lies in suspense."""
        rows = []
        for (account, asset), balance in sorted(self.ledger.balances(day).items()):
            is_suspense = self.relations.account_class(account) == "suspense"
            if self.relations.account(account, day) != "affiliate" or (is_suspense and balance > 0):
                continue
            price = self.prices.usd(asset, day)
            collateral, after_haircut, liquidation = value_usd(max(balance, ZERO), price), None, None
            if price is not None:
                after_haircut = self.equities.after_haircut_usd(balance, asset, day) if balance > 0 else ZERO
                liquidation = self.tokens.liquidation_value_usd(balance, asset, day) if balance > 0 else ZERO
            rows.append(
                {
                    "as_of_date": day,
                    "account_id": account,
                    "entity_id": self.relations.accounts[account]["entity_id"],
                    "asset": asset,
                    "balance": balance,
                    "is_own_token": self.tokens.is_own(asset, day),
                    "value_usd": value_usd(balance, price),
                    "collateral_mark_usd": collateral if balance > 0 else ZERO,
                    "collateral_haircut_usd": after_haircut if balance > 0 else ZERO,
                    "collateral_liquidation_usd": liquidation if balance > 0 else ZERO,
                }
            )
        return rows

    def credit_line(self, account: str, day: date) -> Decimal:
        """The most that the account's credit lines add up to at one moment of the day."""
        lines = [row for row in self.privileges(account, day) if row["privilege"] == "credit_line"]
        moments = {max(row["valid_from"], day_start(day)) for row in lines}
        sums = [total(row["limit_usd"] for row in lines if holds_at(row, moment)) for moment in moments]
        return max(sums, default=ZERO)

    def exposures(self, day: date) -> dict[str, Exposure]:
        """Exposure of every affiliate with an account."""
        result: dict[str, Exposure] = defaultdict(Exposure)
        for account, row in self.relations.accounts.items():
            if row["account_class"] != "external" and self.relations.account(account, day) == "affiliate":
                result[row["entity_id"]].add(self.of_account(account, day))
        return dict(result)

    def uncollateralised_usd(self, day: date) -> Decimal:
        """The group's exposure: a sum over accounts, nothing netted."""
        return sum((exposure.uncollateralised for exposure in self.exposures(day).values()), ZERO)

    def exposure_rows(self, day: date) -> list[Row]:
        """fct_affiliate_exposure_daily."""
        owed = self.ledger.customer_liabilities_usd(day)
        rows = []
        for entity, exposure in sorted(self.exposures(day).items()):
            line = exposure.credit_line
            rows.append(
                {
                    "as_of_date": day,
                    "entity_id": entity,
                    "gross_claims_usd": exposure.claims,
                    "gross_borrowing_usd": exposure.borrowing,
                    "collateral_mark_usd": exposure.claims,
                    "collateral_haircut_usd": exposure.collateral_haircut,
                    "collateral_liquidation_usd": exposure.collateral_liquidation,
                    "own_token_collateral_usd": exposure.own_token_collateral,
                    "uncollateralised_usd": exposure.uncollateralised,
                    "share_of_customer_liabilities": quotient(exposure.uncollateralised, owed) if owed else None,
                    "active_privileges": ", ".join(sorted(exposure.privileges)) or None,
                    "credit_line_usd": line,
                    "credit_line_used_pct": quotient(exposure.borrowing * HUNDRED, line) if line else None,
                }
            )
        return rows

    def sharers(self, day: date) -> set[str]:
        """Customers that share a hard attribute with an affiliate or the operator.

        That customers know the bank account of the affiliate they were told to pay into makes them its victims, whoever
        of the group lists that account besides.
        """
        users: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in self.books.rows("entity_attributes"):
            if row["attribute_type"] in HARD_ATTRIBUTES:
                users[row["attribute_type"], row["attribute_hash"]].add(row["entity_id"])
        victims = self.misdirected()
        found = set()
        for (kind, _), entities in users.items():
            if len(entities) > self.policy.shared_attribute_max_entities:
                continue
            insiders = {entity for entity in entities if self.relations.entity(entity, day) != "customer"}
            for customer in entities - insiders:
                is_victim = kind == "bank_account" and any((customer, owner) in victims for owner in entities)
                if insiders and not is_victim:
                    found.add(customer)
        return found

    def misdirected(self) -> set[tuple[str, str]]:
        """Customers and the affiliates whose wallets received a deposit of theirs."""
        found = set()
        transfers = {(row["transfer_id"], row["asset"]): row for row in self.books.rows("wallet_transfers")}
        for entry in self.ledger.entries:
            transfer = transfers.get((entry["reference"], entry["asset"]))
            if entry["entry_type"] != "deposit" or entry["amount"] <= 0 or transfer is None or transfer["amount"] <= 0:
                continue
            moment = transfer["block_time"]
            if self.wallets.owner_relation(transfer["wallet_id"], moment) == "affiliate":
                version = self.wallets.version_at(transfer["wallet_id"], moment)
                assert version is not None
                found.add((self.relations.accounts[entry["account_id"]]["entity_id"], version["owner_entity_id"]))
        return found

    def privileged_customers(self, day: date) -> set[str]:
        """Customers with a privilege other than a fee exemption or a credit line within its collateral."""
        found = set()
        for account, row in self.relations.accounts.items():
            if row["account_class"] in ("external", "suspense") or self.relations.account(account, day) != "customer":
                continue
            collateral = self.of_account(account, day).collateral_haircut
            privileges = self.privileges(account, day)
            is_unlimited = any(p["privilege"] == "credit_line" and p["limit_usd"] is None for p in privileges)
            is_exception = any(p["privilege"] not in ("fee_exempt", "credit_line") for p in privileges)
            if is_exception or is_unlimited or self.credit_line(account, day) > collateral:
                found.add(row["entity_id"])
        return found

    def borrowing_beyond_dust(self, entity: str, day: date) -> bool:
        """Whether any account of the entity is negative by more than dust."""
        return any(
            balance < 0
            and self.relations.accounts[account]["entity_id"] == entity
            and not self.ledger.is_dust(balance, asset, day)
            for (account, asset), balance in self.ledger.balances(day).items()
        )

    def kept_borrowing(self, entity: str, day: date) -> bool:
        """Whether a customer was an affiliate once, by what is known now or by what was told on that day, and has
        borrowed ever since its last day as one."""
        if self.relations.entity(entity, day) != "customer":
            return False
        is_told = entity in self.relations.told_on(day)
        while day >= self.books.first_date and self.borrowing_beyond_dust(entity, day):
            if self.relations.entity(entity, day) == "affiliate":
                return True
            if not is_told and entity in self.relations.told_on(day):
                return True
            is_told = is_told and entity in self.relations.told_on(day)
            day -= ONE_DAY
        return False

    def recipients_of_debt(self, day: date) -> set[str]:
        """Customers into whose account a transfer of the day moved an affiliate's negative balance, so that they owe it
        now; whatever else happened at that moment happened before."""
        found = set()
        transfers = [
            entry
            for entry in self.ledger.entries
            if entry["entry_type"] in ("transfer", "adjustment")
            and day_start(day) <= entry["effective_at"] < day_end(day)
        ]
        for given in transfers:
            relieved = given["amount"] > 0 and self._balance_after(given) - given["amount"] < 0
            if not relieved or self.relations.account(given["account_id"], day) != "affiliate":
                continue
            for taken in transfers:
                same = (taken["transaction_id"], taken["asset"]) == (given["transaction_id"], given["asset"])
                is_customer = self.relations.account(taken["account_id"], day) == "customer"
                if same and is_customer and taken["amount"] < 0 and self._balance_after(taken) < 0:
                    found.add(self.relations.accounts[taken["account_id"]]["entity_id"])
        return found

    def _balance_after(self, entry: Row) -> Decimal:
        balances = self.ledger.balances_before(entry["effective_at"] + timedelta(microseconds=1))
        return balances.get((entry["account_id"], entry["asset"]), ZERO)

    def suspects(self, day: date) -> set[str]:
        """Entities of undeclared_affiliates on the day."""
        moved = set()
        for other in self.books.days:
            if other <= day:
                moved |= {e for e in self.recipients_of_debt(other) if self.relations.entity(e, day) == "customer"}
        kept = {entity for entity in self.relations.entity_types if self.kept_borrowing(entity, day)}
        return self.sharers(day) | self.privileged_customers(day) | kept | moved

    def removed(self, day: date) -> set[str]:
        """Entities that were affiliates the day before and are customers now."""
        before = day - ONE_DAY
        if before < self.books.first_date:
            return set()
        ended = {e for e in self.relations.affiliates(before) if self.relations.entity(e, day) == "customer"}
        return ended | self._denied(day)

    def _denied(self, day: date) -> set[str]:
        """Entities told to be affiliates until the day before, of whom it is now known that they weren't even then.

        One that is known to have stopped being an affiliate while it was told to be one is removed on that day.
        """
        found = set()
        told = self.relations.told_on(day - ONE_DAY) - self.relations.told_on(day)
        for entity in told - self.relations.operators:
            before = day - ONE_DAY
            customer_then = self.relations.entity(entity, before) == self.relations.entity(entity, day) == "customer"
            while before >= self.books.first_date and entity in self.relations.told_on(before):
                customer_then = customer_then and self.relations.entity(entity, before) == "customer"
                before -= ONE_DAY
            if customer_then:
                found.add(entity)
        return found
