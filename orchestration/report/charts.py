"""The report's pictures, by Altair: what is drawn of the content, and what it says to who can't see it.

What belongs here: marks and scales. What doesn't: fonts and colours (``theme``), the network (``network_chart``).
Positions are binary floats; every figure that counts stands exactly in the table beside its picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from orchestration.report import theme
from orchestration.report.network_chart import network_chart
from orchestration.report.texts import clipped, grouped_text, percent_text, short_amount
from orchestration.safe_text import one_line

if TYPE_CHECKING:
    import altair as alt

    from orchestration.report.content import ReportContent
    from orchestration.report.snapshot import Snapshot

Row = dict[str, Any]

BARS_SHOWN = 20
"""Groups in the picture of coverage: the worst. All are in the table."""

STRIPS_SHOWN = 8

_AMOUNTS = (
    "abs(datum.value) < 1000 ? format(datum.value, '.4~g') : "
    "replace(replace(replace(replace(format(datum.value, '~s'), 'T', ' tn'), 'G', ' bn'), 'M', ' m'), /k$/, ' k')"
)
_PER_CENT = "format(datum.value, ',.0f') + ' %'"


def pictures(content: ReportContent) -> dict[str, str]:
    """SVG of every section that has something to draw."""
    drawn = {
        "coverage": _coverage(content.coverage),
        "history": _history(content.history, content.short_since),
        "network": network_chart(content.network),
        "revenue": _waterfall(content.revenue[-1]) if content.revenue else None,
        "stress": _stress(content.stress.steps),
        "snapshot": _snapshot(content.snapshot) if content.snapshot else None,
    }
    return {name: svg for name, svg in drawn.items() if svg is not None}


def _chart(values: Sequence[Row]) -> alt.Chart:
    import altair as alt

    return alt.Chart({"values": list(values)})


def _label(text: str, length: int = 26) -> str:
    return clipped(one_line(text), length)


def _coverage(groups: Sequence[Row]) -> str | None:
    """Bars of coverage by in-kind group, the worst first; cut at twice what is owed."""
    import altair as alt

    owed = [row for row in groups if row["liability"] and row["coverage_ratio"] is not None]
    worst = sorted(owed, key=lambda row: (row["coverage_ratio"], row["in_kind_group"]))[:BARS_SHOWN]
    if not worst:
        return None
    values = [
        {
            "group": _label(row["in_kind_group"], 16),
            "place": place,
            "per_cent": min(float(row["coverage_ratio"]) * 100, 200.0),
            "label": percent_text(row["coverage_ratio"]) + (" short" if row["gap"] < 0 else ""),
            "color": theme.BAD if row["gap"] < 0 else theme.HELD,
            "needed": float(row["min_coverage"]) * 100,
        }
        for place, row in enumerate(worst)
    ]
    rows = alt.Y("place:O", title=None, axis=None)
    across = alt.X(
        "per_cent:Q",
        title="eligible reserves in per cent of what customers are owed",
        scale=alt.Scale(domain=[0, 225]),
        axis=alt.Axis(values=[0, 50, 100, 150, 200], labelExpr=_PER_CENT, grid=True),
    )
    bars = _chart(values).encode(y=rows)
    chart = alt.layer(
        bars.mark_bar(size=18).encode(x=across, color=alt.Color("color:N", scale=None)),
        bars.mark_tick(color=theme.INK, thickness=2.5, size=26).encode(x="needed:Q"),
        bars.mark_text(align="right", dx=-10).encode(x=alt.value(0), text="group:N"),
        bars.mark_text(align="left", dx=6).encode(x="per_cent:Q", text="label:N"),
    ).properties(width=theme.WIDTH - 140, height=30 * len(values))
    short = sum(row["gap"] < 0 for row in groups if row["gap"] is not None)
    least = worst[0]
    return theme.svg_of(
        chart,
        key="coverage",
        title="Coverage by asset",
        description=f"Bars for {len(values)} of {len(owed)} in-kind groups, the worst first; {short} are short. The"
        f" least covered is {_label(least['in_kind_group'])} at {percent_text(least['coverage_ratio'])}. An upright"
        " mark shows what policy asks for.",
    )


def _runs(history: Sequence[Row], field: str) -> list[Row]:
    """Points of a line; a day without a figure ends one stretch and begins another."""
    points: list[Row] = []
    stretch = 0
    for row in history:
        if row[field] is None:
            stretch += 1
        else:
            points.append({"day": row["as_of_date"].isoformat(), "usd": float(row[field]), "stretch": stretch})
    return points


def _days(days: Sequence[date], *, with_axis: bool = True) -> Any:
    """The days across, with a handful of them written out."""
    import altair as alt

    last = len(days) - 1
    told = sorted({days[last * part // 5] for part in range(6)})
    ticks: list[Any] = [int(datetime.combine(day, time.min, UTC).timestamp() * 1000) for day in told]
    axis = alt.Axis(format="%Y-%m-%d", values=ticks, title=None) if with_axis else None
    return alt.X("day:T", axis=axis, scale=alt.Scale(type="utc", domain=[days[0].isoformat(), days[-1].isoformat()]))


def _line(points: Sequence[Row], color: str, x: Any, y: Any, dash: Sequence[int] = ()) -> Any:
    import altair as alt

    point = {"filled": True, "color": color, "size": 30} if len(points) <= 2 else False
    mark = _chart(points).mark_line(color=color, strokeWidth=2.5, strokeDash=list(dash) or alt.Undefined, point=point)
    return mark.encode(x=x, y=y, detail="stretch:N")


def _at_end(points: Sequence[Row], color: str, text: str, dy: int, y: Any) -> Any:
    """What a line is, written where it ends."""
    label = _chart([{**points[-1], "label": text}])
    mark = label.mark_text(align="left", color=color, fontWeight="bold", dx=8, dy=dy)
    return mark.encode(x="day:T", y=y, text="label:N")


def _history(history: Sequence[Row], short_since: date | None) -> str | None:
    """What customers are owed and what is there for them, day by day; the day on which it broke is marked."""
    import altair as alt

    owed, held = _runs(history, "customer_liabilities_usd"), _runs(history, "eligible_reserves_usd")
    if not owed or not held:
        return None
    days = [row["as_of_date"] for row in history]
    x = _days(days)
    y = alt.Y("usd:Q", title="USD", axis=alt.Axis(labelExpr=_AMOUNTS, tickCount=5), scale=alt.Scale(domainMin=0))
    highest = max(point["usd"] for point in owed + held) or 1.0
    # Labels of lines that end close to each other move apart.
    apart = 10 if abs(owed[-1]["usd"] - held[-1]["usd"]) < highest / 12 else 0
    apart = apart if owed[-1]["usd"] >= held[-1]["usd"] else -apart
    layers = [
        _line(owed, theme.OWED, x, y),
        _line(held, theme.HELD, x, y, (7, 3)),
        _at_end(owed, theme.OWED, "owed to customers", -apart, y),
        _at_end(held, theme.HELD, "eligible reserves", apart, y),
    ]
    if short_since is not None:
        is_early = (short_since - days[0]) * 2 < days[-1] - days[0]
        mark = _chart([{"day": short_since.isoformat(), "label": f"short since {short_since}"}]).encode(x=x)
        text = {"align": "left" if is_early else "right", "dx": 6 if is_early else -6, "color": theme.BAD}
        layers += [
            mark.mark_rule(color=theme.BAD, strokeDash=[2, 3], strokeWidth=2),
            mark.mark_text(**text, fontWeight="bold").encode(y=alt.value(8), text="label:N"),
        ]
    broke = (
        f"It has been short without a break since {short_since}." if short_since else "It isn't short on the last day."
    )
    last = history[-1]
    return theme.svg_of(
        alt.layer(*layers).properties(width=theme.WIDTH - 225, height=280),
        key="history",
        title="Owed to customers and eligible reserves through time",
        description=f"Two lines in USD from {days[0]} to {days[-1]}: owed to customers (solid), at the end"
        f" {grouped_text(last['customer_liabilities_usd'])}, and eligible reserves (dashed), at the end"
        f" {grouped_text(last['eligible_reserves_usd'])}. {broke}",
    )


WATERFALL = (
    ("unsupported_usd", "not in the ledger"),
    ("backdated_usd", "backdated"),
    ("affiliate_usd", "from affiliates"),
    ("own_token_haircut_usd", "own-token haircut"),
)
"""Steps from reported to token-adjusted revenue, in order."""


def _waterfall(month: Row) -> str:
    """A month's revenue from reported to token-adjusted, step by step."""
    import altair as alt

    level = month["reported_usd"]
    values = [_step("reported", Decimal(0), level, level, theme.HELD)]
    for field, label in WATERFALL:
        taken = month[field] or Decimal(0)
        values.append(_step(label, level, level - taken, -taken, theme.BAD if taken >= 0 else theme.GOOD))
        level -= taken
    values.append(_step("token-adjusted", Decimal(0), level, level, theme.HELD))
    for place, value in enumerate(values):
        value["place"] = place
    labels = [value["step"] for value in values]
    x = alt.X("step:N", sort=labels, title=None, axis=alt.Axis(labelAngle=0, ticks=False, labelOverlap=False))
    y = alt.Y("begin:Q", title="USD", axis=alt.Axis(labelExpr=_AMOUNTS, tickCount=5))
    base = _chart(values).encode(x=x)
    joints = [{"step": a["step"], "next": b["step"], "begin": a["end"]} for a, b in pairwise(values)]
    chart = alt.layer(
        base.mark_bar(size=70).encode(y=y, y2="end:Q", color=alt.Color("color:N", scale=None)),
        _chart(joints).mark_rule(color=theme.QUIET, strokeDash=[2, 2]).encode(x=x, x2="next:N", y="begin:Q"),
        base.mark_text(dy=-10, fontWeight="bold").encode(y="top:Q", text="label:N"),
    ).properties(width=theme.WIDTH - 80, height=240)
    steps = ", ".join(f"{value['step']} {value['label']}" for value in values)
    return theme.svg_of(
        chart,
        key="revenue",
        title=f"Revenue of {month['month']:%Y-%m}, from reported to token-adjusted",
        description=f"Waterfall in USD: {steps}.",
    )


def _step(label: str, begin: Decimal, end: Decimal, shown: Decimal, color: str) -> Row:
    return {
        "step": label,
        "begin": float(begin),
        "end": float(end),
        "top": float(max(begin, end)),
        "label": short_amount(shown),
        "color": color,
    }


def _stress(steps: Sequence[Row]) -> str | None:
    """Coverage against a falling price of own tokens: what is eligible, and all that the group holds."""
    import altair as alt

    if not steps or steps[0]["coverage_ratio"] is None:
        return None
    x = alt.X(
        "price:Q",
        title="price of own tokens, in per cent of the day's",
        scale=alt.Scale(domain=[100, 0]),
        axis=alt.Axis(labelExpr=_PER_CENT, tickCount=10),
    )
    y = alt.Y("usd:Q", title="in per cent of what is owed", axis=alt.Axis(labelExpr=_PER_CENT, tickCount=5))

    def points(field: str) -> list[Row]:
        return [
            {"price": float(row["price_factor"]) * 100, "usd": float(row[field]) * 100, "stretch": 0}
            for row in steps
            if row[field] is not None
        ]

    held, everything = points("coverage_ratio"), points("group_assets_ratio")

    def named(values: list[Row], color: str, text: str, dy: int) -> Any:
        mark = _chart([{**values[0], "label": text}]).mark_text(
            align="left", dx=6, dy=dy, color=color, fontWeight="bold"
        )
        return mark.encode(x="price:Q", y="usd:Q", text="label:N")

    full = _chart([{"usd": 100}])
    chart = alt.layer(
        full.mark_rule(color=theme.INK, strokeWidth=1.5).encode(y=y),
        full.mark_text(align="right", dy=-8, color=theme.INK).encode(
            x=alt.value(theme.WIDTH - 84), y=y, text=alt.value("all that is owed")
        ),
        _line(held, theme.HELD, x, y, (7, 3)),
        _line(everything, theme.OWN, x, y, (2, 3)),
        named(held, theme.HELD, "eligible reserves", 16),
        named(everything, theme.OWN, "all that the group holds, own tokens included", -14),
    ).properties(width=theme.WIDTH - 80, height=240)
    first, last = steps[0], steps[-1]
    return theme.svg_of(
        chart,
        key="stress",
        title="Coverage against a falling price of own tokens",
        description="Two lines over the price of own tokens, from the day's to nothing. Eligible reserves (dashed) go"
        f" from {percent_text(first['coverage_ratio'])} to {percent_text(last['coverage_ratio'])} of what is owed; all"
        f" that the group holds (dotted) from {percent_text(first['group_assets_ratio'])} to"
        f" {percent_text(last['group_assets_ratio'])}.",
    )


def _snapshot(snapshot: Snapshot) -> str | None:
    """Eligible reserves on the days around a snapshot, a strip for each group."""
    import altair as alt

    groups = [flow for flow in snapshot.flows if any(_in_group(snapshot, flow))][:STRIPS_SHOWN]
    if not groups:
        return None
    days = sorted({row["as_of_date"] for row in snapshot.reserves})
    strips = [_strip(snapshot, flow, days, is_last=flow is groups[-1]) for flow in groups]
    dressed = [flow["in_kind_group"] for flow in snapshot.flows if flow["is_window_dressed"]]
    verdict = f"Window-dressed: {', '.join(map(_label, dressed))}." if dressed else "None looks window-dressed."
    return theme.svg_of(
        alt.vconcat(*strips, spacing=14),
        key="snapshot",
        title=f"Eligible reserves around the snapshot of {snapshot.day}",
        description=f"Strips of reserves by day from {days[0]} to {days[-1]} for {len(groups)} of {len(snapshot.flows)}"
        f" reported groups, with the snapshot marked. {verdict}",
    )


def _in_group(snapshot: Snapshot, flow: Row) -> list[Row]:
    return [row for row in snapshot.reserves if row["in_kind_group"] == flow["in_kind_group"]]


def _strip(snapshot: Snapshot, flow: Row, days: Sequence[date], *, is_last: bool) -> Any:
    import altair as alt

    color = theme.BAD if flow["is_window_dressed"] else theme.HELD
    points = [
        {"day": row["as_of_date"].isoformat(), "units": float(row["eligible_reserves"])}
        for row in _in_group(snapshot, flow)
    ]
    x = _days(days, with_axis=is_last)
    top = max(point["units"] for point in points) * 1.35 or 1.0
    scale = alt.Scale(domain=[0, top], nice=False)
    y = alt.Y("units:Q", axis=alt.Axis(title=None, tickCount=2, labelExpr=_AMOUNTS), scale=scale)
    base = _chart(points).encode(x=x, y=y)
    marked = _chart([{"day": snapshot.day.isoformat(), "label": "snapshot"}]).encode(x=x)
    said = " – came for the snapshot and left" if flow["is_window_dressed"] else ""
    return alt.layer(
        base.mark_area(color=color, opacity=0.25, line={"color": color, "strokeWidth": 2}, interpolate="step-after"),
        marked.mark_rule(color=theme.INK, strokeDash=[4, 3]),
        marked.mark_text(align="left", dx=5).encode(y=alt.value(8), text="label:N"),
    ).properties(width=theme.WIDTH - 90, height=70, title=_label(flow["in_kind_group"], 16) + said)
