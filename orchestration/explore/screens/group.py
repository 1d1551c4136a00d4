"""An in-kind group on a day: what is owed and to whom, what counts for it and where it lies, what doesn't and why."""

from __future__ import annotations

from orchestration.explore import address, charts, frame, showing, solvency
from orchestration.explore.questions import Row, ask_for_all, ask_for_one
from orchestration.explore.wording import column_label

_FIGURES = (
    "liability",
    "eligible_reserves",
    "gap",
    "gap_usd",
    "coverage_ratio",
    "excluded_reserves",
    "affiliate_claims",
    "gap_all_claims",
    "price_usd",
)


def _wallet(row: Row) -> showing.Target:
    return "wallet", {"wallet": row["wallet_id"]}


def show(look: frame.Look) -> None:
    """Lay the page out."""
    name = address.stated("group")
    showing.heading("In-kind group", name)
    day = address.day_control("Day", look.days)
    row = ask_for_one(look.reader.cursor, solvency.group(day, name))
    if row is None:
        showing.words(f"No such group on {day}: nothing is owed or held in it.")
    else:
        showing.figures((column_label(name), row[name], "") for name in _FIGURES)
    trend = ask_for_all(look.reader.cursor, solvency.group_trend(name))
    charts.through_time(trend, ("liability", "eligible_reserves"), unit="units of the group", marked=day)
    showing.table(
        look.reader,
        "Owed, by asset and relation",
        solvency.group_liabilities(day, name),
        name=f"owed-{day}",
        hint="receivables are never netted",
    )
    showing.table(
        look.reader,
        "Reserves by wallet",
        solvency.group_reserves(day, name),
        name=f"reserves-{day}",
        opens=_wallet,
        empty="No wallet holds any.",
    )
    showing.table(
        look.reader,
        "Excluded, with the first reason",
        solvency.group_exclusions(day, name),
        name=f"excluded-{day}",
        opens=_wallet,
        empty="Nothing is excluded.",
    )
    showing.table(
        look.reader,
        "Accounts that owe",
        solvency.group_negative_balances(day, name),
        name=f"debtors-{day}",
        opens=lambda row: ("account", {"account": row["account_id"]}),
        empty="No account is below zero.",
    )
    showing.table(
        look.reader,
        "Findings about the group",
        solvency.findings_about("in_kind_group", name),
        name="findings-group",
        opens=showing.finding_target,
    )


if __name__ == "__main__":
    frame.on_page(show)
