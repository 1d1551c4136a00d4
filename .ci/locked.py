"""What the lock files pin, package by package, for those who list it (``sbom``) or look it up (``audit``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
REQUIRED = "requirements.lock"
"""The lock file of what Ringfence doesn't run without; the others are of extras, tools and tests."""

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^\s;\\]+)\s*(;\s*(?P<marker>[^\\]*))?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package as one lock file pins it. ``marker`` says where it is installed, empty for everywhere."""

    lock: str
    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's URL: what it is called in every inventory."""
        name = re.sub(r"[-_.]+", "-", self.name).lower()
        return f"pkg:pypi/{name}@{self.version.replace('+', '%2B')}"


def lock_files() -> list[Path]:
    """The repository's lock files, what is required first."""
    return sorted(REPOSITORY.glob("requirements*.lock"), key=lambda path: (path.name != REQUIRED, path.name))


def locked(path: Path) -> Iterator[Locked]:
    """What a lock file pins; raise ValueError for a line that isn't a pin with hashes: a list would miss it."""
    text = path.read_text(encoding="utf-8")
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        hashes = tuple(sorted(_HASH.findall(line)))
        found = _PINNED.match(_HASH.sub("", line).strip())
        if found is None or not hashes:
            raise ValueError(f"{path.name}: {line[:80]!r} is no pinned package with its sha256")
        yield Locked(path.name, found["name"], found["version"], (found["marker"] or "").strip(), hashes)
