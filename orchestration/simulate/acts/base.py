"""What every act can do; the methods here do nothing, so that an act overrides only what it needs."""

from __future__ import annotations

from typing import Any

from orchestration.simulate.book import Book
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.record import Records
from orchestration.simulate.scenario import ActPlan
from orchestration.simulate.today import Today
from orchestration.simulate.world import World


class Act:
    """One act, from its day on. Methods are called in the order in which they are declared."""

    def __init__(self, plan: ActPlan) -> None:
        """Keep the act's plan."""
        self.plan = plan

    def prepare(self, world: World, paths: PricePaths) -> None:
        """Change who exists and how prices go, before the book is opened."""

    def morning(self, today: Today) -> None:
        """Turn the day's controls, before ordinary activity."""

    def evening(self, today: Today) -> None:
        """Post what the act does on the day, after ordinary activity."""

    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Change, in place, what management is about to publish about the month that ended on a day."""

    def revenue_day(self, month_end: int) -> int | None:
        """Another day on which a month's revenue is published; None leaves the usual one."""

    def value(self, key: str, default: Any = None) -> Any:
        """A parameter of the act from the scenario's file."""
        return self.plan.parameters.get(key, default)
