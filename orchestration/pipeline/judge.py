"""Asking whether a gate's suites hold: of a process of its own, which loads Great Expectations meanwhile.

What belongs here: starting that process and talking to it. What doesn't: what is asked and what follows (``gates``).

Loading Great Expectations takes seconds, and so do the pages that show its results. With two cores neither holds up
the run: the process is started first of all, and pages are written while the run goes on. It ends with this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from multiprocessing import Pipe
from typing import Any

from expectations.rules import Failure, PagesWritten, Question, RuleOutcome
from orchestration.errors import RingfenceError
from orchestration.settings import environment_of_same_imports


class JudgeError(RingfenceError):
    """Suites could not be evaluated, or their pages not be written."""


class Judge:
    """The process that evaluates suites. One question at a time."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (a fixed command, this interpreter)
                [sys.executable, "-P", "-m", "expectations.server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment_of_same_imports(),
            )
        self._are_pages_due = False

    @property
    def is_alive(self) -> bool:
        """Whether the process can be asked."""
        return self._process.poll() is None

    @property
    def process_id(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, question: Question) -> list[RuleOutcome]:
        """The outcomes of the question's suites. No connection of this process may hold the build file open.

        Raises JudgeError if they could not be evaluated, or the pages of the question before could not be written.
        """
        self.settle()
        try:
            self._connection.send(question)
        except OSError as error:
            raise self._is_gone() from error
        outcomes: list[RuleOutcome] = self._received()
        self._are_pages_due = True
        return outcomes

    def settle(self) -> None:
        """Wait until the pages of what was asked last are written; raise JudgeError if they could not be."""
        if self._are_pages_due:
            self._are_pages_due = False
            written = self._received()
            assert isinstance(written, PagesWritten)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._connection.close()
        self._process.wait()

    def _is_gone(self) -> JudgeError:
        self.end()
        return JudgeError("the process that evaluates expectations ended before it answered; run again")

    def _received(self) -> Any:
        try:
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._is_gone() from error
        if isinstance(answer, Failure):
            raise JudgeError(f"expectations: {answer.message}") from JudgeError(answer.traceback)
        return answer


_judges: dict[int, Judge] = {}


def judge() -> Judge:
    """The judge of this process, started at first use. A forked process doesn't share its parent's."""
    current = _judges.get(os.getpid())
    if current is None or not current.is_alive:
        current = _judges[os.getpid()] = Judge()
    return current


def settle() -> None:
    """Wait until all pages that this process has asked for are written; raise JudgeError if one could not be."""
    current = _judges.get(os.getpid())
    if current is not None:
        current.settle()
