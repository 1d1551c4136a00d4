"""The public tables of DOMAIN.md section 8 as plain rows, whole calendar.

What belongs here: putting computed figures into the tables' columns. What doesn't: computing them.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tests.oracle.books import Row
from tests.oracle.decimals import exactly, quotient, total, value_usd
from tests.oracle.exchange import Exchange
from tests.oracle.wallets import normalised_address

Table = list[Row]


def liability_rows(exchange: Exchange, day: date) -> Table:
    """fct_customer_liability_daily: one row per asset and relation with an account that isn't empty."""
    rows = []
    for (asset, relation), line in sorted(exchange.ledger.owed(day).items()):
        price = exchange.prices.usd(asset, day)
        rows.append(
            {
                "as_of_date": day,
                "asset": asset,
                "relation": relation,
                "liability": line.liability,
                "receivable": line.receivable,
                "accounts": line.accounts,
                "liability_usd": value_usd(line.liability, price),
                "receivable_usd": value_usd(line.receivable, price),
            }
        )
    return rows


def unpriced_assets(exchange: Exchange, day: date) -> set[str]:
    """Assets without a price of which anything is owed, owing or held on the day."""
    found = {asset for asset, _ in exchange.ledger.owed(day)}
    found |= {held.asset for held in exchange.reserves.holdings(day) if held.balance}
    return {asset for asset in found if exchange.prices.usd(asset, day) is None}


def solvency_status(exchange: Exchange, day: date) -> str:
    """``incomplete`` before ``short`` before ``covered``."""
    if unpriced_assets(exchange, day):
        return "incomplete"
    is_short = any(exchange.reserves.gap(group, day) < 0 for group in exchange.reserves.coverage(day))
    return "short" if is_short else "covered"


def own_token_assets_usd(exchange: Exchange, day: date) -> tuple[Decimal, Decimal]:
    """Own tokens among all that wallets of the operator and its affiliates hold, and all they hold, at mark, each
    address once: the reading that fct_solvency_daily documents."""
    places: dict[tuple[tuple[str, str], str], Decimal] = {}
    for held in exchange.reserves.holdings(day):
        version = exchange.wallets.last_version(held.wallet_id, day)
        if held.balance is None or version is None:
            continue
        if exchange.relations.entity(version["owner_entity_id"], day) != "customer":
            place = (normalised_address(version), held.asset)
            places[place] = max(places.get(place, held.balance), held.balance)
    values = {place: value_usd(amount, exchange.prices.usd(place[1], day)) for place, amount in places.items()}
    own = total(value for (_, asset), value in values.items() if exchange.tokens.is_own(asset, day))
    return own, total(values.values())


def solvency_row(exchange: Exchange, day: date) -> Row:
    """fct_solvency_daily: the headline of the day."""
    reserves, affiliates = exchange.reserves, exchange.affiliates
    customers = [row for row in liability_rows(exchange, day) if row["relation"] == "customer"]
    owed = total(row["liability_usd"] for row in customers)
    eligible = reserves.eligible_usd(day)
    own, whole = own_token_assets_usd(exchange, day)
    exposures = affiliates.exposures(day).values()
    return {
        "as_of_date": day,
        "customer_liabilities_usd": owed,
        "customer_receivables_usd": total(row["receivable_usd"] for row in customers),
        "eligible_reserves_usd": eligible,
        "excluded_reserves_usd": total(row["value_usd"] for row in reserves.exclusion_rows(day)),
        "coverage_ratio": quotient(eligible, owed) if owed else None,
        "in_kind_shortfall_usd": reserves.shortfall_usd(day),
        "net_gap_usd": reserves.net_gap_usd(day),
        "affiliate_borrowing_usd": total(exposure.borrowing for exposure in exposures),
        "affiliate_uncollateralised_usd": total(exposure.uncollateralised for exposure in exposures),
        "own_token_assets_usd": own,
        "own_token_share": quotient(own, whole) if whole else None,
        "unpriced_assets": len(unpriced_assets(exchange, day)),
        "status": solvency_status(exchange, day),
    }


def own_token_rows(exchange: Exchange, day: date) -> Table:
    """fct_own_token_daily, the figures that DOMAIN.md defines."""
    rows = []
    for asset in exchange.prices.assets:
        if exchange.tokens.is_own(asset, day):
            sale = exchange.tokens.liquidation(asset, day)
            price = exchange.prices.usd(asset, day)
            rows.append(
                {
                    "as_of_date": day,
                    "asset": asset,
                    "price_usd": price,
                    "circulating": exchange.tokens.circulating(asset, day),
                    "group_holding": sale.quantity,
                    "liquidation_value_usd": None if price is None else sale.value_usd,
                }
            )
    return rows


def price_rows(exchange: Exchange, day: date) -> Table:
    """fct_price_daily."""
    return [
        {"as_of_date": day, "asset": asset, "price_usd": exchange.prices.usd(asset, day)}
        for asset in exchange.prices.assets
    ]


@exactly
def marts(exchange: Exchange) -> dict[str, Table]:
    """Every public fact table over the whole calendar."""
    days = exchange.books.days
    return {
        "fct_solvency_daily": [solvency_row(exchange, day) for day in days],
        "fct_reserve_coverage_daily": [row for day in days for row in exchange.reserves.coverage_rows(day)],
        "fct_customer_liability_daily": [row for day in days for row in liability_rows(exchange, day)],
        "fct_negative_balance_daily": [row for day in days for row in exchange.equities.negative_balances(day)],
        "fct_negative_balance_period": exchange.ledger.negative_periods(),
        "fct_reserve_exclusion_daily": [row for day in days for row in exchange.reserves.exclusion_rows(day)],
        "fct_affiliate_exposure_daily": [row for day in days for row in exchange.affiliates.exposure_rows(day)],
        "fct_affiliate_balance_daily": [row for day in days for row in exchange.affiliates.balance_rows(day)],
        "fct_revenue_daily": exchange.revenue.daily_rows(),
        "fct_token_adjusted_revenue_monthly": exchange.revenue.monthly_rows(),
        "fct_own_token_daily": [row for day in days for row in own_token_rows(exchange, day)],
        "fct_price_daily": [row for day in days for row in price_rows(exchange, day)],
    }
