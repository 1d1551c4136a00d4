"""Files are held against the manifest that was written when they were delivered."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.connectors.base import Batch, Feed, Order
from orchestration.connectors.delivery import Delivery
from orchestration.contract import table
from orchestration.landing import create_schemas, load_table

DAY = date(2026, 3, 4)
DEPTH = "market_depth"


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    """A landing zone with one delivered file, by source ``venue``; its landing folder."""
    landing = tmp_path / "landing"
    delivery = Delivery(landing, "venue", "files", Order(DAY), [Feed(DEPTH), Feed("tokens")], "digest")
    depth = {"asset": ["BTC"], "as_of": [f"{DAY}T23:00:00Z"], "bid_depth_2pct_usd": ["1000000"], "source": ["venue"]}
    delivery.add(Batch(DEPTH, pa.table(depth)))
    delivery.add(Batch("tokens", pa.table({"asset": ["BTC"], "asset_class": ["crypto"]})))
    delivery.land({}, Order(DAY).until)
    return landing


def problems(landing: Path, name: str = DEPTH) -> list[str]:
    with duckdb.connect() as connection:
        create_schemas(connection)
        load_table(connection, landing, table(name), DAY, "run")
        return [problem for (problem,) in connection.execute("select problem from incoming.schema_issue").fetchall()]


@pytest.mark.parametrize("name", [DEPTH, "tokens"])
def test_what_was_delivered_passes(delivered: Path, name: str) -> None:
    assert problems(delivered, name) == []


@pytest.mark.parametrize("name", [DEPTH, "tokens"])
def test_a_file_that_was_changed_since_is_refused(delivered: Path, name: str) -> None:
    """A row in place of another, in a file as sound as the first: only the manifest can tell."""
    (path,) = (delivered / name).rglob("*.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"create table held as select * from read_parquet('{path}')")
        connection.execute("update held set asset = 'ETH'")
        connection.execute(f"copy held to '{path}' (format parquet)")
    (problem,) = problems(delivered, name)
    assert problem == f"file isn't the one that was delivered, says its manifest _manifests/venue/{DAY}.json"


def test_files_of_others_are_no_manifest_s_business(delivered: Path) -> None:
    (path,) = (delivered / DEPTH).rglob("*.parquet")
    path.with_name("by_hand.parquet").write_bytes(path.read_bytes())
    manifest = delivered / "_manifests" / "venue" / f"{DAY}.json"
    stored = json.loads(manifest.read_text(encoding="utf-8"))
    stored["files"] = []
    manifest.write_text(json.dumps(stored), encoding="utf-8")
    assert problems(delivered) == []


def test_a_damaged_manifest_is_named(delivered: Path) -> None:
    (delivered / "_manifests" / "venue" / f"{DAY}.json").write_text("{", encoding="utf-8")
    assert problems(delivered) == [f"its manifest _manifests/venue/{DAY}.json can't be read"]
