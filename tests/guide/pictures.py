"""The report's pictures as files of their own, light and dark."""

from __future__ import annotations

import re

from orchestration.reading.published import published_connection
from orchestration.report import page
from orchestration.report.charts import pictures
from orchestration.report.content import read_content
from orchestration.settings import WarehousePaths
from tests.guide.exchange import PICTURES

_COLOURS = re.compile(
    r"\A:root \{.*?\}\n@media screen and \(prefers-color-scheme: dark\) \{ :root \{.*?\} \}\n", re.DOTALL
)


def drawn(paths: WarehousePaths) -> dict[str, str]:
    """The pages' pictures of the warehouse's latest day, by name."""
    with published_connection(paths) as connection:
        content = read_content(connection, None)
    found = _COLOURS.match(page._STYLE.read_text(encoding="utf-8"))
    assert found, "the report's style no longer begins with its colours"
    svgs = pictures(content)
    return {name: _alone(svgs[name], found[0]) for name in PICTURES}


def _alone(svg: str, colours: str) -> str:
    """The picture with the colours that the page gives it, on paper of its own."""
    opening = '<svg xmlns="http://www.w3.org/2000/svg" style="background: var(--paper)" '
    style = f"<style>\n{colours}text {{ font-family: system-ui, sans-serif; }}\n</style>"
    head, end, rest = svg.partition(">")
    return head.replace("<svg ", opening) + end + style + rest + "\n"


def texts(svg: str) -> list[str]:
    """What a picture says: every text in it, its title and its description."""
    return re.findall(r"<(?:text|title|desc)\b[^>]*>([^<]*)<", svg)
