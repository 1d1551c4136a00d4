"""The report for machines: the page's content as JSON. Keys are documented in ``solvency.schema.json``.

What belongs here: the shape of the document. What doesn't: what it says (``content``). Amounts are exact texts; a key
is never taken away or given another meaning without a new ``SCHEMA_VERSION``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from orchestration.reading.output import plain
from orchestration.report.content import ReportContent
from orchestration.report.stress import ASSUMPTIONS
from orchestration.report.texts import verdict_sentence
from orchestration.safe_text import escaped_in_json

SCHEMA = "ringfence-solvency-report"
SCHEMA_VERSION = 1


def document(content: ReportContent) -> dict[str, Any]:
    """The content as JSON can hold it without loss."""
    network, findings, snapshot = content.network, content.findings, content.snapshot
    whole = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "day": content.day,
        "verdict": {
            "sentence": verdict_sentence(content),
            "status": content.solvency["status"],
            "is_failed": content.is_failed,
            "short_since": content.short_since,
            "critical_findings": findings.critical,
        },
        "headline": content.solvency,
        "history": content.history,
        "coverage": content.coverage,
        "exclusions": content.exclusions,
        "affiliates": {
            "total": network.total,
            "left_out": network.left_out,
            "exposures": network.exposures,
            "links": network.links,
            "entities": network.entities,
        },
        "revenue": content.revenue,
        "own_token_stress": {
            "assumptions": ASSUMPTIONS,
            "tokens": content.stress.tokens,
            "steps": content.stress.steps,
        },
        "snapshot": asdict(snapshot) if snapshot else None,
        "findings": {
            "total": findings.total,
            "critical": findings.critical,
            "checks": [asdict(check) | {"left_out": check.left_out} for check in findings.checks],
        },
        "sources": content.sources,
        "policy": content.policy,
        "run": content.run,
        "policy_sha256": content.policy_hash,
        "inputs_sha256": content.inputs_hash,
    }
    return {key: plain(value) for key, value in whole.items()}


def document_text(content: ReportContent) -> str:
    """The document as text that moves no cursor."""
    return escaped_in_json(json.dumps(document(content), indent=2, ensure_ascii=False)) + "\n"
