"""The commands that only read: exact, machine-readable, harmless, and exit 0 whatever they show."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import cli
from orchestration.audit import create_audit_schema, table_named
from orchestration.publish.snapshot import Source, publish
from orchestration.settings import WarehousePaths

HUGE = "12345678901234567890.000000000000000001"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published warehouse with three findings and an amount that no float can hold."""
    folder = tmp_path_factory.mktemp("warehouse")
    source = folder / "source.duckdb"
    columns = ", ".join(table_named("finding").column_names)
    with duckdb.connect(str(source)) as connection:
        create_audit_schema(connection)
        connection.execute("create schema marts")
        connection.execute(f"create table marts.amount as select {HUGE}::decimal(38, 18) as amount, null as nothing")
        for day, severity, subject, impact in (
            ("2024-01-02", "warning", "a3", "null"),
            ("2024-01-01", "critical", "a1", "0.00000001"),
            ("2024-01-02", "critical", "a2", "123456789.12345678"),
        ):
            connection.execute(
                f"insert into audit.finding ({columns}) values ('r', '{day}', 'no_negative_balance', 'breach',"
                f" '{severity}', 'account', '{subject}', null, '-1', '0', {impact}, '=cmd, \"quoted\"', 'select 1',"
                f" '{day}', '{day} 23:59:59')"
            )
        for number, run_id, known, amount in ((1, "first", "2024-01-03", "-2"), (2, "second", "2024-01-09", HUGE)):
            connection.execute(
                "insert into audit.published_figure values (?, ?, ?, '2024-01-02', 'fct_solvency_daily',"
                " 'net_gap_usd', 'exchange', ?, '2024-02-01 10:00:00.5', null, false)",
                [number, run_id, known, amount],
            )
    publish(WarehousePaths(folder), [Source("marts", source), Source("audit", source)], name="x", kept=1)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli._invoke(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_findings_as_json_hold_every_column_and_exact_amounts(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "findings", "--warehouse", str(warehouse), "--format", "json")
    assert (status, err) == (0, "")
    findings = json.loads(out)
    assert [tuple(finding) for finding in findings] == [table_named("finding").column_names] * 3
    assert [finding["subject_id"] for finding in findings] == ["a1", "a2", "a3"]
    assert [finding["impact_usd"] for finding in findings] == ["0.00000001", "123456789.12345678", None]
    assert findings[0]["as_of_date"] == "2024-01-01"


def test_findings_as_csv_of_one_day(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("findings", "--warehouse", str(warehouse), "--date", "2024-01-02", "--format", "csv")
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["subject_id"], row["impact_usd"]) for row in rows] == [("a2", "123456789.12345678"), ("a3", "")]
    assert rows[0]["message"] == '\'=cmd, "quoted"'


def test_findings_for_people(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "findings", "--warehouse", str(warehouse))
    assert status == 0
    assert "no_negative_balance" in out
    assert "123,456,789" in out


def test_a_day_without_findings_says_so_and_exits_zero(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("findings", "--warehouse", str(warehouse), "--date", "2020-01-01")
    assert run(capsys, *arguments)[:2] == (0, "no findings on 2020-01-01\n")
    assert json.loads(run(capsys, *arguments, "--format", "json")[1]) == []


def test_what_was_said_is_shown_beside_what_is_said_now(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("asof", "--warehouse", str(warehouse), "--date", "2024-01-02", "--known-at", "2024-01-02")
    status, out, err = run(capsys, *arguments, "--format", "json")
    assert (status, err) == (0, "")
    (row,) = json.loads(out)
    assert row == {
        "as_of_date": "2024-01-02",
        "source_table": "fct_solvency_daily",
        "figure": "net_gap_usd",
        "subject": "exchange",
        "amount": "-2.000000000000000000",
        "run_id": "first",
        "knowledge_at": "2024-01-03T00:00:00",
        "published_at": "2024-02-01T10:00:00.500000",
        "amount_now": HUGE,
        "difference": "12345678901234567892.000000000000000001",
        "has_moved": True,
    }
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    assert out.startswith(
        "2024-01-02 as known at 2024-01-03 00:00:00 UTC: 1 figure, 1 of them said differently since\n"
    )
    assert HUGE in out


@pytest.mark.parametrize(
    ("moment", "run_id"),
    [
        (("--known-at", "2024-01-08T23:59:59Z"), "first"),
        (("--known-at", "2024-01-09T01:00:00+01:00"), "second"),
        (("--known-at", "2024-01-08"), "second"),
        (("--published-by", "2024-02-01"), "second"),
    ],
)
def test_a_moment_is_in_utc_and_a_day_is_its_end(
    warehouse: Path, moment: tuple[str, str], run_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("asof", "--warehouse", str(warehouse), "--date", "2024-01-02", *moment, "--format", "csv")
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    assert [row["run_id"] for row in csv.DictReader(io.StringIO(out))] == [run_id]


@pytest.mark.parametrize(
    ("day", "moment", "line"),
    [
        (
            "2024-01-02",
            ("--known-at", "2024-01-01"),
            "nothing had been said of 2024-01-02 as known at 2024-01-02 00:00:00 UTC: the first to speak of it was a"
            " run with knowledge of 2024-01-03 00:00:00 UTC, published 2024-02-01 10:00:00\n",
        ),
        (
            "2024-01-05",
            ("--known-at", "2024-01-09", "--published-by", "2024-03-01"),
            "nothing was ever said of 2024-01-05: figures of 2024-01-02 to 2024-01-02 were\n",
        ),
    ],
)
def test_silence_is_one_clear_line(
    warehouse: Path, day: str, moment: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("asof", "--warehouse", str(warehouse), "--date", day, *moment)
    assert run(capsys, *arguments) == (0, line, "")
    assert run(capsys, *arguments, "--format", "json") == (0, "[]\n", line)


@pytest.mark.parametrize("format_", ["table", "json", "csv"])
def test_query_prints_every_digit(warehouse: Path, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select amount, nothing from marts.amount"
    status, out, err = run(capsys, "query", "--warehouse", str(warehouse), sql, "--format", format_)
    assert (status, err) == (0, "")
    assert HUGE in out
    assert "e+" not in out.lower()


def test_query_returns_decimals_that_parse_back(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select 0.000000000000000000::decimal(38, 18) as zero, -0.000000000000000001::decimal(38, 18) as small"
    out = run(capsys, "query", "--warehouse", str(warehouse), sql, "--format", "json")[1]
    (row,) = json.loads(out)
    assert (Decimal(row["zero"]), Decimal(row["small"])) == (0, Decimal("-1e-18"))
    assert row["zero"] == "0.000000000000000000"


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "/* nothing but a comment */",
        "select 1; select 2",
        "selec 1",
        "select * from marts.no_such_table",
        "delete from audit.finding",
        "create table marts.mine as select 1",
        "copy audit.finding to 'stolen.csv'",
        "select * from read_text('/etc/hostname')",
        "attach 'other.duckdb'",
        "set enable_external_access = true",
    ],
)
def test_what_a_query_must_not_do_is_one_line_and_exit_two(
    warehouse: Path, sql: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "query", "--warehouse", str(warehouse), sql)
    assert (status, out) == (2, "")
    assert err.startswith("ringfence: the query can't be run: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--landing", "l"], "Missing option '--warehouse'"),
        (["run", "--landing", "l", "--warehouse", "w"], "give either --date, or both --from and --to"),
        (["run", "--landing", "l", "--warehouse", "w", "--from", "2024-01-01"], "both --from and --to"),
        (
            ["run", "--landing", "l", "--warehouse", "w", "--date", "2024-01-01", "--from", "2024-01-01"],
            "give either --date",
        ),
        (["run", "--landing", "l", "--warehouse", "w", "--date", "2024-02-30"], "'2024-02-30' is no date"),
        (["run", "--landing", "l", "--warehouse", "w", "--date", "yesterday"], "write it as YYYY-MM-DD"),
        (
            ["run", "--landing", "l", "--warehouse", "w", "--from", "2024-01-02", "--to", "2024-01-01"],
            "give the earlier day first",
        ),
        (["run", "--landing", "no/such/folder", "--warehouse", "w", "--date", "2024-01-01"], "doesn't exist"),
        (["findings", "--warehouse", "no/such/folder"], "ringfence run"),
        (["query", "--warehouse", "no/such/folder", "select 1"], "no warehouse in"),
        (["report", "--warehouse", "no/such/folder", "--date", "2024-01-01", "--out", "r.html"], "no warehouse in"),
        (["findings", "--warehouse", "w", "--format", "xml"], "--format"),
        (["asof", "--warehouse", "w", "--date", "2024-01-01"], "--known-at"),
        (["asof", "--warehouse", "w", "--known-at", "2024-01-01"], "Missing option '--date'"),
        (["asof", "--warehouse", "w", "--date", "2024-02-30", "--known-at", "2024-01-01"], "is no date"),
        (["asof", "--warehouse", "w", "--date", "2024-01-01", "--known-at", "noon"], "'noon' is no time"),
        (["asof", "--warehouse", "w", "--date", "2024-01-01", "--published-by", "2024-01-01T25"], "is no time"),
        (["asof", "--warehouse", "no/such/folder", "--date", "2024-01-01", "--known-at", "2024-01-01"], "no warehouse"),
        (["nonsense"], "No such command 'nonsense'"),
        ([], "Missing command"),
    ],
)
def test_wrong_usage_is_one_line_that_says_what_to_do(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("ringfence: ")
    assert told in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_policy_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("dust: {usd: -1}")
    days = ("--date", "2024-01-01", "--policy", str(policy))
    status, _, err = run(capsys, "run", "--landing", str(tmp_path), "--warehouse", str(tmp_path / "w"), *days)
    assert status == 2
    assert "dust.usd" in err
    assert not (tmp_path / "w").exists()


def test_verbose_gives_the_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = run(capsys, "findings", "--warehouse", str(tmp_path), "--verbose")[2]
    assert "Traceback (most recent call last)" in err


def test_help_and_errors_are_instant() -> None:
    program = "import sys; from orchestration.cli import main; sys.argv = ['ringfence', '--help']; main()"
    finished = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], capture_output=True, text=True, check=True
    )
    slow = ("dagster", "dbt.", "great_expectations", "pandas", "duckdb", "pyarrow", "numpy")
    loaded = [line.split("|")[-1].strip() for line in finished.stderr.splitlines() if line.startswith("import time:")]
    assert [name for name in loaded if name.startswith(slow)] == []
