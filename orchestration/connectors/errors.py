"""What can go wrong with a source, told to a person on call in one line: which source, what, and what to do."""

from __future__ import annotations

from orchestration.errors import RingfenceError


class SourceError(RingfenceError):
    """A source didn't give what was asked of it, so nothing of the pull lands.

    ``problem`` says what happened and where, ``remedy`` what to do. The source's name is put in front by whoever pulls.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy = problem, remedy


class UnreachableError(SourceError):
    """The source can't be reached or didn't answer in time, however often it was tried."""


class AnswerError(SourceError):
    """The source answered, and the answer can't be taken: malformed, contradictory, or not what was asked for."""


class StatusError(AnswerError):
    """The server refused by a status that isn't worth another try. ``body`` is all that it said, secrets included."""

    def __init__(self, problem: str, remedy: str, status: int, body: bytes) -> None:
        super().__init__(problem, remedy)
        self.status, self.body = status, body


class IncompleteError(AnswerError):
    """The answer is a part of the whole, or can't be told from one."""


class EmptyAnswerError(AnswerError):
    """Nothing came where something must be: that is missing data, never a zero."""


class TooLateError(SourceError):
    """The source tells only what is so now, and the day asked for is too long past; later days may still come."""


class LimitError(AnswerError):
    """The answer is larger, deeper or more compressed than any honest one, and reading it was stopped."""


class ResumeError(SourceError):
    """What an interrupted pull left doesn't fit what is there now: it is thrown away, and the pull begins anew."""
