"""The history day by day: a slider, what broke on the day, its figures against the day before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import streamlit as st

from orchestration.explore import address, charts, frame, showing, solvency
from orchestration.explore.questions import Row, ask_for_all
from orchestration.explore.wording import amount, column_label, state_sentence

_SHOWN = (
    "customer_liabilities_usd",
    "eligible_reserves_usd",
    "coverage_ratio",
    "in_kind_shortfall_usd",
    "affiliate_borrowing_usd",
    "affiliate_uncollateralised_usd",
)
_DAY = "replayed day"


def show(look: frame.Look) -> None:
    """Lay the page out."""
    showing.heading("Replay")
    trend = ask_for_all(look.reader.cursor, solvency.days())
    day = _choose_day(look, [row["as_of_date"] for row in trend])
    before = day - timedelta(days=1)
    status = next(row["status"] for row in trend if row["as_of_date"] == day)
    showing.words(f"{day}: {state_sentence(status)}", f"rf-verdict rf-{status}")
    compared = {row["figure"]: row for row in ask_for_all(look.reader.cursor, solvency.figures_compared(before, day))}
    showing.figures((column_label(name), compared[name]["after"], _change(compared[name])) for name in _SHOWN)
    charts.through_time(
        trend,
        ("customer_liabilities_usd", "eligible_reserves_usd", "in_kind_shortfall_usd"),
        unit="USD",
        marked=day,
    )
    charts.findings_by_day(ask_for_all(look.reader.cursor, solvency.days_of_findings()), marked=day)
    for title, name, question in (
        ("What broke on this day", "new", solvency.findings_only_on(day, before)),
        (
            "What was put right: found the day before, and not on this day",
            "gone",
            solvency.findings_only_on(before, day),
        ),
    ):
        showing.table(
            look.reader,
            title,
            question,
            name=f"replay-{name}-{day}",
            opens=showing.finding_target,
            empty="Nothing.",
        )
    showing.table(
        look.reader,
        "When each check first failed",
        solvency.checks_first_failing(),
        name="first-failing",
        opens=lambda row: ("replay", {"date": row["first_day"]}),
        empty="No check ever failed.",
    )


def _change(row: Row) -> str:
    if row["difference"] is None:
        return "the first day"
    sign = "+" if row["difference"] > 0 else ""
    return f"{sign}{amount(row['difference'])} since the day before" if row["difference"] else "as the day before"


def _step(days: Sequence[date], by: int) -> None:
    place = days.index(st.session_state[_DAY]) + by
    st.session_state[_DAY] = days[max(0, min(place, len(days) - 1))]


def _choose_day(look: frame.Look, days: Sequence[date]) -> date:
    def stated() -> date:
        day = address.stated_day("date", look.days, look.days[0])
        return day if day in days else days[-1]

    def control() -> date:
        if len(days) == 1:
            return days[0]
        chosen: date = st.select_slider("Day", days, key=_DAY, format_func=str)
        return chosen

    day: date = address.followed(_DAY, "date", stated, control)
    with st.container(horizontal=True):
        st.button("Day before", on_click=_step, args=(days, -1), disabled=day == days[0])
        st.button("Day after", on_click=_step, args=(days, 1), disabled=day == days[-1])
    return day


if __name__ == "__main__":
    frame.on_page(show)
