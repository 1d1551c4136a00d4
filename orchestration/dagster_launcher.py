"""Dagster's launcher of runs, able to tell that a run died with its code location.

What belongs here: the run launcher that ``deploy/dagster.yaml`` names. What doesn't: how a run works.

Dagster's own launcher starts runs as children of the code location, which reports those that die. When it dies with
them (a reboot, memory that ran out), nobody does: the run stays "started", and holds up the next one, until its time is
out. So the daemon asks here, once in a while, whether the code location still knows the run.
"""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value
from typing_extensions import override


class CodeLocationLauncher(DefaultRunLauncher):
    """Launches runs in the code location, and asks it about them afterwards."""

    @property
    @override
    def supports_check_run_worker_health(self) -> bool:
        """Whether the daemon may ask about runs."""
        return True

    @override
    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Failed if the code location answers that it has no such run.

        One that doesn't answer may be busy, or ending as soon as its run has ended: once it is up again it answers.
        """
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:  # it has ended meanwhile, or was started from the command line
            return CheckRunHealthResult(WorkerStatus.RUNNING, "not launched by this launcher")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=10)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code location doesn't answer")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "the code location that ran it was restarted or killed")
