"""Own tokens: why a token is one, what the group's pooled holding would fetch, in-kind groups, concentration.

What belongs here: everything about a token that isn't its market price (``test_prices.py``).
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from tests.support.warehouse import Warehouse, build_warehouse

Row = dict[str, Any]
FIRST, SECOND = date(2022, 1, 1), date(2022, 1, 2)
DAYS = (FIRST, SECOND)

TOKENS: dict[str, dict[str, str]] = {
    "XT": {"issuer_entity_id": "op", "asset_class": "exchange_token"},
    "AFF": {"issuer_entity_id": "aff"},
    "LATE": {"issuer_entity_id": "late"},
    "THEIRS": {"issuer_entity_id": "c"},
    "HALF": {},
    "MOST": {},
    "VENUE": {},
    "FIATLIKE": {"asset_class": "fiat", "issuer_entity_id": "op"},
    "AFTERWARDS": {},
    "MIDNIGHT": {"issuer_entity_id": "op"},
    "EMPTY": {"issuer_entity_id": "op"},
    "NOMARKET": {"issuer_entity_id": "op"},
    "NOVOLATILITY": {"issuer_entity_id": "op"},
    "SMALL": {"issuer_entity_id": "op"},
    "SPECK": {"issuer_entity_id": "op"},
    "UNPRICED": {"issuer_entity_id": "op"},
    "USDC": {"asset_class": "stablecoin", "in_kind_group": "USD"},
    "BADC": {"asset_class": "stablecoin", "in_kind_group": "USD"},
    "WRAPPED": {"in_kind_group": "XT"},
    "USD": {"asset_class": "fiat"},
}


def wallet(name: str, owner: str, purpose: str, address: str | None = None) -> Row:
    return {
        "wallet_id": name,
        "network": "ethereum",
        "address": address or f"address of {name}",
        "owner_entity_id": owner,
        "purpose": purpose,
        "custody": "cold",
        "encumbered_pct": "0",
        "ownership_proof": "signature",
    }


def held(wallet_id: str, asset: str, balance: str) -> list[Row]:
    return [{"wallet_id": wallet_id, "asset": asset, "balance": balance, "as_of": f"{day}T23:00:00"} for day in DAYS]


def depth(asset: str, source: str, volume: str | None, volatility: str | None) -> Row:
    return {
        "asset": asset,
        "source": source,
        "as_of": "2022-01-01T10:00:00",
        "volume_30d_avg_usd": volume,
        "volatility_30d": volatility,
    }


def owed(account: str, asset: str, amount: str) -> Row:
    return {
        "entry_id": f"{account}-{asset}",
        "transaction_id": f"t-{account}-{asset}",
        "account_id": account,
        "asset": asset,
        "amount": amount,
        "entry_type": "opening",
        "effective_at": "2022-01-01T00:00:00",
    }


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder: Path = tmp_path_factory.mktemp("tokens")
    policy = folder / "policy.yaml"
    policy.write_text("coverage: {not_redeemable: [BADC]}\n", encoding="utf-8")
    priced = sorted(set(TOKENS) - {"UNPRICED", "VENUE", "USD"})
    rows = {
        "entities": [
            {"entity_id": "op", "entity_type": "operator", "name": "Exchange Ltd"},
            {"entity_id": "aff", "entity_type": "company"},
            {"entity_id": "late", "entity_type": "company"},
            {"entity_id": "c", "entity_type": "customer"},
        ],
        "entity_links": [
            {"parent_entity_id": "op", "child_entity_id": "aff", "link_type": "control"},
            {
                "parent_entity_id": "op",
                "child_entity_id": "late",
                "link_type": "control",
                "valid_from": "2022-01-02T15:00:00",
            },
        ],
        "accounts": [
            {"account_id": "aff-spot", "entity_id": "aff", "account_class": "spot"},
            {"account_id": "c-spot", "entity_id": "c", "account_class": "spot"},
        ],
        "tokens": [{"asset": asset, "asset_class": "crypto", **columns} for asset, columns in TOKENS.items()],
        "token_prices": [
            {"asset": asset, "source": "market", "price_usd": "20", "as_of": "2022-01-01T20:00:00"} for asset in priced
        ]
        + [{"asset": "VENUE", "source": "exchange ltd", "price_usd": "20", "as_of": "2022-01-01T20:00:00"}],
        "token_supply": [
            {"asset": "HALF", "as_of": "2022-01-01T10:00:00", "circulating": "2000", "total": "5000"},
            {"asset": "MOST", "as_of": "2022-01-01T10:00:00", "circulating": "2000", "total": "5000"},
            {"asset": "AFTERWARDS", "as_of": "2022-01-02T00:30:00", "circulating": "1", "partition_date": FIRST},
            {"asset": "AFTERWARDS", "as_of": "2022-01-03T00:30:00", "circulating": "9", "partition_date": SECOND},
        ],
        "market_depth": [
            depth("XT", "a", "1000", "0.08"),
            depth("XT", "b", "2000", "0.5"),
            depth("XT", "Exchange Ltd", "1", "9"),
            depth("EMPTY", "a", "1000", "0.08"),
            depth("NOMARKET", "op", "1000000", "0.01"),
            depth("NOVOLATILITY", "a", "1000", None),
            depth("SMALL", "a", "1000000", "0.01"),
            depth("SPECK", "a", "1000000", "0.01"),
            depth("UNPRICED", "a", "1000", "0.08"),
            {**depth("MIDNIGHT", "a", "7", "0.08"), "as_of": "2022-01-02T00:30:00", "partition_date": FIRST},
            {**depth("MIDNIGHT", "a", "5", "0.08"), "as_of": "2022-01-03T00:30:00", "partition_date": SECOND},
        ],
        "wallets": [
            wallet("house", "op", "house"),
            wallet("house again", "op", "house", "address of house"),
            wallet("customers", "op", "customer"),
            wallet("affiliate", "aff", "unknown"),
            wallet("affiliate customers", "aff", "customer"),
        ],
        "wallet_balances": held("house", "XT", "100")
        + held("house again", "XT", "100")
        + held("customers", "XT", "5000")
        + held("affiliate", "XT", "50.5")
        + held("affiliate customers", "XT", "7000")
        + held("house", "HALF", "1000")
        + held("house", "MOST", "1000")
        + held("house", "SPECK", "0.0000000000000001")
        + [row for asset in ("NOMARKET", "NOVOLATILITY", "SMALL", "UNPRICED") for row in held("house", asset, "1000")],
        "ledger_entries": [
            owed("aff-spot", "XT", "49.5"),
            owed("aff-spot", "MOST", "0.000000000000000001"),
            owed("c-spot", "HALF", "1500"),
            owed("aff-spot", "FIATLIKE", "100"),
        ],
    }
    select = "fct_own_token_daily dim_asset own_token_concentration"
    return build_warehouse(folder, rows, first_date=FIRST, last_date=SECOND, select=select, policy_file=policy)


def own_token(warehouse: Warehouse, asset: str, day: date = FIRST) -> Row | None:
    rows = warehouse.query("select * from marts.fct_own_token_daily where asset = ? and as_of_date = ?", asset, day)
    return rows[0] if rows else None


@pytest.mark.parametrize(
    ("asset", "day", "reason"),
    [
        ("XT", FIRST, "issuer"),
        ("AFF", FIRST, "issuer"),
        ("LATE", FIRST, None),
        ("LATE", SECOND, "issuer"),  # related at any moment of the day
        ("THEIRS", FIRST, None),
        ("HALF", FIRST, None),  # exactly the limit
        ("MOST", FIRST, "concentration"),
        ("VENUE", FIRST, "own_venue_price"),
        ("FIATLIKE", FIRST, None),
        ("USD", FIRST, None),
    ],
)
def test_why_a_token_is_the_groups_own(warehouse: Warehouse, asset: str, day: date, reason: str | None) -> None:
    row = own_token(warehouse, asset, day)
    assert (row and row["reason"]) == reason


def test_each_coin_is_pooled_once_and_customers_coins_never(warehouse: Warehouse) -> None:
    row = own_token(warehouse, "XT")
    assert row is not None
    assert row["pool_quantity"] == Decimal("200")


def test_supply_and_depth_belong_to_the_day_that_they_were_delivered_for(warehouse: Warehouse) -> None:
    supply = "select as_of_date, circulating from intermediate.int_tokens__supply_daily where asset = 'AFTERWARDS'"
    assert {row["as_of_date"]: row["circulating"] for row in warehouse.query(supply)} == {FIRST: 1, SECOND: 9}
    for day, volume in ((FIRST, 7), (SECOND, 5)):
        row = own_token(warehouse, "MIDNIGHT", day)
        assert row is not None
        assert row["average_daily_volume_usd"] == volume


def square_root_law(mark: Decimal, volume: Decimal, volatility: Decimal) -> tuple[Decimal, Decimal]:
    """Impact to 12 places and proceeds to 8, from the formula of DOMAIN.md section 5 in plain Decimal."""
    with localcontext() as context:
        context.prec = 50
        sold = min(mark, volume * 30 * Decimal("0.1"))
        impact = min(Decimal(1), volatility * (sold / volume).sqrt()).quantize(Decimal("1e-12"), ROUND_HALF_UP)
        return impact, (sold * (3 - 2 * impact) / 3).quantize(Decimal("1e-8"), ROUND_HALF_UP)


def test_liquidation_takes_the_thinnest_independent_market(warehouse: Warehouse) -> None:
    impact, value = square_root_law(Decimal(4000), Decimal(1000), Decimal("0.08"))
    row = own_token(warehouse, "XT")
    assert row is not None
    assert (row["average_daily_volume_usd"], row["sold_usd"], row["mark_value_usd"]) == (1000, 3000, 4000)
    assert (row["impact"], row["liquidation_value_usd"]) == (impact, value)
    assert (row["liquidation_unit_usd"] * 200).quantize(Decimal("1e-8"), ROUND_HALF_UP) == value


def test_a_small_pool_is_sold_whole(warehouse: Warehouse) -> None:
    impact, value = square_root_law(Decimal(20000), Decimal(1000000), Decimal("0.01"))
    row = own_token(warehouse, "SMALL")
    assert row is not None
    assert (row["sold_usd"], row["impact"], row["liquidation_value_usd"]) == (20000, impact, value)


@pytest.mark.parametrize(
    ("asset", "value", "unit"),
    [
        ("NOMARKET", "0", "0"),
        ("NOVOLATILITY", "1000", "1"),  # a third of what is sold: the full impact
        ("EMPTY", "0", "20"),
        ("SPECK", "0", "20"),  # too little for proceeds of 8 places, and worth its price all the same
        ("UNPRICED", None, None),
    ],
)
def test_liquidation_without_pool_market_or_price(
    warehouse: Warehouse, asset: str, value: str | None, unit: str | None
) -> None:
    row = own_token(warehouse, asset)
    assert row is not None
    assert row["liquidation_value_usd"] == (None if value is None else Decimal(value))
    assert row["liquidation_unit_usd"] == (None if unit is None else Decimal(unit))


@pytest.mark.parametrize(
    ("asset", "group"),
    [("USDC", "USD"), ("BADC", "BADC"), ("XT", "XT"), ("WRAPPED", "WRAPPED"), ("HALF", "HALF")],
)
def test_in_kind_groups(warehouse: Warehouse, asset: str, group: str) -> None:
    rows = warehouse.query("select in_kind_group from marts.dim_asset where asset = ?", asset)
    assert [row["in_kind_group"] for row in rows] == [group]


def test_collateral_per_unit(warehouse: Warehouse) -> None:
    rows = warehouse.query(
        "select asset, collateral_unit_usd from intermediate.int_tokens__asset_daily where as_of_date = ?", FIRST
    )
    units = {row["asset"]: row["collateral_unit_usd"] for row in rows}
    assert units["USD"] == 1
    assert units["USDC"] == Decimal("19.6")
    assert units["HALF"] == 18
    assert units["NOVOLATILITY"] == 1
    assert units["UNPRICED"] is None


def test_concentration_is_a_finding_beyond_the_limit_only(warehouse: Warehouse) -> None:
    rows = warehouse.query("select * from findings.own_token_concentration order by as_of_date")
    assert [(row["subject_id"], row["asset"], row["as_of_date"]) for row in rows] == [("MOST", "MOST", d) for d in DAYS]
    assert rows[0]["impact_usd"] == Decimal(20000)
    assert len(warehouse.query(rows[0]["evidence"])) == 1
