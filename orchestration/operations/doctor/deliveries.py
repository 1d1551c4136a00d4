"""Probes of the landing zone: there, readable, whole as delivered.

What belongs here: what can be told without reading rows. What doesn't: the entry gate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from orchestration.connectors.delivery import Manifest, last_manifest
from orchestration.connectors.status import begun_day
from orchestration.errors import ConfigurationError
from orchestration.landing.changes import sha256_of
from orchestration.landing.discovery import discover
from orchestration.landing.manifests import MANIFESTS
from orchestration.operations.doctor.probing import Case, Outcome, left_out, ok, problem, warning
from orchestration.reading.output import counted

MOST_HASHED = 200_000_000
"""Bytes of a delivery whose digest is looked at; of larger ones the size is."""


def landing(case: Case) -> Iterator[Outcome]:
    """The folder is there, can be read, and written to if sources are pulled into it; its files are in their places."""
    root = case.settings.landing
    if not case.is_landing_named:
        yield left_out("no landing zone is named (--landing or RINGFENCE_LANDING)")
        return
    if not root.is_dir():
        remedy = "name it with --landing or RINGFENCE_LANDING"
        if case.settings.sources_file is None:
            yield problem(f"landing folder {root} isn't there", remedy)
        else:
            yield warning(f"landing folder {root} isn't there yet; the first pull creates it", remedy)
        return
    if not case.machine.may(root, os.R_OK | os.X_OK):
        yield problem(f"{root} can't be read", "give this user the right to")
        return
    if case.settings.sources_file is not None and not case.machine.may(root, os.W_OK | os.X_OK):
        yield problem(f"{root} can't be written to, and sources are pulled into it", "give this user the right to")
    found = discover(root, case.machine.now().date())
    files = sum(len(partition.files) for partition in found.partitions)
    if found.misplaced:
        first = found.misplaced[0]
        yield warning(
            f"{counted(len(found.misplaced), 'file')} out of place, the first {first.relative}: {first.problem}",
            f"put it where a run reads it: {first.expected}",
        )
    if not files:
        yield warning(f"{root} holds no file of the contract", "deliver or pull something")
    else:
        yield ok(f"{counted(files, 'file')} of {counted(len(found.partitions), 'partition')}")


def manifests(case: Case) -> Iterator[Outcome]:
    """What each source delivered last lies there as it was delivered; no delivery stopped half way."""
    root = case.settings.landing
    names = sorted(path.name for path in (root / MANIFESTS).glob("*") if path.is_dir())
    if not names:
        yield left_out("nothing was pulled into this landing zone")
        return
    for name in names:
        yield from _of_source(root, name)


def _of_source(root: Path, name: str) -> Iterator[Outcome]:
    try:
        manifest = last_manifest(root, name)
    except ConfigurationError as error:
        yield problem(str(error), "restore it from a backup")
        return
    begun = begun_day(root, name)
    if begun is not None:
        yield warning(
            f"{name}: the pull of {begun} was begun and hasn't ended", f"ringfence sources pull --source {name} goes on"
        )
    if manifest is None:
        return
    wrong = list(_wrong_files(root, manifest))
    yield from (problem(f"{name}, {manifest.day}: {found}", "restore the file as it was delivered") for found in wrong)
    if not wrong:
        yield ok(f"{name}: {counted(len(manifest.files), 'file')} of {manifest.day} as delivered")


def _wrong_files(root: Path, manifest: Manifest) -> Iterator[str]:
    for file in manifest.files:
        path = root / file.file
        if not path.exists():
            yield f"{file.file} is gone"
        elif path.stat().st_size != file.bytes:
            yield f"{file.file} has {path.stat().st_size:,} bytes, and {file.bytes:,} were delivered"
        elif file.bytes <= MOST_HASHED and sha256_of(path) != file.sha256:
            yield f"{file.file} isn't what was delivered: its digest differs"
