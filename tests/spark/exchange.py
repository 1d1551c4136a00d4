"""One small exchange in which nearly everything is wrong, built on DuckDB and on Spark from the same accepted rows.

What belongs here: making it. What doesn't: comparing what came out.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from orchestration.checks import CHECKS, Kind
from orchestration.simulate import simulate
from orchestration.simulate.faults import FAULTS, compatible_groups
from orchestration.warehouse.compiled import CompiledModel, compiled_project, with_parents
from orchestration.warehouse.source_files import export_sources
from tests.spark.engine import DbtOnSpark
from tests.support.landed import insert_delivered
from tests.support.runs import Runs
from tests.support.warehouse import Warehouse

INTEGRITY_CHECKS = {check.name for check in CHECKS if check.kind is Kind.INTEGRITY}
"""Their models judge what arrives, which is done before Spark sees it."""

BUILT = tuple(f"+fqn:ringfence.{part}" for part in ("marts", "findings.breach", "findings.reconciliation"))
EVIDENCE = "fqn:ringfence.evidence"
NOT_ON_SPARK = ("fqn:ringfence.findings.integrity", "resource_type:unit_test", "test_type:generic")
"""Of dbt's tests those that follow money from hop to hop; what the others say of rows is true of equal rows too."""

DAYS = 45
"""A month, its report and its backdated revenue."""
ACCOUNTS = 20
LEFT_FOR_THE_SECOND_RUN = 3


def planted_faults() -> tuple[str, ...]:
    """As many faults as one exchange can hold, of every check whose findings are published."""
    names = [name for name, fault in FAULTS.items() if fault.form != "innocent" and fault.check not in INTEGRITY_CHECKS]
    return max(compatible_groups(names), key=len)


def compared_models(*, is_evidence_built: bool) -> list[CompiledModel]:
    """What both engines build: marts, published findings and all they are made of, and the evidence if it is wanted."""
    schemas = ("marts", "findings", "evidence") if is_evidence_built else ("marts", "findings")
    names = [
        model.name
        for model in compiled_project().values()
        if model.schema in schemas and model.name not in INTEGRITY_CHECKS
    ]
    return with_parents(names)


def build_on_duckdb(folder: Path) -> Warehouse:
    """The exchange published twice, so that the second run restates what the first one said."""
    summary = simulate("healthy", folder / "landing", days=DAYS, accounts=ACCOUNTS, faults=planted_faults())
    earlier = summary.last_date - timedelta(days=LEFT_FOR_THE_SECOND_RUN)
    runs = Runs(folder, summary.first_date)

    first = partial(insert_delivered, landing=summary.folder, after=None, last=earlier)
    runs.run("first", earlier, lambda connection, number: first(connection, load_number=number))
    second = partial(insert_delivered, landing=summary.folder, after=earlier, last=summary.last_date)
    return runs.run(
        "second",
        summary.last_date,
        lambda connection, number: second(connection, load_number=number),
        models=[model.name for model in compared_models(is_evidence_built=True)],
    )


def build_twice(folder: Path, *, is_evidence_built: bool) -> Path:
    """Build on DuckDB, hand the accepted rows over and build on Spark, with dbt's tests; returns the build file."""
    warehouse = build_on_duckdb(folder)
    place = folder / "sources"
    export_sources(warehouse.path, str(place))
    dbt = DbtOnSpark(folder / "dbt")
    dbt.run("run-operation", "create_sources", "--args", f"{{place: {place}}}")
    selected = (*BUILT, EVIDENCE) if is_evidence_built else BUILT
    dbt.run("build", "--select", *selected, "--exclude", *NOT_ON_SPARK)
    return warehouse.path
