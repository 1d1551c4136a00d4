"""Two days side by side: the headline figures, groups and affiliates with exact differences, findings come and gone."""

from __future__ import annotations

import streamlit as st

from orchestration.explore import address, frame, showing, solvency


def show(look: frame.Look) -> None:
    """Lay the page out."""
    showing.heading("Compare two days")
    left, right = st.columns(2)
    with left:
        before = address.day_control("Earlier day", look.days, name="from", default=look.days[0])
    with right:
        after = address.day_control("Later day", look.days)
    showing.table(
        look.reader,
        "Headline figures",
        solvency.figures_compared(before, after),
        name=f"figures-{before}-{after}",
    )
    showing.table(
        look.reader,
        "In-kind groups",
        solvency.groups_compared(before, after),
        name=f"groups-{before}-{after}",
        opens=lambda row: ("group", {"group": row["in_kind_group"]}),
        hint="the largest worsening first",
    )
    showing.table(
        look.reader,
        "Affiliates",
        solvency.affiliates_compared(before, after),
        name=f"affiliates-{before}-{after}",
        opens=lambda row: ("affiliates", {"entity": row["entity_id"]}),
    )
    for title, name, question in (
        (f"Found on {after}, not on {before}", "new", solvency.findings_only_on(after, before)),
        (f"Found on {before}, not on {after}", "gone", solvency.findings_only_on(before, after)),
    ):
        showing.table(
            look.reader,
            title,
            question,
            name=f"findings-{name}-{before}-{after}",
            opens=showing.finding_target,
        )


if __name__ == "__main__":
    frame.on_page(show)
