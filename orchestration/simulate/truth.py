"""The truth: every finding that the story of a scenario must lead to, and no other.

What belongs here: turning the simulator's own daily records into (check, date, subject) by a small exact computation
of its own. What doesn't: the pipeline, which is never run here. Only what an act can bring about is looked at: the
rest of the exchange is sound by construction. Where a decision needs a rule with several readings (what an own token
fetches, in which order wallets count), both ends are computed and must agree: a story near a limit is a broken story.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from orchestration.simulate.acts.affiliate import CREDIT_ACCOUNT, HIDDEN_ACCOUNT
from orchestration.simulate.acts.base import Act
from orchestration.simulate.assets import (
    GROUPS,
    LEDGER_PLACES,
    OWN_TOKEN,
    OWN_TOKEN_INDEX,
    SYMBOLS,
)
from orchestration.simulate.faults.base import Fault
from orchestration.simulate.outcome import LIQUID_CUSTODY, Finding, Outcome
from orchestration.simulate.world import MARKET_MAKER, MARKET_MAKER_ACCOUNT, OPERATOR

DUST_USD = Decimal(1)
EXPOSURE_LIMIT = Decimal("0.01")
OWN_TOKEN_COLLATERAL_LIMIT = Decimal("0.20")
CONCENTRATION_LIMIT = Decimal("0.50")
MOST_SOLD_OF_VOLUME = 3
"""At most 10 % of a day's volume for 30 days can be sold."""


class Judge(Outcome):
    """What a scenario's acts bring about together, day by day."""

    def consequences(self) -> Iterator[Finding]:
        """Findings of every day that no single act leads to by itself."""
        for day in self.days_from(0):
            yield from self._accounts(day)
            yield from self._affiliate(day)
            yield from self._groups(day)

    # --- consequences for accounts -------------------------------------------------------------------------------

    def _collateral(self, day: int, account_id: str) -> tuple[Decimal, Decimal]:
        """The least and most that an account's positive balances can count for after any haircut."""
        least = most = Decimal(0)
        for asset, exact in enumerate(self.special(day, account_id)):
            if exact > 0 and asset == OWN_TOKEN_INDEX:
                most += min(self.usd(day, asset, exact), self._most_sold(day))
            elif exact > 0:
                least += self.usd(day, asset, exact) / 2
                most += self.usd(day, asset, exact)
        return least, most

    def _most_sold(self, day: int) -> Decimal:
        """No more of the own token can be sold than a part of what trades, whatever the price does meanwhile."""
        return Decimal(MOST_SOLD_OF_VOLUME * self.records.own_token_volume_usd[day])

    def _borrowing(self, day: int, account_id: str) -> Decimal:
        balances = self.special(day, account_id)
        return sum((-self.usd(day, asset, e) for asset, e in enumerate(balances) if e < 0), Decimal(0))

    def _accounts(self, day: int) -> Iterator[Finding]:
        """Negative balances and equity of the two accounts that borrow without cover."""
        for account_id, act in ((CREDIT_ACCOUNT, "affiliate_borrowing"), (HIDDEN_ACCOUNT, "diverted_wires")):
            if not self._exists(account_id):
                continue
            borrowing = self._borrowing(day, account_id)
            least, most = self._collateral(day, account_id)
            if not borrowing:
                continue
            assert most < borrowing, "the story's loans are far from covered"
            for asset, exact in enumerate(self.special(day, account_id)):
                if exact < 0 and -self.usd(day, asset, exact) >= DUST_USD:
                    note = "negative beyond any collateral"
                    yield Finding("no_negative_balance", day, account_id, SYMBOLS[asset], act, note)
            if _decided(borrowing - most, borrowing - least, DUST_USD):
                yield Finding("no_negative_equity", day, account_id, None, act, "owes more than it holds")

    def _exists(self, account_id: str) -> bool:
        return any(account.account_id == account_id for account in self.world.accounts)

    # --- consequences for the affiliate --------------------------------------------------------------------------

    def _affiliate(self, day: int) -> Iterator[Finding]:
        """Exposure, quality of collateral, and how much of the own token the group holds."""
        act = "affiliate_borrowing"
        if not self._exists(CREDIT_ACCOUNT):
            return
        borrowing = self._borrowing(day, CREDIT_ACCOUNT)
        least, most = self._collateral(day, CREDIT_ACCOUNT)
        limit = self.records.liability_usd(day) * EXPOSURE_LIMIT
        if _decided(borrowing - most, borrowing - least, limit):
            for subject in (MARKET_MAKER, "group"):
                yield Finding("affiliate_exposure_within_limit", day, subject, None, act, "borrowed without cover")
        claims = own = Decimal(0)
        for account_id in (CREDIT_ACCOUNT, MARKET_MAKER_ACCOUNT):
            for asset, exact in enumerate(self.special(day, account_id)):
                value = self.usd(day, asset, max(exact, 0))
                claims += value
                own += value if asset == OWN_TOKEN_INDEX else Decimal(0)
        if borrowing >= DUST_USD and own > claims * OWN_TOKEN_COLLATERAL_LIMIT:
            note = "collateral is the exchange's own token"
            yield Finding("affiliate_collateral_quality", day, MARKET_MAKER, None, act, note)
        circulating = self.world.token_circulating[OWN_TOKEN] * 10**LEDGER_PLACES
        if self._group_holding(day) > circulating * CONCENTRATION_LIMIT:
            yield Finding("own_token_concentration", day, OWN_TOKEN, OWN_TOKEN, act, "the group holds most of it")

    def _group_holding(self, day: int) -> int:
        """The group's own tokens: house wallets, affiliates' wallets, affiliates' balances."""
        held = sum(
            max(self.special(day, account.account_id)[OWN_TOKEN_INDEX], 0)
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

    def _groups(self, day: int) -> Iterator[Finding]:
        """Shortfalls in kind and in total, and groups that couldn't pay another such day of withdrawals."""
        for group in (group for group in GROUPS if self.gap(day, group) < 0):
            act = "unexplained_transfer" if group == "SOL" else "affiliate_borrowing"
            yield Finding("reserves_cover_liabilities", day, group, group, act, "less held in kind than owed")
        if self.net_gap_usd(day) < 0:
            note = "less held in all than owed"
            yield Finding("total_reserves_cover_liabilities", day, "exchange", None, "affiliate_borrowing", note)
        for group in GROUPS:
            if self._is_illiquid(day, group):
                note = "hot wallets and banks couldn't pay such a day again"
                yield Finding("liquidity_covers_withdrawals", day, group, group, "withdrawal_run", note)

    def _is_illiquid(self, day: int, group: str) -> bool:
        needed = self.largest_withdrawals(day, group)
        most = least = self.eligible(day, group, LIQUID_CUSTODY)
        if group == OWN_TOKEN:
            liability = self.records.days[day].liability[OWN_TOKEN_INDEX]
            elsewhere = self.eligible(day, group) - most
            most, least = min(most, liability), max(min(most, liability - elsewhere), 0)
        return _decided(Decimal(needed - most), Decimal(needed - least), Decimal(0))


def _decided(low: Decimal, high: Decimal, limit: Decimal) -> bool:
    """Whether a figure somewhere between low and high exceeds a limit; it must not matter where it lies."""
    assert (low > limit) == (high > limit), "a story must stay away from the limits it plays with"
    return low > limit


def expected_findings(acts: list[Act], outcome: Outcome) -> list[Finding]:
    """Everything that must be found, ordered by day, check and subject; one finding per check, day, subject, asset."""
    found = [finding for act in acts for finding in act.findings(outcome)]
    if outcome.scenario.acts:
        found += Judge(outcome.scenario, outcome.book, outcome.records).consequences()
    by_key = {
        (finding.day, finding.check, finding.subject, finding.asset or ""): finding for finding in reversed(found)
    }
    return [by_key[key] for key in sorted(by_key)]


def truth_document(seed: int, acts: list[Act], outcome: Outcome) -> dict[str, Any]:
    """The content of truth.json: what was simulated and planted, and one entry per finding and day."""
    scenario, found = outcome.scenario, expected_findings(acts, outcome)
    forms = {act.plan.name: act.form for act in acts}
    later = [act.later_after(scenario) for act in acts if isinstance(act, Fault) and act.stage.is_later]
    return {
        "scenario": scenario.name,
        "seed": seed,
        "first_date": scenario.start.isoformat(),
        "last_date": scenario.last.isoformat(),
        "first_fault_date": scenario.date_of(found[0].day).isoformat() if found else None,
        "later_after": scenario.date_of(later[0]).isoformat() if later else None,
        "planted": [
            {
                "fault": act.name,
                "check": act.check,
                "form": act.form,
                "date": scenario.date_of(act.plan.day).isoformat(),
                "description": act.description,
            }
            for act in acts
            if isinstance(act, Fault)
        ],
        "faults": [
            {
                "check": finding.check,
                "date": scenario.date_of(finding.day).isoformat(),
                "subject": finding.subject,
                "asset": finding.asset,
                "fault": finding.cause,
                "form": forms[finding.cause],
                "note": finding.note,
            }
            for finding in found
        ],
    }
