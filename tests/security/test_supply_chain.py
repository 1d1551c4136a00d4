"""What all of it is made of is listed whole, and an audit that couldn't look never says that all is well."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orchestration.settings import REPOSITORY

LOCKS = sorted(REPOSITORY.glob("requirements*.lock"))


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    sys.path.insert(0, str(REPOSITORY / ".ci"))
    try:
        yield {name: importlib.import_module(name) for name in ("locked", "sbom", "audit")}
    finally:
        sys.path.remove(str(REPOSITORY / ".ci"))


def pinned() -> dict[str, set[str]]:
    """Every pin of every lock file with its hashes, read another way than the tool reads it."""
    found: dict[str, set[str]] = {}
    for lock in LOCKS:
        for block in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            if "==" in block and not block.startswith("#"):
                requirement, *hashes = block.split(" --hash=sha256:")
                parsed = Requirement(requirement.strip())
                name = f"pkg:pypi/{canonicalize_name(parsed.name)}@{str(parsed.specifier).removeprefix('==')}"
                found.setdefault(name, set()).update(digest.strip() for digest in hashes)
    return found


@pytest.fixture(scope="module")
def written(tools: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``make sbom`` writes."""
    folder = tmp_path_factory.mktemp("build")
    tools["sbom"].main(folder)
    return folder


def test_every_pinned_package_is_named_with_its_version_hashes_and_url(written: Path) -> None:
    text = (written / "sbom.cdx.json").read_text(encoding="utf-8")
    bill = json.loads(text)
    listed = {part["purl"]: {digest["content"] for digest in part["hashes"]} for part in bill["components"]}
    assert listed == pinned()
    assert len(listed) > 200
    assert all(part["purl"].endswith(f"@{part['version']}") and part["name"] for part in bill["components"])
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert "://" not in text
    scopes = {part["name"]: part["scope"] for part in bill["components"]}
    assert (scopes["duckdb"], scopes["pip-audit"]) == ("required", "optional")


def test_the_same_lock_files_give_the_same_bytes(tools: dict[str, ModuleType], written: Path) -> None:
    packages = [package for path in LOCKS for package in tools["locked"].locked(path)]
    assert tools["sbom"].bill_of_materials(reversed(packages)) == json.loads((written / "sbom.cdx.json").read_bytes())


def test_licences_are_told_of_every_package(written: Path) -> None:
    lines = (written / "licences.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) - 1 == len(pinned())
    assert any(line.startswith("duckdb,2.0.0,MIT") for line in lines)


@pytest.mark.parametrize("line", ["duckdb", "duckdb==2.0.0", "duckdb>=2 --hash=sha256:" + "0" * 64, "-e .", "git+x"])
def test_a_line_that_pins_nothing_is_no_part_of_a_bill(tools: dict[str, ModuleType], tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no pinned package"):
        list(tools["locked"].locked(tmp_path / "requirements.lock"))


def test_no_lock_file_holds_an_address() -> None:
    assert [lock.name for lock in LOCKS if "://" in lock.read_text(encoding="utf-8")] == []


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.lock"
    digest = "0" * 64
    path.write_text(
        f"one==1.0 --hash=sha256:{digest}\nT_wo==2 --hash=sha256:{digest}\n"
        f"three==3 ; sys_platform == 'win32' --hash=sha256:{digest}\n",
        encoding="utf-8",
    )
    return path


SOUND: list[dict[str, Any]] = [
    {"name": "one", "version": "1.0", "vulns": []},
    {"name": "t-wo", "version": "2", "vulns": []},
]
BAD = {"name": "one", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"dependencies": SOUND}, 0, []),
        ({"dependencies": [BAD, SOUND[1]]}, 1, ["requirements.lock: one 1.0: PYSEC-1, mended in 1.1"]),
        ({"dependencies": SOUND[:1]}, 2, ["requirements.lock: t-wo (left out of the answer)"]),
        (
            {"dependencies": [SOUND[0], {"name": "t-wo", "skip_reason": "not found"}]},
            2,
            ["requirements.lock: t-wo (not found)"],
        ),
        ({"dependencies": []}, 2, ["requirements.lock: one (left out of the answer)"]),
        ({}, 2, ["requirements.lock: all 2 packages (no such host)"]),
        (None, 2, ["requirements.lock: all 2 packages (no such host)"]),
    ],
)
def test_what_was_not_looked_up_is_not_sound(
    tools: dict[str, ModuleType], lock: Path, answer: Any, status: int, says: list[str]
) -> None:
    audit = tools["audit"].Audit()
    audit.add(lock, "" if answer is None else json.dumps(answer), "Traceback\nno such host\n")
    assert audit.status == status
    assert (audit.vulnerable + audit.not_audited)[: len(says)] == says


def test_the_whole_audit_fails_where_nobody_answers(
    tools: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit ends with 0 when it could look up nothing: as it does where only an index mirror can be reached."""
    skipped = {"dependencies": [{"name": "duckdb", "version": "2.0.0", "skip_reason": "Dependency not found on PyPI"}]}
    (tmp_path / "pip_audit.py").write_text(f"print({json.dumps(skipped)!r})\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(tools["audit"], "lock_files", lambda: [REPOSITORY / "requirements-lake.lock"])
    assert tools["audit"].main([]) == 2
    said = capsys.readouterr()
    assert said.out == "0 looked up, 0 vulnerable, 5 not audited\n"
    assert "this is no clean bill" in said.err
