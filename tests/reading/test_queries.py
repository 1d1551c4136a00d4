"""Queries of people's own: what is shown, what is written to a file, and what is said of one that can't be run."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import cli
from orchestration.reading.formats import OutputFormat
from orchestration.reading.output import write_rows
from orchestration.reading.parquet import ROW_GROUP_ROWS, write_batches
from orchestration.reading.published import QueryError, Rows, fetch, open_published
from orchestration.reading.tables import write_table

HUGE = "12345678901234567890.000000000000000001"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warehouse")
    with duckdb.connect(str(folder / "ringfence.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute("create schema audit")
        connection.execute("create table audit.finding (check_name text, severity text, impact_usd decimal(38, 8))")
        connection.execute(
            f"""
            create table marts.fct_reserve_coverage_daily as
            from (values ('2024-01-01'::date, 'BTC', {HUGE}::decimal(38, 18)), ('2024-01-02', 'ETH', null))
                as rows (as_of_date, in_kind_group, eligible_reserves)
            """
        )
    return folder


@pytest.fixture
def connection(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_published(warehouse)
    yield connection
    connection.close()


def run(capsys: pytest.CaptureFixture[str], warehouse: Path, *arguments: str) -> tuple[int, str, str]:
    status = cli._invoke(["query", "--warehouse", str(warehouse), *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def table(rows: Rows, width: int, null: str = "null") -> str:
    stream = io.StringIO()
    write_table(rows, stream, width=width, null=null)
    return stream.getvalue()


ROWS = Rows(
    ("as_of_date", "customer_liabilities_usd", "note"),
    (
        (date(2024, 1, 1), Decimal("-1000.50"), "ninety days after the proof was given"),
        (date(2024, 1, 2), Decimal(HUGE), ""),
        (date(2024, 1, 3), Decimal("7.000"), None),
    ),
)


def test_amounts_stand_with_their_points_below_each_other_and_null_isn_t_an_empty_text() -> None:
    assert table(ROWS, 120).splitlines() == [
        "as_of_date                 customer_liabilities_usd  note",
        "2024-01-01                 -1000.5                   ninety days after the proof was given",
        "2024-01-02  12345678901234567890.000000000000000001",
        "2024-01-03                     7                     null",
    ]


def test_prose_and_headers_break_before_a_number_does() -> None:
    assert table(ROWS, 70).splitlines()[:4] == [
        "as_of_date                 customer_liabilities_usd  note",
        "2024-01-01                 -1000.5                   ninety days after",
        "                                                     the proof was",
        "                                                     given",
    ]
    narrow = Rows(("customer_liabilities_usd", "own_token_share", "status"), ((Decimal("1.5"), 2, "short"),))
    assert table(narrow, 40).splitlines() == [
        "         customer_    own_token_",
        "   liabilities_usd         share  status",
        "               1.5             2  short",
    ]


def test_what_can_t_stand_side_by_side_is_shown_as_records() -> None:
    lines = table(Rows(ROWS.columns, ROWS.values[1:]), 50).splitlines()
    assert lines == [
        "row 1",
        "as_of_date                2024-01-02",
        "customer_liabilities_usd  12345678901234567890.000",
        "                          000000000000001",
        "note",
        "row 2",
        "as_of_date                2024-01-03",
        "customer_liabilities_usd  7",
        "note                      null",
    ]


@pytest.mark.parametrize("width", [1, 40, 44, 79, 200])
def test_no_line_is_wider_than_the_terminal_and_no_digit_is_lost(width: int) -> None:
    shown = table(ROWS, width)
    assert max(map(len, shown.splitlines())) <= max(width, 40)
    digits = "".join(character for character in shown if character.isdigit() or character in ".-")
    if width < 60:
        assert HUGE in digits
    else:
        assert HUGE in shown


def test_a_result_without_rows_shows_its_columns() -> None:
    assert table(Rows(("a", "b"), ()), 80) == "a  b\n"
    assert table(Rows((), ()), 80).strip() == ""


def test_markdown_holds_nothing_but_text() -> None:
    stream = io.StringIO()
    rows = Rows(("in_kind_group", "n"), (("[x](javascript:1) | <b>*a*</b>\n`_u_`", Decimal("1.50")), (None, None)))
    write_rows(rows, OutputFormat.MARKDOWN, stream, null="null")
    assert stream.getvalue().splitlines() == [
        "| in_kind_group | n |",
        "| --- | ---: |",
        r"| \[x\](javascript:1) \| \<b\>\*a\*\</b\><br>\`\_u\_\` | 1.5 |",
        "| null | null |",
    ]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "select\n  in_kind_grp\nfrom marts.fct_reserve_coverage_daily",
            "line 2, column 3; did you mean in_kind_group?",
        ),
        ("select c.reserves\nfrom marts.fct_reserve_coverage_daily c", "at line 1, column 8; did you mean eligible"),
        ("from fct_reserve_coverage_daily", "column 6; did you mean marts.fct_reserve_coverage_daily?"),
        ("from marts.fct_reserve_coverage", "column 6; did you mean marts.fct_reserve_coverage_daily?"),
        ("from mart.finding", "did you mean audit.finding?"),
        ("from nothing_like_it", 'column 6; "show all tables" lists what there is'),
        ("select summ(1)", "at line 1, column 8; did you mean sum?"),
        (f"select 'x', {'1, ' * 60} foo from audit.finding where {'true and ' * 60} true", "at line 1, column 194"),
        ("select 1\nfromm audit.finding where 1 = 1", "Parser Error: syntax error"),
        ("from 'other.csv'", "a query reads what is published in the warehouse, and nothing else"),
        ("select 1; select 2", "it holds 2 SQL statements; give one"),
        ("-- nothing", "it holds 0 SQL statements; give one"),
    ],
)
def test_an_error_names_the_place_and_what_could_be_meant(
    connection: duckdb.DuckDBPyConnection, sql: str, told: str
) -> None:
    with pytest.raises(QueryError) as refused:
        fetch(connection, sql)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_shows_the_first_rows_and_says_so(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, warehouse, "from range(201) as rows (n) order by n")
    assert (status, len(out.splitlines()), out.splitlines()[-1]) == (0, 201, "199")
    assert err == "these are the first 200 rows; --limit 0 shows all, --format csv too\n"
    status, out, err = run(capsys, warehouse, "from range(200)")
    assert (status, err) == (0, "")
    status, out, err = run(capsys, warehouse, "from range(201)", "--limit", "0")
    assert (status, len(out.splitlines()), err) == (0, 202, "")
    status, out, err = run(capsys, warehouse, "from range(201)", "--format", "csv")
    assert (status, len(out.splitlines()), err) == (0, 202, "")
    status, out, err = run(capsys, warehouse, "from range(201)", "--format", "json", "--limit", "1")
    assert (status, len(json.loads(out))) == (0, 1)
    assert err.startswith("these are the first 1 rows")


def test_the_statement_comes_from_a_file_or_standard_input(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "question.sql"
    file.write_text("-- how many\nselect count(*) as n\nfrom marts.fct_reserve_coverage_daily;\n", encoding="utf-8")
    assert run(capsys, warehouse, "--file", str(file), "--format", "csv") == (0, "n\n2\n", "")
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1 as n"))
    assert run(capsys, warehouse, "-", "--format", "csv") == (0, "n\n1\n", "")


def test_wrong_usage_is_one_line_and_exit_two(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = tmp_path / "binary.sql"
    binary.write_bytes(b"\xff\xfe")
    for arguments, told in (
        ((), "--file FILE, or - to read it"),
        (("select 1", "--file", "x.sql"), "--file FILE, or - to read it"),
        (("--file", str(tmp_path / "none.sql")), "none.sql can't be read as text: No such file"),
        (("--file", str(binary)), "binary.sql can't be read as text"),
        (("select 1", "--format", "parquet"), "name a file for it with --out FILE.parquet"),
        (("select 1", "--out", "x.xlsx"), "let it end in .parquet, .csv, .json, .md, .txt"),
        (("select 1", "--out", str(tmp_path / "none" / "x.csv")), "x.csv can't be written: No such file"),
        (("select 1", "--limit", "-1"), "'--limit'"),
        (("select interval 1 day as i", "--out", str(tmp_path / "x.parquet")), "column 'i' is of type"),
        (("from none", "--out", str(tmp_path / "x.parquet")), "Table with name none does not exist"),
    ):
        status, out, err = run(capsys, warehouse, *arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert told in err
    assert [path.name for path in tmp_path.iterdir()] == ["binary.sql"]


def test_a_file_takes_its_format_from_its_name_and_replaces_the_one_before(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "select *, 1::hugeint as rank from marts.fct_reserve_coverage_daily order by as_of_date"
    out = tmp_path / "coverage.parquet"
    out.write_text("old", encoding="utf-8")
    assert run(capsys, warehouse, sql, "--out", str(out)) == (0, f"wrote {out}: 2 rows\n", "")
    written = pq.read_table(out)
    assert written.schema.field("eligible_reserves").type == pa.decimal128(38, 18)
    assert pa.types.is_decimal(written.schema.field("rank").type)
    assert written["eligible_reserves"].to_pylist() == [Decimal(HUGE), None]
    for name, begins in (
        ("c.csv", "as_of_date,in_"),
        ("c.json", "[\n"),
        ("c.md", "| as_of"),
        ("c.txt", "as_of_date  "),
    ):
        status, told, _ = run(capsys, warehouse, sql, "--out", str(tmp_path / name), "--limit", "1")
        assert (status, told) == (0, f"wrote {tmp_path / name}: 1 rows\n")
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.startswith(begins)
        assert HUGE in text
        assert "ETH" not in text
    assert len(list(tmp_path.iterdir())) == 5


def test_bytes_of_parquet_don_t_depend_on_how_the_rows_came(tmp_path: Path) -> None:
    whole = pa.table({"n": range(ROW_GROUP_ROWS + 7)})
    for name, size in (("a", 100_000_000), ("b", 2048), ("c", 99_999)):
        write_batches(whole.schema, iter(whole.to_batches(size)), tmp_path / name)
    (same,) = {path.read_bytes() for path in tmp_path.iterdir()}
    assert pq.read_metadata(tmp_path / "b").num_row_groups == 2
    assert pq.read_table(pa.BufferReader(same)).equals(whole)


def test_ctrl_c_stops_a_query_at_once_and_the_connection_goes_on(connection: duckdb.DuckDBPyConnection) -> None:
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fetch(connection, "select count(*) from range(1000000000000) where hash(range) % 7 = 1")
    assert fetch(connection, "select 1").values == ((1,),)
