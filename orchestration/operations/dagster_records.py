"""What a Dagster instance has on record: runs, the step one is at, schedules, the daemon's sign of life.

What belongs here: reading the tables of its storage, PostgreSQL or SQLite. What doesn't: Dagster itself, which takes a
second to import and would create what isn't there; what any of it means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
import yaml

from orchestration.databases import reading_engine
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.settings import environment_variable

SCHEDULER = "SCHEDULER"
"""The daemon that starts what schedules ask for."""

_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_PARTITION = "dagster/partition"


class RecordsError(RingfenceError):
    """The instance's records can't be read."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as Dagster knows it; ``status`` is Dagster's word, times are UTC."""

    run_id: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    first_date: date | None
    last_date: date | None


class DagsterRecords:
    """The records of the instance in a folder; raises RecordsError if they can't be read."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configuration = _configuration(home)
        self._runs, self._events, self._schedules = self._addresses()

    def _addresses(self) -> tuple[str | Path, str | Path | None, str | Path]:
        """Where runs, events (None: a file for each run) and schedules are kept."""
        storage = self.configuration.get("storage") or {}
        if unknown := set(storage) - {"postgres", "sqlite"}:
            raise RecordsError(f"{self.home}/dagster.yaml: storage {sorted(unknown)[0]} is none that can be read here")
        if "postgres" in storage:
            address = _postgresql_address(storage["postgres"])
            return address, address, address
        base = Path(_filled((storage.get("sqlite") or {}).get("base_dir")) or self.home)
        events = self.configuration.get("event_log_storage")
        folder = _filled(((events or {}).get("config") or {}).get("base_dir"))
        return (
            base / "history" / "runs.db",
            Path(folder) / "event_log.db" if folder else None,
            (base / "schedules" / "schedules.db"),
        )

    def _rows(self, address: str | Path, query: str, **values: object) -> list[dict[str, Any]]:
        if isinstance(address, Path) and not address.exists():
            return []
        try:
            with reading_engine(address).connect() as connection:
                return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]
        except (sa.exc.SQLAlchemyError, ConfigurationError) as error:
            place = address if isinstance(address, Path) else "its database"
            reason = getattr(error, "orig", None) or error
            raise RecordsError(f"{place}: {' '.join(str(reason).split())}") from error

    def check(self) -> None:
        """Ask each part of the storage for something; raise RecordsError if one doesn't answer."""
        self.runs("", 1)
        self.schedule_states()
        self.heard_at(SCHEDULER)

    def runs(self, job: str, limit: int) -> list[RecordedRun]:
        """The latest runs of a job, the latest first."""
        rows = self._rows(
            self._runs,
            "select run_id, status, create_timestamp, start_time, end_time from runs where pipeline_name = :job"
            " order by id desc limit :limit",
            job=job,
            limit=limit,
        )
        return [self._run(row) for row in rows]

    def _run(self, row: Mapping[str, Any]) -> RecordedRun:
        tags = self._rows(self._runs, "select key, value from run_tags where run_id = :run_id", run_id=row["run_id"])
        by_name = {tag["key"]: tag["value"] for tag in tags}
        started = _moment(row["start_time"]) or _naive(row["create_timestamp"])
        first = _day(by_name.get(_RANGE_START) or by_name.get(_PARTITION))
        last = _day(by_name.get(_RANGE_END) or by_name.get(_PARTITION))
        return RecordedRun(row["run_id"], row["status"], started, _moment(row["end_time"]), first, last)

    def step_of(self, run_id: str) -> str | None:
        """The step that a run began last."""
        rows = self._events_of(run_id, "select step_key", "STEP_START")
        return rows[0]["step_key"] if rows else None

    def failure_of(self, run_id: str) -> str | None:
        """What the step said that failed first, in one line."""
        rows = self._events_of(run_id, "select event", "STEP_FAILURE", order="asc")
        if not rows:
            return None
        event = json.loads(rows[0]["event"])["dagster_event"]
        error = (event.get("event_specific_data") or {}).get("error")
        while error and error.get("cause"):
            error = error["cause"]
        return " ".join(str((error or event).get("message") or "").split()) or None

    def _events_of(self, run_id: str, selection: str, kind: str, order: str = "desc") -> list[dict[str, Any]]:
        address = self._events or self._runs_folder / f"{run_id}.db"
        query = (
            f"{selection} from event_logs where run_id = :run_id and dagster_event_type = :kind"
            f" order by id {order} limit 1"
        )
        return self._rows(address, query, run_id=run_id, kind=kind)

    @property
    def _runs_folder(self) -> Path:
        assert isinstance(self._runs, Path)
        return self._runs.parent / "runs"

    def schedule_states(self) -> dict[str, str]:
        """What was decided of each schedule, by name: RUNNING, STOPPED, or DECLARED_IN_CODE."""
        query = "select status, instigator_body from instigators where instigator_type = 'SCHEDULE' order by id"
        states: dict[str, str] = {}
        for row in self._rows(self._schedules, query):
            origin = json.loads(row["instigator_body"] or "{}").get("origin") or {}
            name = origin.get("instigator_name") or origin.get("job_name")
            states[str(name)] = row["status"] or "DECLARED_IN_CODE"
        return states

    def heard_at(self, daemon: str) -> datetime | None:
        """When a daemon gave its last sign of life; None if it never did."""
        rows = self._rows(self._runs, "select body from daemon_heartbeats where daemon_type = :daemon", daemon=daemon)
        return _moment(json.loads(rows[0]["body"]).get("timestamp")) if rows else None


def _configuration(home: Path) -> dict[str, Any]:
    path = home / "dagster.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecordsError(f"{path} can't be read: {' '.join(str(error).split())}") from error
    if not isinstance(content or {}, dict):
        raise RecordsError(f"{path} holds no settings by name")
    return content or {}


def _filled(value: Any) -> str | None:
    """A value of dagster.yaml, which may name an environment variable."""
    if isinstance(value, dict) and set(value) == {"env"}:
        found = environment_variable(str(value["env"]))
        if not found:
            raise RecordsError(f"environment variable {value['env']} isn't set, which dagster.yaml names")
        return found
    return None if value is None else str(value)


def _postgresql_address(section: Mapping[str, Any]) -> str:
    if section.get("postgres_url"):
        return _filled(section["postgres_url"]) or ""
    database = {name: value for name, value in (section.get("postgres_db") or {}).items() if name != "params"}
    parts = {name: _filled(value) or "" for name, value in database.items()}
    login = quote(parts.get("username", ""), safe="")
    if parts.get("password"):
        login += f":{quote(parts['password'], safe='')}"
    host, port, name = parts.get("hostname", ""), parts.get("port") or 5432, parts.get("db_name", "")
    return f"{parts.get('scheme') or 'postgresql'}://{login}@{host}:{port}/{name}"


def _moment(seconds: Any) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC).replace(tzinfo=None)


def _naive(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _day(text: str | None) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(text[:10]) if text else None
    return None
