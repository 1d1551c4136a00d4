"""Texts from outside in what people open: spreadsheets take none for a formula, terminals none for a command."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.cli import _fail, _print_lines
from orchestration.errors import RingfenceError
from orchestration.keyed_hashes import error_text, process_hashing, traceback_text, without_values
from orchestration.reading.formats import OutputFormat
from orchestration.reading.output import write_rows
from orchestration.reading.published import Rows
from orchestration.report.page import render
from orchestration.safe_text import csv_text, printable, text_of_csv
from tests.support.reported import short_exchange

FORMULAS = (
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "＝1+1",
    "＋1",
    "－1+1",
    "＠SUM(A1)",
    '=HYPERLINK("http://example.org?x="&A1)',
    "harmless;=1+1",
    "harmless\t=1+1",
    "harmless\n@SUM(A1)",
    "'=1+1",
    "-",
    "--5",
    "+49 30 1234",
)
NUMBERS = ("-5", "+5", "-0.000000000000000001", "-1e-18", "12345678901234567890.5")
HOSTILE = st.text(st.sampled_from("=+-@＝－;\t\r\n' \u00a0\ufeffa1\".,\x1b"), max_size=12)


def cells_of(text: str) -> list[str]:
    """What spreadsheets may make cells of, whichever separator they believe in, without the blanks that they ignore."""
    invisible = "".join(map(chr, range(0x21))) + "\x7f\u00a0\u2003\u3000\ufeff\u200b"
    return [cell.lstrip(invisible) for cell in re.split("[;\t\r\n]", text)]


def is_formula(text: str) -> bool:
    is_number = re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", text) is not None
    return not is_number and any(cell[:1] in tuple("=+-@＝＋－＠") for cell in cells_of(text))


def csv_of(*values: Any, columns: tuple[str, ...] = ("value",)) -> list[list[str]]:
    stream = io.StringIO()
    write_rows(Rows(columns, tuple((value,) for value in values)), OutputFormat.CSV, stream)
    return list(csv.reader(io.StringIO(stream.getvalue(), newline="")))


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_becomes_a_formula(text: str) -> None:
    _, (cell,) = csv_of(text)
    assert is_formula(text) or text.startswith("'")
    assert not is_formula(cell)
    assert text_of_csv(cell) == text


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_stays_one(text: str) -> None:
    assert csv_of(text)[1] == [text]
    assert Decimal(csv_of(Decimal(text))[1][0]) == Decimal(text)


def test_numbers_of_every_kind_stay_what_they_are() -> None:
    assert [cell for (cell,) in csv_of(-5, Decimal("-0.10"), -1.5, None, True)[1:]] == [
        "-5",
        "-0.10",
        "-1.5",
        "",
        "True",
    ]


def test_names_of_columns_and_what_is_nested_are_texts_too() -> None:
    head, (cell,) = csv_of(["=1+1", ";=2"], columns=("=cmd()",))
    assert head == ["'=cmd()"]
    assert not is_formula(cell)
    assert json.loads(text_of_csv(cell)) == ["=1+1", ";=2"]


@given(HOSTILE.filter(bool))
@example("'=")
@example("\t'=")
def test_whatever_the_text_the_cell_is_none_and_the_way_back_is_exact(text: str) -> None:
    assert not is_formula(csv_text(text))
    assert text_of_csv(csv_text(text)) == text
    assert "\x00" in text or csv_of(text)[1:] in ([[csv_text(text)]], [[]])


SEQUENCES = ("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x08\x08", "\r", "\u202etxt.exe", "\u2066", "\x00", "\u200b")


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("format_", [OutputFormat.TABLE, OutputFormat.JSON])
def test_a_terminal_is_told_nothing_but_text(sequence: str, format_: OutputFormat) -> None:
    stream = io.StringIO()
    write_rows(Rows((f"name{sequence}",), ((f"before{sequence}after",),)), format_, stream)
    assert sequence not in stream.getvalue()
    assert "before" in stream.getvalue()
    if format_ is OutputFormat.JSON:
        assert json.loads(stream.getvalue()) == [{f"name{sequence}": f"before{sequence}after"}]


def test_errors_and_lines_are_text_too(capsys: pytest.CaptureFixture[str]) -> None:
    _print_lines(["found \x1b[31mred\x1b[0m\nringfence: all is well"])
    _fail("no \x1b[2Jtable\nringfence: all is well\u202e", 2)
    captured = capsys.readouterr()
    assert captured.out == "found \\x1b[31mred\\x1b[0m\\nringfence: all is well\n"
    assert captured.err == "ringfence: no \\x1b[2Jtable ringfence: all is well\\u202e\n"


@given(st.text(max_size=40))
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    shown.encode()  # a lone surrogate would raise
    if text.isascii() and text.isprintable():
        assert shown == text


def test_an_error_of_others_is_told_without_what_it_quotes() -> None:
    hashing = process_hashing()
    told = error_text(
        ValueError("invalid literal for int(): 'customer 4711' and \"other\" of column 'amount' in '/a/b'")
    )
    assert told == (
        f"ValueError: invalid literal for int(): #{hashing.of('customer 4711')} and #{hashing.of('other')}"
        " of column 'amount' in '/a/b'"
    )
    for value in ("it's 4711", "4711' or '4711", "a 'b' 4711", "4711", "'4711", "4711'", "/4711 x"):
        for quote in ("'", '"'):
            # What isn't closed may hold no other quotes: nobody could tell where it ends.
            for end in (quote, quote + " to INTEGER", *([] if value.count("'") > 1 else [""])):
                assert "4711" not in without_values(f"can't convert string {quote}{value}{end}", hashing)
    assert error_text(RingfenceError("policy file x: key 'amount'")) == "policy file x: key 'amount'"


def test_a_traceback_leads_to_the_place_and_names_nobody() -> None:
    try:
        try:
            raise KeyError("customer 4711")
        except KeyError as error:
            raise RuntimeError("can't: 'customer 4711'") from error
    except RuntimeError as error:
        told = traceback_text(error)
    code = [line for line in told.splitlines() if "4711" in line]
    assert all(line.startswith("    raise ") for line in code)
    assert told.index("KeyError: ") < told.index("from which followed") < told.index("RuntimeError: can")


SCRIPT = "<script>alert('1')</script><img src=x onerror=alert(2)>"


def test_a_report_takes_no_text_for_markup() -> None:
    warehouse = short_exchange()
    columns = warehouse.connection.execute(
        "select table_schema || '.' || table_name, column_name from information_schema.columns"
        " where data_type = 'VARCHAR' and column_name not in ('relation', 'outcome', 'run_id', 'severity')"
    ).fetchall()
    for table, column in columns:
        warehouse.connection.execute(f"update {table} set {column} = ? || {column}", [SCRIPT])
    page = render(warehouse.content())
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;") > 20
