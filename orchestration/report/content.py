"""What the report says: rows of the published warehouse for one day. Amounts stay exact.

What belongs here: queries, and what the whole is made of. What doesn't: layout (``solvency.html.j2``), drawing
(``charts``), and the parts that are more than a query: ``findings``, ``network``, ``snapshot``, ``stress``.

A report leaves the house: of findings about somebody it holds a keyed hash, the amounts, and the query that finds them
in the warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.contract import TABLES
from orchestration.errors import ConfigurationError
from orchestration.reading.published import fetch, fetch_rows, has_table
from orchestration.report.findings import Findings, read_findings
from orchestration.report.network import Network, read_network
from orchestration.report.snapshot import Snapshot, read_snapshot
from orchestration.report.stress import Stress, read_stress

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReportContent:
    """Everything in a report, by section."""

    day: date
    run: Row
    solvency: Row
    history: list[Row]
    coverage: list[Row]
    exclusions: list[Row]
    network: Network
    revenue: list[Row]
    stress: Stress
    snapshot: Snapshot | None
    findings: Findings
    sources: list[Row]
    policy: list[Row]
    policy_hash: str
    inputs_hash: str

    @property
    def is_failed(self) -> bool:
        """Whether the day's verdict is anything but good."""
        return self.solvency["status"] != "covered" or self.findings.critical > 0

    @property
    def short_since(self) -> date | None:
        """First day of the unbroken run of days with a shortfall that ends on the report's day."""
        first: date | None = None
        for row in reversed(self.history):
            if not row["in_kind_shortfall_usd"]:
                break
            first = row["as_of_date"]
        return first


NEWEST_MART = "fct_affiliate_balance_daily"
"""The mart that came last among those a report reads: a publication with it has all."""


def _solvency(connection: duckdb.DuckDBPyConnection, day: date | None) -> Row:
    """The row of a day, or of the latest one."""
    if not has_table(connection, "marts", "fct_solvency_daily"):
        raise ConfigurationError("no day was ever published in this warehouse; see 'ringfence findings' for the reason")
    if not has_table(connection, "marts", NEWEST_MART):
        raise ConfigurationError(
            f"this warehouse was published by an older version, without marts.{NEWEST_MART}; run its latest day again,"
            " or 'ringfence rebuild', and then ask for the report"
        )
    first, last = fetch(connection, "select min(as_of_date), max(as_of_date) from marts.fct_solvency_daily").values[0]
    rows = fetch_rows(connection, "select * from marts.fct_solvency_daily where as_of_date = ?", (day or last,))
    if not rows:
        raise ConfigurationError(f"{day} isn't in this warehouse; it holds {first} to {last}")
    return rows[0]


_RUN = """
    select run_id, knowledge_at, first_date, last_date, published_at, policy_hash, status
    from audit.run
    where is_accepted
    order by knowledge_at desc, started_at desc
    limit 1
"""

_HISTORY = """
    select as_of_date, customer_liabilities_usd, eligible_reserves_usd, coverage_ratio, in_kind_shortfall_usd, status
    from marts.fct_solvency_daily
    where as_of_date <= ?
    order by as_of_date
"""

_COVERAGE = """
    select in_kind_group, is_own_token, liability, affiliate_claims, eligible_reserves, excluded_reserves, gap,
        gap_all_claims, coverage_ratio, min_coverage, price_usd, gap_usd
    from marts.fct_reserve_coverage_daily
    where as_of_date = ?
    order by gap_usd nulls last, in_kind_group
"""

_EXCLUSIONS = """
    select reason, asset, count(distinct wallet_id) as wallets, sum(quantity) as quantity, sum(value_usd) as value_usd,
        count(*) filter (where value_usd is null) as unpriced
    from marts.fct_reserve_exclusion_daily
    where as_of_date = ?
    group by reason, asset
    order by sum(sum(value_usd)) over (partition by reason) desc nulls last, reason, value_usd desc nulls last, asset
"""

_REVENUE = """
    select month, reported_usd, ledger_usd, unsupported_usd, backdated_usd, affiliate_usd, own_token_haircut_usd,
        token_adjusted_revenue_usd, own_token_usd, unpriced_assets
    from marts.fct_token_adjusted_revenue_monthly
    where reported_usd is not null and month <= ?
    order by month
"""

_SOURCES = """
    select table_name, count(distinct source_file) filter (where outcome = 'accepted') as files,
        sum(rows) filter (where outcome = 'accepted') as rows,
        max(partition_date) filter (where outcome = 'accepted') as last_day,
        date_diff('day', max(partition_date) filter (where outcome = 'accepted'), $last_date) as days_behind
    from audit.load
    group by table_name
    order by table_name
"""

_POLICY = """
    select name, item, value, is_default
    from audit.policy
    where run_id = ? and not starts_with(name, 'checks.')
    order by name, item
"""

_INPUTS_HASH = """
    select sha256(coalesce(string_agg(source_file || ' ' || sha256, chr(10) order by source_file, sha256), ''))
    from (select distinct source_file, sha256 from audit.load where outcome = 'accepted')
"""
"""sha256 over the digests of all accepted files, by name: the same inputs give the same hash."""


def read_content(connection: duckdb.DuckDBPyConnection, day: date | None) -> ReportContent:
    """Read the report of a day, or of the latest one. Raises ConfigurationError if the day was never published."""
    solvency = _solvency(connection, day)
    shown: date = solvency["as_of_date"]
    run = fetch_rows(connection, _RUN)[0]
    policy = fetch_rows(connection, _POLICY, (run["run_id"],))
    return ReportContent(
        day=shown,
        run=run,
        solvency=solvency,
        history=fetch_rows(connection, _HISTORY, (shown,)),
        coverage=fetch_rows(connection, _COVERAGE, (shown,)),
        exclusions=fetch_rows(connection, _EXCLUSIONS, (shown,)),
        network=read_network(connection, shown),
        revenue=fetch_rows(connection, _REVENUE, (shown,)),
        stress=read_stress(connection, shown, solvency),
        snapshot=read_snapshot(connection, shown, policy),
        findings=read_findings(connection, shown),
        sources=_with_rhythm(fetch_rows(connection, _SOURCES, {"last_date": run["last_date"]})),
        policy=policy,
        policy_hash=run["policy_hash"],
        inputs_hash=str(fetch(connection, _INPUTS_HASH).values[0][0]),
    )


def _with_rhythm(sources: list[Row]) -> list[Row]:
    """Sources with how often they are due: a table that must come each day and is behind is stale."""
    rhythm = {table.name: ("daily" if table.required_daily else "as needed") for table in TABLES if table.dated}
    return [row | {"due": rhythm.get(row["table_name"], "reference")} for row in sources]
