"""Every metric: its name, labels and meaning, once. Documentation, rules and dashboard are held to this list.

What belongs here: the list. What doesn't: where a value comes from (``published``, ``surroundings``).

All are gauges in base units: what stands now, which a restart of whoever hands them out doesn't change. Times are
moments, so that a rule computes an age when it is asked. What isn't known is left out, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``part`` is what has to be read for it; if that can't be, the metric isn't there."""

    name: str
    part: str
    labels: tuple[str, ...]
    help: str


def _part(part: str, lines: str) -> tuple[Metric, ...]:
    """Read lines of ``name | label, label | meaning``; names get their prefix."""
    parsed = [[cell.strip() for cell in line.split("|")] for line in lines.strip().splitlines()]
    return tuple(
        Metric(f"ringfence_{name}", part, tuple(label.strip() for label in labels.split(",") if label.strip()), meaning)
        for name, labels, meaning in parsed
    )


METRICS: tuple[Metric, ...] = (
    *_part(
        "exporter",
        """
        up | | 1 if all parts of the published warehouse could be read, else 0.
        part_up | part | 1 if this part could be read, else 0 and its metrics are missing or incomplete.
        part_read_seconds | part | How long reading this part took, seconds; that of a snapshot read before is kept.
        collected_timestamp_seconds | | When these values were read, seconds since 1970.
        build_info | version | Always 1; the version of Ringfence is in the label.
        """,
    ),
    *_part(
        "solvency",
        """
        published_day_timestamp_seconds | | Start of the latest day published, seconds since 1970 (00:00 UTC of it).
        publication_due_timestamp_seconds | | When the day after the latest one published has to be published, \
seconds since 1970.
        customer_liabilities_usd | | What customers are owed on that day, USD, zero or more.
        customer_receivables_usd | | What customers owe, as a size, USD, zero or more; never netted.
        eligible_reserves_usd | | What counts for customers, at mark, USD.
        excluded_reserves_usd | | What doesn't count for customers, at mark, USD.
        coverage_ratio | | Eligible reserves by customers' liabilities, 1 is all; missing if nothing is owed.
        in_kind_shortfall_usd | | Missing in kind, summed over groups without offsetting, USD, zero or more.
        net_gap_usd | | Gap with surpluses offset, USD; positive is a surplus, negative is missing.
        affiliate_borrowing_usd | | Affiliates' negative balances, as a size, USD, zero or more.
        affiliate_uncollateralised_usd | | What affiliates owe beyond collateral after haircut, USD, zero or more.
        own_token_assets_usd | | Own tokens held by operator and affiliates, at mark, USD, zero or more.
        own_token_ratio | | Own tokens by all that operator and affiliates hold, 0 to 1.
        unpriced_assets | | Assets owed, claimed or held that have no price, a number.
        day_status | status | 1 for the day's status (covered, short, incomplete), 0 for the others.
        covered | | 1 if the day's status is covered, decided exactly; 0 if short or not known for lack of a price.
        """,
    ),
    *_part(
        "groups",
        """
        groups | | In-kind groups on the latest day published, a number.
        groups_short | | In-kind groups in which something is missing, decided exactly, a number; all are counted.
        groups_left_out | | In-kind groups that have no metrics of their own, the least important ones, a number.
        group_covered | in_kind_group | 1 if nothing is missing in the group, decided exactly; else 0.
        group_coverage_ratio | in_kind_group | Eligible reserves by liability, 1 is all; missing if nothing is owed.
        group_liability_units | in_kind_group | What customers are owed, units of the group's reference asset.
        group_eligible_reserves_units | in_kind_group | What counts for customers, units of the reference asset.
        group_gap_units | in_kind_group | Eligible reserves less what has to be held, units of the reference asset; \
positive is a surplus, negative is missing.
        group_shortfall_units | in_kind_group | What is missing, units of the reference asset, zero or more.
        group_shortfall_usd | in_kind_group | What is missing, USD, zero or more; not there if unpriced.
        """,
    ),
    *_part(
        "affiliates",
        """
        affiliates | | Affiliates with an account on the latest day published, a number.
        affiliates_borrowing | | Affiliates that owe more than dust, a number.
        affiliates_privileged | | Affiliates with an active privilege, a number.
        affiliate_claims_usd | | Affiliates' positive balances, USD, zero or more.
        affiliate_largest_uncollateralised_usd | | The most that a single affiliate owes beyond collateral, USD.
        affiliate_exposure_ratio | | What affiliates owe beyond collateral by customers' liabilities, zero or more.
        affiliate_unpriced_balances | | Balances of affiliates without a price, which no amount here holds, a number.
        """,
    ),
    *_part(
        "checks",
        """
        check_ran | check, kind, severity | 1 if the last published run evaluated the check, else 0.
        check_error | check, kind, severity | 1 if that run could not evaluate the check, else 0.
        check_findings | check, kind, severity | Findings on the latest day published, a number; integrity: all that \
stand.
        check_findings_usd | check, kind, severity | Money at stake in these findings, USD, zero or more; checks may \
mean the same money.
        check_findings_unpriced | check, kind, severity | Those of these findings whose money at stake isn't known.
        """,
    ),
    *_part(
        "runs",
        """
        last_run_started_timestamp_seconds | | When the last published run began, seconds since 1970.
        last_run_finished_timestamp_seconds | | When the last published run had its result, seconds since 1970.
        last_run_duration_seconds | | How long that run took from its beginning to its result, seconds.
        last_run_exit_status | | Exit status of the last run: 0 passed, 3 failed checks, 4 load refused, 1 an error \
(then the run above is an earlier one); missing while a run is at work, or ended without a result.
        last_success_timestamp_seconds | | When a run last passed without a critical finding, seconds since 1970.
        last_publication_timestamp_seconds | | When a run last handed its figures over to be published, seconds since \
1970.
        """,
    ),
    *_part(
        "loads",
        """
        load_rows | table | Rows that the last published run read, accepted or not, a number.
        load_bytes | table | Bytes of the files that it read.
        load_files | table | Files that it read, because they were new or had changed, a number.
        load_notices | | Things of the landing zone that it left out without calling them wrong, a number.
        table_day_timestamp_seconds | table, required | Start of the latest day delivered and accepted, seconds since \
1970: the age of events.
        table_arrived_timestamp_seconds | table, required | When the newest accepted file was written to the landing \
zone, seconds since 1970: the age of arrival.
        """,
    ),
    *_part(
        "files",
        """
        snapshot_bytes | | Size of the published file, bytes.
        snapshot_timestamp_seconds | | When the published file was written, seconds since 1970.
        build_changed_timestamp_seconds | | When a run last changed the build file, seconds since 1970.
        run_unfinished | | 1 if the build file has changed since the last publication: a run is at work, or ended \
without a result; else 0.
        """,
    ),
    *_part(
        "attempts",
        """
        last_attempt_timestamp_seconds | | When a run last began, also one that published nothing, seconds since 1970.
        last_attempt_failed | | 1 if that run failed or was cancelled, for whatever reason; else 0.
        """,
    ),
    *_part(
        "alerts",
        """
        incidents | state, severity, category | Incidents that aren't resolved, a number.
        incidents_silenced | | Those of them that are silenced now, a number.
        outbox_messages | route | Messages that no receiver has taken yet, a number.
        outbox_failing_messages | route | Those of them that were tried in vain at least once, a number.
        outbox_oldest_timestamp_seconds | route | When the oldest of them was written, seconds since 1970.
        watcher_looked_timestamp_seconds | | When somebody last looked for incidents, seconds since 1970; 0 if never.
        """,
    ),
    *_part(
        "sources",
        """
        source_up | source, kind | 1 if what the source delivered can be read, else 0.
        source_pulled | source, kind | 1 if the source has ever delivered anything, else 0.
        source_pulling | source, kind | 1 if a pull was begun and hasn't landed, else 0.
        source_day_timestamp_seconds | source, kind | Start of the latest day that landed, seconds since 1970.
        source_pulled_timestamp_seconds | source, kind | When that day was pulled, seconds since 1970.
        source_rows | source, kind, table | Rows of that day's delivery, a number.
        source_bytes | source, kind, table | Bytes of that day's delivery.
        """,
    ),
)

METRICS_BY_NAME = {metric.name: metric for metric in METRICS}

WAREHOUSE_PARTS = ("solvency", "groups", "affiliates", "checks", "runs", "loads")
"""The parts that are read from the published file."""
