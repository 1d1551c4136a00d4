"""Puts the oracle's tables and a warehouse's side by side and says in words where they differ.

What belongs here: keys of the marts, what counts as equal, readable differences. What doesn't: who is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from tests.oracle.books import Row
from tests.oracle.decimals import exactly
from tests.oracle.findings import Finding

KEYS: dict[str, tuple[str, ...]] = {
    "fct_solvency_daily": ("as_of_date",),
    "fct_reserve_coverage_daily": ("as_of_date", "in_kind_group"),
    "fct_customer_liability_daily": ("as_of_date", "asset", "relation"),
    "fct_negative_balance_daily": ("as_of_date", "account_id", "asset"),
    "fct_negative_balance_period": ("account_id", "asset", "from_date"),
    "fct_reserve_exclusion_daily": ("as_of_date", "wallet_id", "asset", "reason"),
    "fct_affiliate_exposure_daily": ("as_of_date", "entity_id"),
    "fct_affiliate_balance_daily": ("as_of_date", "account_id", "asset"),
    "fct_revenue_daily": (
        "revenue_date",
        "revenue_type",
        "payer_relation",
        "asset",
        "is_own_token",
        "is_backdated",
    ),
    "fct_token_adjusted_revenue_monthly": ("month",),
    "fct_own_token_daily": ("as_of_date", "asset"),
    "fct_price_daily": ("as_of_date", "asset"),
}
SPARSE = frozenset(
    {
        "fct_reserve_coverage_daily",
        "fct_customer_liability_daily",
        "fct_affiliate_exposure_daily",
        "fct_revenue_daily",
    }
)
"""Marts in which a row of nothing but zeros may as well be absent."""
PRICES_ONLY = frozenset({"price_usd", "share_of_customer_liabilities", "coverage_ratio", "credit_line_used_pct"})
"""Columns that don't make a row more than zeros."""
RATIOS = frozenset(
    {"coverage_ratio", "share_of_customer_liabilities", "credit_line_used_pct", "own_token_share", "impact"}
)
"""Shown for orientation and rounded somewhere; DOMAIN.md fixes no number of places."""
RATIO_TOLERANCE = Decimal("1e-9")
LIQUIDATION = frozenset(
    {
        "collateral_haircut_usd",
        "collateral_liquidation_usd",
        "uncollateralised_usd",
        "affiliate_uncollateralised_usd",
        "liquidation_value_usd",
        "own_token_haircut_usd",
        "token_adjusted_revenue_usd",
    }
)
"""Amounts that pooled proceeds were shared out into; where a share is rounded DOMAIN.md doesn't say."""
LIQUIDATION_TOLERANCE = Decimal("1e-6")
UNIT_PRECISION = Decimal("1e-15")
"""Or of the amount, if that is more: a unit's value has 18 places, which quadrillions of units show."""
LAST_PLACE = frozenset({"gap", "gap_all_claims"})
"""Units times a ratio of policy, which have no room for all their places."""
LAST_PLACE_TOLERANCE = Decimal("2e-18")


def _plain(value: Any) -> Any:
    """Integers as decimals, months as dates: what a driver returns isn't the matter."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str) and len(value) == 7 and value[4] == "-":
        return date.fromisoformat(f"{value}-01")
    return value


def _is_empty(row: Row, key: tuple[str, ...]) -> bool:
    return not any(_plain(value) for column, value in row.items() if column not in key and column not in PRICES_ONLY)


def _tolerance(column: str, expected: Decimal) -> Decimal:
    """Zero, but for the few columns whose rounding DOMAIN.md leaves open."""
    if column in RATIOS:
        return RATIO_TOLERANCE * max(Decimal(1), abs(expected))
    if column in LIQUIDATION:
        return max(LIQUIDATION_TOLERANCE, abs(expected) * UNIT_PRECISION)
    return LAST_PLACE_TOLERANCE if column in LAST_PLACE else Decimal(0)


@exactly
def _same(column: str, expected: Any, actual: Any) -> bool:
    if isinstance(expected, Decimal) and isinstance(actual, Decimal):
        return abs(expected - actual) <= _tolerance(column, expected)
    return bool(_plain(expected) == _plain(actual))


def _by_key(name: str, rows: Iterable[Row], columns: Iterable[str]) -> dict[tuple[Any, ...], Row]:
    key = KEYS[name]
    found: dict[tuple[Any, ...], Row] = {}
    for full in rows:
        row = {column: full[column] for column in columns}
        if name in SPARSE and _is_empty(row, key):
            continue
        identity = tuple(_plain(row[column]) for column in key)
        assert identity not in found, f"{name}: two rows of {identity}"
        found[identity] = row
    return found


def _text(key: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in key)


def compare_mart(name: str, expected: list[Row], actual: list[Row]) -> list[str]:
    """Differences of one mart in the columns that the oracle computes, one per line."""
    columns = list(expected[0]) if expected else list(KEYS[name])
    wanted, given = _by_key(name, expected, columns), _by_key(name, actual, columns)
    lines = [f"{name} {_text(key)}: missing, expected {wanted[key]}" for key in wanted.keys() - given.keys()]
    lines += [f"{name} {_text(key)}: not expected, got {given[key]}" for key in given.keys() - wanted.keys()]
    for key in wanted.keys() & given.keys():
        for column in columns:
            if not _same(column, wanted[key][column], given[key][column]):
                lines.append(f"{name} {_text(key)}: {column} expected {wanted[key][column]}, got {given[key][column]}")
    return sorted(lines)


def compare_findings(expected: set[Finding], actual: set[Finding]) -> list[str]:
    """Findings of one side only, one per line."""
    lines = [
        f"missed: {finding.check} {finding.as_of_date} {finding.subject_id} {finding.asset}"
        for finding in expected - actual
    ]
    lines += [
        f"false alarm: {finding.check} {finding.as_of_date} {finding.subject_id} {finding.asset}"
        for finding in actual - expected
    ]
    return sorted(lines)
