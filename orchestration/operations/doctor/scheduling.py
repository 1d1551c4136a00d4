"""Probes of Dagster's instance: its settings and records, the daemon, the schedule.

What belongs here: reading what it has on record. What doesn't: Dagster itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

from orchestration.operations.dagster_records import SCHEDULER, DagsterRecords, RecordsError
from orchestration.operations.doctor.probing import Case, Outcome, left_out, ok, problem, warning
from orchestration.operations.status_text import length
from orchestration.timetable import CLOSE

SILENCE = timedelta(minutes=5)
"""A daemon gives a sign of life every half minute."""


def instance(case: Case) -> Iterator[Outcome]:
    """Dagster's folder can be written to, its records can be read, and it tells nobody outside of its use."""
    home = case.settings.instance_folder
    if not home.is_dir():
        if case.settings.owns_instance:
            yield ok("none yet; the first run creates it")
        else:
            yield problem(f"DAGSTER_HOME names {home}, which isn't there", "create it, or unset DAGSTER_HOME")
        return
    if not case.machine.may(home, os.W_OK | os.X_OK):
        yield problem(f"{home} can't be written to", "give this user the right to")
    try:
        records = DagsterRecords(home)
        records.check()
    except RecordsError as error:
        yield problem(str(error), "start its database, or mend dagster.yaml")
        return
    yield ok(f"{home}: its records can be read")
    telemetry = records.configuration.get("telemetry")
    if not isinstance(telemetry, dict) or telemetry.get("enabled", True):
        yield warning("it sends figures of its use to Dagster's makers", "in dagster.yaml: telemetry: {enabled: false}")


def schedule(case: Case) -> Iterator[Outcome]:
    """The daily close is on, and the daemon that starts it is alive; or something else has to start it."""
    home = case.settings.instance_folder
    records = DagsterRecords(home) if home.is_dir() else None
    state = records.schedule_states().get(CLOSE.name) if records is not None else None
    is_decided = state in ("RUNNING", "STOPPED")
    is_wanted = case.settings.is_schedule_enabled
    if state == "STOPPED" and is_wanted:
        yield warning(
            f"{CLOSE.name} was stopped in Dagster, though RINGFENCE_SCHEDULE is on", "start it there: Automation"
        )
        return
    if not (state == "RUNNING" if is_decided else is_wanted):
        yield left_out("off: something else has to start the daily close", "RINGFENCE_SCHEDULE=on, if Dagster shall")
        return
    heard = records.heard_at(SCHEDULER) if records is not None else None
    remedy = "start it: dagster-daemon run"
    if heard is None:
        yield problem(f"{CLOSE.name} is on, and no daemon was ever heard that would start it", remedy)
        return
    silence = case.machine.now() - heard
    ago = length(silence.total_seconds())
    if silence > SILENCE:
        yield problem(f"{CLOSE.name} is on, and its daemon hasn't been heard for {ago}", remedy)
    else:
        yield ok(f"{CLOSE.name} is on, its daemon was heard {ago} ago")
