"""What the contenders' scripts share: arguments, the SQL of liabilities and coverage, the files that they write.

What belongs here: the interface between the benchmark and a contender. What doesn't: any engine; this module imports
the standard library only. ``OUT`` gets ``liability.csv`` (day, asset, units), ``coverage.csv`` (day, in-kind group,
eligible reserves, liability) from those that compute it, and ``steps.json``: the seconds of each step.

Simplified against the pipeline, in the contenders' favour: customers are entities of that type (nobody looks for
affiliates), reserves are the operator's wallets for customers at their last balance (no proof, address or encumbrance
is looked at), assets of a group count one for one, and nothing is checked.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COLUMNS: Mapping[str, Sequence[str]] = {
    "ledger_entries": ("account_id", "asset", "amount", "effective_at"),
    "accounts": ("account_id", "entity_id"),
    "entities": ("entity_id", "entity_type"),
    "tokens": ("asset", "in_kind_group"),
    "wallets": ("wallet_id", "purpose"),
    "wallet_balances": ("wallet_id", "asset", "balance", "as_of"),
}
"""The columns that are read, by table."""

LIABILITY = """
with customer_account as (
    select accounts.account_id
    from accounts inner join entities on accounts.entity_id = entities.entity_id
    where entities.entity_type = 'customer'
),

daily_change as (
    select account_id, asset, cast(effective_at as date) as day, sum(amount) as change
    from ledger_entries
    where account_id in (select account_id from customer_account)
    group by account_id, asset, cast(effective_at as date)
),

balance as (
    select asset, day, change, sum(change) over (partition by account_id, asset order by day) as balance
    from daily_change
),

liability_change as (
    select asset, day, sum(greatest(balance, 0) - greatest(balance - change, 0)) as change
    from balance
    group by asset, day
),

calendar as (
    select distinct cast(as_of as date) as day from wallet_balances
),

grid as (
    select calendar.day, assets.asset from calendar cross join (select distinct asset from liability_change) as assets
)

select grid.day, grid.asset, sum(coalesce(liability_change.change, 0)) over (
    partition by grid.asset order by grid.day
) as liability
from grid left join liability_change on grid.day = liability_change.day and grid.asset = liability_change.asset
order by grid.day, grid.asset
"""
"""Units of each asset that customers are owed at the end of each day; valid in DuckDB, PostgreSQL and Spark."""

COVERAGE = """
with reserve as (
    select cast(as_of as date) as day, coalesce(tokens.in_kind_group, tokens.asset) as in_kind_group,
        sum(balance) as eligible
    from wallet_balances inner join tokens on wallet_balances.asset = tokens.asset
    where wallet_id in (select wallet_id from wallets where purpose = 'customer')
    group by cast(as_of as date), coalesce(tokens.in_kind_group, tokens.asset)
),

owed as (
    select day, coalesce(tokens.in_kind_group, tokens.asset) as in_kind_group, sum(liability) as liability
    from liability inner join tokens on liability.asset = tokens.asset
    group by day, coalesce(tokens.in_kind_group, tokens.asset)
)

select owed.day, owed.in_kind_group, coalesce(reserve.eligible, 0) as eligible, owed.liability
from owed left join reserve on owed.day = reserve.day and owed.in_kind_group = reserve.in_kind_group
order by owed.day, owed.in_kind_group
"""
"""Reserves and liabilities of each in-kind group at the end of each day; reads the liabilities as ``liability``."""


@dataclass
class Script:
    """One call of a contender's script."""

    landing: Path
    out: Path
    memory_limit: str | None = None
    steps: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def of_command_line() -> Script:
        """Landing zone, folder for what the script writes, and a memory limit as DuckDB writes it, if there is one."""
        landing, out, *limit = sys.argv[1:]
        return Script(Path(landing), Path(out), limit[0] if limit else None)

    def files(self, table: str) -> str:
        """A table's Parquet files as a glob."""
        has_days = any((self.landing / table).glob("date=*"))
        return str(self.landing / table / ("*/*.parquet" if has_days else "*.parquet"))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        started = time.monotonic()
        yield
        self.steps[name] = time.monotonic() - started

    def finish(self, liability: Iterable[Sequence[Any]], coverage: Iterable[Sequence[Any]] | None = None) -> None:
        """Write what was computed and how long the steps took."""
        self._write("liability.csv", liability)
        if coverage is not None:
            self._write("coverage.csv", coverage)
        (self.out / "steps.json").write_text(json.dumps(self.steps), encoding="utf-8")

    def _write(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        with (self.out / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([_text(value) for value in row] for row in rows)


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
