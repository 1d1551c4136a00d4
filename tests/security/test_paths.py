"""What names a path doesn't lead out of the folder that it is said to lie in: links, manifests, sources."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from orchestration.connectors.delivery import Manifest, finish_deliveries
from orchestration.connectors.errors import AnswerError
from orchestration.connectors.local_files import LocalFolder
from orchestration.errors import ConfigurationError
from orchestration.landing.discovery import discover, leads_out
from orchestration.landing.manifests import manifest_path

DAY = date(2026, 3, 4)
LINK = "link that leads out of the landing zone, or nowhere"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    for name in ("inside/ledger_entries/date=2026-03-04", "inside/tokens", "outside/date=2026-03-04"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "inside/ledger_entries/date=2026-03-04/rows.csv",
        "outside/secret.csv",
        "outside/date=2026-03-04/s.csv",
    ):
        (tmp_path / name).write_text("entry_id\n", encoding="utf-8")
    return tmp_path / "inside"


def found(landing: Path) -> tuple[list[str], list[tuple[str, str]]]:
    seen = discover(landing, DAY)
    files = [file.relative for partition in seen.partitions for file in partition.files]
    return files, [(misplaced.relative, misplaced.problem) for misplaced in seen.misplaced]


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("ledger_entries/date=2026-03-04/more.csv", "../../../outside/secret.csv"),
        ("ledger_entries/date=2026-03-04/more.csv", "/etc/passwd"),
        ("ledger_entries/date=2026-03-04/more.csv", "nowhere.csv"),
        ("ledger_entries/date=2026-03-04/more.csv", "more.csv"),
        ("ledger_entries/date=2026-03-04/deeper", "../../../outside"),
        ("ledger_entries/date=2026-03-03", "../../outside/date=2026-03-04"),
        ("tokens/rows.csv", "../../outside/secret.csv"),
        ("tokens/rows.csv", "../../inside_too.csv"),
    ],
)
def test_a_link_out_is_a_finding_and_is_not_read(landing: Path, link: str, target: str) -> None:
    (landing.parent / "inside_too.csv").write_text("asset\n", encoding="utf-8")  # a name that begins like the zone's
    (landing / link).symlink_to(target)
    assert found(landing) == (["ledger_entries/date=2026-03-04/rows.csv"], [(link, LINK)])


def test_a_link_that_stays_inside_is_followed_and_so_is_a_table_on_another_disk(landing: Path) -> None:
    day = landing / "ledger_entries" / "date=2026-03-04"
    (day / "same.csv").symlink_to("rows.csv")
    (landing / "token_prices").symlink_to(landing.parent / "outside")
    within = landing.parent / "outside" / "date=2026-03-04"
    (within / "again.csv").symlink_to("s.csv")
    files, misplaced = found(landing)
    assert files == [
        "ledger_entries/date=2026-03-04/rows.csv",
        "ledger_entries/date=2026-03-04/same.csv",
        "token_prices/date=2026-03-04/again.csv",
        "token_prices/date=2026-03-04/s.csv",
    ]
    assert [name for name, _ in misplaced] == ["token_prices/secret.csv"]  # lies there, but in no day's folder


def test_the_zone_itself_may_be_a_link(landing: Path) -> None:
    (landing.parent / "zone").symlink_to(landing)
    assert found(landing.parent / "zone") == found(landing)
    assert not leads_out(landing / "tokens", landing)


def manifest(landing: Path, file: str, table: str = "ledger_entries") -> Path:
    content = {
        "source": "exchange",
        "kind": "files",
        "day": str(DAY),
        "window": ["2026-03-04T00:00:00", "2026-03-05T00:00:00"],
        "position": None,
        "pulled_at": "2026-03-05T01:00:00",
        "files": [{"table": table, "file": file, "rows": 1, "bytes": 1, "sha256": "0" * 64}],
    }
    path = manifest_path(landing, "exchange", DAY)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("../outside/taken.parquet", "ledger_entries"),
        ("/etc/cron.d/taken", "ledger_entries"),
        ("ledger_entries/../../outside/taken.parquet", "ledger_entries"),
        ("_manifests/other/2026-03-04.json", "ledger_entries"),
        ("tokens/rows.parquet", "ledger_entries"),
        ("../outside/x.parquet", "../outside/x"),
    ],
)
def test_a_forged_manifest_moves_nothing(landing: Path, file: str, table: str) -> None:
    path = manifest(landing, file, table)
    staged = landing / "_staging" / "exchange" / str(DAY)
    staged.mkdir(parents=True)
    before = sorted(landing.parent.rglob("*"))
    with pytest.raises(ConfigurationError, match="outside the landing zone"):
        Manifest.read(path)
    with pytest.raises(ConfigurationError, match="outside the landing zone"):
        finish_deliveries(landing)
    assert sorted(landing.parent.rglob("*")) == before


def test_a_folder_of_files_is_not_left_by_a_link(landing: Path) -> None:
    delivered = landing.parent / "delivered"
    delivered.mkdir()
    (delivered / "a.csv").write_text("x\n", encoding="utf-8")
    (delivered / "same.csv").symlink_to("a.csv")
    assert [file.key for file in LocalFolder(delivered).listed("", None)] == ["a.csv", "same.csv"]
    (delivered / "z.csv").symlink_to(landing.parent / "outside" / "secret.csv")
    with pytest.raises(AnswerError, match=r"z\.csv is a link that leads out"):
        list(LocalFolder(delivered).listed("", None))
