"""The headline of a day: the verdict, its figures, the trend, coverage by group, and what is wrong."""

from __future__ import annotations

from datetime import date

import streamlit as st

from orchestration.explore import address, charts, frame, showing, solvency
from orchestration.explore.questions import ask_for_all, ask_for_one
from orchestration.explore.wording import column_label, state_sentence


def show(look: frame.Look) -> None:
    """Lay the page out."""
    showing.heading("Could every customer be handed back what is owed?")
    frame.refusal(look.reader)
    day = address.day_control("Day", look.days)
    row = ask_for_one(look.reader.cursor, solvency.day_figures(day))
    if row is None:
        showing.words(f"{day} wasn't published; choose another day.")
        return
    showing.words(state_sentence(row["status"]), f"rf-verdict rf-{row['status']}")
    showing.figures((column_label(name), row[name], "") for name in solvency.FIGURES)
    _charts(look, day)
    showing.table(
        look.reader,
        "Coverage by in-kind group",
        solvency.groups(day),
        name=f"coverage-{day}",
        opens=lambda row: ("group", {"group": row["in_kind_group"]}),
        hint="quantities in units of the group",
    )
    showing.table(
        look.reader,
        "What is wrong on this day",
        solvency.checks_failing(day),
        name=f"checks-{day}",
        opens=lambda row: ("findings", {"check": row["check_name"]}),
        empty="No check fails on this day.",
    )
    _run(look)


def _charts(look: frame.Look, day: date) -> None:
    trend = ask_for_all(look.reader.cursor, solvency.days())
    left, right = st.columns(2)
    with left:
        charts.through_time(trend, ("customer_liabilities_usd", "eligible_reserves_usd"), unit="USD", marked=day)
    with right:
        charts.through_time(trend, ("in_kind_shortfall_usd", "affiliate_uncollateralised_usd"), unit="USD", marked=day)
    with st.expander("Every day's headline as a table"):
        showing.table(
            look.reader,
            "Every day",
            solvency.all_days(),
            name="solvency",
            opens=lambda row: ("headline", {"date": row["as_of_date"]}),
        )


def _run(look: frame.Look) -> None:
    run = ask_for_one(look.reader.cursor, solvency.latest_run())
    if run is not None:
        st.subheader("The run that says so", anchor=False)
        showing.record(run)


if __name__ == "__main__":
    frame.on_page(show)
