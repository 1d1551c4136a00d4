"""Faults around the exchange's own token and what others' tokens fetch."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import OWN_TOKEN
from orchestration.simulate.faults.base import OBVIOUS, Fault, rows_where, with_changes
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.today import Today


class SupplyMostlyHeld(Fault):
    """Only a part of the token circulates outside the group."""

    name = "own_token_mostly_held"
    check = "own_token_concentration"
    form = OBVIOUS
    description = "Two thirds of the own token that circulates turn out to be the group's."
    touches = frozenset({"supply own token"})

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """State a circulating supply of one and a half times what the group holds in its house wallet."""
        if today.day < self.plan.day:
            return
        held = int(today.book.slots[today.book.slot("house-eth", OWN_TOKEN)]) // 10**6
        supply = tables["token_supply"]
        (row,) = rows_where(supply, asset=OWN_TOKEN)
        tables["token_supply"] = with_changes(supply, row, circulating=Decimal(held * 3 // 2))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("own_token_concentration", day, OWN_TOKEN, "the group holds most of it", OWN_TOKEN)


FAULTS: tuple[type[Fault], ...] = (SupplyMostlyHeld,)
