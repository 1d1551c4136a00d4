"""Reserves around the snapshot that management reported: whether they came for it and left after it.

What belongs here: the flows and the days around the latest snapshot. What doesn't: the rule itself, which is the check
``reserves_not_window_dressed``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.reading.published import fetch_rows

Row = dict[str, Any]

_DAYS = "window_dressing.days"
_LIMIT = "window_dressing.flow_pct_of_reserves"

_FLOWS = """
    select in_kind_group, snapshot_at, snapshot_date, as_of_date, eligible_reserves, inflow_before, outflow_since,
        price_usd, is_window_dressed
    from marts.fct_snapshot_flow_daily
    where as_of_date <= $day
        and snapshot_at = (select max(snapshot_at) from marts.fct_snapshot_flow_daily where as_of_date <= $day)
    qualify row_number() over (partition by in_kind_group order by is_window_dressed desc, as_of_date desc) = 1
    order by is_window_dressed desc, cast(eligible_reserves as double) * cast(price_usd as double) desc nulls last,
        in_kind_group
"""

_EARLIER = """
    select snapshot_date, in_kind_group, min(as_of_date) as seen_on
    from marts.fct_snapshot_flow_daily
    where as_of_date <= $day and is_window_dressed and snapshot_at < $latest
    group by all
    order by snapshot_date desc, in_kind_group
    limit 50
"""

_RESERVES = """
    select in_kind_group, as_of_date, eligible_reserves
    from marts.fct_reserve_coverage_daily
    where in_kind_group in (select unnest($groups)) and as_of_date <= $day
        and as_of_date between $snapshot - 3 * $days - 1 and $snapshot + 3 * $days + 1
    order by in_kind_group, as_of_date
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest snapshot of reported reserves: flows by group, reserves on the days around it, dressed ones before."""

    at: Any
    day: date
    window_days: int | None
    limit_pct: Decimal | None
    flows: list[Row]
    reserves: list[Row]
    earlier: list[Row]


def read_snapshot(connection: duckdb.DuckDBPyConnection, day: date, policy: list[Row]) -> Snapshot | None:
    """The latest snapshot known on a day; None if reserves were never reported."""
    flows = fetch_rows(connection, _FLOWS, {"day": day})
    if not flows:
        return None
    latest = flows[0]
    settings = {row["name"]: row["value"] for row in policy}
    days = Decimal(settings[_DAYS]) if settings.get(_DAYS) else None
    groups = [flow["in_kind_group"] for flow in flows]
    around = {"groups": groups, "day": day, "snapshot": latest["snapshot_date"], "days": int(days or 3)}
    return Snapshot(
        at=latest["snapshot_at"],
        day=latest["snapshot_date"],
        window_days=None if days is None else int(days),
        limit_pct=Decimal(settings[_LIMIT]) if settings.get(_LIMIT) else None,
        flows=flows,
        reserves=fetch_rows(connection, _RESERVES, around),
        earlier=fetch_rows(connection, _EARLIER, {"day": day, "latest": latest["snapshot_at"]}),
    )
