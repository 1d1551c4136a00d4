"""Simulated time: microseconds since the epoch, UTC, derived from the scenario's first day and never from a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MICROSECONDS = 1_000_000
MINUTE = 60 * MICROSECONDS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns day numbers into microseconds since the epoch; day 0 is the first simulated day."""

    start: date

    def midnight(self, day: int) -> int:
        """The first moment of a day."""
        return (self.start - _EPOCH.date()).days * DAY + day * DAY

    def at(self, day: int, hours: float) -> int:
        """A moment ``hours`` after the midnight that begins the day, in whole seconds."""
        return self.midnight(day) + round(hours * 3600) * MICROSECONDS

    def close(self, day: int) -> int:
        """The moment that end-of-day snapshots describe: 23:59:59, after every event of the day."""
        return self.midnight(day) + DAY - MICROSECONDS

    def date_of(self, day: int) -> date:
        """The calendar date of a day number."""
        return self.start + timedelta(days=day)

    def day_of(self, when: date) -> int:
        """The day number of a calendar date; negative before the first day."""
        return (when - self.start).days

    def month_ends(self, days: int) -> list[int]:
        """Day numbers of the last days of the whole months within the first ``days`` days."""
        ends = [day for day in range(days) if self.date_of(day + 1).day == 1]
        return [day for day in ends if self.day_of(self.date_of(day).replace(day=1)) >= 0]
