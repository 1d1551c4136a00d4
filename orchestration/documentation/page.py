"""dbt's documentation page with its data inside: one file that asks nobody for anything.

What belongs here: the page as dbt installs it, filled, and held to itself by a content-security policy. What doesn't:
what it shows (``artefacts``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from orchestration.errors import RingfenceError
from orchestration.safe_text import escaped_in_json

TITLE = "Ringfence: tables and where they come from"
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_REPLACED = (
    (r"<title>[^<]*</title>", f"<title>{TITLE}</title>"),
    (r'<link rel="canonical"[^>]*>', ""),
    (r'<link rel="shortcut icon"[^>]*>', '<link rel="icon" href="data:,"/>'),
    (r"<html ", '<html ng-csp="no-unsafe-eval" '),
    # Browsers fetch a reference as it stands until it is filled in.
    (r'<use xlink:href="\{\{', '<use ng-attr-xlink:href="{{'),
)


def filled_page(manifest: dict[str, Any], catalog: dict[str, Any]) -> str:
    """The page that shows them. Raises RingfenceError if dbt's page isn't what this was written for."""
    page = _template().read_text(encoding="utf-8")
    for pattern, replacement in _REPLACED:
        page = _replaced(page, re.compile(pattern), replacement)
    page = _replaced(page, re.compile('"MANIFEST.JSON INLINE DATA"'), _as_script(manifest))
    page = _replaced(page, re.compile('"CATALOG.JSON INLINE DATA"'), _as_script(catalog))
    return _replaced(page, re.compile('<meta charset="utf-8">'), f'<meta charset="utf-8">{_policy(page)}')


def _template() -> Path:
    import dbt.task.docs

    return Path(dbt.task.docs.DOCS_INDEX_FILE_PATH)


def _replaced(page: str, pattern: re.Pattern[str], replacement: str) -> str:
    changed, times = pattern.subn(lambda _: replacement, page)
    if not times:
        raise RingfenceError(
            f"dbt's documentation page holds no {pattern.pattern}; install the dbt-core that is pinned"
        )
    return changed


def _as_script(data: dict[str, Any]) -> str:
    """JSON that stays data inside a script element."""
    text = escaped_in_json(json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _policy(page: str) -> str:
    """Only the scripts that the page holds now run; nothing is fetched or sent."""
    digests = [hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(page)]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none';"
        f" form-action 'none'; font-src data:; img-src data:; style-src 'unsafe-inline'; script-src {scripts}\">"
    )
