"""The bill of materials: every package that a lock file pins, as CycloneDX 1.6 JSON, and the licences of those here.

Made on demand from the lock files alone, so the same files give the same bytes; nothing is asked of any index. Licences
are what the packages installed in this environment say of themselves.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import tomllib
import uuid
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from locked import REPOSITORY, REQUIRED, Locked, lock_files, locked


def bill_of_materials(packages: Iterable[Locked]) -> dict[str, Any]:
    """The bill as CycloneDX has it, in order of name and version."""
    by_purl: dict[str, list[Locked]] = defaultdict(list)
    for package in packages:
        by_purl[package.purl].append(package)
    components = [_component(purl, pins) for purl, pins in sorted(by_purl.items())]
    digest = hashlib.sha256(json.dumps(components, sort_keys=True).encode()).digest()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    itself = {"type": "application", "bom-ref": project["name"], "name": project["name"], "version": project["version"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"component": itself},
        "components": components,
    }


def _component(purl: str, pins: list[Locked]) -> dict[str, Any]:
    first = pins[0]
    hashes = sorted({digest for pin in pins for digest in pin.hashes})
    properties = [{"name": "ringfence:lock", "value": lock} for lock in sorted({pin.lock for pin in pins})]
    markers = sorted({pin.marker for pin in pins if pin.marker})
    return {
        "type": "library",
        "bom-ref": purl,
        "name": first.name,
        "version": first.version,
        "purl": purl,
        "scope": "required" if any(pin.lock == REQUIRED for pin in pins) else "optional",
        # One for each file that the package may be installed from.
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
        "properties": [*properties, *({"name": "ringfence:marker", "value": marker} for marker in markers)],
    }


def licence_of(name: str) -> str:
    """What an installed package says of its licence."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    classifiers = [line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or () if "License ::" in line]
    text = said.get("License-Expression") or "; ".join(classifiers) or (said.get("License") or "").strip()
    return text.splitlines()[0] if text else "not said"


def main(out: Path) -> None:
    """Write ``sbom.cdx.json`` and ``licences.csv`` into a folder."""
    packages = [package for path in lock_files() for package in locked(path)]
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(bill_of_materials(packages), indent=1, ensure_ascii=False) + "\n"
    (out / "sbom.cdx.json").write_text(text, encoding="utf-8")
    with (out / "licences.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("package", "version", "licence"))
        writer.writerows((name, version, licence_of(name)) for name, version in _names(packages))
    print(f"wrote {out}/sbom.cdx.json and licences.csv: {len({package.purl for package in packages})} packages")


def _names(packages: Iterable[Locked]) -> list[tuple[str, str]]:
    return sorted({(package.name, package.version) for package in packages})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
