"""When the jobs run by themselves, without Dagster: for the schedules, and for whoever says when the next run comes.

What belongs here: names, jobs and times of the schedules. What doesn't: whether one is on (Dagster's instance knows).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta


@dataclass(frozen=True, slots=True)
class Nightly:
    """A schedule that runs its job every day, ``minute`` minutes after midnight UTC."""

    name: str
    job: str
    minute: int

    @property
    def cron(self) -> str:
        """The same as cron writes it."""
        return f"{self.minute} 0 * * *"

    def next_after(self, at: datetime) -> datetime:
        """The first moment after ``at`` (UTC) at which it runs."""
        today = datetime.combine(at.date(), time(0, self.minute))
        return today if today > at else today + timedelta(days=1)


CLOSE = Nightly("every_night", "daily_close", 30)
PULL = Nightly("every_night_before", "pull_sources", 5)
