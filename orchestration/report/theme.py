"""How pictures look, and how a chart becomes SVG that belongs to the page.

What belongs here: fonts, colours, sizes, and the way from Altair to inline SVG. What doesn't: what is drawn
(``charts``, ``network_chart``), and the values of the colours, which are custom properties in ``solvency.css``: light
and dark each have their own, and print is light.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    import altair as alt

INK, QUIET, RULE, PAPER = "var(--ink)", "var(--quiet)", "var(--rule)", "var(--paper)"
OWED, HELD, BAD, GOOD, OWN = "var(--owed)", "var(--held)", "var(--bad)", "var(--good)", "var(--own)"

WIDTH = 860
"""Of all pictures, in pixels of their own; the page scales them."""

LETTER = 7.1
"""Width of a letter at FONT_SIZE, near enough for boxes around words."""

FONT = "system-ui, sans-serif"
FONT_SIZE = 13

_AXIS = {
    "labelColor": QUIET,
    "titleColor": QUIET,
    "labelFont": FONT,
    "titleFont": FONT,
    "labelFontSize": FONT_SIZE,
    "titleFontSize": FONT_SIZE,
    "titleFontWeight": "normal",
    "domainColor": RULE,
    "tickColor": RULE,
    "gridColor": RULE,
    "labelLimit": 220,
    "labelOverlap": "greedy",
}

_CONFIG: dict[str, Any] = {
    "aria": False,
    "font": FONT,
    "axis": _AXIS,
    "axisX": {"grid": False},
    # Labels in wider fonts than they were measured with stay clear of the title.
    "axisY": {"titlePadding": 18},
    "view": {"stroke": None},
    "text": {"font": FONT, "fontSize": FONT_SIZE, "fill": INK},
    "title": {"color": INK, "font": FONT, "fontSize": FONT_SIZE, "fontWeight": "bold", "anchor": "start"},
}

_UNUSED = ("aria-hidden", "aria-label", "aria-roledescription", "role", "pointer-events", "class")
_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"-?[0-9]+\.[0-9]{3,}(?:e-?[0-9]+)?")
_DRAWN = frozenset({"path", "line", "rect", "text", "circle"})


def svg_of(chart: alt.TopLevelMixin, *, key: str, title: str, description: str) -> str:
    """The chart as SVG for a page: real text, colours of the page, one image to assistive technology.

    ``key`` tells the ids of this picture from those of others on the page.
    """
    import vl_convert

    specification = chart.to_dict(validate=False)
    specification["background"] = None
    # Whose fonts are wider than those that the text was measured with still sees all of it.
    specification["padding"] = {"left": 5, "top": 5, "bottom": 5, "right": 24}
    specification["config"] = _CONFIG
    text = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])
    drawn = ET.fromstring(text)  # noqa: S314 (what our own converter wrote)
    height = drawn.attrib["height"]
    picture = ET.Element("svg", {"viewBox": f"0 0 {drawn.attrib['width']} {height}", "role": "img"})
    picture.set("aria-labelledby", f"{key}-title {key}-description")
    ET.SubElement(picture, "title", {"id": f"{key}-title"}).text = title
    ET.SubElement(picture, "desc", {"id": f"{key}-description"}).text = description
    picture.extend(element for child in drawn if (element := _cleaned(child, key)) is not None)
    return ET.tostring(picture, encoding="unicode")


def _cleaned(element: ET.Element, key: str) -> ET.Element | None:
    """The element without namespace, roles and empty frames; None if nothing of it is seen."""
    tag = element.tag.removeprefix(_SVG)
    if tag in _DRAWN and (element.get("class") in ("background", "foreground") or element.get("opacity") == "0"):
        return None
    kept = ET.Element(tag, {name: _value(v, key) for name, v in element.attrib.items() if name not in _UNUSED})
    kept.text = element.text
    kept.extend(child for found in element if (child := _cleaned(found, key)) is not None)
    return None if tag == "g" and not len(kept) else kept


def _value(value: str, key: str) -> str:
    """An attribute's value: rounded to hundredths of a pixel, ids of this picture only."""
    if value.startswith("url(#"):
        return f"url(#{key}-{value[5:]}"
    return _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
