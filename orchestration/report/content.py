"""What the report says: rows of the published warehouse for one day. Amounts stay exact.

What belongs here: queries. What doesn't: layout (``solvency.html.j2``), drawing (``chart``).

A report leaves the house: of findings about somebody it holds a keyed hash, the amounts, and the query that finds them
in the warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.errors import ConfigurationError
from orchestration.keyed_hashes import PLAIN_SUBJECTS, affected, process_hashing, sentence
from orchestration.reading.published import fetch, has_table
from orchestration.sql import quoted

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReportContent:
    """Everything on the page, by section."""

    day: date
    run: Row
    solvency: Row
    history: list[Row]
    coverage: list[Row]
    exclusions: list[Row]
    exposures: list[Row]
    waterfall: Row | None
    findings: list[Row]
    sources: list[Row]
    policy: list[Row]
    policy_hash: str
    inputs_hash: str

    @property
    def critical_findings(self) -> int:
        """How many findings of the day are critical."""
        return sum(finding["severity"] == "critical" for finding in self.findings)


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> list[Row]:
    result = fetch(connection, sql, parameters)
    return [dict(zip(result.columns, values, strict=True)) for values in result.values]


def _solvency(connection: duckdb.DuckDBPyConnection, day: date) -> Row:
    if not has_table(connection, "marts", "fct_solvency_daily"):
        raise ConfigurationError("no day was ever published in this warehouse; see 'ringfence findings' for the reason")
    rows = _rows(connection, "select * from marts.fct_solvency_daily where as_of_date = ?", day)
    if rows:
        return rows[0]
    first, last = fetch(connection, "select min(as_of_date), max(as_of_date) from marts.fct_solvency_daily").values[0]
    raise ConfigurationError(f"{day} isn't in this warehouse; it holds {first} to {last}")


_COVERAGE = """
    select in_kind_group, liability, affiliate_claims, eligible_reserves, excluded_reserves, gap, gap_all_claims,
        coverage_ratio, price_usd, gap_usd
    from marts.fct_reserve_coverage_daily
    where as_of_date = ?
    order by gap_usd nulls last, in_kind_group
"""

_EXCLUSIONS = """
    select reason, count(distinct wallet_id) as wallets, sum(value_usd) as value_usd,
        count(*) filter (where value_usd is null) as unpriced
    from marts.fct_reserve_exclusion_daily
    where as_of_date = ?
    group by reason
    order by value_usd desc nulls last, reason
"""

_EXPOSURES = """
    select entity_id, gross_claims_usd, gross_borrowing_usd, collateral_haircut_usd, own_token_collateral_usd,
        uncollateralised_usd, share_of_customer_liabilities, active_privileges, credit_line_usd
    from marts.fct_affiliate_exposure_daily
    where as_of_date = ?
    order by uncollateralised_usd desc nulls last, entity_id
"""

_FINDINGS = """
    select severity, kind, check_name, subject_type, subject_id, asset, observed, expected, impact_usd, message,
        evidence, first_seen_on
    from audit.finding
    where as_of_date = ?
    order by severity, impact_usd desc nulls last, check_name, subject_id, asset nulls first
"""

_SOURCES = """
    select table_name, count(distinct source_file) as files, sum(rows) as rows, max(partition_date) as last_day
    from audit.load
    where outcome = 'accepted'
    group by table_name
    order by table_name
"""


def read_content(connection: duckdb.DuckDBPyConnection, day: date) -> ReportContent:
    """Read the report of a day. Raises ConfigurationError if the day was never published."""
    solvency = _solvency(connection, day)
    run = _rows(
        connection,
        "select run_id, knowledge_at, first_date, last_date, policy_hash, status from audit.run where is_accepted"
        " order by knowledge_at desc, started_at desc limit 1",
    )[0]
    history = _rows(
        connection,
        "select as_of_date, customer_liabilities_usd, eligible_reserves_usd, in_kind_shortfall_usd, status"
        " from marts.fct_solvency_daily where as_of_date <= ? order by as_of_date",
        day,
    )
    waterfall = _rows(
        connection,
        "select * from marts.fct_token_adjusted_revenue_monthly where reported_usd is not null"
        " and cast(month as varchar) <= ? order by month desc limit 1",
        day.isoformat(),
    )
    return ReportContent(
        day=day,
        run=run,
        solvency=solvency,
        history=history,
        coverage=_rows(connection, _COVERAGE, day),
        exclusions=_rows(connection, _EXCLUSIONS, day),
        exposures=_rows(connection, _EXPOSURES, day),
        waterfall=waterfall[0] if waterfall else None,
        findings=[_without_names(finding, day) for finding in _rows(connection, _FINDINGS, day)],
        sources=_rows(connection, _SOURCES),
        policy=_rows(
            connection,
            "select name, item, value from audit.policy where run_id = ? and not starts_with(name, 'checks.')"
            " order by name, item",
            run["run_id"],
        ),
        policy_hash=run["policy_hash"],
        inputs_hash=_inputs_hash(connection),
    )


def _without_names(finding: Row, day: date) -> Row:
    """The finding as a report shows it."""
    kind, subject = finding["subject_type"], finding["subject_id"]
    if kind in PLAIN_SUBJECTS:
        return finding
    hashing = process_hashing()
    where = f"as_of_date = date '{day}' and check_name = {quoted(finding['check_name'])}"
    return finding | {
        "subject_id": affected(kind, subject, hashing),
        "message": sentence(kind, subject, finding["message"], finding["observed"], hashing),
        "evidence": f"select * from audit.finding where {where}",
        "observed": None,
        "expected": None,
    }


def _inputs_hash(connection: duckdb.DuckDBPyConnection) -> str:
    """sha256 over the digests of all accepted files, by name: the same inputs give the same hash."""
    return str(
        fetch(
            connection,
            "select sha256(coalesce("
            "string_agg(source_file || ' ' || sha256, chr(10) order by source_file, sha256), ''"
            ")) from (select distinct source_file, sha256 from audit.load where outcome = 'accepted')",
        ).values[0][0]
    )


def verdict_sentence(content: ReportContent) -> str:
    """The verdict on the day, in a sentence."""
    shortfall: Decimal | None = content.solvency["in_kind_shortfall_usd"]
    status = content.solvency["status"]
    critical = content.critical_findings
    also = f" {critical:,} critical finding{'s stand' if critical != 1 else ' stands'}." if critical else ""
    if status == "covered":
        return f"On {content.day} the exchange could hand every customer back what it owed them, in kind.{also}"
    if status == "short":
        amount = "an unknown amount" if shortfall is None else f"{shortfall:,.2f} USD"
        return f"On {content.day} the exchange could not hand every customer back what it owed: {amount} short.{also}"
    unpriced = content.solvency["unpriced_assets"]
    known = "" if shortfall is None else f" The shortfall in priced assets is {shortfall:,.2f} USD."
    have_none = "1 asset has no price" if unpriced == 1 else f"{unpriced} assets have no price"
    return f"On {content.day} the picture is incomplete: {have_none}.{known}{also}"
