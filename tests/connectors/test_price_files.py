"""Price files: the closes of the day itself, exactly; volumes where it is said what they count; gaps are missing."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import load_sources
from orchestration.connectors.delivery import Manifest
from orchestration.connectors.pulling import PullError, pull_day
from orchestration.errors import ConfigurationError
from orchestration.settings import REPOSITORY
from tests.connectors.conformance import Case, ConformanceTests, Fault

DAY = date(2022, 3, 4)
LIMITS = {"max_megabytes": 2, "max_decompression_ratio": 100}
SHARED = next((found for folder in REPOSITORY.parents if (found := folder / "shared/data/prices").exists()), None)
MANY = """asset,date,open,high,low,close,volume
XBT,2022-03-03,1,1,1,1,1
XBT,2022-03-04,1,1,1,"39,148.123456789012345678","1,234.5"
SHIB,1646352000000,1,1,1,2.5e-5,1e12
XBT,2022-03-05,1,1,1,null,1
NEW,2022-03-05,1,1,1,1,
"""
ONE = "Date;Open;High;Low;Close\n2022-03-03;1;1;1;1\n2022-03-04;1;1;1;42.5\n"


class TestPriceFiles(ConformanceTests):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        folder = tmp_path / "prices"
        (folder / "deep").mkdir(parents=True)
        many, one = folder / "a_market.csv", folder / "deep" / "ftt_usd.csv.gz"

        def heal() -> None:
            (folder / "deep").mkdir(parents=True, exist_ok=True)
            many.write_text(MANY)
            one.write_bytes(gzip.compress(ONE.encode(), mtime=0))

        heal()

        def put(path: Path, content: bytes) -> Callable[[], object]:
            return lambda: path.write_bytes(content)

        as_of = f"{DAY} 23:59:59"
        return Case(
            section={
                "kind": "price_files",
                "folder": str(folder),
                "pattern": "**/*.csv*",
                "assets": {"XBT": "BTC"},
                "limits": LIMITS,
            },
            day=DAY,
            expected={
                "token_prices": [
                    {"asset": "BTC", "price_usd": "39148.123456789012345678", "as_of": as_of, "source": "a_market"},
                    {"asset": "SHIB", "price_usd": "0.000025", "as_of": as_of, "source": "a_market"},
                    {"asset": "FTT", "price_usd": "42.5", "as_of": as_of, "source": "ftt_usd"},
                ]
            },
            faults={
                "down": Fault(lambda: shutil.rmtree(folder), "isn't there"),
                "empty": Fault(put(many, b""), "is empty"),
                "midway": Fault(put(one, gzip.compress(ONE.encode(), mtime=0)[:-9]), "cut off"),
                "rubbish": Fault(put(many, b"<html>Welcome!</html>"), "no layout of prices has this header"),
                "oversized": Fault(put(many, b"x" * 2_000_001), "larger than 2 MB"),
                "bomb": Fault(put(many, gzip.compress(b" " * 1_900_000, mtime=0)), "decompresses to more than"),
                "twice": Fault(put(many, gzip.compress(gzip.compress(b"x"), mtime=0)), "compressed twice"),
                "no file": Fault(lambda: (many.unlink(), one.unlink()), "counts as missing"),
                "gap": Fault(
                    put(one, gzip.compress(ONE[:42].encode(), mtime=0)),
                    "no price of 2022-03-04 for FTT in deep/ftt_usd",
                ),
                "null": Fault(put(many, MANY.replace("2.5e-5", "null").encode()), "line 4: there is no price"),
                "zero": Fault(put(many, MANY.replace("2.5e-5", "0").encode()), "is not positive"),
                "places": Fault(put(many, MANY.replace("2.5e-5", "1e-19").encode()), "18 significant places"),
                "two": Fault(put(many, f"{MANY}XBT,2022-03-04,1,1,1,2,1\n".encode()), "another price stands"),
                "no date": Fault(
                    put(many, MANY.replace("2022-03-05", "4.3.22").encode()), "line 5: '4.3.22' is neither"
                ),
                "not text": Fault(put(many, MANY.encode() + b"\xff"), "not UTF-8"),
            },
            heal=heal,
            is_http=False,
        )


def pull(tmp_path: Path, day: date = DAY, **more: Any) -> Manifest:
    section = {"kind": "price_files", "folder": str(tmp_path), "pattern": "*.csv", **more}
    path = tmp_path / "sources.yaml"
    path.write_text(json.dumps({"sources": {"closes": section}}))
    (source,) = load_sources(path)
    (tmp_path / "landing").mkdir(exist_ok=True)
    now = datetime(day.year, day.month, day.day) + timedelta(days=1, hours=1)
    manifest = pull_day(source, tmp_path / "landing", day, Clock(now=lambda: now))
    assert manifest is not None
    return manifest


def landed(tmp_path: Path, manifest: Manifest) -> list[tuple[str, str, str | None, str, str]]:
    (file,) = manifest.files
    return [
        (
            row["asset"],
            f"{row['price_usd'].normalize():f}",
            None if row["volume_usd"] is None else f"{row['volume_usd'].normalize():f}",
            row["as_of"].isoformat(),
            row["source"],
        )
        for row in pq.ParquetFile(tmp_path / "landing" / file.file).read().to_pylist()
    ]


@pytest.mark.parametrize(("unit", "volume"), [("usd", "1234.5"), ("asset", "4938")])
def test_volumes_count_what_is_said(tmp_path: Path, unit: str, volume: str) -> None:
    (tmp_path / "btc.csv").write_text('date,close,Volume (24h)\n2022-03-03,1,x\n2022-03-04,4,"1,234.5"\n')
    manifest = pull(tmp_path, volume_column="volume (24h)", volume_in=unit)
    assert landed(tmp_path, manifest) == [("BTC", "4", volume, "2022-03-04T23:59:59", "btc")]


def test_volumes_that_are_none_and_products_that_are_too_fine(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,close,volume\n2022-03-04,0.0000000001,1e-9\n")
    with pytest.raises(PullError, match="18 significant places"):
        pull(tmp_path, volume_column="volume", volume_in="asset")
    (tmp_path / "a.csv").write_text("date,close,volume\n2022-03-04,1,-1\n")
    with pytest.raises(PullError, match="the volume '-1' is negative"):
        pull(tmp_path, volume_column="volume", volume_in="usd")
    with pytest.raises(PullError, match="no column traded for its volumes"):
        pull(tmp_path, volume_column="traded", volume_in="usd")
    (tmp_path / "a.csv").write_text("date,close,volume\n2022-03-04,1,null\n")
    assert landed(tmp_path, pull(tmp_path, volume_column="volume", volume_in="usd"))[0][2] is None


def test_rounding_is_only_done_if_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("asset,date,close\nPEPE,2022-03-04,0.1234567890123456785\n")
    with pytest.raises(PullError, match="18 significant places"):
        pull(tmp_path)
    assert landed(tmp_path, pull(tmp_path, round_to_18=True))[0][1] == "0.123456789012345678"


@pytest.mark.parametrize(
    ("stamp", "bars", "as_of"),
    [
        ("1646352000", True, "2022-03-04T23:59:59"),
        ("1646352000000", None, "2022-03-04T00:00:00"),
        ("1646375400000000", None, "2022-03-04T06:30:00"),
        ("2022-03-04T23:30:00-00:15", None, "2022-03-04T23:45:00"),
    ],
)
def test_stamps(tmp_path: Path, stamp: str, bars: bool | None, as_of: str) -> None:
    (tmp_path / "a.csv").write_text(f"asset,time,price\nBTC,{stamp},2\nBTC,2022-03-03,1\n")
    assert landed(tmp_path, pull(tmp_path, daily_bars=bars))[0][3] == as_of


def test_the_last_of_several_prices_of_the_day_is_its_close(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "asset,time,price\nBTC,2022-03-04T22:00:00,2\nBTC,2022-03-04T23:00:00,3\nBTC,2022-03-05T00:00:00,4\n"
    )
    assert landed(tmp_path, pull(tmp_path)) == [("BTC", "3", None, "2022-03-04T23:00:00", "a")]


def test_files_without_dates_need_the_day_in_their_names(tmp_path: Path) -> None:
    for day, price in ((3, 1), (4, 2), (5, 3)):
        (tmp_path / f"p-2022-03-0{day}.csv").write_text(f"asset,price\nBTC,{price}\n")
    with pytest.raises(PullError, match="has no dates; name the day"):
        pull(tmp_path)
    manifest = pull(tmp_path, pattern="p-{date}.csv", source="exchange")
    assert landed(tmp_path, manifest) == [("BTC", "2", None, "2022-03-04T23:59:59", "exchange")]


def test_gaps_and_assets_that_aren_t_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("asset,date,close\nBTC,2022-03-04,1\nGONE,2022-03-03,1\nETH,2022-03-04,2\n")
    with pytest.raises(PullError, match=r"no price of 2022-03-04 for GONE in a\.csv"):
        pull(tmp_path)
    with pytest.raises(PullError, match="no price of 2022-03-04 for SOL in any file"):
        pull(tmp_path, only_assets=["BTC", "SOL"])
    assert [row[0] for row in landed(tmp_path, pull(tmp_path, only_assets=["BTC"]))] == ["BTC"]


def test_a_gap_may_be_said_to_be_fine_but_nothing_at_all_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("asset,date,close\nBTC,2022-03-04,1\nGONE,2022-03-03,1\n")
    manifest = pull(tmp_path, may_lack=True)
    assert [row[0] for row in landed(tmp_path, manifest)] == ["BTC"]
    assert manifest.position == {"day": "2022-03-04", "files": 1, "lacking": 1}
    with pytest.raises(PullError, match="nothing came for token_prices"):
        pull(tmp_path, DAY + timedelta(days=1), may_lack=True)


def test_one_asset_twice_for_one_source(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("asset,date,close\nBTC,2022-03-04,1\n")
    with pytest.raises(PullError, match=r"b\.csv prices BTC a second time for source one"):
        pull(tmp_path, source="one")
    assert [row[4] for row in landed(tmp_path, pull(tmp_path))] == ["a", "b"]


def test_volumes_need_a_unit(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="volume_column and volume_in go together"):
        pull(tmp_path, volume_column="volume")


@pytest.mark.skipif(SHARED is None, reason="the shared prices aren't on this machine")
def test_the_shared_prices(tmp_path: Path) -> None:
    assert SHARED is not None
    landing, other = tmp_path / "many", tmp_path / "one"
    landing.mkdir()
    other.mkdir()
    closes = {row[0]: row[1] for row in landed(landing, pull(landing, folder=str(SHARED), pattern="daily_close*.csv"))}
    assert (closes["BTC"], closes["DAI"], closes["FTT"], len(closes)) == ("39016.4", "1.00007", "40.3421", 19)
    volumes = {"volume_column": "Volume", "volume_in": "usd", "source": "download"}
    one = landed(other, pull(other, folder=str(SHARED), pattern="ftt_usd*.csv", **volumes))
    assert one == [("FTT", "40.442959", "146707685", "2022-03-04T23:59:59", "download")]
