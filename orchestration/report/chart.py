"""A line chart as SVG text, without a script: liabilities against eligible reserves through time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

WIDTH, HEIGHT = 960, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 20, 20, 40


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its CSS class, its label, and a value for each day; None leaves a gap."""

    style: str
    label: str
    values: Sequence[Decimal | None]


def _short_amount(value: float) -> str:
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,.0f}"


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Unbroken stretches of the points."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if run]


def _drawn(run: Sequence[tuple[float, float]], series: Series) -> str:
    """A stretch as a line; one point alone as a dot, since a line of it can't be seen."""
    label = f"<title>{series.label}</title>"
    if len(run) == 1:
        ((x, y),) = run
        return f'<circle class="{series.style}" cx="{x}" cy="{y}" r="4">{label}</circle>'
    path = " ".join(f"{x},{y}" for x, y in run)
    return f'<polyline class="{series.style}" points="{path}">{label}</polyline>'


def line_chart(days: Sequence[date], series: Sequence[Series], *, marked: date | None, title: str) -> str:
    """SVG of the series over the days; ``marked`` is the day to draw a line at. Positions are rounded, data isn't."""
    highest = max((float(v) for s in series for v in s.values if v is not None), default=0.0) or 1.0
    step = (WIDTH - _LEFT - _RIGHT) / max(len(days) - 1, 1)

    def place(index: int, value: Decimal) -> tuple[float, float]:
        height = (HEIGHT - _TOP - _BOTTOM) * float(value) / highest
        return round(_LEFT + index * step, 1), round(HEIGHT - _BOTTOM - height, 1)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>']
    for tick in range(5):
        y = HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * tick / 4
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = _short_amount(highest * tick / 4)
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for index in sorted({0, len(days) // 2, len(days) - 1}):
        anchor = "start" if index == 0 else "end" if index == len(days) - 1 else "middle"
        x = _LEFT + index * step
        parts.append(f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 14}" text-anchor="{anchor}">{days[index]}</text>')
    for line in series:
        points = [None if v is None else place(i, v) for i, v in enumerate(line.values)]
        parts += [_drawn(run, line) for run in _runs(points)]
    if marked is not None and marked in days:
        x = _LEFT + list(days).index(marked) * step
        parts.append(f'<line class="marked" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        anchor = "start" if x < WIDTH / 2 else "end"
        parts.append(
            f'<text class="marked-label" x="{x:.1f}" y="14" text-anchor="{anchor}">short since {marked}</text>'
        )
    return "".join([*parts, "</svg>"])
