"""Assets of the configured sources: one for each table that a source fills, upstream of the landing zone."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from time import monotonic

import dagster as dg

from orchestration import progress
from orchestration.connectors.base import Feed
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import Manifest
from orchestration.connectors.pulling import pull_day
from orchestration.contract import table
from orchestration.defs.common import DATA_ENGINEERING, Landing, run_days

_SECONDS_BETWEEN_LINES = 10


def source_key(source: Source, feed: Feed) -> dg.AssetKey:
    """Key of a table as one source delivers it."""
    return dg.AssetKey(["sources", source.name, feed.table])


def feeds_of(source: Source) -> tuple[Feed, ...]:
    """The tables that a source fills, from its configuration alone."""
    return source.kind.load().feeds_of(source.configuration)


def keys_by_table(sources: Sequence[Source]) -> dict[str, list[dg.AssetKey]]:
    """Which sources' assets a table of the landing zone is made of."""
    keys: dict[str, list[dg.AssetKey]] = {}
    for source in sources:
        for feed in feeds_of(source):
            keys.setdefault(feed.table, []).append(source_key(source, feed))
    return keys


def _metadata(manifests: Sequence[Manifest], feed: Feed) -> dict[str, int | str]:
    files = [file for manifest in manifests for file in manifest.files if file.table == feed.table]
    return {
        "dagster/row_count": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
        "files": ", ".join(file.file for file in files) or "no news",
        "sha256": ", ".join(file.sha256 for file in files) or "no news",
        "position": str(manifests[-1].position) if manifests else "landed before",
    }


class _Logged:
    """Tells Dagster's log how far a pull has come: at once when it begins, and then now and again."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self.context, self.told_at = context, float("-inf")

    def __call__(self, stage: str, detail: str) -> None:
        if monotonic() - self.told_at >= _SECONDS_BETWEEN_LINES:
            self.told_at = monotonic()
            self.context.log.info(f"{stage}: {detail}")


def pull_assets(sources: Sequence[Source], partitions: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The assets of all sources. One comes after those that stand before it and fill the register of wallets."""
    registers: list[dg.AssetKey] = []
    assets = []
    for source in sources:
        assets.append(_pull_asset(source, partitions, tuple(registers)))
        registers += [source_key(source, feed) for feed in feeds_of(source) if feed.table == "wallets"]
    return assets


def _pull_asset(
    source: Source, partitions: dg.PartitionsDefinition, registers: Sequence[dg.AssetKey]
) -> dg.AssetsDefinition:
    """The assets of one source; they share a step, because they come from one snapshot of it."""
    feeds = feeds_of(source)
    # What fails in passing is tried again within a pull; this is for what takes longer to come back.
    retries = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL)

    @dg.multi_asset(
        name=f"pull_{source.name}",
        specs=[
            dg.AssetSpec(
                source_key(source, feed),
                deps=registers,
                group_name="sources",
                description=f"{table(feed.table).description} As {source.name} delivers it: {source.kind.summary}.",
                kinds={"python", source.kind.name},
                owners=[DATA_ENGINEERING],
            )
            for feed in feeds
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retries,
    )
    def pull(context: dg.AssetExecutionContext, landing_zone: Landing) -> Iterator[dg.MaterializeResult]:
        first, last = run_days(context)
        manifests, is_final = [], context.retry_number >= retries.max_retries
        with progress.listening(_Logged(context)):
            for number in range((last - first).days + 1):
                manifest = pull_day(source, landing_zone.path, first + timedelta(days=number), is_final=is_final)
                manifests += [manifest] if manifest is not None else []
                context.log.info(f"{source.name}: {first + timedelta(days=number)} landed")
        for feed in feeds:
            yield dg.MaterializeResult(source_key(source, feed), metadata=_metadata(manifests, feed))

    return pull
