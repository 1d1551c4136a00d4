"""The append-only record of what was published: ``audit.published_figure``.

What belongs here: which figures of the marts are kept, and adding those that changed. What doesn't: computing them.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from orchestration.pipeline.run import RunContext


@dataclass(frozen=True, slots=True)
class KeptFigures:
    """Columns of one mart that are kept by day and, if the mart has one, by ``subject``."""

    table: str
    date: str
    subject: str
    columns: tuple[str, ...]


KEPT_FIGURES: tuple[KeptFigures, ...] = (
    KeptFigures(
        "fct_solvency_daily",
        "as_of_date",
        "'exchange'",
        (
            "customer_liabilities_usd",
            "customer_receivables_usd",
            "eligible_reserves_usd",
            "excluded_reserves_usd",
            "coverage_ratio",
            "in_kind_shortfall_usd",
            "net_gap_usd",
            "affiliate_borrowing_usd",
            "affiliate_uncollateralised_usd",
            "own_token_assets_usd",
            "own_token_share",
            "unpriced_assets",
        ),
    ),
    KeptFigures(
        "fct_reserve_coverage_daily",
        "as_of_date",
        "in_kind_group",
        ("liability", "eligible_reserves", "gap", "gap_all_claims", "gap_usd"),
    ),
    KeptFigures(
        "fct_token_adjusted_revenue_monthly",
        "month",
        "'exchange'",
        (
            "reported_usd",
            "ledger_usd",
            "unsupported_usd",
            "backdated_usd",
            "affiliate_usd",
            "own_token_haircut_usd",
            "token_adjusted_revenue_usd",
        ),
    ),
)


def _current(figures: KeptFigures) -> str:
    return " union all ".join(
        f"select cast({figures.date} as date) as as_of_date, '{figures.table}' as source_table,"
        f" '{column}' as figure, cast({figures.subject} as varchar) as subject,"
        f" cast({column} as decimal(38, 18)) as amount from marts.{figures.table}"
        for column in figures.columns
    )


def record_published_figures(connection: duckdb.DuckDBPyConnection, context: RunContext) -> int:
    """Append the figures that differ from those last published, or were never published; return how many.

    A figure that was published and is gone is appended with a null amount. Call it in a transaction.
    """
    existing = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
    }
    selects = [_current(figures) for figures in KEPT_FIGURES if figures.table in existing]
    if not selects:
        return 0
    before = connection.execute("select count(*) from audit.published_figure").fetchall()[0][0]
    connection.execute(
        f"""
        insert into audit.published_figure
        with current as ({" union all ".join(selects)}),
        last_published as (
            select
                as_of_date, source_table, figure, subject, amount
            from audit.published_figure
            qualify
                row_number() over (
                    partition by as_of_date, source_table, figure, subject order by entry_number desc
                ) = 1
        )
        select
            $before + row_number() over (
                order by
                    coalesce(current.as_of_date, last_published.as_of_date),
                    coalesce(current.source_table, last_published.source_table),
                    coalesce(current.figure, last_published.figure),
                    coalesce(current.subject, last_published.subject)
            ),
            $run_id,
            $knowledge_at,
            coalesce(current.as_of_date, last_published.as_of_date),
            coalesce(current.source_table, last_published.source_table),
            coalesce(current.figure, last_published.figure),
            coalesce(current.subject, last_published.subject),
            current.amount
        from current
        full outer join last_published
            on current.as_of_date = last_published.as_of_date
            and current.source_table = last_published.source_table
            and current.figure = last_published.figure
            and current.subject = last_published.subject
        where current.amount is distinct from last_published.amount
            or (last_published.figure is null and current.figure is not null)
        order by 1
        """,
        {"before": before, "run_id": context.run_id, "knowledge_at": context.knowledge_at},
    )
    after = connection.execute("select count(*) from audit.published_figure").fetchall()[0][0]
    return int(after - before)
