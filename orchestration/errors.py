"""Errors that a user can act on. Each message says in one line what is wrong, where, and what to do."""

from __future__ import annotations


class RingfenceError(Exception):
    """An error that the command line shows as one line; ``exit_status`` is what the process returns."""

    exit_status = 1


class ConfigurationError(RingfenceError):
    """Wrong usage or configuration: a missing folder, a bad option, an invalid policy."""

    exit_status = 2
