"""What every act can do; the methods here do nothing, so that an act overrides only what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa

from orchestration.simulate.book import Book
from orchestration.simulate.delivery import Delivery
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.record import Records
from orchestration.simulate.scenario import ActPlan
from orchestration.simulate.today import Today
from orchestration.simulate.world import World


class Act:
    """One act, from its day on. Methods are called in the order in which they are declared."""

    form: ClassVar[str] = "story"
    """How the act shows: part of a scenario's story; planted faults are obvious, quiet or innocent."""

    def __init__(self, plan: ActPlan) -> None:
        """Keep the act's plan."""
        self.plan = plan

    def prepare(self, world: World, paths: PricePaths) -> None:
        """Change who exists and how prices go, before the book is opened."""

    def morning(self, today: Today) -> None:
        """Turn the day's controls, before ordinary activity."""

    def evening(self, today: Today) -> None:
        """Post what the act does on the day, after ordinary activity."""

    def revenue_day(self, month_end: int) -> int | None:
        """Another day on which a month's revenue is published; None leaves the usual one."""

    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Change, in place, what management is about to publish about the month that ended on a day."""

    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Replace tables of the day's batch by what is delivered instead; nothing else learns of it."""

    def refer(self, world: World, tables: dict[str, pa.Table]) -> None:
        """Replace reference tables by what is delivered instead, after the last day."""

    def spoil(self, delivery: Delivery) -> None:
        """Change files once all are written, or write those of a second delivery."""

    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """What must be found of this act by itself."""
        return iter(())

    def finds(self, check: str, day: int, subject: str, note: str, asset: str | None = None) -> Finding:
        """One finding caused by this act."""
        return Finding(check, day, subject, asset, self.plan.name, note)

    def value(self, key: str, default: Any = None) -> Any:
        """A parameter of the act from the scenario's file."""
        return self.plan.parameters.get(key, default)
