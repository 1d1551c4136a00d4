"""The whole examination: which probes there are, in which order.

What belongs here: the list. What doesn't: any probe.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.operations.doctor import deliveries, installation, outside, scheduling, warehouse
from orchestration.operations.doctor.probing import Case, Probe, Tried, try_all
from orchestration.settings import environment_variable

INSTALLATION = (
    Probe("python", installation.python_version),
    Probe("libraries", installation.libraries),
    Probe("dbt project", installation.dbt_project),
    Probe("variables", installation.variables),
    Probe("policy", installation.policy),
    Probe("memory", installation.memory),
    Probe("texts", installation.texts),
)
WAREHOUSE = (
    Probe("warehouse", warehouse.folder),
    Probe("owner", warehouse.ownership),
    Probe("modes", warehouse.modes),
    Probe("lock", warehouse.lock),
    Probe("leftovers", warehouse.leftovers),
    Probe("build file", warehouse.build_file),
    Probe("published", warehouse.published),
    Probe("disk", warehouse.disk),
    Probe("clock", warehouse.clock),
    Probe("landing", deliveries.landing),
    Probe("manifests", deliveries.manifests),
    Probe("dagster", scheduling.instance),
    Probe("schedule", scheduling.schedule),
    Probe("secrets", outside.secrets),
)


def examine(case: Case, *, is_offline: bool = False, seconds: float = 30) -> Iterator[Tried]:
    """Try everything, and yield what was found as it is; ``seconds`` is how long a probe may take."""
    for names in outside.named_variables(case.settings).values():
        for name in names:
            if environment_variable(name):
                case.secrets.read(name)
    with case.secrets.kept_out_of_logs():
        probes = [
            *INSTALLATION,
            *WAREHOUSE,
            *outside.source_probes(case, is_offline=is_offline),
            *outside.alert_probes(case, is_offline=is_offline),
            outside.time_of_others(is_offline=is_offline),
        ]
        yield from try_all(probes, case, seconds)
