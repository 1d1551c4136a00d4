"""The dbt project's macros rendered without dbt, as the SQL of an engine: for testing single expressions.

What belongs here: rendering. What doesn't: macros that ask dbt or the database (models, relations, materializations).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

_MACROS = Path(__file__).parents[2] / "dbt_project" / "macros"
_FILES = ("money", "parity", "shares", "addresses", "dates")
_ENGINE_FILES = ("numbers", "types", "text", "time", "lists")

_AS_TEXT = "{% macro as_text(value) %}cast({{ value }} as string){% endmacro %}"
"""For values of types that only one of the engines has."""


class _Adapter:
    """dbt's dispatch: the engine's own version of a macro, or the default one."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.macros: Any = None

    def dispatch(self, name: str) -> Any:
        return getattr(self.macros, f"{self.engine}__{name}", None) or getattr(self.macros, f"default__{name}")


@cache
def _environment(engine: str) -> tuple[jinja2.Environment, dict[str, Any]]:
    environment = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do"])
    adapter = _Adapter(engine)
    environment.globals.update({"adapter": adapter, "return": lambda value: value})
    paths = [*(_MACROS / name for name in _FILES), *(_MACROS / "engine" / name for name in _ENGINE_FILES)]
    source = _AS_TEXT + "".join(path.with_suffix(".sql").read_text(encoding="utf-8") for path in paths)
    adapter.macros = environment.from_string(source).module
    return environment, {name: macro for name, macro in vars(adapter.macros).items() if callable(macro)}


def expression(call: str, engine: str = "duckdb") -> str:
    """The SQL that a macro call renders to on an engine: duckdb or spark."""
    environment, macros = _environment(engine)
    return environment.from_string("{{ " + call + " }}").render(macros)
