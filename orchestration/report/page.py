"""The report as one HTML page that needs no script and sends no request.

What belongs here: how content, pictures and style become the page. What doesn't: writing it anywhere (``solvency``).
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from orchestration.reading.output import short_text
from orchestration.report.charts import pictures
from orchestration.report.content import ReportContent
from orchestration.report.stress import ASSUMPTIONS
from orchestration.report.tables import (
    HEADLINE,
    RECENT_DAYS,
    TABLES,
    policy_rows,
    printed_size,
    shown_days,
    snapshot_rows,
)
from orchestration.report.texts import grouped_text, percent_text, verdict_sentence
from orchestration.safe_text import printable

_TEMPLATE = Path(__file__).with_name("solvency.html.j2")
_STYLE = Path(__file__).with_name("solvency.css")

SECTIONS = (
    ("headline", "Headline"),
    ("history", "Owed and held through time"),
    ("coverage", "Coverage by asset"),
    ("exclusions", "Reserves that don't count"),
    ("affiliates", "Affiliates"),
    ("revenue", "Revenue, from reported to token-adjusted"),
    ("stress", "Own-token stress"),
    ("snapshot", "Around the snapshot of reserves"),
    ("findings", "Findings"),
    ("sources", "Sources and their freshness"),
    ("method", "Method and policy in force"),
    ("inputs", "Inputs"),
)
"""Anchors and headings, in order."""


def content_security_policy(style: str) -> str:
    """Nothing may be loaded, run or sent; one style sheet applies, the one with this content."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _shown(value: Any) -> Any:
    """Texts as they may be shown: with control characters spelled out. Markup of our own stays."""
    return printable(value) if type(value) is str else value


def render(content: ReportContent) -> str:
    """The page as HTML text; everything that comes from data is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters.update(amount=grouped_text, percent=percent_text, plain=short_text)
    style = _STYLE.read_text(encoding="utf-8")
    drawn = {name: Markup(svg) for name, svg in pictures(content).items()}  # noqa: S704 (built and escaped by theme)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        content=content,
        verdict=verdict_sentence(content),
        sections=SECTIONS,
        headline=HEADLINE,
        tables=TABLES,
        recent_days=RECENT_DAYS,
        printed_size=printed_size,
        history=shown_days(content.history, content.short_since),
        snapshot_flows=snapshot_rows(content.snapshot.flows) if content.snapshot else [],
        checks=[_summary(check) for check in content.findings.checks],
        policy=policy_rows(content.policy),
        assumptions=ASSUMPTIONS,
        unpriced_tokens=[row["asset"] for row in content.stress.tokens if row["price_usd"] is None],
        pictures=drawn,
        style=Markup(style),  # noqa: S704 (our own file)
        content_security_policy=content_security_policy(style),
    )


def _summary(check: Any) -> dict[str, Any]:
    return {column.field: getattr(check, column.field) for column in TABLES["checks"]}
