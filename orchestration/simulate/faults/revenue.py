"""Faults in what was earned: revenue without entries, from the affiliate, in the own token, or known too late."""

from __future__ import annotations

from orchestration.simulate.faults.base import Fault

FAULTS: tuple[type[Fault], ...] = ()
