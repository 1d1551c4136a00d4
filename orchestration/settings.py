"""The only reader of environment variables, and the one place that knows where files of a warehouse lie.

What belongs here: paths and operational knobs. What doesn't: thresholds of checks (those are policy).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import ConfigurationError

REPOSITORY = Path(__file__).resolve().parents[1]
DBT_PROJECT = REPOSITORY / "dbt_project"
BUILD_FILE_NAME = "ringfence_build.duckdb"
MEMORY_LIMIT = "RINGFENCE_MEMORY_LIMIT"
HASH_KEY = "RINGFENCE_HASH_KEY"
VARIABLES = (
    "RINGFENCE_ALERTS",
    "RINGFENCE_BUILD_FILE",
    "RINGFENCE_BUILD_FILES_KEPT",
    "RINGFENCE_DAGSTER_RUNS_KEPT",
    HASH_KEY,
    "RINGFENCE_LANDING",
    MEMORY_LIMIT,
    "RINGFENCE_POLICY",
    "RINGFENCE_SCHEDULE",
    "RINGFENCE_SNAPSHOTS_KEPT",
    "RINGFENCE_SOURCES",
    "RINGFENCE_WAREHOUSE",
)
"""Variables that are read; besides them those that a user's files name."""


@dataclass(frozen=True, slots=True)
class WarehousePaths:
    """Where things lie in a warehouse folder. Analysts need ``published_file`` only."""

    root: Path

    @property
    def published_file(self) -> Path:
        """What analysts open: a link to the newest snapshot."""
        return self.root / "ringfence.duckdb"

    @property
    def snapshots(self) -> Path:
        """Published snapshots, one file per run that published."""
        return self.root / "published"

    @property
    def build_file(self) -> Path:
        """The pipeline's own database; one writer."""
        return self.root / "build" / BUILD_FILE_NAME

    @property
    def old_build_files(self) -> Path:
        """Build files that were set aside."""
        return self.root / "build" / "old"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that works on the warehouse."""
        return self.root / "build" / "run.lock"

    @property
    def dbt_artefacts(self) -> Path:
        """dbt's target and log folder of this warehouse."""
        return self.root / "build" / "dbt"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder, unless DAGSTER_HOME names another."""
        return self.root / "dagster"

    @property
    def runs(self) -> Path:
        """What runs began and how each ended, one file each."""
        return self.root / "runs"

    @property
    def alerts_file(self) -> Path:
        """Incidents and messages, unless the configuration of alerts names another place."""
        return self.root / "alerts" / "alerts.sqlite"

    @property
    def data_docs(self) -> Path:
        """Static pages of the expectations' results."""
        return self.root / "data_docs"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run works on.

    ``snapshots_kept`` counts published files, the current one included; ``build_files_kept`` those that were set aside,
    without the current one. ``sources_file`` says what to pull into the landing zone; without it others deliver.
    """

    landing: Path
    warehouse: Path
    policy_file: Path | None = None
    dagster_home: Path | None = None
    snapshots_kept: int = 3
    build_files_kept: int = 1
    dagster_runs_kept: int = 100
    is_schedule_enabled: bool = False
    sources_file: Path | None = None
    alerts_file: Path | None = None

    @property
    def paths(self) -> WarehousePaths:
        """Where things lie in the warehouse folder."""
        return WarehousePaths(self.warehouse)

    @property
    def instance_folder(self) -> Path:
        """Dagster's instance folder in force."""
        return self.dagster_home or self.paths.dagster_home

    @property
    def owns_instance(self) -> bool:
        """Whether Dagster's instance is the warehouse's own, and not one that serves other things too."""
        return self.instance_folder == self.paths.dagster_home


def _whole_number(environment: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    text = environment.get(name, str(default))
    if not text.isdigit() or int(text) < least:
        raise ConfigurationError(
            f"environment variable {name} must be a whole number of at least {least}, not {text!r}"
        )
    return int(text)


def _optional_path(environment: Mapping[str, str], name: str) -> Path | None:
    return Path(environment[name]).resolve() if environment.get(name) else None


def from_environment(
    *,
    landing: Path | None = None,
    warehouse: Path | None = None,
    policy_file: Path | None = None,
    sources_file: Path | None = None,
    alerts_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of this environment.

    Arguments come before ``RINGFENCE_LANDING``, ``RINGFENCE_WAREHOUSE``, ``RINGFENCE_POLICY``,
    ``RINGFENCE_SOURCES`` and ``RINGFENCE_ALERTS``; folders ``landing`` and ``warehouse`` of the working directory come
    last.

    Raises ConfigurationError if a variable holds no valid value.
    """
    source = os.environ if environment is None else environment
    return Settings(
        landing=(landing or _optional_path(source, "RINGFENCE_LANDING") or Path("landing")).resolve(),
        warehouse=(warehouse or _optional_path(source, "RINGFENCE_WAREHOUSE") or Path("warehouse")).resolve(),
        policy_file=policy_file.resolve() if policy_file else _optional_path(source, "RINGFENCE_POLICY"),
        dagster_home=_optional_path(source, "DAGSTER_HOME"),
        snapshots_kept=_whole_number(source, "RINGFENCE_SNAPSHOTS_KEPT", 3),
        build_files_kept=_whole_number(source, "RINGFENCE_BUILD_FILES_KEPT", 1, least=0),
        dagster_runs_kept=_whole_number(source, "RINGFENCE_DAGSTER_RUNS_KEPT", 100),
        is_schedule_enabled=source.get("RINGFENCE_SCHEDULE", "").lower() in ("1", "on", "true", "yes"),
        sources_file=sources_file.resolve() if sources_file else _optional_path(source, "RINGFENCE_SOURCES"),
        alerts_file=alerts_file.resolve() if alerts_file else _optional_path(source, "RINGFENCE_ALERTS"),
    )


def shell_history_file() -> Path:
    """Where lines typed into the shell are kept: the user's folder for state (XDG), which isn't the warehouse's."""
    state = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return folder / "ringfence" / "sql_history"


def memory_limit() -> str | None:
    """The limit of DuckDB's memory in this environment, as DuckDB writes it; None leaves it to DuckDB.

    dbt's profile reads the same variable. Raises ConfigurationError if it holds no amount of memory.
    """
    return checked_memory_limit(os.environ.get(MEMORY_LIMIT) or None)


def checked_memory_limit(text: str | None) -> str | None:
    """Return ``text`` if it is an amount of memory or nothing; raise ConfigurationError otherwise."""
    if text is not None and not re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)? ?[KMGT]i?B", text, re.IGNORECASE):
        raise ConfigurationError(f"memory limit {text!r} ({MEMORY_LIMIT} or --memory-limit) is none; write e.g. 6GB")
    return text


def keep_files_private() -> int:
    """Let nobody else read or enter what this process creates, whatever the user's umask; return the one before."""
    return os.umask(0o077)


def close_to_others(paths: WarehousePaths) -> None:
    """Let nobody else enter the folders of a warehouse that hold more than what is published, those made before too."""
    for folder in (paths.build_file.parent, paths.dagster_home, paths.alerts_file.parent, paths.data_docs):
        if folder.is_dir() and folder.stat().st_uid == os.getuid():
            folder.chmod(0o700)


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that is to work with the same settings."""
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(settings.instance_folder),
        "RINGFENCE_LANDING": str(settings.landing),
        "RINGFENCE_WAREHOUSE": str(settings.warehouse),
    }
    if settings.policy_file is not None:
        environment["RINGFENCE_POLICY"] = str(settings.policy_file)
    if settings.sources_file is not None:
        environment["RINGFENCE_SOURCES"] = str(settings.sources_file)
    if settings.alerts_file is not None:
        environment["RINGFENCE_ALERTS"] = str(settings.alerts_file)
    return environment


def environment_of_same_imports() -> dict[str, str]:
    """The environment of a Python process that is to find the same modules as this one."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def set_build_file(path: Path) -> None:
    """Point dbt's profile at this build file: profiles read the environment only."""
    os.environ["RINGFENCE_BUILD_FILE"] = str(path)


def variables_set() -> list[str]:
    """Names of the variables of this environment that look like Ringfence's own."""
    return [name for name in os.environ if name.startswith("RINGFENCE_")]


def environment_variable(name: str) -> str | None:
    """The value of a variable whose name the user chose, such as one that holds a source's password; None if unset."""
    return os.environ.get(name)
