"""What a warehouse keeps on disk, and for how long.

What belongs here: measuring its parts, setting a build file aside and dropping old ones. What doesn't: published
snapshots, which publishing prunes, and Dagster's runs (``runner``); how many of each are kept is a setting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import Settings, WarehousePaths


@dataclass(frozen=True, slots=True)
class DiskUse:
    """One part of a warehouse folder: its files, their bytes (a file with two names counts once), what bounds it."""

    part: str
    files: int
    bytes: int
    kept: str


def set_build_file_aside(paths: WarehousePaths) -> Path | None:
    """Move the build file away, so that the next run begins a new one.

    Returns where it is now, None if there was none. No process may have it open.
    """
    if not paths.build_file.exists():
        return None
    paths.old_build_files.mkdir(exist_ok=True)
    log = paths.build_file.with_name(paths.build_file.name + ".wal")
    number = max((int(path.stem.rpartition("_")[2]) for path in _old_build_files(paths)), default=0) + 1
    aside = paths.old_build_files / f"{paths.build_file.stem}_{number:04}.duckdb"
    if log.exists():
        log.replace(aside.with_name(aside.name + ".wal"))
    paths.build_file.replace(aside)
    return aside


def drop_old_build_files(paths: WarehousePaths, kept: int) -> None:
    """Remove all but the newest ``kept`` build files that were set aside."""
    files = _old_build_files(paths)
    for path in files[: len(files) - kept]:
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _old_build_files(paths: WarehousePaths) -> list[Path]:
    """Oldest first."""
    return sorted(paths.old_build_files.glob(f"{paths.build_file.stem}_[0-9][0-9][0-9][0-9].duckdb"))


def disk_use(settings: Settings) -> list[DiskUse]:
    """The parts of a warehouse folder that exist, the largest first, and their sum at the end."""
    paths = settings.paths
    build = paths.build_file.parent
    parts = {
        "build file": (
            build.glob(f"{paths.build_file.name}*"),
            "grows with history; what is freed in it is used again",
        ),
        "build files set aside": (
            paths.old_build_files.rglob("*"),
            f"the newest {settings.build_files_kept} (RINGFENCE_BUILD_FILES_KEPT)",
        ),
        "published snapshots": (
            [*paths.snapshots.rglob("*"), paths.published_file],
            f"the newest {settings.snapshots_kept} (RINGFENCE_SNAPSHOTS_KEPT)",
        ),
        "Dagster's history": (
            settings.instance_folder.rglob("*"),
            f"the newest {settings.dagster_runs_kept} runs (RINGFENCE_DAGSTER_RUNS_KEPT)"
            if settings.owns_instance
            else "an instance of your own (DAGSTER_HOME), never touched",
        ),
        "data docs": (paths.data_docs.rglob("*"), "replaced by every run"),
        "dbt's artefacts": (paths.dbt_artefacts.rglob("*"), "replaced by every run; logs rotate"),
        "record of runs": (
            paths.runs.rglob("*"),
            f"the newest {settings.dagster_runs_kept} (RINGFENCE_DAGSTER_RUNS_KEPT)",
        ),
        "rebuild in progress": ((paths.root / "rebuild").rglob("*"), "removed at its end"),
    }
    uses = [DiskUse(part, *_measured(files), kept) for part, (files, kept) in parts.items()]
    uses = sorted((use for use in uses if use.files), key=lambda use: -use.bytes)
    return [*uses, DiskUse("all", sum(use.files for use in uses), sum(use.bytes for use in uses), "")]


def _measured(files: Iterable[Path]) -> tuple[int, int]:
    sizes: dict[tuple[int, int], int] = {}
    for path in files:
        try:
            status = path.stat()
        except OSError:  # a run removed or replaced it meanwhile
            continue
        if not path.is_dir():
            sizes[status.st_dev, status.st_ino] = status.st_size
    return len(sizes), sum(sizes.values())
