"""Questions about the exchange as a whole: a day's figures, its groups, what changed between days, its findings.

What belongs here: SQL on ``marts`` and ``audit.finding``. What doesn't: accounts, wallets and affiliates (``holders``),
source rows (``tracing``).
"""

from __future__ import annotations

from datetime import date

from orchestration.explore.questions import Question

FIGURES = (
    "customer_liabilities_usd",
    "customer_receivables_usd",
    "eligible_reserves_usd",
    "excluded_reserves_usd",
    "coverage_ratio",
    "in_kind_shortfall_usd",
    "net_gap_usd",
    "affiliate_borrowing_usd",
    "affiliate_uncollateralised_usd",
    "own_token_assets_usd",
    "own_token_share",
    "unpriced_assets",
)
"""Headline figures of a day, in the order in which they are read."""

_SAME_SUBJECT = (
    "{one}.check_name = {other}.check_name and {one}.subject_type = {other}.subject_type"
    " and {one}.subject_id = {other}.subject_id and {one}.asset is not distinct from {other}.asset"
)


def days() -> Question:
    """Every published day with its status and the figures that charts show."""
    return Question(
        "select as_of_date, status, customer_liabilities_usd, eligible_reserves_usd, in_kind_shortfall_usd,"
        " affiliate_uncollateralised_usd from marts.fct_solvency_daily order by as_of_date"
    )


def day_figures(day: date) -> Question:
    """The headline of a day."""
    return Question("select * from marts.fct_solvency_daily where as_of_date = $day", {"day": day})


def all_days() -> Question:
    """The headline of every day, the latest first."""
    return Question("select * from marts.fct_solvency_daily order by as_of_date desc")


def latest_run() -> Question:
    """The run whose marts these are."""
    return Question(
        "select run_id, knowledge_at, published_at, policy_hash from audit.run where is_accepted"
        " order by knowledge_at desc, started_at desc limit 1"
    )


def latest_refusal() -> Question:
    """The last run, if its load was refused."""
    return Question(
        "select run_id, last_date, message from (from audit.run order by started_at desc, run_id limit 1)"
        " where status = 'failed_integrity'"
    )


# groups -------------------------------------------------------------------------------------------------------------


def groups(day: date) -> Question:
    """Coverage of every in-kind group on a day, the largest gap first."""
    return Question(
        "select in_kind_group, liability, eligible_reserves, gap, gap_usd, coverage_ratio, excluded_reserves,"
        " affiliate_claims, price_usd, is_own_token"
        " from marts.fct_reserve_coverage_daily where as_of_date = $day order by gap_usd nulls first, in_kind_group",
        {"day": day},
    )


def group(day: date, name: str) -> Question:
    """Coverage of one group on a day."""
    return Question(
        "select * from marts.fct_reserve_coverage_daily where as_of_date = $day and in_kind_group = $name",
        {"day": day, "name": name},
    )


def group_trend(name: str) -> Question:
    """A group's liability and reserves through time."""
    return Question(
        "select as_of_date, liability, eligible_reserves, gap from marts.fct_reserve_coverage_daily"
        " where in_kind_group = $name order by as_of_date",
        {"name": name},
    )


def group_liabilities(day: date, name: str) -> Question:
    """What is owed in the group's assets, and to whom."""
    return Question(
        "select asset, relation, liability, liability_usd, receivable, receivable_usd, accounts"
        " from marts.fct_customer_liability_daily as owed inner join marts.dim_asset using (asset)"
        " where as_of_date = $day and in_kind_group = $name order by relation <> 'customer', asset, relation",
        {"day": day, "name": name},
    )


def group_reserves(day: date, name: str) -> Question:
    """The group's balances by wallet: what counts of each, and the first reason why the rest doesn't."""
    return Question(
        "select wallet_id, asset, custody, balance, eligible_quantity, balance_usd, eligible_usd,"
        " coalesce(reason, case when eligible_quantity < balance then 'in part' else 'counts' end) as verdict"
        " from marts.fct_reserve_balance_daily where as_of_date = $day and in_kind_group = $name"
        " order by balance_usd desc nulls first, wallet_id, asset",
        {"day": day, "name": name},
    )


def group_exclusions(day: date, name: str) -> Question:
    """What doesn't count in the group, by wallet and reason."""
    return Question(
        "select wallet_id, asset, reason, quantity, value_usd from marts.fct_reserve_exclusion_daily"
        " where as_of_date = $day and in_kind_group = $name"
        " order by value_usd desc nulls first, wallet_id, asset, reason",
        {"day": day, "name": name},
    )


def group_negative_balances(day: date, name: str) -> Question:
    """Accounts that owe the group's assets, the largest debt first."""
    return Question(
        "select account_id, entity_id, relation, account_class, asset, balance, value_usd, is_permitted, reason"
        " from marts.fct_negative_balance_daily inner join marts.dim_asset using (asset)"
        " where as_of_date = $day and in_kind_group = $name order by value_usd nulls first, account_id, asset",
        {"day": day, "name": name},
    )


# two days -----------------------------------------------------------------------------------------------------------


def figures_compared(before: date, after: date) -> Question:
    """The headline figures of two days and their exact differences; null where a day has none."""
    values = ", ".join(f"{name}::decimal(38, 12) as {name}" for name in FIGURES)
    order = " ".join(f"when '{name}' then {number}" for number, name in enumerate(FIGURES))
    return Question(
        f"""
        with figures as (
            select as_of_date, {values} from marts.fct_solvency_daily where as_of_date in ($before, $after)
        ),
        said as (from figures unpivot include nulls (amount for figure in ({", ".join(FIGURES)})))
        select figure, any_value(amount) filter (where as_of_date = $before) as before,
            any_value(amount) filter (where as_of_date = $after) as after,
            any_value(amount) filter (where as_of_date = $after)
            - any_value(amount) filter (where as_of_date = $before) as difference
        from said group by figure order by case figure {order} end
        """,
        {"before": before, "after": after},
    )


def groups_compared(before: date, after: date) -> Question:
    """Gaps of two days by group, with their exact differences; a group that is missing on a day is null there."""
    return Question(
        _groups_on_both_days(),
        {"before": before, "after": after},
    )


def _groups_on_both_days() -> str:
    columns = "in_kind_group, liability, eligible_reserves, gap, gap_usd"
    moved = ", ".join(
        f"earlier.{name} as {name}_before, later.{name} as {name}_after, later.{name} - earlier.{name}"
        f" as {name}_difference"
        for name in ("gap_usd", "liability", "eligible_reserves")
    )
    return f"""
        select in_kind_group, {moved}
        from (select {columns} from marts.fct_reserve_coverage_daily where as_of_date = $before) as earlier
        full join (select {columns} from marts.fct_reserve_coverage_daily where as_of_date = $after) as later
            using (in_kind_group)
        order by later.gap_usd - earlier.gap_usd nulls first, in_kind_group
    """


def affiliates_compared(before: date, after: date) -> Question:
    """Affiliates' exposure on two days, with its exact differences."""
    moved = ", ".join(
        f"earlier.{name} as {name}_before, later.{name} as {name}_after, later.{name} - earlier.{name}"
        f" as {name}_difference"
        for name in ("gross_borrowing_usd", "collateral_haircut_usd", "uncollateralised_usd")
    )
    one_day = "(from marts.fct_affiliate_exposure_daily where as_of_date = {day})"
    return Question(
        f"""
        select entity_id, {moved}
        from {one_day.format(day="$before")} as earlier full join {one_day.format(day="$after")} as later
            using (entity_id)
        order by later.uncollateralised_usd - earlier.uncollateralised_usd desc nulls first, entity_id
        """,
        {"before": before, "after": after},
    )


def findings_only_on(day: date, other: date) -> Question:
    """Findings of a day whose check found the same subject sound on another day: the most at stake first."""
    same = _SAME_SUBJECT.format(one="mine", other="theirs")
    return Question(
        "select as_of_date, severity, check_name, subject_type, subject_id, asset, impact_usd, message"
        " from audit.finding as mine where as_of_date = $day and not exists ("
        f"select 1 from audit.finding as theirs where theirs.as_of_date = $other and {same})"
        " order by severity, impact_usd desc nulls last, check_name, subject_type, subject_id, asset nulls first",
        {"day": day, "other": other},
    )


# findings -----------------------------------------------------------------------------------------------------------


def checks_failing(day: date) -> Question:
    """Checks that fail on a day, critical ones first; impacts of one check's findings may overlap: the largest."""
    return Question(
        "select severity, kind, check_name, count(*) as findings, max(impact_usd) as largest_impact_usd,"
        " min(first_seen_on) as first_seen_on from audit.finding where as_of_date = $day"
        " group by severity, kind, check_name order by severity, largest_impact_usd desc nulls last, check_name",
        {"day": day},
    )


def checks_first_failing() -> Question:
    """For each check the first day on which it fails: what broke when."""
    return Question(
        "select min(as_of_date) as first_day, severity, check_name, count(distinct as_of_date) as days,"
        " count(*) as findings, max(impact_usd) as largest_impact_usd from audit.finding"
        " group by severity, check_name order by first_day, severity, check_name"
    )


def days_of_findings() -> Question:
    """How many findings stand on each day, by severity."""
    return Question(
        "select as_of_date, severity, count(*) as findings from audit.finding"
        " group by as_of_date, severity order by as_of_date, severity"
    )


def check_names() -> Question:
    """Checks of which findings stand."""
    return Question("select distinct check_name from audit.finding order by check_name")


def findings(
    day: date | None = None, check: str = "", severity: str = "", kind: str = "", subject: str = ""
) -> Question:
    """Findings that match all that is given, the most at stake first; a subject by a part of its name."""
    return Question(
        "select as_of_date, severity, kind, check_name, subject_type, subject_id, asset, impact_usd, observed,"
        " expected, first_seen_on, message from audit.finding"
        " where ($day is null or as_of_date = $day) and ($check = '' or check_name = $check)"
        " and ($severity = '' or severity = $severity) and ($kind = '' or kind = $kind)"
        " and ($subject = '' or contains(lower(subject_id), lower($subject)))"
        " order by severity, impact_usd desc nulls last, as_of_date desc, check_name, subject_type, subject_id,"
        " asset nulls first",
        {"day": day, "check": check, "severity": severity, "kind": kind, "subject": subject},
    )


def finding(day: date, check: str, subject_type: str, subject: str, asset: str | None) -> Question:
    """One finding, whole."""
    return Question(
        "select * from audit.finding where as_of_date = $day and check_name = $check and subject_type = $subject_type"
        " and subject_id = $subject and asset is not distinct from $asset",
        {"day": day, "check": check, "subject_type": subject_type, "subject": subject, "asset": asset},
    )


def findings_about(subject_type: str, subject: str) -> Question:
    """What was ever found about a subject: by check and asset, its latest day last found."""
    return Question(
        "select max(as_of_date) as as_of_date, min(as_of_date) as first_day, severity, check_name, subject_type,"
        " subject_id, asset, count(*) as days, max(impact_usd) as largest_impact_usd,"
        " max_by(message, as_of_date) as latest_message"
        " from audit.finding where subject_type = $subject_type and subject_id = $subject"
        " group by severity, check_name, subject_type, subject_id, asset"
        " order by severity, largest_impact_usd desc nulls last, check_name, asset nulls first",
        {"subject_type": subject_type, "subject": subject},
    )
