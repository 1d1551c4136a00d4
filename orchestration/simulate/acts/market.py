"""The own token's crash and the run on withdrawals that follows (facts I8, D1, D2)."""

from __future__ import annotations

from typing_extensions import override

from orchestration.simulate.acts.base import Act
from orchestration.simulate.assets import OWN_TOKEN_INDEX
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import World


class TokenCrash(Act):
    """The own token loses most of its value within a few days, at every source alike."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Multiply the token's path by the remaining parts given, the last of which stays."""
        remaining = [float(part) for part in self.value("remaining")]
        for offset, part in enumerate(remaining):
            paths.mid[self.plan.day + offset, OWN_TOKEN_INDEX] *= part
        paths.mid[self.plan.day + len(remaining) :, OWN_TOKEN_INDEX] *= remaining[-1]


class WithdrawalRun(Act):
    """Customers withdraw what hot wallets and banks can pay, until withdrawals are halted."""

    @override
    def morning(self, today: Today) -> None:
        """Let everybody withdraw during the run, and stop customers' business afterwards."""
        today.controls.halted |= today.day >= int(self.value("halted_from"))
        if today.day >= self.plan.day:
            today.controls.run_share = float(self.value("daily_share_of_liquid"))
            today.controls.run_assets = tuple(self.value("assets"))
