"""Faults in what is held for customers: proofs, pledges, wallets that empty, borrowed reserves."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import override

from orchestration.simulate.faults.base import QUIET, Fault
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.reports import PROOF_HOLDS_DAYS
from orchestration.simulate.world import World


class ProofExpired(Fault):
    """The signature over the cold wallet was good until yesterday."""

    name = "proof_expired"
    check = "reserves_cover_liabilities"
    form = QUIET
    description = "The proof of ownership of the wallet with most of the XRP ran out yesterday."
    touches = frozenset({"reserves XRP"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Prove the wallet once only: at the end of the planting day the proof is just too old."""
        wallet = world.wallets[world.wallet_index("xrp-cold")]
        wallet.proven_day = self.plan.day - PROOF_HOLDS_DAYS
        wallet.first_day = None

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group is short from then on: the other wallet holds about a third."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("reserves_cover_liabilities", day, "XRP", "most of it isn't proven any more", "XRP")


FAULTS: tuple[type[Fault], ...] = (ProofExpired,)
