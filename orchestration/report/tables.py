"""The report's tables: which figures stand in which column, under which heading.

What belongs here: columns. What doesn't: rows (``content``), markup (``solvency.html.j2``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from orchestration.reading.output import short_text
from orchestration.report.texts import UNKNOWN, grouped_text, percent_text

Row = dict[str, Any]

RECENT_DAYS = 31


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the field below it, and how values are written: text, words, amount, percent, day, month, code."""

    heading: str
    field: str
    kind: str = "amount"

    @property
    def is_number(self) -> bool:
        """Whether values stand to the right."""
        return self.kind in ("amount", "percent")

    @property
    def is_whole(self) -> bool:
        """Whether values stay on one line: numbers, days, hashes."""
        return self.kind in ("amount", "percent", "month", "day", "code")

    def text(self, row: Row) -> str:
        """The value of a row, all digits of it."""
        value = row[self.field]
        match self.kind:
            case "amount":
                return grouped_text(value)
            case "percent":
                return percent_text(value)
            case "month":
                return f"{value:%Y-%m}"
            case _:
                return short_text(value) or UNKNOWN

    def is_bad(self, row: Row) -> bool:
        """Whether the value is a shortfall: a gap below zero."""
        value = row[self.field]
        return self.field in ("gap", "gap_usd") and value is not None and value < 0


HEADLINE = (
    ("Owed to customers, USD", "customer_liabilities_usd", grouped_text),
    ("Eligible reserves, USD", "eligible_reserves_usd", grouped_text),
    ("Coverage in total", "coverage_ratio", percent_text),
    ("Missing in kind, asset by asset, USD", "in_kind_shortfall_usd", grouped_text),
    ("Net, if surpluses could be sold, USD", "net_gap_usd", grouped_text),
    ("Owed by customers (not netted), USD", "customer_receivables_usd", grouped_text),
    ("Reserves that don't count, USD", "excluded_reserves_usd", grouped_text),
    ("Owed by affiliates, USD", "affiliate_borrowing_usd", grouped_text),
    ("Owed by affiliates beyond collateral, USD", "affiliate_uncollateralised_usd", grouped_text),
    ("Own tokens that the group holds, USD", "own_token_assets_usd", grouped_text),
    ("Own tokens in all that the group holds", "own_token_share", percent_text),
    ("Assets without a price", "unpriced_assets", grouped_text),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "history": (
        Column("Day", "as_of_date", "day"),
        Column("Owed to customers, USD", "customer_liabilities_usd"),
        Column("Eligible reserves, USD", "eligible_reserves_usd"),
        Column("Coverage", "coverage_ratio", "percent"),
        Column("Missing in kind, USD", "in_kind_shortfall_usd"),
        Column("Status", "status", "text"),
    ),
    "coverage": (
        Column("Group", "in_kind_group", "text"),
        Column("Owed", "liability"),
        Column("Eligible", "eligible_reserves"),
        Column("Doesn't count", "excluded_reserves"),
        Column("Gap", "gap"),
        Column("Coverage", "coverage_ratio", "percent"),
        Column("Price, USD", "price_usd"),
        Column("Gap, USD", "gap_usd"),
        Column("Affiliates' claims", "affiliate_claims"),
        Column("Gap with them", "gap_all_claims"),
    ),
    "exclusions": (
        Column("First reason", "reason", "text"),
        Column("Asset", "asset", "text"),
        Column("Wallets", "wallets"),
        Column("Units", "quantity"),
        Column("USD", "value_usd"),
        Column("Rows without a price", "unpriced"),
    ),
    "exposures": (
        Column("Affiliate", "entity", "text"),
        Column("Claims, USD", "gross_claims_usd"),
        Column("Borrowing, USD", "gross_borrowing_usd"),
        Column("Collateral at mark, USD", "collateral_mark_usd"),
        Column("after haircut, USD", "collateral_haircut_usd"),
        Column("own tokens in it, USD", "own_token_collateral_usd"),
        Column("Beyond collateral, USD", "uncollateralised_usd"),
        Column("Share of what customers are owed", "share_of_customer_liabilities", "percent"),
        Column("Credit line, USD", "credit_line_usd"),
        Column("Privileges", "active_privileges", "words"),
    ),
    "entities": (
        Column("Entity", "entity", "text"),
        Column("Name", "name", "text"),
        Column("Type", "entity_type", "text"),
        Column("Relation", "relation", "text"),
        Column("by rule", "reason", "text"),
        Column("Hash in findings", "entity_hash", "code"),
    ),
    "links": (
        Column("Parent", "parent", "text"),
        Column("Child", "child", "text"),
        Column("Link", "kind", "text"),
    ),
    "revenue": (
        Column("Month", "month", "month"),
        Column("Reported, USD", "reported_usd"),
        Column("not in the ledger", "unsupported_usd"),
        Column("backdated", "backdated_usd"),
        Column("from affiliates or the operator", "affiliate_usd"),
        Column("own-token haircut", "own_token_haircut_usd"),
        Column("Token-adjusted, USD", "token_adjusted_revenue_usd"),
        Column("In the ledger, USD", "ledger_usd"),
        Column("Assets without a price", "unpriced_assets"),
    ),
    "own_tokens": (
        Column("Own token", "asset", "text"),
        Column("because of", "reason", "text"),
        Column("Price, USD", "price_usd"),
        Column("In circulation", "circulating"),
        Column("The group's holding", "group_holding"),
        Column("Holding at mark, USD", "mark_value_usd"),
        Column("what it would fetch, USD", "liquidation_value_usd"),
    ),
    "stress": (
        Column("Own tokens' price", "price_factor", "percent"),
        Column("Owed to customers, USD", "customer_liabilities_usd"),
        Column("Eligible reserves, USD", "eligible_reserves_usd"),
        Column("Coverage", "coverage_ratio", "percent"),
        Column("Missing in kind, USD", "in_kind_shortfall_usd"),
        Column("All that the group holds, USD", "group_assets_usd"),
        Column("of what is owed", "group_assets_ratio", "percent"),
        Column("Affiliates beyond collateral, USD", "affiliate_uncollateralised_usd"),
    ),
    "snapshot": (
        Column("Group", "in_kind_group", "text"),
        Column("Eligible on the day, units", "eligible_reserves"),
        Column("Came in before", "inflow_before"),
        Column("Left since", "outflow_since"),
        Column("seen up to", "as_of_date", "day"),
        Column("Price, USD", "price_usd"),
        Column("Verdict", "verdict", "text"),
    ),
    "checks": (
        Column("Check", "check_name", "text"),
        Column("Severity", "severity", "text"),
        Column("Kind", "kind", "text"),
        Column("Findings", "findings"),
        Column("The largest, USD", "largest_impact_usd"),
    ),
    "sources": (
        Column("Table", "table_name", "text"),
        Column("Due", "due", "text"),
        Column("Files", "files"),
        Column("Rows read", "rows"),
        Column("Newest day", "last_day", "day"),
        Column("Days behind", "days_behind"),
    ),
    "policy": (
        Column("Setting", "name", "text"),
        Column("Item", "item", "text"),
        Column("Value", "value", "text"),
        Column("Set by", "set_by", "text"),
    ),
}


_ROOMY, _TIGHT = 150, 205
"""Letters side by side that fit on a printed page in the usual size, and in the smallest that can be read."""


def printed_size(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """How a table is printed so that nothing is cut off: as it is, small, or small with figures that may break."""
    letters = sum(_letters(column, rows) + 2 for column in columns)
    return "" if letters <= _ROOMY else "small" if letters <= _TIGHT else "small dense"


def _letters(column: Column, rows: Sequence[Row]) -> int:
    """Letters that a column needs side by side: its longest word, or its longest figure."""
    heading = max(map(len, column.heading.split()))
    texts = (column.text(row) for row in rows)
    return max([heading, *(_longest(text, column.is_whole) for text in texts)])


def _longest(text: str, is_whole: bool) -> int:
    return len(text) if is_whole else max(map(len, text.split()), default=0)


def shown_days(history: Sequence[Row], short_since: date | None) -> list[Row]:
    """Days that the page's table lists: the last month's, ends of months before, and around the day it broke."""
    first_recent = max(len(history) - RECENT_DAYS, 0)
    shown = list(history[first_recent:])
    earlier = [
        row
        for row, following in pairwise(history[: first_recent + 1])
        if row["as_of_date"].month != following["as_of_date"].month
        or short_since == following["as_of_date"]
        or short_since == row["as_of_date"]
    ]
    return earlier + shown


def policy_rows(policy: Sequence[Row]) -> list[Row]:
    """Policy as the page shows it: numbers without trailing zeros, and whether somebody changed them."""
    return [
        row | {"value": _plain_number(row["value"]), "set_by": "default" if row["is_default"] else "policy file"}
        for row in policy
    ]


def _plain_number(value: str | None) -> str | None:
    is_decimal = value is not None and value.count(".") == 1 and value.replace(".", "").lstrip("-").isdigit()
    return value.rstrip("0").rstrip(".") if value is not None and is_decimal else value


def snapshot_rows(flows: Sequence[Row]) -> list[Row]:
    """Flows with the verdict in words."""
    return [flow | {"verdict": "window-dressed" if flow["is_window_dressed"] else "nothing unusual"} for flow in flows]
