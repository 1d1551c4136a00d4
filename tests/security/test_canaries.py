"""Customers leave the warehouse as keyed hashes only: a whole story on an exchange of canaries, searched to the ground.

A run that finds about everything in customers' accounts, a delivery that is refused, a run that breaks, alerts about
all of it, reports and every other command. Canaries may stand in the landing zone, in the warehouse's DuckDB files, in
the store of alerts (of which 'alerts show' reads), and in what the commands print that are there to show them.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import sqlite3
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration import cli
from orchestration.keyed_hashes import process_hashing
from orchestration.pipeline import steps, verdict
from orchestration.pipeline.run import RunContext
from orchestration.settings import WarehousePaths
from tests.connectors import web
from tests.security.canaries import (
    BAD,
    CANARIES,
    NAMES,
    WORSE,
    canary_exchange,
    found_in,
    leaks,
    spoil,
    values_of_sqlite,
)
from tests.support.small_exchange import write_landing

WRITES_OR_SERVES_NAMES = {"asof", "explore", "export", "export-sources", "headline"}
"""Of the commands that show names, those that print none."""
SHOWS_NAMES = {"findings", "query", "sql", "explain", "alerts list", "alerts show", *WRITES_OR_SERVES_NAMES}
"""Commands that are there to show whoever may read the warehouse what is in it."""
TOUCHES_NO_WAREHOUSE = {
    *("simulate", "demo", "dev", "notebook", "import claims-schedule", "bench detection", "bench speed", "rebuild"),
    *("sources example", "sources check", "sources list", "metrics serve", "metrics list"),
    *(f"alerts {command}" for command in ("watch", "test", "ack", "silence", "resend", "example")),
}
"""Commands that know no customer of ours, or do what another of the story does."""


@dataclass
class Story:
    """What was done, and where it left something."""

    root: Path
    statuses: dict[str, int]
    sent: list[web.Request]

    @property
    def paths(self) -> WarehousePaths:
        return WarehousePaths(self.root / "warehouse")

    def say(self, label: str, *arguments: str) -> int:
        """Run a command, and keep what it prints in a file of its own."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = cli._invoke(list(arguments))
        folder = self.root / ("shown" if label in SHOWS_NAMES else "said")
        name = label.replace(" ", "_")
        (folder / f"{name}.txt").write_text(out.getvalue() + err.getvalue(), encoding="utf-8")
        self.statuses[label] = status
        return status

    def said(self, label: str) -> str:
        folder = self.root / ("shown" if label in SHOWS_NAMES else "said")
        return (folder / f"{label.replace(' ', '_')}.txt").read_text(encoding="utf-8")


def alerts_file(folder: Path, receiver: str) -> Path:
    hook = {"channel": "webhook", "to": {"url": receiver, "secret_variable": "HOOK_SECRET"}}
    routes = {
        "hook": hook,
        "grouped": hook | {"group_by": "subject"},
        "slack": {"channel": "slack", "to": {"url": receiver}},
        "teams": {"channel": "teams", "to": {"url": receiver}},
    }
    section = {"environment": "aviary", "hash_key_variable": "RINGFENCE_HASH_KEY", "routes": routes}
    path = folder / "alerts.yaml"
    path.write_text(yaml.safe_dump(section), encoding="utf-8")
    return path


def sources_file(folder: Path) -> Path:
    """A source whose file can't be landed, for the sake of what is said about it."""
    files = folder / "delivered"
    files.mkdir()
    header = "entry_id,transaction_id,account_id,asset,amount,entry_type,effective_at,recorded_at,reference,memo"
    row = f"e,t,{NAMES['c1-spot']},USD,{NAMES['c2']},trade,{BAD}T10:00:00Z,{BAD}T10:00:00Z,,"
    (files / f"{BAD}.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    source = {"kind": "files", "location": str(files), "tables": {"ledger_entries": {"pattern": "{date}.csv"}}}
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": {"feeder": source}}), encoding="utf-8")
    return path


def broken(*_: object, **__: object) -> None:
    raise duckdb.ConversionException(
        f"Conversion Error: Could not convert string '{NAMES['c3']}' to DECIMAL(38,18)\n\nLINE 1: '{NAMES['c1']}'"
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    root = tmp_path_factory.mktemp("aviary")
    for name in ("said", "shown", "temporary"):
        (root / name).mkdir()
    landing = write_landing(canary_exchange(), root / "landing")
    before = os.umask(0)  # the most careless user there can be
    try:
        with pytest.MonkeyPatch.context() as patch, web.serving(lambda _: web.Answer(b"ok")) as receiver:
            patch.setenv("TMPDIR", str(root / "temporary"))
            patch.setattr(tempfile, "tempdir", None)
            patch.setenv("RINGFENCE_HASH_KEY", "key of the aviary")
            patch.setenv("HOOK_SECRET", "secret of the hook")
            told = Story(root, {}, receiver.requests)
            _tell(told, landing, alerts_file(root, receiver.url), patch)
            yield told
    finally:
        os.umask(before)


def _tell(told: Story, landing: Path, alerts: Path, patch: pytest.MonkeyPatch) -> None:
    warehouse = ("--warehouse", str(told.paths.root))
    run = ("run", "--landing", str(landing), *warehouse, "--verbose", "--date")
    with patch.context() as while_running:
        while_running.setenv("RINGFENCE_ALERTS", str(alerts))
        told.say("run short", *run, BAD)
        spoil(landing)
        told.say("run refused", *run, WORSE)
        while_running.setattr(steps, "open_run", broken)
        told.say("run broken", *run, WORSE)
    told.say("report", "report", *warehouse, "--date", BAD, "--out", str(told.root / "said" / "report.html"))
    told.say("report in JSON", "report", *warehouse, "--date", BAD, "--out", str(told.root / "said" / "report.json"))
    told.say("report of no day", "report", *warehouse, "--date", "2021-01-01", "--out", str(told.root / "never.html"))
    told.say("docs", "docs", *warehouse, "--out", str(told.root / "said" / "docs.html"))
    told.say("disk", "disk", *warehouse)
    told.say("findings", "findings", *warehouse, "--format", "csv")
    told.say("query", "query", *warehouse, "from marts.dim_account")
    with patch.context() as piped:
        piped.setattr("sys.stdin", io.StringIO("from marts.dim_account;"))
        told.say("sql", "sql", *warehouse)
    told.say("asof", "asof", *warehouse, "--date", BAD, "--published-by", "2100-01-01", "--format", "csv")
    told.say("explain", "explain", "undeclared_affiliates", *warehouse, "--date", BAD, "--subject", NAMES["c2"])
    told.say("metrics write", "metrics", "write", *warehouse, "--file", str(told.root / "said" / "ringfence.prom"))
    told.say("status", "status", *warehouse, "--landing", str(landing), "--alerts", str(alerts))
    told.say("status as JSON", "status", *warehouse, "--alerts", str(alerts), "--format", "json")
    told.say("doctor", "doctor", "--offline", *warehouse, "--landing", str(landing), "--alerts", str(alerts))
    told.say("alerts look", "alerts", "look", *warehouse, "--alerts", str(alerts))
    told.say("alerts list", "alerts", "list", *warehouse, "--alerts", str(alerts))
    told.say("alerts show", "alerts", "show", "1", *warehouse, "--alerts", str(alerts))
    pulled = ("--landing", str(told.root / "pulled"), "--sources", str(sources_file(told.root)))
    told.say("sources pull", "sources", "pull", *pulled, "--from", BAD, "--to", BAD, "--verbose")


def test_the_story_went_as_it_should(story: Story) -> None:
    unlike_others = {"run short": 3, "run refused": 4, "run broken": 1, "report of no day": 2, "sources pull": 1}
    # The doctor has found something on every machine so far.
    assert {k: status for k, status in story.statuses.items() if status and k != "doctor"} == unlike_others
    with duckdb.connect(str(story.paths.published_file), read_only=True) as connection:
        found = connection.execute(
            "select check_name, subject_id, message, observed, evidence from audit.finding"
        ).fetchall()
        kinds = {name for name, *_ in found}
        behind = connection.execute("select content from audit.source_row").fetchall()
    assert {"no_negative_balance", "ledger_matches_engine", "undeclared_affiliates", "schema_conforms"} <= kinds
    assert len(kinds) >= 8
    assert found_in(repr((found, behind)).encode()) == set(CANARIES) - {"geraetenummer4711", "bc1qadresse4242"}


def test_no_canary_sings_outside(story: Story) -> None:
    paths, root = story.paths, story.root
    allowed = (root / "landing", root / "delivered", root / "shown", paths.build_file, paths.snapshots)
    assert leaks(root, *allowed, paths.published_file, paths.alerts_file) == {}


def test_commands_that_show_names_do(story: Story) -> None:
    for label in sorted(SHOWS_NAMES - WRITES_OR_SERVES_NAMES):
        assert found_in(story.said(label).encode()), label


def test_every_command_is_thought_of(story: Story) -> None:
    told = {
        " ".join(label.split()[:2]) if label.split()[0] in ("alerts", "metrics", "sources") else label.split()[0]
        for label in story.statuses
    }
    groups = {group.name: group.typer_instance for group in cli.app.registered_groups}
    commands = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    for group, typer in groups.items():
        commands |= {f"{group} {one.name or one.callback.__name__}" for one in typer.registered_commands}
    assert commands == told | SHOWS_NAMES | TOUCHES_NO_WAREHOUSE


def test_messages_went_out_and_name_nobody(story: Story) -> None:
    assert len(story.sent) > 20
    for request in story.sent:
        assert not found_in(repr((request.path, request.headers)).encode() + request.body)
    bodies = b"".join(request.body for request in story.sent)
    hashed = f"account {process_hashing().of(NAMES['c1-spot'])}"
    assert f"no_negative_balance fails for {hashed}".encode() in bodies
    assert hashed in story.said("run short")  # the same hash in the log: whoever is told can go on from there


def test_the_store_holds_names_in_its_incidents_only(story: Story) -> None:
    """What an incident is about is kept for 'alerts show'; what goes out, and what went wrong with that, isn't."""
    with closing(sqlite3.connect(story.paths.alerts_file)) as connection:
        messages = connection.execute("select * from message").fetchall()
    assert len(messages) > 20
    assert not found_in(repr(messages).encode())
    assert found_in(b" ".join(values_of_sqlite(story.paths.alerts_file)))


def test_an_error_says_where_but_not_whom(story: Story) -> None:
    said = story.said("run broken")
    assert "ringfence: ConversionException: Conversion Error: Could not convert string #" in said
    assert "to DECIMAL(38,18)" in said
    assert "in broken" in said  # the traceback is whole
    place = f"schema_conforms {WORSE}: ledger_entries/date={WORSE}/rows.csv.gz: line 12, column entry_type"
    assert f"{place}: unknown value; expected one of opening" in story.said("run refused")


def test_files_are_their_owners_alone_and_what_is_published_can_be_read(story: Story) -> None:
    paths = story.paths
    public = [paths.published_file, paths.snapshots, *paths.snapshots.iterdir()]
    places = [
        paths.root,
        *paths.root.rglob("*"),
        *(story.root / "pulled").rglob("*"),
        *(story.root / "temporary").rglob("*"),
    ]
    places.append(story.root / "said" / "report.html")
    # Read by Prometheus' exporter, who is somebody else; it holds numbers.
    assert stat.S_IMODE((story.root / "said" / "ringfence.prom").stat().st_mode) == 0o644
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in places}
    assert {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077 and path not in public} == {}
    assert {modes[path] for path in paths.snapshots.iterdir()} == {0o444}
    assert modes[paths.published_file] == 0o444
    assert (modes[paths.root], modes[paths.snapshots]) == (0o700, 0o755)
    assert {path.name for path in places} >= {"build", "dagster", "alerts", "data_docs", "alerts.sqlite", "run.lock"}


CANARY = CANARIES[0]


def packed(name: str) -> bytes:
    """The canary in a file of that kind."""
    content = f"account {CANARY} owes".encode()
    match name:
        case "log.txt":
            return b"\xff\xfe" + content
        case "upper.html":
            return content.upper()
        case "page.gz":
            return gzip.compress(gzip.compress(content))
        case "wide.bin":
            return content.decode().encode("utf-16-le")
        case "coded.json":
            return json.dumps({"body": base64.b64encode(content).decode()}).encode()
    buffer = io.BytesIO()
    if name == "docs.zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("page.html", content)
    else:
        pq.write_table(pa.table({"said": [content.decode()]}), buffer, compression="zstd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name", ["log.txt", "upper.html", "page.gz", "wide.bin", "coded.json", "docs.zip", "rows.parquet"]
)
def test_the_search_finds_a_canary_however_it_is_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(packed(name))
    assert set(leaks(tmp_path)) == {name}
    assert leaks(tmp_path, tmp_path / name) == {}


def test_the_search_finds_a_canary_on_the_seam_of_two_pages_and_in_a_name(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        connection.execute("create table event (body text)")
        connection.executemany(
            "insert into event values (?)", [("x" * (4000 + shift) + CANARY + "y" * 9000,) for shift in range(100)]
        )
        connection.commit()
    (tmp_path / f"{CANARY}.txt").touch()
    assert set(leaks(tmp_path)) == {"events.db", f"{CANARY}.txt"}
    assert CANARY in found_in(b" ".join(values_of_sqlite(tmp_path / "events.db")))


def test_a_planted_leak_is_found_where_runs_leave_their_verdict(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "affected", lambda kind, subject, _: f"{kind} {subject}")
    with duckdb.connect(str(story.paths.published_file), read_only=True) as connection:
        message = verdict.final_verdict(connection, _context_of_the_bad_day()).message
    (tmp_path / "log.txt").write_text(message, encoding="utf-8")
    assert leaks(tmp_path)["log.txt"] >= {NAMES["c1-spot"].removesuffix("-spot")}


def _context_of_the_bad_day() -> RunContext:
    day = date.fromisoformat(BAD)
    end = datetime.combine(day, time.min) + timedelta(days=1)
    return RunContext("any", day, day, end, None, day)
