"""Data Docs that can be read offline: Great Expectations' pages without what they would fetch from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

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


def write_index(folder: Path) -> None:
    """Write the page that leads to the results of each gate found in ``folder``."""
    gates = sorted(path.name for path in folder.iterdir() if (path / "index.html").exists())
    items = "".join(f'<li><a href="{name}/index.html">{name} gate</a></li>' for name in gates)
    page = f"<!doctype html><html lang=en><head><meta charset=utf-8>{_POLICY}{_STYLE}<title>Data Docs</title></head>"
    (folder / "index.html").write_text(f"{page}<body><h1>Data Docs</h1><ul>{items}</ul></body></html>", "utf-8")
