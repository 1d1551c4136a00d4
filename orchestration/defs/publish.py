"""The last two assets: the analysts' file, and the verdict that makes a run red."""

import dagster as dg

from orchestration.defs.common import DATA_ENGINEERING, FINANCIAL_CONTROL, WRITER_POOL, Workspace
from orchestration.defs.quality import FINDINGS
from orchestration.pipeline import steps
from orchestration.pipeline.run import ExitStatus

PUBLISHED = dg.AssetKey(["published", "ringfence"])
VERDICT = dg.AssetKey(["published", "verdict"])


@dg.asset(
    key=PUBLISHED,
    deps=[FINDINGS],
    group_name="publish",
    kinds={"duckdb"},
    owners=[DATA_ENGINEERING],
    description="ringfence.duckdb, what analysts open: marts and audit, replaced as a whole.",
    pool=WRITER_POOL,
)
def published(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Publish what was built and judged."""
    publication = steps.publish_run(workspace.settings)
    return dg.MaterializeResult(
        metadata={
            "file": dg.MetadataValue.path(str(workspace.settings.paths.published_file)),
            "snapshot": publication.file.name,
            "bytes": publication.bytes,
            "dagster/row_count": sum(table.rows for table in publication.tables),
            "content": publication.digest,
        }
    )


@dg.asset(
    key=VERDICT,
    deps=[PUBLISHED],
    group_name="publish",
    owners=[FINANCIAL_CONTROL],
    description="Fails the run if a critical finding stands on one of its days.",
    pool=WRITER_POOL,
)
def verdict(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Fail the run if what was published has a critical finding on a day of this run."""
    result = steps.verdict_of_run(workspace.settings)
    if result.status is not ExitStatus.PASSED:
        raise dg.Failure(result.message, allow_retries=False)
    return dg.MaterializeResult(metadata={"verdict": result.message})
