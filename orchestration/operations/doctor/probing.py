"""What a probe is, and trying several: each by itself, none waited for longer than its deadline.

What belongs here: outcomes and deadlines. What doesn't: any probe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

from orchestration.connectors.secrets import Secrets
from orchestration.operations.doctor.machine import Machine
from orchestration.settings import Settings


class State(StrEnum):
    """What a probe came to."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line: what was found, and what to do about it (empty if nothing has to be done)."""

    state: State
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is looked at: a configuration, on a machine. ``secrets`` are kept out of all that is told."""

    settings: Settings
    machine: Machine = field(default_factory=Machine)
    secrets: Secrets = field(default_factory=Secrets)
    is_landing_named: bool = True


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to try. ``is_outside``: it asks somebody over the network."""

    name: str
    look: Callable[[Case], Iterable[Outcome]]
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """A probe's outcome with its name."""

    probe: str
    outcome: Outcome


def ok(found: str) -> Outcome:
    """Nothing is wrong."""
    return Outcome(State.OK, found)


def warning(found: str, remedy: str) -> Outcome:
    """Runs go on, and somebody should look."""
    return Outcome(State.WARNING, found, remedy)


def problem(found: str, remedy: str) -> Outcome:
    """A run, a pull or an alert will fail, or has."""
    return Outcome(State.PROBLEM, found, remedy)


def left_out(why: str, remedy: str = "") -> Outcome:
    """It doesn't apply here."""
    return Outcome(State.LEFT_OUT, why, remedy)


class _Trial(threading.Thread):
    """A probe at work. One that hangs is left behind: it can't be ended, and doesn't keep the process alive."""

    def __init__(self, probe: Probe, case: Case) -> None:
        super().__init__(daemon=True, name=f"probe {probe.name}")
        self.probe, self.case = probe, case
        self._outcomes: list[Outcome] = []

    def run(self) -> None:
        try:
            for outcome in self.probe.look(self.case):
                self._outcomes.append(outcome)
        except Exception as error:  # noqa: BLE001 (a probe that fails is what was found)
            text = " ".join(str(error).split())
            self._outcomes.append(
                problem(f"it can't be tried: {type(error).__name__}: {text}", "mend that, or report it")
            )

    def outcomes(self, seconds: float, deadline: float) -> list[Outcome]:
        """What was found by the deadline (of the monotonic clock)."""
        self.join(max(0.0, deadline - monotonic()))
        found = list(self._outcomes)
        if self.is_alive():
            found.append(
                problem(f"no answer within {seconds:g} s", "see what it hangs on: a disk, a network, a server")
            )
        return found or [ok("nothing to say")]


def try_all(probes: Sequence[Probe], case: Case, seconds: float) -> Iterator[Tried]:
    """Try the probes, and yield what each found in their order; those that ask outside work at the same time."""
    deadline = monotonic() + seconds
    outside = {number: _Trial(probe, case) for number, probe in enumerate(probes) if probe.is_outside}
    for trial in outside.values():
        trial.start()
    for number, probe in enumerate(probes):
        trial = outside.get(number) or _Trial(probe, case)
        if number not in outside:
            trial.start()
            deadline_of_this = monotonic() + seconds
        else:
            deadline_of_this = deadline
        for outcome in trial.outcomes(seconds, deadline_of_this):
            # Only what asks outside has secrets in hand; a user's name, say, may be an everyday word elsewhere.
            yield Tried(probe.name, _redacted(outcome, case.secrets) if probe.is_outside else outcome)


def _redacted(outcome: Outcome, secrets: Secrets) -> Outcome:
    return Outcome(outcome.state, secrets.redact(outcome.found), secrets.redact(outcome.remedy))
