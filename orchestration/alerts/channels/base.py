"""What a channel is: it takes one message to one receiver, and says so only if the receiver has taken it.

What belongs here: the interface. What doesn't: any receiver.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Content
from orchestration.connectors.base import Services
from orchestration.errors import RingfenceError


class ChannelError(RingfenceError):
    """The receiver didn't take the message. ``is_final``: sending the same again can't help, it has to be changed."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class ChannelSettings(BaseModel):
    """The keys of a channel; secrets by the name of their environment variable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class ChannelServices:
    """What a channel is given: the connectors' services (secrets, clock, HTTP), and the clock of incidents."""

    outside: Services
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Sending:
    """One message on its way. ``key`` is the same each time it is tried, so that a receiver can drop repeats.

    ``line`` names what it is about: messages of one line belong together (a thread, an incident at a pager).
    """

    key: str
    line: str
    occasion: Occasion
    content: Content


class Channel(ABC):
    """Takes messages to one receiver. Construction asks nobody; secrets are read when something is sent."""

    settings_class: ClassVar[type[ChannelSettings]]
    takes_acknowledgements: ClassVar[bool] = False
    """Whether the receiver is told that somebody has taken note, so that it calls nobody else."""

    def __init__(self, settings: ChannelSettings, services: ChannelServices) -> None:  # noqa: ARG002
        self.services = services

    @abstractmethod
    def send(self, sending: Sending) -> None:
        """Return once the receiver has taken the message; raise ChannelError, without a secret, if it hasn't."""

    @abstractmethod
    def check(self) -> str:
        """Say, without sending anything to anybody, that the receiver is there; raise ChannelError if it isn't."""
