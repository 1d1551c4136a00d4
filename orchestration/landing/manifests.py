"""Manifests beside delivered files: what their bytes were when they were delivered.

What belongs here: where manifests lie, and comparing files with them. What doesn't: writing them (``connectors``).
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

from orchestration.landing.discovery import LandingFile
from orchestration.landing.issues import Issue

STAGING, MANIFESTS = "_staging", "_manifests"
"""Folders of the landing zone that no table is named like, and that readers of tables don't look into."""

_DATED = re.compile(r"(?P<source>[a-z][a-z0-9_]*)\.parquet")
_REFERENCE = re.compile(r"(?P<source>[a-z][a-z0-9_]*)-(?P<day>\d{4}-\d{2}-\d{2})\.parquet")


def manifest_path(landing: Path, source: str, day: date | str) -> Path:
    """Where the manifest of a source's delivery of a day lies."""
    return landing / MANIFESTS / source / f"{day}.json"


def _manifest_of(landing: Path, file: LandingFile) -> Path | None:
    """The manifest that a file of this name would stand in."""
    match = (_REFERENCE if file.partition_date is None else _DATED).fullmatch(file.path.name)
    return manifest_path(landing, match["source"], file.partition_date or match["day"]) if match else None


def manifest_issue(landing: Path, file: LandingFile, sha256: str) -> Issue | None:
    """What is wrong if a file, whose bytes have that digest, isn't what its manifest says.

    None if it is, or if no manifest knows it.

    A flipped byte in a Parquet file can change a sum without making it unreadable.
    """
    path = _manifest_of(landing, file)
    if path is None or not path.exists():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["files"]
        expected = {entry["file"]: entry["sha256"] for entry in stored}.get(file.relative)
    except (OSError, ValueError, KeyError, TypeError):
        return Issue(f"its manifest {path.relative_to(landing)} can't be read", "the manifest as it was written")
    if expected is None or expected == sha256:
        return None
    return Issue(
        f"file isn't the one that was delivered, says its manifest {path.relative_to(landing)}",
        f"the file with sha256 {expected}",
    )
