"""The affiliate network as a picture: boxes in layers, parents above what they hold, debts as thick broken arrows.

What belongs here: where boxes stand and how links are drawn. What doesn't: who is in it (``network``).
The layout is our own because it must be the same for the same network, and a dozen boxes need no more than this.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestration.report import theme
from orchestration.report.texts import clipped, short_amount
from orchestration.safe_text import one_line

if TYPE_CHECKING:
    from orchestration.report.network import Network

Row = dict[str, Any]

PER_ROW = 4
BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT = 204, 50, 130
_LETTERS = 23
_MARGIN = 10
_BESIDE = 26.0
_LABEL_AWAY = 30.0


@dataclass(frozen=True, slots=True)
class Box:
    """An entity with its place: the middle of its box."""

    entity: Row
    x: float
    y: float


def layers(operator: str | None, entities: list[str], links: list[tuple[str, str]]) -> dict[str, int]:
    """The layer of each entity, the topmost 0: a parent above its child as seen from the operator. Cycles end."""
    neighbours: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for parent, child in links:
        neighbours[parent].append((child, 1))
        neighbours[child].append((parent, -1))
    level: dict[str, int] = {}
    starts = ([operator] if operator is not None else []) + sorted(entities)
    for start in starts:
        if start in level:
            continue
        level[start] = 0
        queue = [start]
        while queue:
            here = queue.pop(0)
            for other, step in sorted(neighbours[here]):
                if other not in level:
                    level[other] = level[here] + step
                    queue.append(other)
    top = min(level.values(), default=0)
    return {entity: depth - top for entity, depth in level.items()}


def place(network: Network) -> list[Box]:
    """Every entity in its place, row by row; a layer with more boxes than fit takes several rows."""
    by_key = {str(entity["entity"]): entity for entity in network.entities}
    operator = next((key for key, entity in by_key.items() if entity["relation"] == "operator"), None)
    links = [(link["parent"], link["child"]) for link in network.links]
    depth = layers(operator, sorted(by_key), links)
    across: dict[str, float] = {}
    boxes: list[Box] = []
    y = float(BOX_HEIGHT)
    for layer in sorted(set(depth.values())):
        members = [key for key in by_key if depth[key] == layer]
        members.sort(key=lambda key: (_pull(key, links, across), key))
        for begin in range(0, len(members), PER_ROW):
            row = members[begin : begin + PER_ROW]
            for number, key in enumerate(row):
                across[key] = theme.WIDTH * (number + 0.5) / len(row)
                boxes.append(Box(by_key[key], across[key], y))
            y += ROW_HEIGHT
    return boxes


def _pull(key: str, links: list[tuple[str, str]], across: dict[str, float]) -> float:
    """Where the entities above, already placed, draw this one to."""
    ends = [a if b == key else b for a, b in links if key in (a, b)]
    placed = [across[end] for end in ends if end in across]
    return sum(placed) / len(placed) if placed else theme.WIDTH / 2


def network_chart(network: Network) -> str | None:
    """The picture; None if there is no affiliate."""
    import altair as alt

    boxes = {str(box.entity["entity"]): box for box in place(network)}
    if not network.exposures:
        return None
    height = max(box.y for box in boxes.values()) + BOX_HEIGHT
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, theme.WIDTH], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False))
    owing = {row["entity"]: row for row in network.exposures if row["gross_borrowing_usd"]}
    links, debts = _links(network, boxes), _debts(owing, boxes)
    labels = _link_labels(links)
    drawn = [_box(box, owing.get(key)) for key, box in boxes.items()]

    def marks(values: list[Row]) -> Any:
        return alt.Chart({"values": values}).encode(x=x, y=y)

    arrow = alt.Angle("angle:Q", scale=None)
    color = alt.Color("color:N", scale=None)
    area = {"x2": "x2:Q", "y2": "y2:Q"}
    chart = alt.layer(
        marks(links).mark_rule(color=theme.QUIET, strokeWidth=1.5).encode(**area),
        marks(debts).mark_rule(color=theme.BAD, strokeWidth=3.5, strokeDash=[8, 4]).encode(**area),
        marks([*map(_head, links + debts)])
        .mark_point(shape="triangle-up", filled=True, size=110, opacity=1)
        .encode(angle=arrow, color=color),
        marks(labels).mark_rect(fill=theme.PAPER, opacity=1).encode(**area),
        marks(drawn).mark_rect(fill=theme.PAPER, strokeWidth=2, cornerRadius=5, opacity=1).encode(**area, stroke=color),
        marks(labels).mark_text().encode(x="middle:Q", y="centre:Q", text="label:N", color=color),
        marks(drawn).mark_text(fontWeight="bold").encode(x="middle:Q", y="upper:Q", text="label:N"),
        marks(drawn).mark_text(fontSize=12).encode(x="middle:Q", y="lower:Q", text="below:N", color=color),
    ).properties(width=theme.WIDTH, height=height)
    return theme.svg_of(
        chart, key="network", title="Affiliates of the operator", description=_description(network, owing)
    )


def _description(network: Network, owing: dict[str, Row]) -> str:
    told = [
        f"{one_line(key)} owes {short_amount(row['gross_borrowing_usd'])} USD,"
        f" {short_amount(row['uncollateralised_usd'])} of it beyond collateral"
        for key, row in owing.items()
    ]
    more = f" {network.left_out:,} smaller ones aren't drawn." if network.left_out else ""
    debts = "; ".join(told) or "none owes the operator anything"
    return (
        f"{len(network.exposures)} affiliates and {len(network.links)} links between entities, parents above what they"
        f" hold; {debts}.{more} Both are listed in the tables below."
    )


def _box(box: Box, owing: Row | None) -> Row:
    entity = box.entity
    name = clipped(one_line(str(entity["name"] or entity["entity"])), _LETTERS)
    is_operator = entity["relation"] == "operator"
    below = "operator" if is_operator else f"{entity['relation'] or 'unknown'}, {entity['entity_type'] or 'unknown'}"
    if owing is not None:
        uncovered = short_amount(owing["uncollateralised_usd"] or Decimal(0))
        below = f"owes {short_amount(owing['gross_borrowing_usd'])}, {uncovered} uncovered"
    left, top = box.x - BOX_WIDTH / 2, box.y - BOX_HEIGHT / 2
    color = theme.HELD if is_operator else theme.BAD if owing is not None else theme.QUIET
    return {
        "x": left,
        "y": top,
        "x2": left + BOX_WIDTH,
        "y2": top + BOX_HEIGHT,
        "color": color,
        "middle": box.x,
        "upper": box.y - 9,
        "lower": box.y + 11,
        "label": name,
        "below": below,
    }


def _links(network: Network, boxes: dict[str, Box]) -> list[Row]:
    """Lines from parents to children; several kinds between the same two are one line."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for link in network.links:
        kinds[link["parent"], link["child"]].append(link["kind"])
    return [
        _line(boxes[parent], boxes[child], " and ".join(kind).replace("ownership", "owns"), theme.QUIET)
        for (parent, child), kind in kinds.items()
        if parent != child
    ]


def _debts(owing: dict[str, Row], boxes: dict[str, Box]) -> list[Row]:
    """Arrows from affiliates that owe to the operator, beside the lines that link them."""
    operator = next((box for box in boxes.values() if box.entity["relation"] == "operator"), None)
    if operator is None:
        return []
    return [
        _line(boxes[key], operator, "", theme.BAD, beside=_BESIDE)
        for key, row in owing.items()
        if boxes[key] is not operator and row["uncollateralised_usd"]
    ]


def _line(begin: Box, end: Box, label: str, color: str, beside: float = 0.0) -> Row:
    """A line between two boxes, from edge to edge; ``beside`` moves it to the right."""
    x, y = _edge(begin, end)
    x2, y2 = _edge(end, begin)
    ends = {"begin": begin.entity["entity"], "end": end.entity["entity"]}
    place = {"x": x + beside, "y": y, "x2": x2 + beside, "y2": y2}
    return {**place, "label": clipped(label, 36), "color": color, **ends}


def _edge(box: Box, towards: Box) -> tuple[float, float]:
    """Where the line from the middle of a box towards another one leaves the box."""
    across, down = towards.x - box.x, towards.y - box.y
    reach = [side / 2 / abs(way) for side, way in ((BOX_WIDTH, across), (BOX_HEIGHT, down)) if abs(way) > 1e-9]
    share = min(reach, default=0.0)
    return box.x + across * share, box.y + down * share


def _head(line: Row) -> Row:
    """The arrow's head at the end of a line; a triangle that points up at angle 0."""
    angle = math.degrees(math.atan2(line["x2"] - line["x"], line["y"] - line["y2"]))
    back = math.hypot(line["x2"] - line["x"], line["y2"] - line["y"]) or 1.0
    share = min(6 / back, 1.0)
    return {
        "x": line["x2"] + (line["x"] - line["x2"]) * share,
        "y": line["y2"] + (line["y"] - line["y2"]) * share,
        "angle": angle,
        "color": line["color"],
    }


def _link_labels(lines: list[Row]) -> list[Row]:
    """Labels of all lines, each close to the end at which fewer lines meet: no box is there."""
    begins = Counter(line["begin"] for line in lines)
    ends = Counter(line["end"] for line in lines)
    labels = []
    for line in lines:
        down = abs(line["y2"] - line["y"])
        near = min(_LABEL_AWAY / down, 0.5) if down else 0.5
        labels.append(_link_label(line, 1 - near if begins[line["begin"]] > ends[line["end"]] else near))
    return labels


def _link_label(line: Row, share: float) -> Row:
    """The label on a line, with a box of paper behind it."""
    middle, centre = (line[way] + share * (line[f"{way}2"] - line[way]) for way in ("x", "y"))
    half = len(line["label"]) * theme.LETTER / 2 + 3
    middle = min(max(middle, half + _MARGIN), theme.WIDTH - half - _MARGIN)
    return {
        "x": middle - half,
        "y": centre - 9,
        "x2": middle + half,
        "y2": centre + 9,
        "middle": middle,
        "centre": centre,
        "label": line["label"],
        "color": line["color"],
    }
