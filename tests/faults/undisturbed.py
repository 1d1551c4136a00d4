"""The job's steps without dbt and Great Expectations, what a warehouse says after them, and runs to compare with."""

from __future__ import annotations

import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import duckdb

from expectations.rules import Question, RuleOutcome
from orchestration import landing
from orchestration.checks import CHECKS, Kind
from orchestration.contract import TABLES
from orchestration.pipeline import gates, steps
from orchestration.pipeline.run import ExitStatus
from orchestration.rebuild import content_sha256
from orchestration.settings import Settings, WarehousePaths
from orchestration.warehouse.build_file import build_connection
from orchestration.warehouse.compiled import build_models, compiled_project
from orchestration.warehouse.lock import warehouse_lock
from tests.support.small_exchange import healthy_exchange, write_landing

DAYS = (date(2022, 1, 1), date(2022, 1, 2), date(2022, 1, 3))
LAST = DAYS[-1]

Content = dict[str, Any]

_INTEGRITY = [check.name for check in CHECKS if check.kind is Kind.INTEGRITY]
_SMALL = ("fct_customer_liability_daily", "int_tokens__asset_daily")
_ALL = [check.name for check in CHECKS if check.kind is not Kind.INTEGRITY]
_ALL += ["int_restatement__figure_change", "evidence__row", "evidence__restatement_row"]

# What is said of one mart. The project's own model says it of all, and needs five times as many models.
_FIGURE_CHANGE = """
    create or replace table intermediate.int_restatement__figure_change as
    with said as (
        from audit.published_figure
        qualify
            row_number() over (partition by as_of_date, source_table, figure, subject order by entry_number desc) = 1
    ),
    now as (
        select
            as_of_date, 'fct_customer_liability_daily' as source_table, 'liability' as figure,
            asset || '|' || relation as subject, liability as amount
        from marts.fct_customer_liability_daily
    )
    select now.*, said.entry_number as previous_entry_number, said.entry_number is not null as is_restatement
    from now
    left join said using (as_of_date, source_table, figure, subject)
    where said.amount is distinct from now.amount
"""


@dataclass(frozen=True)
class Scope:
    """How much of the project is built."""

    integrity: tuple[str, ...]
    models: tuple[str, ...]
    is_whole: bool = False

    def build(
        self, build_file: Path, command: str, *, select: Any = (), full_refresh: bool = False, **_: Any
    ) -> list[Any]:
        """What stands in for ``run_dbt``."""
        assert command == "build"
        with build_connection(build_file) as connection:
            if select:
                build_models(connection, self.integrity)
                return []
            build_models(connection, self.models, is_whole=full_refresh)
            if not self.is_whole:
                connection.execute(_FIGURE_CHANGE)
        return []


def small_scope() -> Scope:
    """One mart, with models that are kept from run to run and what a plan compares, and three integrity checks."""
    return Scope(("schema_conforms", "keys_unique", "history_unchanged"), _SMALL)


def whole_scope() -> Scope:
    """All models."""
    marts = [model.name for model in compiled_project().values() if model.schema == "marts"]
    return Scope(tuple(_INTEGRITY), (*_ALL, *marts), is_whole=True)


def _answer(question: Question) -> list[RuleOutcome]:
    return [RuleOutcome(question.gate, "holds", "all", "shape", "critical", True, False, 1, 0, None)]


@contextmanager
def _substituted(scope: Scope) -> Iterator[None]:
    with (
        patch.object(steps, "run_dbt", scope.build),
        patch.object(gates, "judge", lambda: SimpleNamespace(ask=_answer)),
    ):
        if scope.is_whole:
            yield
            return
        with (
            patch.object(landing, "collect_finding_sources", lambda _: None),
            patch.object(landing, "collect_restatement_sources", lambda *_: None),
        ):
            yield


STEPS = (
    "prepare_run",
    "load_incoming",
    "build_integrity_findings",
    "judge_delivery",
    "build_warehouse",
    "judge_warehouse",
    "publish_run",
    "verdict_of_run",
)
"""The steps of a run in order."""


def plain_run(
    settings: Settings,
    run_id: str,
    first: date = LAST,
    last: date | None = None,
    *,
    scope: Scope | None = None,
    after: Callable[[str], None] = lambda _: None,
) -> ExitStatus:
    """Run those days as the job does, telling ``after`` of each step that is done; an error is recorded and raised."""
    with _substituted(scope or small_scope()), warehouse_lock(settings.paths.lock_file):
        try:
            return _run(settings, run_id, first, last or first, after)
        except BaseException as error:
            with suppress(Exception):
                steps.record_failure(settings, run_id, str(error))
            raise


def _run(settings: Settings, run_id: str, first: date, last: date, after: Callable[[str], None]) -> ExitStatus:
    steps.prepare_run(settings, run_id, first, last)
    after("prepare_run")
    for _ in steps.load_incoming(settings, TABLES):
        pass
    after("load_incoming")
    steps.build_integrity_findings(settings)
    after("build_integrity_findings")
    refused = steps.judge_delivery(settings).verdict
    after("judge_delivery")
    if refused.status is ExitStatus.FAILED_INTEGRITY:
        return refused.status
    steps.build_warehouse(settings)
    after("build_warehouse")
    steps.judge_warehouse(settings)
    after("judge_warehouse")
    steps.publish_run(settings)
    after("publish_run")
    verdict = steps.verdict_of_run(settings)
    after("verdict_of_run")
    return verdict.status


_CHANGES = frozenset(
    {"execute", "executemany", "replace", "rename", "unlink", "link", "symlink", "fsync", "close", "mkdir"}
)
"""Calls into C before which a kill leaves another state on disk: statements, and changes of folders."""


@contextmanager
def changes_told(counted: Callable[[int], None]) -> Iterator[None]:
    """Tell ``counted`` the number of each change of anything on disk that this thread is about to make, from 1."""
    changes = 0

    def profile(_frame: Any, event: str, called: Any) -> None:
        nonlocal changes
        if event == "c_call" and called.__name__ in _CHANGES:
            changes += 1
            counted(changes)

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


def content(paths: WarehousePaths) -> Content:
    """What a published file says, by content: marts, figures, findings and accepted files, without who and when."""
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        marts = connection.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
        said: Content = {name: content_sha256(connection, f"marts.{name}") for (name,) in marts}
        for name, sql in _OF_AUDIT.items():
            said[name] = content_sha256(connection, f"({sql})")
        return said


_OF_AUDIT = {
    "figures": "select * exclude (run_id, published_at, knowledge_at) from audit.published_figure",
    "findings": "select * exclude (run_id) from audit.finding",
    "accepted": """
        select source_file, sha256 from audit.load where outcome = 'accepted'
        qualify row_number() over (partition by source_file order by load_number desc) = 1
    """,
}


def runs(paths: WarehousePaths) -> list[tuple[str, str]]:
    """Identifier and status of the runs that the published file tells of, in order."""
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        return connection.execute("select run_id, status from audit.run order by started_at").fetchall()


def notices(paths: WarehousePaths, run_id: str) -> list[str]:
    """What a run said it set aside or left out."""
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        rows = connection.execute("select notice from audit.notice where run_id = ? order by 1", [run_id]).fetchall()
    return [notice for (notice,) in rows]


def copy_warehouse(source: Path, target: Path) -> WarehousePaths:
    """A copy in which the published file is a link to its snapshot, as it was."""
    shutil.copytree(source, target)
    paths = WarehousePaths(target)
    (snapshot,) = paths.snapshots.glob("*_two.duckdb")
    paths.published_file.unlink()
    paths.published_file.hardlink_to(snapshot)
    return paths


@dataclass(frozen=True)
class Undisturbed:
    """A landing zone, a warehouse that closed days 1 and 2, and what it has to say before and after day 3.

    ``published_after`` is what was published after day 3; ``changes`` and ``seconds`` say how many changes on disk the
    run of day 3 makes, and how long it took.
    """

    landing: Path
    warehouse: Path
    before: Content
    after: Content
    published_after: Path
    changes: int
    seconds: float

    def copy(self, folder: Path, *, with_landing: bool = False) -> Settings:
        """The warehouse after day 2, for a fault to be done to it."""
        target = self.landing
        if with_landing:
            target = folder / "landing"
            shutil.copytree(self.landing, target)
        copy_warehouse(self.warehouse, folder / "warehouse")
        return Settings(target, folder / "warehouse")

    def require_held(self, settings: Settings, *, is_before: bool | None = None) -> None:
        """What holds after every fault. ``is_before``: day 3 can't (or must) have been published."""
        paths = settings.paths
        said = content(paths)
        assert said in (self.before, self.after)
        if is_before is not None:
            assert (said == self.before) is is_before
        assert runs(paths)[:2] == [("one", "passed"), ("two", "passed")]
        assert stat.S_IMODE(paths.published_file.stat().st_mode) == 0o444
        assert not list(paths.snapshots.glob("ringfence_*.wal"))
        assert not paths.published_file.with_name("ringfence.duckdb.wal").exists()
        with warehouse_lock(paths.lock_file):
            pass

    def require_mended(self, settings: Settings, *, scope: Scope | None = None, run_id: str = "again") -> None:
        """Run day 3 again: its content is that of a run that was never disturbed, and nothing is left lying about."""
        assert plain_run(settings, run_id, scope=scope) is ExitStatus.PASSED
        paths = settings.paths
        assert content(paths) == self.after
        told = runs(paths)
        assert told[:2] == [("one", "passed"), ("two", "passed")]
        assert told[-1] == (run_id, "passed")
        assert {status for _, status in told} <= {"passed", "killed", "error", "failed_integrity"}
        self.require_held(settings, is_before=False)
        assert not list(paths.root.rglob(".publishing-*"))


def make_undisturbed(folder: Path, scope: Scope | None = None) -> Undisturbed:
    """Close days 1 and 2, and day 3 in a copy."""
    zone = write_landing(healthy_exchange(), folder / "landing")
    settings = Settings(zone, folder / "warehouse")
    for run_id, day in zip(("one", "two"), DAYS, strict=False):
        assert plain_run(settings, run_id, day, scope=scope) is ExitStatus.PASSED
    before = content(settings.paths)
    for path in settings.paths.snapshots.glob("*_one.duckdb"):
        path.unlink()
    copy = Settings(zone, copy_warehouse(settings.warehouse, folder / "copy").root)
    changes: list[int] = []
    started = time.monotonic()
    with changes_told(changes.append):
        assert plain_run(copy, "three", scope=scope) is ExitStatus.PASSED
    seconds = time.monotonic() - started
    after, published_after = content(copy.paths), folder / "after.duckdb"
    copy.paths.published_file.rename(published_after)
    shutil.rmtree(copy.warehouse)
    assert before != after
    return Undisturbed(zone, settings.warehouse, before, after, published_after, changes[-1], seconds)
