"""Data Docs that can be read offline: Great Expectations' pages without what they would fetch from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from expectations.rules import RuleOutcome

_REMOTE_LINK = re.compile(r"<link\b[^>]*href=[\"']https?://[^>]*>", re.IGNORECASE)
_REMOTE_IMAGE = re.compile(r"<img\b[^>]*src=[\"']https?://[^>]*>", re.IGNORECASE)
_SCRIPT = re.compile(r"<script\b[^>]*>.*?</script\s*>", re.IGNORECASE | re.DOTALL)
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)

_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' data:;"
    " style-src 'self' 'unsafe-inline'; font-src 'self'\">"
)
_STYLE = (
    "<style>body{font-family:system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;line-height:1.5}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left;"
    "vertical-align:top}ul,ol{list-style:none;padding-left:0}.breadcrumb li{display:inline;margin-right:1rem}"
    ".modal,.cooltip,#dataDocsAnnouncement{display:none}</style>"
)


def make_self_contained(folder: Path) -> None:
    """Rewrite every page below ``folder`` so that opening it sends no request anywhere and runs no script."""
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for pattern in (_SCRIPT, _REMOTE_LINK, _REMOTE_IMAGE):
            text = pattern.sub("", text)
        text = _HEAD.sub(lambda match: match.group(0) + _POLICY + _STYLE, text, count=1)
        page.write_text(text, encoding="utf-8")


def _page(title: str, body: str) -> str:
    head = (
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{_POLICY}{_STYLE}<title>{escape(title)}</title></head>"
    )
    return f"{head}<body><h1>{escape(title)}</h1>{body}</body></html>"


def _suite_row(folder: Path, suite: str, outcomes: Sequence[RuleOutcome]) -> str:
    failed = sum(not outcome.success for outcome in outcomes)
    pages = sorted((folder / "validations" / suite).rglob("*.html"))
    name = escape(suite)
    if pages:
        name = f'<a href="{quote(pages[-1].relative_to(folder).as_posix())}">{name}</a>'
    return f"<tr><td>{name}</td><td>{len(outcomes)}</td><td>{failed}</td></tr>"


def write_gate_index(folder: Path, outcomes: Mapping[str, Sequence[RuleOutcome]]) -> None:
    """Write the page that lists a gate's suites, in place of the one that a script would have to fill."""
    rows = "".join(_suite_row(folder, suite, of_suite) for suite, of_suite in outcomes.items())
    heading = "<tr><th>Suite</th><th>Expectations</th><th>Not met</th></tr>"
    back = '<p><a href="../index.html">Data Docs</a></p>'
    page = _page(f"Data Docs: {folder.name} gate", f"{back}<table>{heading}{rows}</table>")
    (folder / "index.html").write_text(page, "utf-8")


def write_index(folder: Path) -> None:
    """Write the page that leads to the results of each gate found in ``folder``."""
    gates = sorted(path.name for path in folder.iterdir() if (path / "index.html").exists())
    items = "".join(f'<li><a href="{name}/index.html">{name} gate</a></li>' for name in gates)
    (folder / "index.html").write_text(_page("Data Docs", f"<ul>{items}</ul>"), "utf-8")
