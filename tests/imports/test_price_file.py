"""Price files: which row stands for the day, what it is really of, and what is refused."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.imports.price_file import PriceReading, read_price_file, read_price_files

DAY = date(2022, 11, 11)


def read(tmp_path: Path, text: str, name: str = "prices.csv", price_asset: str | None = None) -> PriceReading:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_price_file(path, DAY, price_asset=price_asset)


def found(reading: PriceReading) -> dict[str, tuple[str, str]]:
    return {
        price.asset: (format(price.price_usd.normalize(), "f"), price.as_of.isoformat()) for price in reading.prices
    }


def test_the_last_close_at_or_before_the_day_keeps_its_own_date(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "asset,date,open,high,low,close\n"
        "BTC,2022-11-12,1,1,1,99999\n"
        "BTC,2022-11-10,1,1,1,17586.1\n"
        "BTC,2022-11-09,1,1,1,15880.2\n"
        "FTT,2022-10-31,1,1,1,26.1\n"
        "LATE,2022-11-12,1,1,1,5\n",
    )
    assert found(reading) == {"BTC": ("17586.1", "2022-11-10T23:59:59"), "FTT": ("26.1", "2022-10-31T23:59:59")}
    assert {price.source for price in reading.prices} == {"prices"}
    assert reading.rejects == ()


@pytest.mark.parametrize(("name", "option"), [("ftt_usd_daily_2021-12.csv", None), ("download.csv", "FTT")])
def test_bars_of_one_asset(tmp_path: Path, name: str, option: str | None) -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2022-11-11,3.5,3.6,2.3,2.523,2.5,1\n2022-11-12,2,2,2,2,2,2\n"
    assert found(read(tmp_path, text, name, option)) == {"FTT": ("2.523", "2022-11-11T23:59:59")}


@pytest.mark.parametrize(
    ("stamp", "as_of"),
    [
        ("2022-11-11", "2022-11-11T23:59:59"),
        ("20221111", "2022-11-11T23:59:59"),
        ("2022-11-11T06:30:00Z", "2022-11-11T06:30:00"),
        ("2022-11-11 23:00:00-05:00", None),
        ("2022-11-11T00:00:00+02:00", "2022-11-10T22:00:00"),
        ("1668124800", "2022-11-11T00:00:00"),
        ("1668148200000", "2022-11-11T06:30:00"),
        ("1.6681248e9", "2022-11-11T00:00:00"),
    ],
)
def test_moments_of_prices(tmp_path: Path, stamp: str, as_of: str | None) -> None:
    reading = read(tmp_path, f"asset,price_usd,as_of\nBTC,16871,{stamp}\nETH,1258,2022-11-01\n")
    assert reading.rejects == ()
    assert found(reading).get("BTC", (None, None))[1] == as_of


def test_a_bar_stamped_midnight_closes_at_the_end_of_its_day(tmp_path: Path) -> None:
    reading = read(tmp_path, "time,open,high,low,close\n1668124800,1,1,1,16871\n", "btc.csv")
    assert reading.prices[0].as_of == datetime(2022, 11, 11, 23, 59, 59)


def test_prices_without_a_date_are_of_the_day_itself(tmp_path: Path) -> None:
    reading = read(tmp_path, 'asset;price\nBTC;"16,871.50"\nSHIB;9.1e-6\n')
    assert found(reading) == {"BTC": ("16871.5", "2022-11-11T23:59:59"), "SHIB": ("0.0000091", "2022-11-11T23:59:59")}


def test_rows_without_a_usable_price_are_listed(tmp_path: Path) -> None:
    rows = [
        ("BTC,2022-11-10,null", "there is no price"),
        ("BTC,2022-11-10,0", "not positive"),
        ("BTC,2022-11-10,-1", "not positive"),
        ("BTC,2022-11-10,abc", "not a number"),
        ("BTC,10/11/2022,1", "neither an ISO 8601 date nor an epoch time"),
        ("BTC,2022-11-10,1,2", "4 cells"),
        (",2022-11-10,1", "the asset is missing"),
        ("ETH,2022-11-10,1259", "another price stands for the same moment"),
        ("SOL,2022-11-10,0.1234567890123456789", "18 significant places"),
    ]
    reading = read(tmp_path, "asset,date,close\nETH,2022-11-10,1258\n\n" + "\n".join(row for row, _ in rows))
    assert found(reading) == {"ETH": ("1258", "2022-11-10T23:59:59")}
    assert [reject.line for reject in reading.rejects] == list(range(4, 13))
    assert [reject.text for reject in reading.rejects] == [row for row, _ in rows]
    for reject, (_, reason) in zip(reading.rejects, rows, strict=True):
        assert reason in reject.reason


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "p.csv", "is empty"),
        ("asset,volume\nBTC,1\n", "p.csv", "line 1: no layout of prices has this header"),
        ("close\n1\n", "p.csv", "no layout of prices has this header"),
        ("date,close\n2022-11-11,1\n", "_.csv", "--price-asset"),
        ("asset,price\nBTC,none\n", "p.csv", "holds no price that can be read; line 2: there is no price"),
    ],
)
def test_files_that_are_no_price_files(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text, name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_file_is_a_source(tmp_path: Path) -> None:
    for name, price in (("one.csv", "10"), ("two.csv", "11")):
        (tmp_path / name).write_text(f"asset,price\nBTC,{price}\n", encoding="utf-8")
    reading = read_price_files([tmp_path / "one.csv", tmp_path / "two.csv"], DAY)
    assert {(price.source, price.price_usd) for price in reading.prices} == {("one", Decimal(10)), ("two", Decimal(11))}
    with pytest.raises(ConfigurationError, match="two price files have the name one"):
        read_price_files([tmp_path / "one.csv", tmp_path / "one.csv"], DAY)
