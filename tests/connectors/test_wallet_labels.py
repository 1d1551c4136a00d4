"""Public labels: which become wallets, since when they are known, and what is left out and counted."""

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
from orchestration.settings import REPOSITORY
from tests.connectors.conformance import Case, ConformanceTests, Fault

DAY = date(2022, 11, 10)
LIMITS = {"max_megabytes": 2, "max_decompression_ratio": 100}
EVM, OTHER = "0x" + "ab" * 20, "0x" + "cd" * 20
BASE58, BECH32 = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
SHARED = next(
    (
        found
        for folder in REPOSITORY.parents
        if (found := folder / "shared/data/labels/exchange_addresses.csv").exists()
    ),
    None,
)
OWNERS = {"FTX Exploiter*": None, "ftx*": "operator", "Alameda*": "alameda"}
CHAINS = {"ethereum": "ethereum", "bitcoin": "bitcoin"}


def labels(*rows: str) -> bytes:
    return ("chain,address,name,source,added\n" + "\n".join(rows) + "\n").encode()


ROWS = [
    f'ethereum,{EVM.replace("ab", "AB")},"FTX 2",x,2022-08-28',
    f"ethereum,{EVM},FTX US,y,2022-09-01",
    f"ethereum,{EVM},,z,2022-01-01",
    f"ethereum,{OTHER},Alameda Research,x,2022-11-10",
    f"bitcoin,{BASE58},Alameda cold,x,2022-11-01T12:00:00Z",
]


def wallet(network: str, address: str, owner: str, known: str) -> dict[str, str | None]:
    return {
        "wallet_id": f"{network}:{address}",
        "network": network,
        "address": address,
        "owner_entity_id": owner,
        "purpose": "unknown",
        "custody": "hot",
        "encumbered_pct": "100",
        "ownership_proof": "none",
        "valid_from": f"{known} 23:59:59",
        "recorded_at": f"{known} 23:59:59",
    }


class TestWalletLabels(ConformanceTests):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        folder = tmp_path / "labels"
        folder.mkdir()
        first, second = folder / "a.csv", folder / "b.csv.gz"

        def heal() -> None:
            folder.mkdir(exist_ok=True)
            first.write_bytes(labels(*ROWS[:3]))
            second.write_bytes(gzip.compress(labels(*ROWS[3:]), mtime=0))

        heal()

        def put(path: Path, content: bytes) -> Callable[[], object]:
            return lambda: path.write_bytes(content)

        return Case(
            section={
                "kind": "wallet_labels",
                "folder": str(folder),
                "pattern": "*.csv*",
                "chains": CHAINS,
                "owners": OWNERS,
                "limits": LIMITS,
            },
            day=DAY,
            expected={
                "wallets": [
                    wallet("ethereum", EVM, "operator", "2022-08-28"),
                    wallet("ethereum", OTHER, "alameda", "2022-11-10"),
                    wallet("bitcoin", BASE58, "alameda", "2022-11-01"),
                ]
            },
            faults={
                "down": Fault(lambda: shutil.rmtree(folder), "isn't there"),
                "empty": Fault(put(first, labels()), "holds no label"),
                "midway": Fault(put(second, gzip.compress(labels(*ROWS), mtime=0)[:-20]), "cut off"),
                "rubbish": Fault(put(first, b"<html>Welcome!</html>"), "has 0 columns chain"),
                "oversized": Fault(put(first, b"x" * 2_000_001), "larger than 2 MB"),
                "bomb": Fault(put(first, gzip.compress(b" " * 1_900_000, mtime=0)), "decompresses to more than"),
                "nothing at all": Fault(put(first, b""), "is empty"),
                "twice": Fault(put(first, gzip.compress(gzip.compress(b"x"), mtime=0)), "compressed twice"),
                "cells": Fault(put(first, labels(ROWS[0], "ethereum,x")), "line 3: 2 cells in a row of 5 columns"),
                "quote": Fault(put(first, labels('ethereum,"x')), "line 2: no row of a table"),
                "not text": Fault(put(first, labels(ROWS[0]) + b"\xff"), "line 3: not UTF-8"),
                "no file": Fault(lambda: (first.unlink(), second.unlink()), "counts as missing"),
                "no owner": Fault(
                    lambda: (second.unlink(), first.write_bytes(labels(f"ethereum,{EVM},Kraken,x,2022-01-01"))),
                    "can be taken (1 of other owners)",
                ),
            },
            heal=heal,
            is_http=False,
        )


def pull(tmp_path: Path, day: date, **more: Any) -> Manifest:
    section = {
        "kind": "wallet_labels",
        "folder": str(tmp_path),
        "pattern": "labels*.csv",
        "chains": CHAINS,
        "owners": OWNERS,
        **more,
    }
    path = tmp_path / "sources.yaml"
    path.write_text(json.dumps({"sources": {"public": section}}))
    (source,) = load_sources(path)
    (tmp_path / "landing").mkdir(exist_ok=True)
    now = datetime(day.year, day.month, day.day) + timedelta(days=1, hours=1)
    manifest = pull_day(source, tmp_path / "landing", day, Clock(now=lambda: now))
    assert manifest is not None
    return manifest


def landed(tmp_path: Path, manifest: Manifest) -> dict[str, str]:
    rows = [
        row for file in manifest.files for row in pq.ParquetFile(tmp_path / "landing" / file.file).read().to_pylist()
    ]
    return {row["wallet_id"]: f"{row['owner_entity_id']} {row['recorded_at']:%Y-%m-%d}" for row in rows}


def test_what_can_t_be_taken_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        f"solana,{EVM},FTX,x,2022-01-01",
        "ethereum,0x12,FTX,x,2022-01-01",
        f"bitcoin,{EVM},FTX,x,2022-01-01",
        f"ethereum,{EVM},,x,2022-01-01",
        f"ethereum,{EVM},Kraken,x,2022-01-01",
        f"ethereum,{EVM},FTX Exploiter 1,x,2022-01-01",
        f"ethereum,{OTHER[:-1]}0,FTX Exploiter 1,x,2022-01-01",
        f"ethereum,{EVM},FTX,x,",
        f"ethereum,{OTHER},FTX,x,2022-22-08",
        f"ethereum,{OTHER},FTX,x,2022-12-24",
        f"bitcoin,{BASE58},FTX,x,2022-01-01",
        f"bitcoin,{BASE58},Alameda,x,2022-01-02",
        f"bitcoin,{BASE58.upper()},FTX,x,2022-01-02",
        f"bitcoin,{BECH32.upper()},FTX,x,2022-01-03",
    ]
    (tmp_path / "labels.csv").write_bytes(labels(*rows))
    manifest = pull(tmp_path, DAY)
    assert landed(tmp_path, manifest) == {f"bitcoin:{BECH32}": "operator 2022-01-03"}
    assert manifest.position["left_out"] == {
        "added later": 1,
        "of other chains": 1,
        "of other owners": 2,
        "with an unreadable date": 1,
        "with several owners": 4,
        "without a name": 1,
        "without an address of that chain": 3,
    }


def test_labels_become_known_on_their_day_and_land_once(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(
        labels(f"ethereum,{EVM},FTX,x,2022-11-11", f"ethereum,{OTHER},FTX,x,2022-11-12", f"bitcoin,{BASE58},FTX,x,")
    )
    days = [landed(tmp_path, pull(tmp_path, DAY + timedelta(days=offset))) for offset in range(4)]
    assert days == [
        {},
        {f"ethereum:{EVM}": "operator 2022-11-11"},
        {f"ethereum:{OTHER}": "operator 2022-11-12"},
        {},
    ]


def test_labels_without_a_date_count_from_the_day_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(labels(f"ethereum,{EVM},FTX,x,"))
    found = landed(tmp_path, pull(tmp_path, DAY, undated_recorded_on="2022-11-01"))
    assert found == {f"ethereum:{EVM}": "operator 2022-11-01"}


def test_of_files_with_days_the_last_one_holds(tmp_path: Path) -> None:
    for day, name in (("2022-11-01", "Alameda"), ("2022-11-09", "FTX"), ("2022-11-11", "Alameda")):
        (tmp_path / f"labels-{day}.csv").write_bytes(labels(f"ethereum,{EVM},{name},x,2022-10-01"))
    found = landed(tmp_path, pull(tmp_path, DAY, pattern="labels-{date}.csv"))
    assert found == {f"ethereum:{EVM}": "operator 2022-10-01"}


def test_other_names_of_columns(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"Net,Addr,Label,Since\neth,{EVM},FTX,2022-10-01\n")
    columns = {"chain": "net", "address": "addr", "name": "label", "added": "since"}
    found = landed(tmp_path, pull(tmp_path, DAY, columns=columns, chains={"eth": "ethereum"}))
    assert found == {f"ethereum:{EVM}": "operator 2022-10-01"}
    with pytest.raises(PullError, match="has 0 columns chain"):
        pull(tmp_path, DAY + timedelta(days=1))


@pytest.mark.skipif(SHARED is None, reason="the shared label file isn't on this machine")
def test_the_shared_labels(tmp_path: Path) -> None:
    assert SHARED is not None
    shutil.copy(SHARED, tmp_path / "labels.csv")
    before = landed(tmp_path, pull(tmp_path, date(2022, 11, 1), chains={**CHAINS, "bnb": "bsc"}))
    after = landed(tmp_path, pull(tmp_path, date(2022, 11, 2), chains={**CHAINS, "bnb": "bsc"}))
    assert before
    assert after == {}
    assert all(wallet.split(" ")[1] <= "2022-11-01" for wallet in before.values())
    assert "operator" in {wallet.split(" ")[0] for wallet in before.values()}
