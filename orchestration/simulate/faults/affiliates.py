"""Faults around the affiliate: privileges, borrowing, customers' money with it, links that vanish."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import override

from orchestration.simulate.clock import HOUR
from orchestration.simulate.faults.base import QUIET, Fault
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.world import MARKET_MAKER_ACCOUNT, World, privilege


class PrivilegeBetweenSnapshots(Fault):
    """Switched on after one end-of-day snapshot and off before the next."""

    name = "privilege_between_snapshots"
    check = "affiliate_privileges"
    form = QUIET
    description = "The market maker may go negative from ten to three one day, and no snapshot shows it."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the privilege with its end."""
        start = world.clock.midnight(self.plan.day) + 10 * HOUR
        row = privilege(MARKET_MAKER_ACCOUNT, "allow_negative_balance", start, by="engineering")
        world.privileges.append({**row, "valid_to": start + 5 * HOUR})

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On that day alone."""
        note = "on and off again within the day"
        yield self.finds("affiliate_privileges", self.plan.day, MARKET_MAKER_ACCOUNT, note)


FAULTS: tuple[type[Fault], ...] = (PrivilegeBetweenSnapshots,)
