"""The truth: every finding that the story of a scenario must lead to, and no other.

What belongs here: turning the simulator's own daily records into (check, date, subject) by a small exact computation
of its own. What doesn't: the pipeline, which is never run here.
"""

from __future__ import annotations

from typing import Any

from orchestration.simulate.acts.base import Act
from orchestration.simulate.book import Book
from orchestration.simulate.record import Records
from orchestration.simulate.scenario import Scenario


def truth_document(scenario: Scenario, seed: int, acts: list[Act], book: Book, records: Records) -> dict[str, Any]:
    """The content of truth.json."""
    faults: list[dict[str, Any]] = []
    return {
        "scenario": scenario.name,
        "seed": seed,
        "first_date": scenario.start.isoformat(),
        "last_date": scenario.last.isoformat(),
        "first_fault_date": min((fault["date"] for fault in faults), default=None),
        "faults": faults,
    }
