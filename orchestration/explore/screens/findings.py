"""The findings that stand, by day, check, severity, kind and subject."""

from __future__ import annotations

from datetime import date

import streamlit as st

from orchestration.explore import address, frame, showing, solvency
from orchestration.explore.publication import Reader
from orchestration.explore.questions import ask_for_all


def show(look: frame.Look) -> None:
    """Lay the page out."""
    showing.heading("Findings")
    left, right = st.columns([1, 1], vertical_alignment="bottom")
    with left:
        day = address.day_control("Day", look.days)
    with right:
        of_all_days = address.toggle_control("Of all days", "days", "all")
    _list(look.reader, None if of_all_days else day)


def show_without_days(reader: Reader) -> None:
    """Lay out what runs found when no day was ever published."""
    _list(reader, None)


def _list(reader: Reader, day: date | None) -> None:
    names = [row["check_name"] for row in ask_for_all(reader.cursor, solvency.check_names())]
    columns = st.columns(4)
    with columns[0]:
        check = address.choice_control("Check", "check", names, "every check")
    with columns[1]:
        severity = address.choice_control("Severity", "severity", ["critical", "warning"], "both")
    with columns[2]:
        kind = address.choice_control("Kind", "kind", ["integrity", "reconciliation", "breach"], "every kind")
    with columns[3]:
        subject = address.text_control("Subject", "subject", "a part of its name")
    showing.table(
        reader,
        f"Findings of {day}" if day else "Findings of all days",
        solvency.findings(day, check, severity, kind, subject),
        name=f"findings-{day or 'all'}",
        opens=showing.finding_target,
        empty="None stands that matches.",
    )


if __name__ == "__main__":
    frame.on_page(show, without_days=show_without_days)
