"""From a claims schedule to published marts, against a plain re-computation from the schedule and the prices alone.

What belongs here: importing, running on what was imported, and comparing to the last digit: the made-up schedule by the
real command, the large sample by the job's steps alone. What doesn't: how layouts are read (test_filed_schedule,
test_claims_schedule).
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.imports.amounts import EXACT
from orchestration.imports.claims_schedule import ImportOptions, import_claims_schedule
from orchestration.pipeline.direct import run_directly
from orchestration.settings import Settings
from tests.imports import small_schedule

DAY = date(2022, 11, 11)
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SHARED_SCHEDULE = SHARED_DATA / "ftx" / "customer_schedule_sample.csv"
SHARED_PRICES = SHARED_DATA / "prices" / "daily_close_2021_2022-10.csv"
DUST_USD, DUST_UNITS = Decimal(1), Decimal("0.000001")
CENT_FRACTION = Decimal("0.00000001")
EXPLAINED_CHECKS = {
    "no_negative_balance",
    "no_negative_equity",
    "own_token_concentration",
    "prices_complete",
    "prices_fresh",
    "reserves_cover_liabilities",
    "total_reserves_cover_liabilities",
}
"""What a schedule without reserves must fail, or may: everything else would be a false alarm."""

MARTS = ("fct_customer_liability_daily", "fct_negative_balance_daily", "fct_solvency_daily")

Balances = dict[tuple[str, str], Decimal]


@dataclass(frozen=True)
class Claims:
    """What the schedule and the price file say, read without the importer, and the database made of them."""

    balances: Balances
    prices: dict[str, Decimal]
    price_days: dict[str, date]
    database: Path
    found: frozenset[tuple[str, str]]
    """Check and subject of every finding."""

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query as dicts; decimals stay Decimal."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def findings(self, check: str) -> set[str]:
        """Subjects of a check's findings."""
        return {subject for name, subject in self.found if name == check}

    def value(self, asset: str, quantity: Decimal) -> Decimal | None:
        """Quantity at the asset's price, rounded half up to 8 places; None without a price."""
        price = self.prices.get(asset)
        return None if price is None else _rounded(EXACT.multiply(quantity, price))


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(CENT_FRACTION, rounding=ROUND_HALF_UP, context=EXACT)


def _last_closes(text: str) -> tuple[dict[str, Decimal], dict[str, date]]:
    """The last close at or before the day, and its day; US dollars are one by definition."""
    days: dict[str, date] = {}
    prices = {"USD": Decimal(1)}
    for row in csv.DictReader(io.StringIO(text)):
        day = date.fromisoformat(row["date"])
        if day <= DAY and day >= days.get(row["asset"], date.min):
            days[row["asset"]], prices[row["asset"]] = day, Decimal(row["close"])
    return prices, days


def _import_and_run(schedule: Path, prices: Path, balances: Balances, folder: Path) -> Claims:
    """Import the schedule and take it in by the job's own steps."""
    import_claims_schedule(schedule, prices, DAY, folder / "landing", options=ImportOptions(own_tokens=("FTT",)))
    settings = Settings(folder / "landing", folder / "warehouse")
    result = run_directly(settings, "only", DAY, DAY, models=MARTS)
    assert result.refusal is None
    found = frozenset((check, subject) for check, _, subject, _ in result.findings)
    held = {asset for _, asset in balances}
    known, days = _last_closes(prices.read_text(encoding="utf-8"))
    return Claims(balances, {a: p for a, p in known.items() if a in held}, days, settings.paths.build_file, found)


@pytest.fixture(
    scope="module",
    params=[
        "small",
        pytest.param(
            "shared", marks=pytest.mark.skipif(not SHARED_SCHEDULE.is_file(), reason="the shared data folder is absent")
        ),
    ],
)
def claims(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Claims]:
    """The small made-up schedule in the layout as filed, and the shared sample."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "small":
        (folder / "schedule.csv").write_text(small_schedule.SCHEDULE, encoding="utf-8")
        (folder / "prices.csv").write_text(small_schedule.PRICES, encoding="utf-8")
        yield _import_and_run(folder / "schedule.csv", folder / "prices.csv", small_schedule.BALANCES, folder)
    else:
        with SHARED_SCHEDULE.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        balances = {(row["account_ref"], row["asset"]): Decimal(row["balance"]) for row in rows}
        assert len(balances) == len(rows)
        yield _import_and_run(SHARED_SCHEDULE, SHARED_PRICES, balances, folder)


def test_liabilities_agree_to_the_last_digit(claims: Claims) -> None:
    accounts: dict[str, int] = defaultdict(int)
    for (_, asset), amount in claims.balances.items():
        accounts[asset] += amount != 0
    expected = {
        asset: (
            liability,
            receivable,
            accounts[asset],
            claims.value(asset, liability),
            claims.value(asset, receivable),
        )
        for asset, (liability, receivable) in small_schedule.totals(claims.balances).items()
        if accounts[asset]
    }
    rows = claims.query("select * from marts.fct_customer_liability_daily")
    assert {(row["as_of_date"], row["relation"]) for row in rows} == {(DAY, "customer")}
    found = {
        row["asset"]: tuple(
            row[column] for column in ("liability", "receivable", "accounts", "liability_usd", "receivable_usd")
        )
        for row in rows
    }
    assert found == expected


def test_negative_balances_agree_to_the_last_digit(claims: Claims) -> None:
    expected = {
        (account, asset): (amount, claims.value(asset, amount))
        for (account, asset), amount in claims.balances.items()
        if amount < 0
    }
    rows = claims.query("select * from marts.fct_negative_balance_daily")
    assert {(row["account_id"], row["asset"]): (row["balance"], row["value_usd"]) for row in rows} == expected
    assert {(row["as_of_date"], row["relation"], row["account_class"]) for row in rows} == {(DAY, "customer", "margin")}


def test_assets_without_a_price_are_findings_and_not_zero(claims: Claims) -> None:
    totals = small_schedule.totals(claims.balances)
    unpriced = {asset for asset in totals if asset not in claims.prices}
    owed = {asset for asset in unpriced if totals[asset][0] >= DUST_UNITS}
    assert owed <= claims.findings("prices_complete") <= unpriced
    valued = claims.query(
        "select asset from marts.fct_customer_liability_daily where liability_usd is not null"
        " union select asset from marts.fct_negative_balance_daily where value_usd is not null"
    )
    assert {row["asset"] for row in valued}.isdisjoint(unpriced)


def test_stale_prices_are_findings(claims: Claims) -> None:
    totals = small_schedule.totals(claims.balances)
    stale = {
        asset
        for asset in claims.prices
        if asset != "USD"
        and (DAY - claims.price_days[asset]).days >= 2
        and (claims.value(asset, totals[asset][0]) or 0) >= DUST_USD
    }
    assert claims.findings("prices_fresh") == stale


def test_the_day_is_short_of_everything_owed(claims: Claims) -> None:
    totals = small_schedule.totals(claims.balances)
    liabilities = sum((claims.value(asset, totals[asset][0]) or 0 for asset in totals), Decimal(0))
    receivables = sum((claims.value(asset, totals[asset][1]) or 0 for asset in totals), Decimal(0))
    (row,) = claims.query("select * from marts.fct_solvency_daily")
    assert (row["customer_liabilities_usd"], row["customer_receivables_usd"]) == (liabilities, receivables)
    assert (row["eligible_reserves_usd"], row["in_kind_shortfall_usd"]) == (0, liabilities)
    assert row["status"] == "incomplete"
    assert row["unpriced_assets"] >= len(claims.findings("prices_complete"))


def test_no_check_fails_that_the_schedule_gives_no_reason_for(claims: Claims) -> None:
    assert {check for check, _ in claims.found} <= EXPLAINED_CHECKS
