"""What each source has delivered so far: its last position, how fresh it is, and how many rows.

What belongs here: reading manifests and checkpoints. What doesn't: asking a source (``pulling.check_source``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import Manifest, manifests
from orchestration.landing.manifests import STAGING

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """A table of a source. ``table`` is empty if nothing was ever delivered.

    ``days_behind``: ended days (UTC) after the last delivered one, None if there was none. ``rows_last`` is of the last
    delivery, ``rows_all`` of all. ``position`` is what the next pull goes on from; ``state`` in words.
    """

    source: str
    kind: str
    table: str
    first_day: date | None
    last_day: date | None
    days_behind: int | None
    rows_last: int
    rows_all: int
    position: str
    state: str


def feed_statuses(sources: Iterable[Source], landing: Path, clock: Clock | None = None) -> list[FeedStatus]:
    """One line for each table that a source has delivered, or one for the source if it has delivered none."""
    yesterday = (clock or Clock()).now().date() - timedelta(days=1)
    return [status for source in sources for status in _of_source(source, landing, yesterday)]


def _of_source(source: Source, landing: Path, yesterday: date) -> list[FeedStatus]:
    delivered = manifests(landing, source.name)
    begun = begun_day(landing, source.name)
    if not delivered:
        state = f"{begun} begun, not landed" if begun else "never pulled"
        return [FeedStatus(source.name, source.kind.name, "", None, None, None, 0, 0, "", state)]
    last = delivered[-1]
    behind = max(0, (yesterday - last.day).days)
    state = f"{begun} begun, not landed" if begun else "up to date" if behind == 0 else f"{behind} days behind"
    position = json.dumps(last.position, ensure_ascii=False)
    shown = position if len(position) <= _SHOWN else f"{position[: _SHOWN - 1]}…"
    tables = sorted({file.table for manifest in delivered for file in manifest.files})
    return [
        FeedStatus(
            source.name,
            source.kind.name,
            table,
            delivered[0].day,
            last.day,
            behind,
            _rows([last], table),
            _rows(delivered, table),
            shown,
            state,
        )
        for table in tables
    ]


def _rows(delivered: list[Manifest], table: str) -> int:
    return sum(file.rows for manifest in delivered for file in manifest.files if file.table == table)


def begun_day(landing: Path, source: str) -> str | None:
    """The day of a pull that was begun and hasn't ended well: it is under way, or stopped and will go on."""
    days = sorted(folder.name for folder in (landing / STAGING / source).glob("????-??-??") if folder.is_dir())
    return days[-1] if days else None
