"""What may leave: suites over the marts, written from DOMAIN.md section 8, and over the published checks' findings.

These are the outward promises, asserted apart from the dbt contracts that implement them: columns that others rely on,
keys, days covered, and headlines that add up to their parts, to the last digit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.catalogue import check_suite
from expectations.rules import SHAPE, Rule, TableSuite
from orchestration.checks import Kind


@dataclass(frozen=True, slots=True)
class PublicTable:
    """A mart: the key of its rows, the columns that others rely on, and further rules as (what, failing rows)."""

    key: str
    columns: str = ""
    conservation: tuple[tuple[str, str], ...] = ()


_EVERY_DAY = (
    "covers every day",
    "select run_context.landing_first_date from policy.run_context as run_context"
    " where (select count(distinct as_of_date) from {batch})"
    " <> run_context.calendar_last_date - run_context.landing_first_date + 1",
)

PUBLIC_TABLES: dict[str, PublicTable] = {
    "fct_solvency_daily": PublicTable(
        "as_of_date",
        "customer_liabilities_usd customer_receivables_usd eligible_reserves_usd excluded_reserves_usd coverage_ratio"
        " in_kind_shortfall_usd net_gap_usd affiliate_borrowing_usd affiliate_uncollateralised_usd"
        " own_token_assets_usd own_token_share unpriced_assets status",
        (
            _EVERY_DAY,
            (
                "customer liabilities are the sum of their assets",
                "select headline.as_of_date from {batch} as headline left join ("
                " select as_of_date, sum(liability_usd) as liability_usd from marts.fct_customer_liability_daily"
                " where relation = 'customer' group by as_of_date) as parts"
                " on headline.as_of_date = parts.as_of_date"
                " where coalesce(headline.customer_liabilities_usd, 0) <> coalesce(parts.liability_usd, 0)",
            ),
        ),
    ),
    "fct_reserve_coverage_daily": PublicTable(
        "as_of_date in_kind_group",
        "liability affiliate_claims eligible_reserves excluded_reserves gap gap_all_claims coverage_ratio price_usd"
        " gap_usd",
    ),
    "fct_customer_liability_daily": PublicTable(
        "as_of_date asset relation",
        "liability receivable accounts liability_usd receivable_usd",
        (
            (
                "neither liabilities nor receivables are negative",
                "select as_of_date, asset, relation from {batch} where liability < 0 or receivable < 0",
            ),
        ),
    ),
    "fct_negative_balance_daily": PublicTable(
        "as_of_date account_id asset",
        "entity_id relation account_class balance value_usd is_permitted reason",
        (("balances are negative", "select as_of_date from {batch} where balance >= 0"),),
    ),
    "fct_reserve_exclusion_daily": PublicTable("as_of_date wallet_id asset reason", "quantity value_usd"),
    "fct_affiliate_exposure_daily": PublicTable(
        "as_of_date entity_id",
        "gross_claims_usd gross_borrowing_usd collateral_mark_usd collateral_haircut_usd collateral_liquidation_usd"
        " own_token_collateral_usd uncollateralised_usd share_of_customer_liabilities active_privileges"
        " credit_line_usd credit_line_used_pct",
        (("exposure is never negative", "select as_of_date from {batch} where uncollateralised_usd < 0"),),
    ),
    "fct_revenue_daily": PublicTable(
        "revenue_date revenue_type payer_relation asset is_own_token is_backdated", "quantity value_usd"
    ),
    "fct_token_adjusted_revenue_monthly": PublicTable(
        "month",
        "reported_usd ledger_usd unsupported_usd backdated_usd affiliate_usd own_token_haircut_usd"
        " token_adjusted_revenue_usd",
        (
            (
                "the waterfall adds up to the cent",
                "select month from {batch} where reported_usd is not null and reported_usd - unsupported_usd"
                " - backdated_usd - affiliate_usd - own_token_haircut_usd <> token_adjusted_revenue_usd",
            ),
        ),
    ),
    "fct_own_token_daily": PublicTable("as_of_date asset"),
    "fct_price_daily": PublicTable("as_of_date asset"),
    "dim_entity": PublicTable("entity_id"),
    "dim_account": PublicTable("account_id"),
    "dim_asset": PublicTable("asset"),
    "dim_wallet": PublicTable("wallet_id"),
}


def _failing_rows(table: str, name: str, query: str) -> Rule:
    expectation = gxe.UnexpectedRowsExpectation(
        unexpected_rows_query=query, description=f"{table}: {name}.", severity=FailureSeverity.CRITICAL
    )
    return Rule(name.replace(" ", "_"), f"marts.{table}", SHAPE, expectation)


def _key_query(key: list[str]) -> str:
    columns = ", ".join(key)
    # Only the number of offending keys leaves the query: keys can be customers' identifiers.
    return (
        f"select count(*) as subjects from (select {columns} from {{batch}} group by {columns} having count(*) > 1"
        f" or {' or '.join(f'{name} is null' for name in key)}) as offending having count(*) > 0"
    )


def _columns_query(table: str, columns: list[str]) -> str:
    promised = ", ".join(f"('{name}')" for name in columns)
    return (
        f"select promised.name from (values {promised}) as promised(name) where promised.name not in ("
        " select column_name from duckdb_columns() where schema_name = 'marts'"
        f" and table_name = '{table}') and (select count(*) from {{batch}}) >= 0"
    )


def _table_suite(name: str, table: PublicTable) -> TableSuite:
    key = table.key.split()
    rules = [
        _failing_rows(name, "has the promised columns", _columns_query(name, key + table.columns.split())),
        _failing_rows(name, "key is complete and unique", _key_query(key)),
        *(_failing_rows(name, what, query) for what, query in table.conservation),
    ]
    return TableSuite(f"leaving {name}", "marts", name, tuple(rules))


def leaving_suites(severities: Mapping[str, str | None], existing: Collection[str]) -> list[TableSuite]:
    """Suites for the exit gate over the marts that exist.

    ``severities`` gives each check's severity in force, None if policy disables it.
    """
    suites = [_table_suite(name, table) for name, table in PUBLIC_TABLES.items() if name in existing]
    return [*suites, check_suite("leaving checks", [Kind.RECONCILIATION, Kind.BREACH], severities)]
