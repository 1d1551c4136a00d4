"""What every connector has to do, whatever it pulls: one suite, run on each of them.

A connector's test module writes a ``Case`` for each way that it pulls: a source against something real (a server that
the tests start, files), what must arrive, and the faults that its outside can have. ``ConformanceTests`` does the rest:

    class TestMyConnector(ConformanceTests):
        @pytest.fixture
        def case(self, tmp_path) -> Iterator[Case]: ...
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.delivery import Manifest, is_delivered, manifests
from orchestration.connectors.pulling import PullError, check_source, pull_day
from orchestration.contract import table
from orchestration.landing import create_schemas, load_table
from orchestration.landing.changes import sha256_of
from tests.connectors import web

SECRET = "s3cr3t/+value&of=tests"
"""Every case's secret, with what URLs and base64 change; it must never be seen anywhere."""

EVERYWHERE = frozenset({"down", "midway", "empty", "rubbish", "oversized"})
"""Faults that every connector's case must have. ``midway``: it fails for good after something had come."""

OVER_HTTP = frozenset({"busy", "failing", "broken_off", "cut_short", "denied", "redirected", "nested", "bomb", "slow"})
"""Faults that the cases of connectors over HTTP must have besides."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong outside. ``begin`` makes it so until ``Case.heal``.

    ``is_survived``: the pull must come through; else it must fail with a message in which ``says`` stands.
    """

    begin: Callable[[], object]
    says: str = ""
    is_survived: bool = False


@dataclass
class Case:
    """One way of pulling, with its outside.

    ``section`` is the source's section of the configuration, which refers to secrets by the variable ``variables``
    names (the values must contain ``SECRET``); {} if it has none. ``expected`` is what must land, by table: rows as
    text by column, those left out null. ``wallets`` are registered before. ``heal`` ends every fault.
    """

    section: dict[str, Any]
    day: date
    expected: Mapping[str, list[dict[str, str | None]]]
    faults: dict[str, Fault]
    heal: Callable[[], object]
    variables: dict[str, str] = field(default_factory=dict)
    wallets: list[dict[str, str | None]] = field(default_factory=list)
    is_http: bool = True
    slept: list[float] = field(default_factory=list)
    before: Callable[[], object] | None = None
    """Called before the first pull of a test; for outsides that count what they gave."""

    name = "tested"

    @property
    def clock(self) -> Clock:
        """The day after, and sleeping takes no time."""
        start, slept = datetime.combine(self.day + timedelta(days=1), datetime.min.time()), self.slept
        return Clock(now=lambda: start + timedelta(minutes=30), monotonic=_monotonic(slept), sleep=slept.append)


def _monotonic(slept: list[float]) -> Callable[[], float]:
    import time

    return lambda: time.monotonic() + sum(slept)


def http_faults(server: web.Web, *, after: int = 1, place: str = "127.0.0.1") -> dict[str, Fault]:
    """The faults of a source that is one HTTP server. ``after``: honest answers before it fails midway.

    ``down`` answers nothing at all; a port on which nothing listens is up to the case.
    """

    def set_fault(fault: web.Fault) -> Callable[[], None]:
        def begin() -> None:
            server.fault = fault

        return begin

    return {
        "down": Fault(set_fault(web.broken_off), "the connection broke off"),
        "midway": Fault(set_fault(web.from_then_on(web.failing, after)), "status 503"),
        "rubbish": Fault(set_fault(web.rubbish), "is no JSON"),
        "oversized": Fault(set_fault(web.oversized), "larger than 2 MB"),
        "nested": Fault(set_fault(web.nested), "nested deeper"),
        "bomb": Fault(set_fault(web.bomb), "decompresses to more than"),
        "denied": Fault(set_fault(web.denied), "status 401"),
        "redirected": Fault(set_fault(web.redirected), "redirect"),
        "slow": Fault(set_fault(web.once(web.slow)), is_survived=True),
        "busy": Fault(set_fault(web.once(web.busy)), is_survived=True),
        "failing": Fault(set_fault(web.once(web.failing)), is_survived=True),
        "broken_off": Fault(set_fault(web.once(web.broken_off)), is_survived=True),
        "cut_short": Fault(set_fault(web.once(web.cut_short)), is_survived=True),
    }


HTTP_SETTINGS: dict[str, Any] = {
    "http": {"read_seconds": 0.5, "requests_per_second": 10_000, "total_seconds": 60},
    "limits": {"max_megabytes": 2, "max_nesting": 20, "max_decompression_ratio": 100},
}
"""Keys for the section of a case over HTTP, so that its faults show quickly."""


class ConformanceTests:
    """Runs on the fixture ``case`` of the class that inherits it."""

    @pytest.fixture
    def landing(self, case: Case, tmp_path: Path) -> Path:
        folder = tmp_path / "landing"
        folder.mkdir()
        if case.wallets:
            (folder / "wallets").mkdir()
            names = table("wallets").column_names
            lines = [",".join(names)] + [",".join(row.get(name) or "" for name in names) for row in case.wallets]
            (folder / "wallets" / "registered.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    @pytest.fixture
    def source(self, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
        for name, value in case.variables.items():
            assert SECRET in value
            monkeypatch.setenv(name, value)
        text = yaml.safe_dump({"sources": {case.name: case.section}})
        assert SECRET not in text, "a configuration holds no secret"
        path = tmp_path / "sources.yaml"
        path.write_text(text, encoding="utf-8")
        (loaded,) = load_sources(path)
        return loaded

    def pull(self, case: Case, source: Source, landing: Path) -> Manifest | None:
        return pull_day(source, landing, case.day, case.clock)

    def test_the_case_has_the_faults_that_matter(self, case: Case) -> None:
        assert set(case.faults) >= (EVERYWHERE | OVER_HTTP if case.is_http else EVERYWHERE)

    def test_what_is_pulled_is_exact_and_conforms(self, case: Case, source: Source, landing: Path) -> None:
        manifest = self.pull(case, source, landing)
        assert manifest is not None
        assert landed(landing, case) == expected(case)
        assert issues(landing, case) == []
        assert {file.table for file in manifest.files} == set(case.expected)

    def test_the_manifest_tells_what_landed(self, case: Case, source: Source, landing: Path) -> None:
        pulled = self.pull(case, source, landing)
        (stored,) = manifests(landing, case.name)
        assert stored == pulled
        assert stored.window[0].date() == case.day
        assert stored.window[1] - stored.window[0] == timedelta(days=1)
        assert stored.position is not None
        for file in stored.files:
            path = landing / file.file
            assert (file.sha256, file.bytes) == (sha256_of(path), path.stat().st_size)
            assert file.rows == pq.read_metadata(path).num_rows

    def test_a_day_lands_once(self, case: Case, source: Source, landing: Path) -> None:
        self.pull(case, source, landing)
        before = tree(landing)
        assert self.pull(case, source, landing) is None
        assert tree(landing) == before

    def test_pulling_again_elsewhere_gives_the_same_bytes(self, case: Case, source: Source, landing: Path) -> None:
        first = self.pull(case, source, landing)
        other = landing.parent / "other"
        other.mkdir()
        if case.wallets:
            (other / "wallets").mkdir()
            (other / "wallets" / "registered.csv").write_bytes((landing / "wallets" / "registered.csv").read_bytes())
        if case.before:
            case.before()
        second = self.pull(case, source, other)
        assert first is not None
        assert second is not None
        assert first.files == second.files
        assert first.position == second.position

    def test_checking_pulls_nothing_and_says_that_it_works(self, case: Case, source: Source, landing: Path) -> None:
        before = tree(landing)
        probes = check_source(source, landing, case.clock)
        assert probes
        assert [probe for probe in probes if not probe.works] == []
        assert all(probe.subject and probe.detail for probe in probes)
        assert tree(landing) == before

    def test_checking_says_what_is_down(self, case: Case, source: Source, landing: Path) -> None:
        case.faults["down"].begin()
        probes = check_source(source, landing, case.clock)
        assert [probe for probe in probes if not probe.works]
        assert SECRET not in repr(probes)

    def test_faults_are_survived_or_refused_whole(
        self, case: Case, source: Source, landing: Path, caplog: pytest.LogCaptureFixture, subtests: pytest.Subtests
    ) -> None:
        caplog.set_level(logging.DEBUG)
        untouched = tree(landing)
        for name, fault in case.faults.items():
            with subtests.test(name):
                if case.before:
                    case.before()
                fault.begin()
                try:
                    if fault.is_survived:
                        assert self.pull(case, source, landing) is not None
                        assert landed(landing, case) == expected(case)
                        forget(landing, case)
                    else:
                        with pytest.raises(PullError) as refusal:
                            self.pull(case, source, landing)
                        assert fault.says
                        assert fault.says in str(refusal.value)
                        assert case.name in str(refusal.value)
                        assert "\n" not in str(refusal.value)
                        assert SECRET not in str(refusal.value) + refusal.value.trace
                        assert not is_delivered(landing, case.name, case.day)
                finally:
                    case.heal()
                assert tree(landing) == untouched, "a partial pull landed"
        assert_no_secret(landing, caplog)

    def test_what_was_interrupted_goes_on_and_comes_out_the_same(
        self, case: Case, source: Source, landing: Path
    ) -> None:
        case.faults["midway"].begin()
        with pytest.raises(PullError):
            self.pull(case, source, landing)
        case.heal()
        if case.before:
            case.before()
        manifest = self.pull(case, source, landing)
        assert manifest is not None
        assert landed(landing, case) == expected(case)

    def test_a_server_is_given_the_time_it_asks_for(self, case: Case, source: Source, landing: Path) -> None:
        if "busy" in case.faults:
            case.faults["busy"].begin()
            self.pull(case, source, landing)
            assert max(case.slept) >= 7
        else:
            assert not case.is_http


def tree(landing: Path) -> dict[str, bytes]:
    """What readers of a landing zone see."""
    files = (path for path in landing.rglob("*") if path.is_file())
    return {
        path.relative_to(landing).as_posix(): path.read_bytes()
        for path in files
        if not path.relative_to(landing).parts[0].startswith("_")
    }


def forget(landing: Path, case: Case) -> None:
    """Take a delivery away again, so that the next fault finds the landing zone as it was."""
    for manifest in manifests(landing, case.name):
        for file in manifest.files:
            (landing / file.file).unlink()
        (landing / "_manifests" / case.name / f"{manifest.day}.json").unlink()


def landed(landing: Path, case: Case) -> dict[str, list[dict[str, Any]]]:
    """The rows that the source landed, in order of all columns."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in case.expected:
        pattern = f"{name}/date=*/{case.name}.parquet" if table(name).dated else f"{name}/{case.name}-*.parquet"
        found = [row for path in sorted(landing.glob(pattern)) for row in pq.ParquetFile(path).read().to_pylist()]
        rows[name] = in_order(found)
    return rows


def expected(case: Case) -> dict[str, list[dict[str, Any]]]:
    """The expected rows as values of the contract's types."""
    values: dict[str, list[dict[str, Any]]] = {}
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, rows in case.expected.items():
            types = {column.name: column.duckdb_type for column in table(name).columns}
            for row in rows:
                assert not set(row) - set(types), f"{name} has no such column"
            values[name] = in_order([_typed(connection, types, row) for row in rows])
    return values


def _typed(
    connection: duckdb.DuckDBPyConnection, types: Mapping[str, str], row: Mapping[str, str | None]
) -> dict[str, Any]:
    casts = ", ".join(f"cast(? as {type_})" for type_ in types.values())
    found = connection.execute(f"select {casts}", [row.get(column) for column in types]).fetchone()
    assert found is not None
    return dict(zip(types, found, strict=True))


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


def issues(landing: Path, case: Case) -> list[Any]:
    """What the landing zone's own reader has against the files."""
    with duckdb.connect() as connection:
        create_schemas(connection)
        for name in case.expected:
            load_table(connection, landing, table(name), case.day, "run")
        return connection.execute("select * from incoming.schema_issue").fetchall()


def assert_no_secret(landing: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in landing.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in caplog.text
    assert SECRET not in json.dumps([record.getMessage() for record in caplog.records])


def plain(amount: Decimal | str) -> str:
    """An amount as an expected row has it."""
    return format(Decimal(amount), "f")


__all__ = ["HTTP_SETTINGS", "SECRET", "Case", "ConformanceTests", "Fault", "Iterator", "http_faults", "plain"]
