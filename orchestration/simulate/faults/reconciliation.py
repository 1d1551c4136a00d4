"""Faults in which two sources disagree or one is silent: engine, wallets, transfers, prices, reports."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.faults.base import OBVIOUS, Fault, rows_where, with_changes
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import World


class EngineShowsMore(Fault):
    """The engine credits an account with what the ledger never booked."""

    name = "engine_shows_more"
    check = "ledger_matches_engine"
    form = OBVIOUS
    description = "One evening the trading engine shows a customer half as much ether again as the ledger."
    touches = frozenset({"engine ETH"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.account = self.open_customer(world, ETH=max(world.owed_usd * 0.001, 1_000.0))

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Deliver another balance."""
        if today.day != self.plan.day:
            return
        snapshots = tables["balance_snapshots"]
        (row,) = rows_where(snapshots, account_id=self.account, asset="ETH")
        balance: Decimal = snapshots["balance"][row].as_py()
        tables["balance_snapshots"] = with_changes(snapshots, row, balance=balance * 3 / 2)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The account, and the asset: half of a thousandth of what is owed is more than 0.01 % of a tenth."""
        note = "the engine shows more than the ledger"
        yield self.finds("ledger_matches_engine", self.plan.day, self.account, note, "ETH")
        yield self.finds("ledger_matches_engine", self.plan.day, "ETH", note, "ETH")


FAULTS: tuple[type[Fault], ...] = (EngineShowsMore,)
