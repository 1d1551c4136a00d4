"""Loads that can't be trusted are refused whole: exit 4, the fault named, the last good marts untouched.

A good run up to 5 January comes first; each case then breaks the delivery of 6 January, or an older one, in a copy of
that landing zone and warehouse. Every way in which a file can be wrong is tested where files are read (tests/landing);
here is one case for each check. What is published meanwhile is part of ``test_the_job``.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.bench.exchange import judge_run
from orchestration.settings import Settings
from tests.support.small_exchange import healthy_exchange, write_landing

GOOD_DAY, NEXT_DAY = date(2022, 1, 5), date(2022, 1, 6)
LEDGER, LEDGER_BEFORE = "ledger_entries/date=2022-01-06/rows.csv.gz", "ledger_entries/date=2022-01-03/rows.csv.gz"
PRICES = "token_prices/date=2022-01-06/rows.csv"

Break = Callable[[Path], None]
Expected = set[tuple[str, date, str]]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a landing zone and a build file that took the good day."""
    folder = tmp_path_factory.mktemp("good")
    write_landing(healthy_exchange(), folder / "landing")
    judgement = judge_run(Settings(folder / "landing", folder / "warehouse"), "good", GOOD_DAY, GOOD_DAY)
    assert (judgement.findings, judgement.refusal) == (frozenset(), None)
    return folder


def _read(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()


def _write(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def replace(file: str, old: str, new: str) -> Break:
    """Replace text that must be there, once."""

    def plant(landing: Path) -> None:
        text = _read(landing / file)
        assert old in text, f"{old!r} is not in {file}"
        _write(landing / file, text.replace(old, new, 1))

    return plant


def append(file: str, line: str) -> Break:
    """Add a line to a file."""
    return lambda landing: _write(landing / file, _read(landing / file) + line + "\r\n")


def without_line(file: str, start: str) -> Break:
    """Take the lines that begin so out of a file."""

    def plant(landing: Path) -> None:
        lines = _read(landing / file).splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(start)]
        assert len(kept) < len(lines)
        _write(landing / file, "".join(kept))

    return plant


def remove(path: str) -> Break:
    """Take a file or a folder away."""

    def plant(landing: Path) -> None:
        target = landing / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return plant


def leg(
    entry: str, amount: str, *, account: str = "c1-spot", asset: str = "USD", at: str = "2022-01-06T10:00:00Z"
) -> str:
    """A line of ledger_entries."""
    return f"{entry},tx-{entry[:3]},{account},{asset},{amount},trade,{at},{at},,"


def both(*plants: Break) -> Break:
    """Several breaks at once."""

    def plant(landing: Path) -> None:
        for each in plants:
            each(landing)

    return plant


def pair(first: str, second: str) -> Break:
    """Two lines more in the ledger of the next day."""
    return both(append(LEDGER, first), append(LEDGER, second))


def schema(file: str) -> Expected:
    """The finding that a file doesn't conform."""
    return {("schema_conforms", NEXT_DAY, file)}


CASES: dict[str, tuple[Break, Expected]] = {
    "a word for an amount": (replace(LEDGER, ",-400,", ",four hundred,"), schema(LEDGER)),
    "a price of zero": (replace(PRICES, ",40000,", ",0,"), schema(PRICES)),
    "a file cut short": (
        lambda landing: (landing / LEDGER).write_bytes((landing / LEDGER).read_bytes()[:60]),
        schema(LEDGER),
    ),
    "a redelivery with one digit changed": (
        append(LEDGER, "trade2-3,trade2,c2-margin,USD,401,trade,2022-01-03T09:00:00Z,2022-01-03T09:00:00Z,,"),
        {("keys_unique", NEXT_DAY, "trade2-3")},
    ),
    "an account that nobody opened": (
        pair(leg("new-1", "5", account="nobody"), leg("new-2", "-5")),
        {("references_resolve", NEXT_DAY, "new-1")},
    ),
    "a transaction that doesn't balance": (
        pair(leg("odd-1", "5"), leg("odd-2", "-4.999999999999999999")),
        {("ledger_balances", NEXT_DAY, "tx-odd")},
    ),
    "an entry of the next day": (
        pair(leg("fut-1", "5", at="2022-01-07T00:00:00Z"), leg("fut-2", "-5", at="2022-01-07T00:00:00Z")),
        {("times_plausible", NEXT_DAY, "fut-1"), ("times_plausible", NEXT_DAY, "fut-2")},
    ),
    "a table that did not arrive": (
        remove("wallet_balances/date=2022-01-06"),
        {("arrivals_complete", NEXT_DAY, "wallet_balances")},
    ),
    "an entry edited in place": (
        replace(LEDGER_BEFORE, "trade2-3,trade2,c2-margin,USD,400,", "trade2-3,trade2,c2-margin,USD,500,"),
        {("history_unchanged", date(2022, 1, 3), "trade2-3")},
    ),
    "a loaded row that is gone": (
        both(without_line(LEDGER_BEFORE, "trade2-5"), without_line(LEDGER_BEFORE, "trade2-6")),
        {("history_unchanged", date(2022, 1, 3), "trade2-5"), ("history_unchanged", date(2022, 1, 3), "trade2-6")},
    ),
    "a link whose row disappears": (
        without_line("entity_links/rows.csv", "founder,mm"),
        {("history_unchanged", NEXT_DAY, "founder|mm|ownership|2021-01-01T00:00:00Z")},
    ),
}


def _rows(file: Path, schema: str) -> dict[str, Any]:
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = ? order by 1", [schema]
        ).fetchall()
        return {
            name: connection.execute(f"select * from {schema}.{name} order by all").fetchall() for (name,) in tables
        }


@pytest.mark.parametrize("name", CASES)
def test_load_is_refused_and_nothing_taken(name: str, good: Path, tmp_path: Path) -> None:
    plant, expected = CASES[name]
    shutil.copytree(good, tmp_path / "copy")
    settings = Settings(tmp_path / "copy" / "landing", tmp_path / "copy" / "warehouse")
    before = _rows(settings.paths.build_file, "raw")
    assert before["ledger_entries"]
    plant(settings.landing)

    judgement = judge_run(settings, "next", NEXT_DAY, NEXT_DAY)

    assert judgement.is_refused
    assert {finding[:3] for finding in judgement.findings} == expected
    assert _rows(settings.paths.build_file, "raw") == before
