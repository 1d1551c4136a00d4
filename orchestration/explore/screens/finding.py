"""A finding: what it says, the figures and the landing rows that it rests on, and what its check means."""

from __future__ import annotations

from datetime import date

import streamlit as st

from orchestration.errors import RingfenceError
from orchestration.explore import address, frame, showing, solvency, tracing
from orchestration.explore.publication import Reader
from orchestration.explore.questions import Question, Row, ask_for_one
from orchestration.reading.explanation import Explanation, find_check, read_explanation, rule_in_force
from orchestration.reading.published import has_table
from orchestration.reading.trace import filled, policy_of_warehouse

_SUBJECT_PAGES = {"account": "account", "wallet": "wallet", "in_kind_group": "group", "affiliate": "affiliates"}
_NAMED_IN_ADDRESS = {"affiliate": "entity", "in_kind_group": "group"}


def show(reader: Reader) -> None:
    """Lay the page out."""
    found = _finding(reader)
    if found is None:
        showing.heading("Finding")
        showing.words("No such finding stands; a later run may have withdrawn it.")
        address.link("Findings", "findings")
        return
    showing.heading("Finding", found["message"])
    showing.record(found, without=("message", "evidence"))
    if found["subject_type"] in _SUBJECT_PAGES:
        name = str(_NAMED_IN_ADDRESS.get(found["subject_type"], found["subject_type"]))
        address.link("About its subject", _SUBJECT_PAGES[found["subject_type"]], {name: found["subject_id"]})
    explanation = _explanation(found["check_name"])
    _figures(reader, found, explanation)
    if has_table(reader.cursor, "audit", "finding_source"):
        showing.table(
            reader,
            "Landing rows that it rests on",
            tracing.rows_behind(found),
            name="rows-behind",
            opens=showing.source_target,
            hint="the largest of each table; rows in all counts those not kept too",
            empty="None is kept for this finding; the figures above are all there is.",
        )
    if explanation is not None:
        _explain(reader, explanation)


def _finding(reader: Reader) -> Row | None:
    try:
        day = date.fromisoformat(address.stated("day"))
    except ValueError:
        return None
    check, kind, subject = (address.stated(name) for name in ("check", "type", "subject"))
    return ask_for_one(reader.cursor, solvency.finding(day, check, kind, subject, address.stated("asset") or None))


def _explanation(check: str) -> Explanation | None:
    try:
        return read_explanation(find_check(check))
    except RingfenceError:
        return None  # a check of another release


def _figures(reader: Reader, found: Row, explanation: Explanation | None) -> None:
    queries: list[str] = [found["evidence"]] if found["evidence"] else []
    queries += [filled(query, found) for query in (explanation.look_at if explanation else ())]
    for number, sql in enumerate(query for query in queries if "audit.source_row" not in query):
        title = "Evidence" if number == 0 and found["evidence"] else "Figures to look at"
        showing.table(reader, title, Question(sql), name=f"evidence-{number + 1}")
        with st.expander("The query"):
            st.code(sql, language="sql", wrap_lines=True)


def _explain(reader: Reader, explanation: Explanation) -> None:
    st.subheader("What the check means", anchor=False)
    showing.record(
        {
            "rule": rule_in_force(explanation, policy_of_warehouse(reader.cursor)),
            "why_it_exists": explanation.why,
            "the_loss_it_prevents": explanation.prevents,
            "when_it_fires": explanation.when_it_fires,
            "sources": tuple(f"{source.document}: {source.says}" for source in explanation.sources),
        }
    )


if __name__ == "__main__":
    frame.on_page(lambda look: show(look.reader), without_days=show)
