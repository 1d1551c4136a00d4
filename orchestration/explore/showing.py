"""How answers are laid out on a page: tables to click on and to download, figures, records, text.

What belongs here: widgets that show. What doesn't: which question a page asks. Every text from outside goes through
``words`` or into a cell of a table, where neither markup nor markdown nor formulas mean anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, Literal

import pyarrow as pa
import streamlit as st

from orchestration.explore import address
from orchestration.explore.files import csv_file, parquet_file
from orchestration.explore.publication import Reader, served
from orchestration.explore.questions import ROWS_DOWNLOADED, ROWS_SHOWN, Answer, Question, Row, ask
from orchestration.explore.wording import column_label, is_numeric, rows_line, written, written_column

Target = tuple[str, Mapping[str, Any]]
"""A page, and what its address says besides."""

_WIDE = {"message", "latest_message", "content", "evidence_path", "observed", "expected"}
_ROWS_IN_SIGHT = 12
_HEIGHT = 35 * (_ROWS_IN_SIGHT + 1) + 2
_STYLE = """<style>
.stMainBlockContainer { padding-top: 3.5rem; padding-bottom: 3rem; }
.rf-figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); gap: 0.6rem; }
dl.rf-figures, dl.rf-record { margin: 0 !important; padding: 0 !important; }
.rf-figures > div { border: 1px solid rgba(128, 128, 128, 0.35); border-radius: 0.4rem; padding: 0.5rem 0.75rem; }
.rf-figures dt { font-size: 0.8rem; opacity: 0.85; }
.rf-figures dd { margin: 0; font-size: 1.05rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.rf-figures dd.rf-note { font-size: 0.8rem; opacity: 0.85; }
.rf-record { display: grid; grid-template-columns: minmax(8rem, 16rem) 1fr; gap: 0.2rem 1rem; }
.rf-record dt { opacity: 0.85; overflow-wrap: anywhere; }
.rf-record dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; white-space: pre-wrap; }
.rf-words { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.rf-verdict { font-size: 1.25rem; font-weight: 600; border-left: 0.35rem solid #888; padding-left: 0.75rem; }
.rf-short { border-color: #b3261e; } .rf-covered { border-color: #3d8b57; } .rf-incomplete { border-color: #c98a1b; }
@media (max-width: 30rem) { .rf-record { grid-template-columns: 1fr; } .rf-record dd { margin-bottom: 0.4rem; } }
</style>"""


def style() -> None:
    """What the page's own markup looks like."""
    st.html(_STYLE)


def words(text: Any, css: str = "") -> None:
    """Text that may come from outside."""
    st.html(f'<p class="rf-words {css}">{escape(written(text))}</p>')


def heading(text: str, subject: str = "") -> None:
    """The page's title in our words, and whom it is about in theirs."""
    st.header(text, anchor=False)
    if subject:
        words(subject, "rf-verdict")


def figures(values: Iterable[tuple[str, Any, str]]) -> None:
    """Figures side by side: a label, an exact value, a note."""
    cells = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(written(value, 2 if '(USD)' in label else None))}</dd>"
        + (f'<dd class="rf-note">{escape(note)}</dd>' if note else "")
        + "</div>"
        for label, value, note in values
    )
    st.html(f'<dl class="rf-figures">{cells}</dl>')


def record(row: Mapping[str, Any], *, without: Iterable[str] = ()) -> None:
    """One row, a line for each column that holds something; the parts of a tuple below each other."""
    lines = "".join(
        f"<dt>{escape(column_label(written(name)))}</dt>{_said(name, value)}"
        for name, value in row.items()
        if value is not None and name not in without
    )
    st.html(f'<dl class="rf-record">{lines}</dl>')


def _said(name: str, value: Any) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    places = 2 if name.endswith("_usd") else None
    return f"<dd>{'<br>'.join(escape(written(part, places)) for part in parts)}</dd>"


def table(
    reader: Reader,
    title: str,
    question: Question,
    *,
    name: str,
    opens: Callable[[Row], Target] | None = None,
    empty: str = "None.",
    hint: str = "",
    wide: Iterable[str] = (),
    rows: int = ROWS_SHOWN,
) -> Answer:
    """An answer under its title; ``opens`` says where a click on a row leads. ``name`` is that of its files."""
    answer = ask(reader.cursor, question, rows)
    st.subheader(title, anchor=False)
    if not answer.rows.values:
        words(empty)
        return answer
    todo = "click a row to open it" if opens else ""
    st.caption(" · ".join(filter(None, (rows_line(len(answer.rows.values), answer.rows_in_all), hint, todo))))
    # Another publication's table is another table: a row chosen in the old one isn't its.
    _grid(answer, f"{name} {reader.identity}", opens, {*_WIDE, *wide})
    _downloads(question, name, answer.rows_in_all, reader.identity)
    return answer


def _grid(answer: Answer, key: str, opens: Callable[[Row], Target] | None, wide: set[str]) -> None:
    columns = list(zip(*answer.rows.values, strict=True))
    names = answer.rows.columns
    texts = [written_column(name, values) for name, values in zip(names, columns, strict=True)]
    shown = pa.table([pa.array(column, pa.string()) for column in texts], names=list(names))
    setting = {
        name: st.column_config.TextColumn(
            column_label(name),
            alignment="right" if is_numeric(values) else "left",
            width="large" if name in wide else None,
        )
        for name, values in zip(names, columns, strict=True)
    }
    height: Literal["content"] | int = "content" if len(answer.rows.values) <= _ROWS_IN_SIGHT else _HEIGHT
    if opens is None:
        st.dataframe(shown, hide_index=True, column_config=setting, key=key, height=height)
        return
    chosen = st.dataframe(
        shown,
        hide_index=True,
        column_config=setting,
        key=key,
        height=height,
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
    )["selection"]
    rows = [*chosen["rows"], *(cell[0] for cell in chosen["cells"])]
    if rows and rows[0] < len(answer.rows.values):
        address.go(*opens(answer.row(rows[0])))


def _downloads(question: Question, name: str, rows_in_all: int, identity: str) -> None:
    """What is shown, and the rest of it, as files; they are made when they are asked for."""

    def made(write: Callable[[Any, Question], bytes]) -> Callable[[], bytes]:
        def make() -> bytes:
            with served().reading() as reader:
                return write(reader.cursor, question)

        return make

    extent = f" of the first {ROWS_DOWNLOADED:,} rows" if rows_in_all > ROWS_DOWNLOADED else ""
    with st.container(horizontal=True, gap="small"):
        for label, ending, mime, write in (
            ("CSV", "csv", "text/csv", csv_file),
            ("Parquet", "parquet", "application/vnd.apache.parquet", parquet_file),
        ):
            st.download_button(
                f"{label}{extent}",
                made(write),
                f"{name}.{ending}",
                mime,
                key=f"{name} {ending} {identity}",
                on_click="ignore",
                type="tertiary",
                icon=":material/download:",
            )


def finding_target(row: Row) -> Target:
    """The page of a finding that a row of a table names."""
    return "finding", {
        "day": row["as_of_date"],
        "check": row["check_name"],
        "type": row["subject_type"],
        "subject": row["subject_id"],
        "asset": row["asset"],
    }


def source_target(row: Row) -> Target:
    """The page of a landing row that a row of a table names."""
    return "source", {
        "table": row["source_table"],
        "key": row["row_key"],
        "file": row["source_file"],
        "row": row["source_row"],
    }
