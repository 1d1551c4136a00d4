"""Saying how far a run has come, to whoever listens: the command line shows a bar, a daemon's run writes a log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, str], None]
"""Called with the stage and what is being done in it."""

_logger = logging.getLogger("ringfence")


def _log(stage: str, detail: str) -> None:
    _logger.info("%s: %s", stage, detail)


_listeners: list[Listener] = [_log]


def report(stage: str, detail: str) -> None:
    """Tell the listener what is being done."""
    _listeners[-1](stage, detail)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear of progress for the length of the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
