"""What tells people of runs and checks that Dagster knows of, whoever started them; there if alerts are configured.

Dagster's own sensors of runs don't see those of the command line, and pass over a run if their body raises. These keep
their place themselves: it moves on when what they saw is on disk, and not before.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from orchestration import journal
from orchestration.checks import checks_by_name
from orchestration.defs.common import days_of, first_error
from orchestration.ending import cause_of
from orchestration.settings import Settings

_SECONDS_BETWEEN_LOOKS = 60
_LOOKED_BACK = timedelta(days=1)
"""How far the first look goes back."""

_WRITTEN_WITHIN = timedelta(minutes=5)
"""Times are taken before what they stand in is written: what is so much older than the newest is looked at again."""

_MOST_AT_ONCE = 500
_STATUSES = {
    dg.DagsterRunStatus.SUCCESS: "passed",
    dg.DagsterRunStatus.FAILURE: journal.ERROR,
    dg.DagsterRunStatus.CANCELED: journal.CANCELED,
}


def alert_sensors(settings: Settings, own: Collection[dg.AssetKey]) -> list[dg.SensorDefinition]:
    """The sensors of runs and of checks; ``own`` are Ringfence's assets, since an instance may serve others too."""
    if settings.alerts_file is None:
        return []
    return [_runs_that_ended(settings, own), _checks_that_failed(settings)]


def _look(settings: Settings) -> str:
    # Loaded where it looks: every run of the job loads the definitions, and would wait for it.
    from orchestration.alerts.watching import look_now

    return look_now(settings)


def _runs_that_ended(settings: Settings, own: Collection[dg.AssetKey]) -> dg.SensorDefinition:
    @dg.sensor(
        name="runs_that_ended",
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Hands runs that failed, were stopped or died over to the alerts, and looks at what stands.",
    )
    def runs_that_ended(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        cursor = context.cursor
        since = datetime.fromisoformat(cursor) - _WRITTEN_WITHIN if cursor else datetime.now(UTC) - _LOOKED_BACK
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=list(_STATUSES), updated_after=since), order_by="update_timestamp", ascending=True
        )
        for record in records:
            _hand_over(settings, context.instance, record, own)
        said = _look(settings)
        if records:
            context.update_cursor(records[-1].update_timestamp.isoformat())
        return dg.SkipReason(said)

    return runs_that_ended


def _hand_over(
    settings: Settings, instance: dg.DagsterInstance, record: dg.RunRecord, own: Collection[dg.AssetKey]
) -> None:
    run = record.dagster_run
    began_at = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp
    job, status = _job_of(run, own), _STATUSES[run.status]
    # Of closes, what they came to is in the record already, or they didn't.
    if job is None or (status == "passed" and job == journal.CLOSE):
        return
    first_date, last_date = days_of(run)
    journal.add_end(
        settings.paths.runs,
        journal.Run(
            run.run_id,
            job,
            first_date,
            last_date,
            began_at=_without_zone(began_at),
            status=status,
            message="" if status == "passed" else _why(instance, run.run_id),
            ended_at=_without_zone(record.update_timestamp),
        ),
    )


def _without_zone(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _job_of(run: dg.DagsterRun, own: Collection[dg.AssetKey]) -> str | None:
    """Which of the jobs a run was, or was a part of; None if it was another's."""
    if run.job_name in (journal.CLOSE, journal.PULL):
        return run.job_name
    selected = {*(run.asset_selection or ()), *(key.asset_key for key in run.asset_check_selection or ())}
    mine = [key for key in selected if key in own]
    if not mine:
        return None
    return journal.PULL if all(key.path[0] == "sources" for key in mine) else journal.CLOSE


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """What Dagster says of a run's end: a step's error, or else the run's, or else what became of the run."""
    error = first_error(instance, run_id)
    if error is not None:
        return cause_of(error)[0]
    kinds = {dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}
    said = [entry.get_dagster_event().message or "" for entry in instance.all_logs(run_id, of_type=kinds)]
    return " ".join(said[-1].split()) if said else ""


def _checks_that_failed(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="checks_that_failed",
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Hands asset checks that failed over to the alerts, also if their run never ends.",
    )
    def checks_that_failed(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        place = int(context.cursor) if context.cursor else None
        since = None if context.cursor else (datetime.now(UTC) - _LOOKED_BACK).timestamp()
        wanted = dg.EventRecordsFilter(
            dg.DagsterEventType.ASSET_CHECK_EVALUATION, after_cursor=place, after_timestamp=since
        )
        records = context.instance.get_event_records(wanted, limit=_MOST_AT_ONCE, ascending=True)
        failed = list(_failed_checks(records))
        for run_id, rule in failed:
            journal.add_failed_check(settings.paths.runs, run_id, rule)
        said = _look(settings) if failed else "no check has failed since"
        if records:
            context.update_cursor(str(records[-1].storage_id))
        return dg.SkipReason(said)

    return checks_that_failed


def _failed_checks(records: Iterable[Any]) -> Iterable[tuple[str, journal.FailedRule]]:
    for record in records:
        evaluation = record.event_log_entry.asset_check_evaluation
        check = checks_by_name().get(evaluation.check_name)
        if evaluation.passed or check is None:
            continue
        subjects = evaluation.metadata.get("failing_subjects")
        yield (
            record.run_id,
            journal.FailedRule(
                gate="asset check",
                check_name=check.name,
                subject=evaluation.asset_key.to_user_string(),
                kind=check.kind.value,
                severity="critical" if evaluation.severity is dg.AssetCheckSeverity.ERROR else "warning",
                subjects=subjects.value if subjects is not None else None,
            ),
        )
