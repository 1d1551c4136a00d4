"""What is measured beside the pipeline: each contender a script of its own, run in a process of its own.

What belongs here: the list of contenders, what each needs, and whether this machine has it. What doesn't: measuring.
A contender is called as ``python -m <module> LANDING OUT`` and writes what ``script`` says. Their modules import
nothing of Ringfence but ``script``, so that a contender pays for itself only.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from orchestration.bench.speed.contenders import postgresql_tools

_NEEDS_EXTRA = "not installed; `make bench` installs it, or `pip install -r requirements-bench.lock`"


def _missing_module(name: str) -> Callable[[], str | None]:
    return lambda: None if importlib.util.find_spec(name) else f"Python package {name} is {_NEEDS_EXTRA}"


def _missing_for_spark() -> str | None:
    import shutil

    if missing := _missing_module("pyspark")():
        return missing
    return None if shutil.which("java") else "Spark needs Java 17 or later on the PATH: install a JRE"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to compute daily liabilities. ``missing`` says why it can't run here and what to do; None if it can."""

    name: str
    description: str
    missing: Callable[[], str | None]
    is_exact: bool = True

    @property
    def module(self) -> str:
        """The script's module."""
        return f"{__name__}.{self.name}"


BARE = Contender("bare", "hand-written SQL on DuckDB: liabilities and coverage, exact, no checks", lambda: None)

CONTENDERS: tuple[Contender, ...] = (
    BARE,
    Contender(
        "pandas_script",
        "pandas: liabilities alone, binary floats, no checks",
        _missing_module("pandas"),
        is_exact=False,
    ),
    Contender(
        "polars_script", "polars, lazy and streaming: liabilities alone, exact, no checks", _missing_module("polars")
    ),
    Contender(
        "postgresql",
        "PostgreSQL, the same SQL as bare: liabilities and coverage, exact, no checks",
        postgresql_tools.missing,
    ),
    Contender(
        "pyspark_local",
        "PySpark on both cores, the same SQL as bare: liabilities and coverage, exact, no checks",
        _missing_for_spark,
    ),
)
