"""Own-token stress: what is left of coverage as the price of the exchange's own tokens falls. Exact decimals.

What belongs here: the formula and its assumptions. What doesn't: how it is drawn.

With the price of every own token at a factor *f* of the day's, and everything else as it was:

- owed, eligible, shortfall and the group's assets: the part in other assets + *f* × the part in own tokens;
- affiliates' exposure, account by account: ``max(0, borrowing − collateral after haircut)`` with *f* × the part of
  either that is own tokens. What they fetch falls in step with the price: as deep a market, in tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import duckdb

from orchestration.reading.published import fetch_rows

Row = dict[str, Any]

FACTORS = tuple(Decimal(tenths) / 10 for tenths in range(10, -1, -1))

ASSUMPTIONS = (
    "The price of every own token falls to the same share of the day's price; all else stays as it was on the day.",
    "Nobody withdraws, nobody is liquidated, and no new collateral is posted.",
    "Own tokens among affiliates' collateral count at what they would fetch, which falls in step with their price:"
    " the market stays as deep in tokens.",
)

_TOKENS = """
    select asset, reason, price_usd, circulating, group_holding, group_share_pct, mark_value_usd, liquidation_value_usd
    from marts.fct_own_token_daily
    where as_of_date = ?
    order by mark_value_usd desc nulls last, asset
"""

_PARTS = """
    with own_tokens as (select asset from marts.fct_own_token_daily where as_of_date = $day),
    owed as (
        select asset in (from own_tokens) as is_own, sum(liability_usd) as usd
        from marts.fct_customer_liability_daily
        where as_of_date = $day and relation = 'customer'
        group by is_own
    ),
    eligible as (
        select asset in (from own_tokens) as is_own, sum(eligible_usd) as usd
        from marts.fct_reserve_balance_daily
        where as_of_date = $day
        group by is_own
    ),
    short as (
        select is_own_token as is_own, sum(greatest(-gap_usd, 0)) as usd
        from marts.fct_reserve_coverage_daily
        where as_of_date = $day
        group by is_own
    )
    select 'owed' as part, is_own, usd from owed
    union all select 'eligible', is_own, usd from eligible
    union all select 'short', is_own, usd from short
"""

_AFFILIATES = """
    select
        coalesce(sum(-value_usd) filter (balance < 0 and not is_own_token), 0) as borrowing,
        coalesce(sum(-value_usd) filter (balance < 0 and is_own_token), 0) as own_token_borrowing,
        coalesce(sum(collateral_haircut_usd) filter (not is_own_token), 0) as collateral,
        coalesce(sum(collateral_haircut_usd) filter (is_own_token), 0) as own_token_collateral
    from marts.fct_affiliate_balance_daily
    where as_of_date = ?
    group by account_id
    having min(balance) < 0
"""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Stress:
    """The own tokens of the day, and the exchange at each price of them; no steps if there is no own token."""

    tokens: list[Row]
    steps: list[Row]


def read_stress(connection: duckdb.DuckDBPyConnection, day: date, solvency: Row) -> Stress:
    """The stress of a day; ``solvency`` is the day's row."""
    tokens = fetch_rows(connection, _TOKENS, (day,))
    if not tokens:
        return Stress([], [])
    found = {(row["part"], row["is_own"]): row["usd"] or _ZERO for row in fetch_rows(connection, _PARTS, {"day": day})}
    parts = {part: (found.get((part, False), _ZERO), found.get((part, True), _ZERO)) for part, _ in found}
    held_own = solvency["own_token_assets_usd"] or _ZERO
    parts["assets"] = ((solvency["group_assets_usd"] or _ZERO) - held_own, held_own)
    affiliates = fetch_rows(connection, _AFFILIATES, (day,))
    with localcontext(prec=76):
        return Stress(tokens, [_step(factor, parts, affiliates) for factor in FACTORS])


def _step(factor: Decimal, parts: dict[str, tuple[Decimal, Decimal]], affiliates: list[Row]) -> Row:
    def at(part: str) -> Decimal:
        others, own = parts.get(part, (_ZERO, _ZERO))
        return others + factor * own

    owed, eligible, assets = at("owed"), at("eligible"), at("assets")
    return {
        "price_factor": factor,
        "customer_liabilities_usd": owed,
        "eligible_reserves_usd": eligible,
        "coverage_ratio": _ratio(eligible, owed),
        "in_kind_shortfall_usd": at("short"),
        "group_assets_usd": assets,
        "group_assets_ratio": _ratio(assets, owed),
        "affiliate_uncollateralised_usd": sum((_exposure(factor, account) for account in affiliates), _ZERO),
    }


def _exposure(factor: Decimal, account: Row) -> Decimal:
    borrowing: Decimal = account["borrowing"] + factor * account["own_token_borrowing"]
    collateral: Decimal = account["collateral"] + factor * account["own_token_collateral"]
    return max(_ZERO, borrowing - collateral)


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    """A ratio for display; no verdict rests on it."""
    return (part / whole).quantize(Decimal("1e-12"), ROUND_HALF_UP) if whole else None
