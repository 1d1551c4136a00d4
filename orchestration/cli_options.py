"""What several commands share: how days and moments are written, what a range of days means, what ends a service.

What belongs here: parsing of arguments, how much is told of an error, and signals. What doesn't: commands.
"""

from __future__ import annotations

import signal
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import typer

from orchestration.errors import ConfigurationError


class State:
    """What was asked of this invocation as a whole."""

    verbose = False


def _set_verbose(value: bool) -> bool:
    State.verbose = State.verbose or value
    return value


Verbose = Annotated[bool, typer.Option("--verbose", help="Show log messages and tracebacks.", callback=_set_verbose)]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date; write it as YYYY-MM-DD") from error


def _moment(text: str) -> datetime:
    """A moment in UTC; a day alone is its end, as the knowledge of a run of that day."""
    try:
        if len(text) == len("YYYY-MM-DD"):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time.min)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no time; write it as YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def optional_day(name: str, text: str) -> Any:
    """An option that takes a day."""
    return typer.Option(name, metavar="YYYY-MM-DD", parser=_day, help=text)


def optional_moment(name: str, text: str) -> Any:
    """An option that takes a moment in UTC, or a day for its end."""
    return typer.Option(name, metavar="YYYY-MM-DD[THH:MM:SS]", parser=_moment, help=text)


def requested_days(day: date | None, first: date | None, last: date | None) -> tuple[date, date]:
    """First and last day of ``--date``, or of ``--from`` and ``--to``; raise ConfigurationError for anything else."""
    if day is not None and first is None and last is None:
        return day, day
    if day is None and first is not None and last is not None:
        if first > last:
            raise ConfigurationError(f"--from {first} is after --to {last}; give the earlier day first")
        return first, last
    raise ConfigurationError("give either --date, or both --from and --to")


def listed(text: str) -> tuple[str, ...]:
    """The parts of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def end_when_terminated() -> None:
    """Let SIGTERM end this process, which works until it is ended; whoever started it may have had it ignored."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
