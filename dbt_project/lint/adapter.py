"""dbt's ``adapter`` as the linter sees it: the linter reads SQL of DuckDB."""

from __future__ import annotations

from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def dispatch(context: Context, name: str) -> Any:
    """The version of a macro that DuckDB's SQL is made by."""
    return context.resolve(f"default__{name}")
