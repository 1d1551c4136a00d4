"""Pictures of figures through time. Binary floats give positions only; exact figures stand in the tables.

What belongs here: drawing. What doesn't: what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
import streamlit as st

from orchestration.explore.wording import column_label, written

_COLOURS = ("#2f6fb0", "#c9622b", "#7a4fa3", "#3d8b57")
_HEIGHT = 320


def through_time(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, unit: str, marked: date | None = None
) -> None:
    """Lines of some columns by day, with a rule on the day that is looked at; a day without a value is a gap."""
    drawn = [
        {
            "day": row["as_of_date"].isoformat(),
            "what": column_label(name),
            "value": float(row[name]),
            "exact": written(row[name]),
        }
        for row in rows
        for name in columns
        if row[name] is not None
    ]
    if not drawn:
        return
    labels = [column_label(name) for name in columns]
    lines = (
        alt.Chart(alt.Data(values=drawn))
        .mark_line(point={"size": 12}, strokeWidth=2)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%d %b %Y", labelOverlap="greedy", tickCount=6)),
            y=alt.Y("value:Q", title=unit, axis=alt.Axis(format="~s"), scale=_scale([row["value"] for row in drawn])),
            color=alt.Color(
                "what:N", title=None, scale=alt.Scale(domain=labels, range=list(_COLOURS)), legend=_legend(labels)
            ),
            strokeDash=alt.StrokeDash("what:N", title=None, scale=alt.Scale(domain=labels), legend=None),
            tooltip=[
                alt.Tooltip("day:T", title="Day", format="%Y-%m-%d"),
                alt.Tooltip("what:N", title="Figure"),
                alt.Tooltip("exact:N", title=unit),
            ],
        )
    )
    layers = [lines] if marked is None else [lines, _rule(marked)]
    st.altair_chart(
        alt.layer(*layers).properties(height=_HEIGHT),
        width="stretch",
        alt=f"{', '.join(labels)} in {unit} by day, from {drawn[0]['day']} to {drawn[-1]['day']}",
    )


def _scale(values: Sequence[float]) -> Any:
    """An axis; one of nothing but zeros has no extent of its own."""
    return alt.Scale() if any(values) else alt.Scale(domain=[0, 1])


def _legend(labels: Sequence[str]) -> Any:
    return (
        alt.Legend(orient="top", direction="vertical", labelLimit=320, symbolType="stroke", symbolStrokeWidth=3)
        if len(labels) > 1
        else None
    )


def _rule(day: date) -> Any:
    return (
        alt.Chart(alt.Data(values=[{"day": day.isoformat()}]))
        .mark_rule(color="#888888", strokeDash=[4, 3])
        .encode(x="day:T", tooltip=[alt.Tooltip("day:T", title="Day shown", format="%Y-%m-%d")])
    )


def findings_by_day(rows: Sequence[Mapping[str, Any]], *, marked: date) -> None:
    """Bars of how many findings stand on each day, by severity."""
    if not rows:
        return
    drawn = [
        {"day": row["as_of_date"].isoformat(), "severity": row["severity"], "findings": row["findings"]} for row in rows
    ]
    bars = (
        alt.Chart(alt.Data(values=drawn))
        .mark_bar()
        .encode(
            x=alt.X("day:T", timeUnit="yearmonthdate", title=None, axis=alt.Axis(format="%d %b %Y", tickCount=6)),
            y=alt.Y("findings:Q", title="findings"),
            color=alt.Color(
                "severity:N",
                title=None,
                scale=alt.Scale(domain=["critical", "warning"], range=["#b3261e", "#c98a1b"]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                alt.Tooltip("day:T", title="Day", format="%Y-%m-%d"),
                alt.Tooltip("severity:N"),
                alt.Tooltip("findings:Q"),
            ],
        )
    )
    st.altair_chart(
        alt.layer(bars, _rule(marked)).properties(height=180),
        width="stretch",
        alt="How many findings stand on each day, critical and warning; the page of findings lists them",
    )
