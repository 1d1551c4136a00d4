"""A warehouse in memory in which a test says what a report is about: marts as their contracts have them, and audit.

What a test leaves out is null, or what a row needs to be one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.audit import create_audit_schema
from orchestration.report.content import ReportContent, read_content
from tests.support.published import BTC, DAY, SOLVENCY, USD, Row, insert, mart_columns

MARTS = (
    "dim_entity",
    "dim_entity_relation",
    "fct_affiliate_balance_daily",
    "fct_affiliate_exposure_daily",
    "fct_customer_liability_daily",
    "fct_own_token_daily",
    "fct_reserve_balance_daily",
    "fct_reserve_coverage_daily",
    "fct_reserve_exclusion_daily",
    "fct_snapshot_flow_daily",
    "fct_solvency_daily",
    "fct_token_adjusted_revenue_monthly",
)
RUN: Row = {
    "run_id": "run-1",
    "started_at": datetime(2026, 3, 5, 0, 10),
    "published_at": datetime(2026, 3, 5, 0, 20),
    "first_date": DAY,
    "last_date": DAY,
    "knowledge_at": datetime(2026, 3, 5),
    "policy_hash": "policy-digest",
    "status": "failed_checks",
    "is_accepted": True,
}
COVERED: Row = SOLVENCY | {
    "eligible_reserves_usd": "1050",
    "coverage_ratio": "1.049475262368",
    "in_kind_shortfall_usd": "0",
    "net_gap_usd": "49.5",
    "status": "covered",
}
FINDING: Row = {
    "run_id": "run-1",
    "as_of_date": DAY,
    "check_name": "reserves_cover_liabilities",
    "kind": "breach",
    "severity": "critical",
    "subject_type": "in_kind_group",
    "subject_id": "BTC",
    "asset": "BTC",
    "observed": "0.0065 BTC",
    "expected": "0.01 BTC",
    "impact_usd": "140",
    "message": "0.0035 BTC were missing.",
    "evidence": "select * from marts.fct_reserve_coverage_daily",
    "first_seen_on": DAY,
}
WATERFALL: Row = {
    "month": date(2026, 2, 1),
    "reported_usd": "1000.00000001",
    "ledger_usd": "900",
    "unsupported_usd": "100.00000001",
    "backdated_usd": "200",
    "affiliate_usd": "50.5",
    "own_token_haircut_usd": "9.5",
    "token_adjusted_revenue_usd": "640",
    "unpriced_assets": 0,
}
OPERATOR: Row = {"entity_id": "op", "entity_type": "operator", "name": "Operator Ltd"}


class ReportedWarehouse:
    """What was published, row by row."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:", config={"threads": 1})
        create_audit_schema(self.connection, is_described=False)
        self.connection.execute("create schema marts")
        for name in MARTS:
            columns = ", ".join(f"{column} {kind}" for column, kind in mart_columns(name).items())
            self.connection.execute(f"create table marts.{name} ({columns})")
        self.add("audit.run", RUN)
        self.policy("window_dressing.days", "3")
        self.policy("window_dressing.flow_pct_of_reserves", "5")
        load = {"run_id": "run-1", "sha256": "00", "load_number": 1, "outcome": "accepted", "rows": 12, "bytes": 1}
        file = {
            "table_name": "ledger_entries",
            "partition_date": DAY,
            "source_file": f"ledger_entries/date={DAY}/a.csv",
        }
        self.add("audit.load", load | {"modified_ns": 1} | file)

    def policy(self, name: str, value: str) -> None:
        """Put a setting in force."""
        self.add(
            "audit.policy", {"run_id": "run-1", "policy_hash": "h", "name": name, "value": value, "is_default": True}
        )

    def add(self, table: str, *rows: Row, **common: Any) -> ReportedWarehouse:
        """Add rows to a table; rows of daily marts are of the day if they don't say otherwise."""
        of_the_day = {"as_of_date": DAY} if table.endswith("_daily") else {}
        for row in rows:
            insert(self.connection, table if "." in table else f"marts.{table}", {**of_the_day, **row, **common})
        return self

    def days(self, rows: Iterable[Row]) -> ReportedWarehouse:
        """Add days of solvency that end on the report's day, in order."""
        rows = list(rows)
        for before, row in enumerate(reversed(rows)):
            self.add("fct_solvency_daily", row, as_of_date=DAY - timedelta(days=before))
        return self

    def entity(self, entity: Row, relation: str, reason: str | None = None, path: str | None = None) -> None:
        """Let somebody be known, and be related."""
        span = {"from_date": date(2026, 1, 1), "to_date": date(2027, 1, 1)}
        self.add("dim_entity", entity, relation=relation)
        related = {"entity_id": entity["entity_id"], "relation": relation, "reason": reason, "evidence_path": path}
        self.add("dim_entity_relation", related | span)

    def content(self, day: date | None = None) -> ReportContent:
        """What a report says of it."""
        return read_content(self.connection, day)


def short_exchange() -> ReportedWarehouse:
    """An exchange that broke on the day before: everything that a report can show is there."""
    warehouse = ReportedWarehouse().days([COVERED, COVERED, SOLVENCY, SOLVENCY])
    own = BTC | {
        "in_kind_group": "XT",
        "liability": "100",
        "eligible_reserves": "100",
        "excluded_reserves": "50",
        "gap": "0",
        "coverage_ratio": "1",
        "price_usd": "0.3",
        "gap_usd": "0",
        "is_own_token": True,
    }
    warehouse.add("fct_reserve_coverage_daily", BTC, USD, own)
    _add_own_token(warehouse)
    _add_network(warehouse)
    excluded = {"asset": "XT", "quantity": "50", "value_usd": "15", "reason": "own_token"}
    warehouse.add(
        "fct_reserve_exclusion_daily", excluded, {**excluded, "asset": "USD", "reason": "unproven"}, wallet_id="w"
    )
    warehouse.add("fct_token_adjusted_revenue_monthly", WATERFALL)
    _add_snapshot(warehouse)
    warehouse.add("audit.finding", FINDING)
    return warehouse


def _add_own_token(warehouse: ReportedWarehouse) -> None:
    token = {"reason": "issuer", "price_usd": "0.3", "mark_value_usd": "30", "liquidation_value_usd": "10"}
    warehouse.add("fct_own_token_daily", {"asset": "XT", **token})
    owed = ({"asset": "BTC", "liability_usd": "400"}, {"asset": "USD", "liability_usd": "570.5"})
    warehouse.add("fct_customer_liability_daily", *owed, {"asset": "XT", "liability_usd": "30"}, relation="customer")
    warehouse.add("fct_customer_liability_daily", {"asset": "XT", "liability_usd": "99"}, relation="affiliate")
    held = ({"asset": "BTC", "eligible_usd": "260"}, {"asset": "USD", "eligible_usd": "610.25"})
    warehouse.add("fct_reserve_balance_daily", *held, {"asset": "XT", "eligible_usd": "30"}, wallet_id="w")


def _add_network(warehouse: ReportedWarehouse) -> None:
    warehouse.entity(OPERATOR, "operator", "entity_type")
    founder = {"entity_id": "founder-secret-id", "entity_type": "person", "name": "Secret Name"}
    holding = {"entity_id": "holding", "entity_type": "company", "name": "Holding Inc"}
    fund = {"entity_id": "fund", "entity_type": "company", "name": None}
    control = "founder-secret-id -> holding (ownership 80 %) -> op (ownership 90 %, control)"
    warehouse.entity(founder, "affiliate", "shareholder_of_operator", control)
    warehouse.entity(holding, "affiliate", "shareholder_of_operator", "holding -> op (ownership 90 %, control)")
    warehouse.entity(fund, "affiliate", "common_holder", f"{control}; founder-secret-id -> fund (ownership 100 %)")
    owing = {
        "entity_id": "fund",
        "gross_claims_usd": "25",
        "gross_borrowing_usd": "70",
        "collateral_mark_usd": "25",
        "collateral_haircut_usd": "11.5",
        "collateral_liquidation_usd": "12",
        "own_token_collateral_usd": "20",
        "uncollateralised_usd": "60",
        "share_of_customer_liabilities": "0.059970014993",
        "active_privileges": "credit_line",
        "accounts": 1,
        "unpriced_balances": 0,
    }
    warehouse.add("fct_affiliate_exposure_daily", owing)
    own_tokens = {"asset": "XT", "is_own_token": True, "balance": "66"}
    bitcoin = {"asset": "BTC", "is_own_token": False, "balance": "0.0001"}
    for account, row in (
        ("lending", {"asset": "USD", "is_own_token": False, "balance": "-70", "value_usd": "-70"}),
        ("lending", own_tokens | {"collateral_mark_usd": "20", "collateral_haircut_usd": "7"}),
        ("lending", bitcoin | {"collateral_mark_usd": "3.2", "collateral_haircut_usd": "3"}),
        ("spot", bitcoin | {"collateral_mark_usd": "1.8", "collateral_haircut_usd": "1.5"}),
    ):
        warehouse.add("fct_affiliate_balance_daily", row, account_id=account, entity_id="fund")


def _add_snapshot(warehouse: ReportedWarehouse) -> None:
    flow = {
        "in_kind_group": "BTC",
        "snapshot_at": datetime(2026, 3, 1, 23, 59, 59),
        "snapshot_date": date(2026, 3, 1),
        "eligible_reserves": "0.01",
        "inflow_before": "0.004",
        "outflow_since": "0.0035",
        "price_usd": "40000",
        "is_window_dressed": True,
    }
    warehouse.add("fct_snapshot_flow_daily", flow)
    warehouse.add(
        "fct_snapshot_flow_daily",
        flow | {"is_window_dressed": False, "outflow_since": "0"},
        as_of_date=date(2026, 3, 2),
    )
    for days, units in enumerate(("0.0065", "0.01", "0.01", "0.006")):
        warehouse.add(
            "fct_reserve_coverage_daily",
            BTC,
            as_of_date=date(2026, 2, 28) + timedelta(days=days),
            eligible_reserves=units,
        )


def exact(text: str) -> Decimal:
    """A decimal out of the text of a figure on the page."""
    return Decimal(text.replace(",", "").replace("−", "-"))
