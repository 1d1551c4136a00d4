"""Prices, own tokens and pooled liquidation, by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.oracle.decimals import exactly
from tests.oracle.exchange import Exchange
from tests.oracle.policy import Policy
from tests.oracle.prices import volume_weighted_lower_median
from tests.oracle.small_books import DAY, entry, exchange
from tests.oracle.tokens import liquidation

Quotes = list[tuple[Decimal, Decimal | None]]


def quotes(*pairs: tuple[str, str | None]) -> Quotes:
    return [(Decimal(price), None if volume is None else Decimal(volume)) for price, volume in pairs]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (quotes(("3", "10"), ("1", "5"), ("2", "5")), "2"),  # 5 + 5 reach exactly half of 20
        (quotes(("1", "5"), ("2", "4"), ("3", "10")), "3"),  # 9 of 19 don't
        (quotes(("1", "99"), ("9", None)), "1"),
        (quotes(("4", None), ("1", None), ("3", None), ("2", None)), "2"),  # the lower of 2 and 3
        (quotes(("4", "0"), ("1", None), ("3", "0")), "3"),
    ],
)
def test_price_is_the_volume_weighted_lower_median(given: Quotes, expected: str) -> None:
    assert volume_weighted_lower_median(given) == Decimal(expected)


def world(**tables: list[dict[str, Any]]) -> Exchange:
    tables.setdefault("token_prices", [{"asset": "ONE", "price_usd": "4"}])
    return exchange(
        accounts=[{"account_id": "affiliate", "entity_id": "alpha"}],
        entities=[{"entity_id": "alpha"}],
        entity_links=[{"parent_entity_id": "operator", "child_entity_id": "alpha", "link_type": "control"}],
        tokens=[{"asset": "ONE"}, {"asset": "AFFI", "issuer_entity_id": "alpha"}],
        **tables,
    )


def test_only_the_last_row_of_each_source_counts() -> None:
    prices = [
        {"asset": "ONE", "price_usd": "9", "as_of": "2026-01-01 10:00", "source": "x"},
        {"asset": "ONE", "price_usd": "5", "as_of": "2026-01-01 11:00", "source": "x"},
        {"asset": "ONE", "price_usd": "6", "as_of": "2025-12-01 11:00", "source": "y"},
        {"asset": "ONE", "price_usd": "1", "as_of": "2026-01-02 00:00", "source": "z"},
    ]
    price = world(token_prices=prices).prices.daily("ONE", DAY)
    # 5 and 6: the lower median is 5, the spread 1/5
    assert price.price_usd == 5
    assert price.spread == Decimal("0.2")


def test_a_token_that_an_affiliate_issued_is_own() -> None:
    assert world().tokens.own_token_reason("AFFI", DAY) == "issuer"
    assert world().tokens.own_token_reason("ONE", DAY) is None


def holdings() -> dict[str, list[dict[str, Any]]]:
    """30 in a house wallet, 30 in an affiliate's wallet that is listed twice, 41 on an affiliate's account."""
    shared = {"network": "ethereum", "owner_entity_id": "alpha", "purpose": "house"}
    return {
        "wallets": [
            {"wallet_id": "house", "address": "h", "purpose": "house"},
            {"wallet_id": "w1", "address": "0xAB", **shared},
            {"wallet_id": "w2", "address": "0xab ", **shared},
            {"wallet_id": "customers", "address": "c"},
        ],
        "wallet_balances": [
            {"wallet_id": name, "asset": "ONE", "balance": balance}
            for name, balance in (("house", "30"), ("w1", "30"), ("w2", "30"), ("customers", "500"))
        ],
        "ledger_entries": [entry("affiliate", "ONE", "41")],
    }


@pytest.mark.parametrize(("circulating", "expected"), [("202", None), ("201.99", "concentration")])
def test_the_group_holds_more_than_half_of_a_token(circulating: str, expected: str | None) -> None:
    # 30 + 30 + 41 = 101; more than half of 201.99, exactly half of 202
    supply = [{"asset": "ONE", "as_of": "2026-01-01", "circulating": circulating}]
    tokens = world(token_supply=supply, **holdings()).tokens
    assert tokens.group_holding("ONE", DAY) == 101
    assert tokens.own_token_reason("ONE", DAY) == expected


def test_a_supply_stamped_after_midnight_is_of_the_day_it_was_delivered_for() -> None:
    supply = [{"asset": "ONE", "as_of": "2026-01-02", "circulating": "201", "partition": "2026-01-01"}]
    assert world(token_supply=supply, **holdings()).tokens.circulating("ONE", DAY) == 201


def test_a_token_priced_only_by_the_operators_venue_is_own() -> None:
    own = {"asset": "ONE", "price_usd": "4", "source": "OPERATOR"}
    other = {"asset": "ONE", "price_usd": "4", "source": "market"}
    assert world(token_prices=[own]).tokens.own_token_reason("ONE", DAY) == "own_venue"
    assert world(token_prices=[own, other]).tokens.own_token_reason("ONE", DAY) is None


@exactly
def test_the_square_root_law() -> None:
    # Q.p = 1000 x 4 = 4000; V.30.0.1 = 3000 is what can be sold; impact = 0.1 x sqrt(3) = 0.173205080757 (12 places)
    # value = 3000 x (1 - 2/3 x 0.173205080757) = 3000 - 2000 x 0.173205080757 = 2653.589838486
    sale = liquidation(Decimal(1000), Decimal(4), Decimal(1000), Decimal("0.1"), Policy())
    assert sale.sold_usd == 3000
    assert sale.impact == Decimal("0.173205080757")
    assert sale.value_usd == Decimal("2653.58983849")  # rounded half up at 8 places


@exactly
def test_impact_is_capped_at_one() -> None:
    # 0.9 x sqrt(3) > 1: a third of what is sold is left
    assert liquidation(Decimal(1000), Decimal(4), Decimal(1000), Decimal("0.9"), Policy()).value_usd == 1000


@exactly
def test_no_independent_market_means_worth_nothing() -> None:
    assert liquidation(Decimal(1000), Decimal(4), None, None, Policy()).value_usd == 0


def test_the_lowest_volume_outside_the_operators_venue_counts() -> None:
    depth = [
        {"asset": "ONE", "volume_30d_avg_usd": "1", "volatility_30d": "0.5", "source": "operator"},
        {"asset": "ONE", "volume_30d_avg_usd": "1000", "volatility_30d": "0.1", "source": "a"},
        {"asset": "ONE", "volume_30d_avg_usd": "2000", "volatility_30d": "0.2", "source": "b"},
    ]
    # 101 units at 4: 404 sold into 1000 a day; impact = 0.1 x sqrt(0.404) = 0.0635609943282...
    sale = world(market_depth=depth, **holdings()).tokens.liquidation("ONE", DAY)
    assert (sale.sold_usd, sale.volume_usd, sale.impact) == (404, 1000, Decimal("0.063560994328"))
