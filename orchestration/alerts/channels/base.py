"""What a channel is: it takes one message to one receiver, and says so only if the receiver has taken it.

What belongs here: the interface. What doesn't: any receiver.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Content
from orchestration.connectors.base import Services
from orchestration.errors import RingfenceError


class ChannelError(RingfenceError):
    """The receiver didn't take the message.

    ``is_final``: sending the same again can't help, it has to be changed. ``retry_after``: how many seconds the
    receiver asks to wait.
    """

    def __init__(self, message: str, *, is_final: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.is_final, self.retry_after = is_final, retry_after


class ChannelSettings(BaseModel):
    """The keys of a channel; secrets by the name of their environment variable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class ChannelServices:
    """What a channel is given: the connectors' services (secrets, clock, HTTP), the clock of incidents, whose it is."""

    outside: Services
    now: Callable[[], datetime]
    environment: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class Sending:
    """One message on its way. ``key`` is the same each time it is tried, so that a receiver can drop repeats.

    ``line`` names what it is about: messages of one line belong together (a thread, an incident at a pager).
    ``is_test``: nothing is wrong, somebody tries the way.
    """

    key: str
    line: str
    occasion: Occasion
    content: Content
    is_test: bool = False


class Channel(ABC):
    """Takes messages to one receiver. Construction asks nobody; secrets are read when something is sent."""

    settings_class: ClassVar[type[ChannelSettings]]
    takes_acknowledgements: ClassVar[bool] = False
    """Whether the receiver is told that somebody has taken note, so that it calls nobody else."""
    keeps_states: ClassVar[bool] = False
    """Whether the receiver keeps the state of each incident, and groups them itself: it is told of them one by one."""
    forgets: ClassVar[bool] = False
    """Whether the receiver forgets what it isn't told again: after every look it is told what stands (``refresh``)."""

    def __init__(self, settings: ChannelSettings, services: ChannelServices) -> None:  # noqa: ARG002
        self.services = services

    @abstractmethod
    def send(self, sending: Sending) -> None:
        """Return once the receiver has taken the message; raise ChannelError, without a secret, if it hasn't."""

    @abstractmethod
    def check(self) -> str:
        """Say, without sending anything to anybody, that the receiver is there; raise ChannelError if it isn't."""

    def refresh(self, standing: Sequence[Sending]) -> None:  # noqa: B027 (most receivers forget nothing)
        """Tell a receiver that forgets which of the incidents that it was told of stand; raise as ``send`` does."""
