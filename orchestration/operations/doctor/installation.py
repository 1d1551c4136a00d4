"""Probes of what is installed and set: Python, libraries, the dbt project, variables, memory, texts.

What belongs here: what is the same for every warehouse of this machine. What doesn't: the warehouse.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from orchestration.errors import ConfigurationError
from orchestration.operations.doctor.machine import Machine
from orchestration.operations.doctor.naming import named_variables
from orchestration.operations.doctor.probing import Case, Outcome, ok, problem, warning
from orchestration.policy import load_policy
from orchestration.settings import MEMORY_LIMIT, REPOSITORY, VARIABLES, memory_limit, variables_set
from orchestration.warehouse.dbt import prepared_folder

_DISTRIBUTION = "ringfence"
_INSTALL = "pip install --require-hashes -r requirements.lock"
_OPTIONAL = frozenset({"postgresql", "s3", "evm", "venues", "coingecko", "bank", "operations"})
"""Extras whose libraries are looked at where they are installed; benchmarks and Spark are none of operations."""

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


@cache
def _project() -> tuple[str, tuple[Requirement, ...], tuple[Requirement, ...]]:
    """Versions of Python, libraries that are needed, and those that extras need, as this version of the code says."""
    path = REPOSITORY / "pyproject.toml"
    if path.exists():
        project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        extras = project.get("optional-dependencies", {})
        optional = [text for name, texts in extras.items() if name in _OPTIONAL for text in texts]
        return (
            project["requires-python"],
            tuple(map(Requirement, project["dependencies"])),
            tuple(map(Requirement, optional)),
        )
    installed = metadata.metadata(_DISTRIBUTION)
    all_ = [Requirement(text) for text in metadata.requires(_DISTRIBUTION) or ()]
    needed = tuple(one for one in all_ if "extra" not in str(one.marker or ""))
    optional = [one for one in all_ if any(f'extra == "{name}"' in str(one.marker or "") for name in _OPTIONAL)]
    return str(installed.json.get("requires_python", "")), needed, tuple(optional)


def python_version(case: Case) -> Iterator[Outcome]:
    """Python is one that the code is made for."""
    wanted, found = _project()[0], case.machine.python()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        yield ok(found)
    else:
        yield problem(f"{found}, and {wanted} is needed", "make the environment anew with such a Python")


def libraries(case: Case) -> Iterator[Outcome]:
    """Each library has the version that results were proven with."""
    _, needed, optional = _project()
    wrong = [found for one in needed if (found := _mismatch(one, case.machine))]
    yield from (problem(found, _INSTALL) for found in wrong)
    others = [found for one in optional if (found := _mismatch(one, case.machine, is_needed=False))]
    yield from (warning(found, "pip install --require-hashes -r requirements-extras.lock") for found in others)
    if not wrong:
        yield ok(f"{len(needed)} as required, DuckDB {case.machine.version('duckdb')} among them")


def _mismatch(requirement: Requirement, machine: Machine, *, is_needed: bool = True) -> str | None:
    try:
        version = machine.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} isn't installed, {requirement.specifier} is needed" if is_needed else None
    if requirement.specifier.contains(version, prereleases=True):
        return None
    return f"{requirement.name} is {version}, {requirement.specifier} is needed"


def dbt_project(case: Case) -> Iterator[Outcome]:
    """The models are parsed ahead, or can be."""
    folder = prepared_folder()
    if all((folder / name).exists() for name in ("manifest.json", "partial_parse.msgpack")):
        yield ok("parsed ahead")
        return
    place = next(path for path in (folder, *folder.parents) if path.exists())
    command = "python -m orchestration.warehouse.prepare"
    if case.machine.may(place, os.W_OK):
        yield warning("not parsed in this state; the next run does, which takes it some seconds", command)
    else:
        yield problem(
            f"not parsed in this state, and this user can't write to {place}", f"{command}, as the user who may"
        )


def variables(case: Case) -> Iterator[Outcome]:
    """No variable is set that nobody reads: one misspelt is one that is missing."""
    named = {name for names in named_variables(case.settings).values() for name in names}
    unknown = sorted(set(variables_set()) - set(VARIABLES) - named)
    for name in unknown:
        near = get_close_matches(name, VARIABLES, n=1)
        hint = f"did you mean {near[0]}?" if near else "unset it"
        yield warning(f"nobody reads {name}", hint)
    if not unknown:
        yield ok(f"{len(variables_set())} set, all known")


def policy(case: Case) -> Iterator[Outcome]:
    """The policy can be read, and no check is switched off."""
    try:
        read = load_policy(case.settings.policy_file)
    except ConfigurationError as error:
        yield problem(str(error), "mend the file; 'ringfence run' refuses it too")
        return
    off = sorted(name for name, check in read.checks.items() if not check.enabled)
    which = str(case.settings.policy_file) if case.settings.policy_file else "the default"
    if off:
        yield warning(f"{which} switches off {', '.join(off)}", "each leaves a warning finding; switch it on again")
    else:
        yield ok(f"{which} is valid, every check is on")


def memory(case: Case) -> Iterator[Outcome]:
    """DuckDB's limit leaves room for the rest: beyond it DuckDB spills, beyond memory the kernel kills."""
    there = case.machine.memory()
    try:
        text = memory_limit()
    except ConfigurationError as error:
        yield problem(str(error), f"mend {MEMORY_LIMIT}, or unset it")
        return
    if text is None:
        yield ok(f"DuckDB takes up to four fifths of {there / 1e9:,.1f} GB")
        return
    limit = _bytes(text)
    found = f"{MEMORY_LIMIT} is {text}, and there are {there / 1e9:,.1f} GB"
    if limit > there:
        yield problem(found, f"set it to four fifths of that at most, {there * 0.8 / 1e9:,.1f}GB")
    elif limit > there * 0.9:
        yield warning(found, f"leave some to the rest of the process: {there * 0.8 / 1e9:,.1f}GB")
    else:
        yield ok(found)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9.]+) ?([KMGT]I?)B", text.upper())
    assert match is not None, "checked when it was read"
    return int(float(match[1]) * _UNITS[match[2]])


def texts(case: Case) -> Iterator[Outcome]:
    """What is printed has more than ASCII in it."""
    encoding = case.machine.output_encoding()
    if re.sub(r"[^a-z0-9]", "", encoding.lower()) == "utf8":
        yield ok("UTF-8")
    else:
        yield warning(f"output is {encoding}: signs that it lacks end a command", "set PYTHONUTF8=1, or LC_ALL=C.UTF-8")
