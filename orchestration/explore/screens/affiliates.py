"""The affiliates of a day, and one of them through time: its relation, debts, backing and privileges."""

from __future__ import annotations

from datetime import date

from orchestration.explore import address, charts, frame, holders, showing, solvency
from orchestration.explore.questions import Row, ask_for_all, ask_for_one
from orchestration.explore.wording import column_label

_FIGURES = (
    "gross_borrowing_usd",
    "collateral_mark_usd",
    "collateral_haircut_usd",
    "collateral_liquidation_usd",
    "own_token_collateral_usd",
    "uncollateralised_usd",
    "share_of_customer_liabilities",
    "credit_line_usd",
    "credit_line_used_pct",
    "active_privileges",
)


def show(look: frame.Look) -> None:
    """Lay the page out."""
    name = address.stated("entity")
    showing.heading("Affiliate" if name else "Affiliates", name)
    if name:
        address.link("All affiliates", "affiliates", icon=":material/arrow_back:")
    day = address.day_control("Day", look.days)
    if name:
        _one(look, name, day)
    else:
        _all(look, day)


def _all(look: frame.Look, day: date) -> None:
    showing.table(
        look.reader,
        "Related to the operator on this day",
        holders.affiliates(day),
        name=f"affiliates-{day}",
        opens=lambda row: ("affiliates", {"entity": row["entity_id"]}),
        empty="Nobody is.",
        hint="derived from the graph of entities, never from a tag",
    )
    showing.table(
        look.reader,
        "What backs affiliates' exposure",
        holders.affiliates_backing(day),
        name=f"affiliates-backing-{day}",
        opens=lambda row: ("affiliates", {"entity": row["entity_id"]}),
        hint="their positive balances",
    )
    showing.table(
        look.reader,
        "Findings about the group of affiliates",
        solvency.findings_about("group", "group"),
        name="findings-affiliates",
        opens=showing.finding_target,
    )


def _one(look: frame.Look, name: str, day: date) -> None:
    row = ask_for_one(look.reader.cursor, holders.entity(name))
    if row is None:
        showing.words("No entity of that name is published.")
        return
    showing.record(row)
    trend = ask_for_all(look.reader.cursor, holders.exposure(name))[::-1]
    on_day = [row for row in trend if row["as_of_date"] == day]
    if on_day:
        showing.figures((column_label(name), on_day[0][name], "") for name in _FIGURES)
    else:
        showing.words(f"No exposure on {day}.")
    charts.through_time(
        trend, ("gross_borrowing_usd", "collateral_haircut_usd", "own_token_collateral_usd"), unit="USD", marked=day
    )
    _tables(look, name, day)


def _account(row: Row) -> showing.Target:
    return "account", {"account": row["account_id"]}


def _tables(look: frame.Look, name: str, day: date) -> None:
    showing.table(look.reader, "Relation to the operator", holders.relations(name), name="relation")
    showing.table(
        look.reader,
        "Owed on this day",
        holders.entity_debts(name, day),
        name=f"affiliate-debts-{day}",
        opens=_account,
        empty="Nothing.",
    )
    showing.table(
        look.reader,
        "What its accounts hold and owe on this day",
        holders.affiliate_balances(name, day),
        name=f"affiliate-balances-{day}",
        opens=_account,
        empty="Nothing.",
        hint="an account's collateral secures that account alone",
    )
    showing.table(look.reader, "Accounts", holders.accounts_of(name), name="affiliate-accounts", opens=_account)
    showing.table(look.reader, "Exposure by day", holders.exposure(name), name="exposure")
    showing.table(look.reader, "Suspicions", holders.suspicions(name), name="suspicions")
    for kind in ("affiliate", "entity"):
        showing.table(
            look.reader,
            "Findings about its exposure" if kind == "affiliate" else "Findings about the entity",
            solvency.findings_about(kind, name),
            name=f"findings-{kind}",
            opens=showing.finding_target,
        )


if __name__ == "__main__":
    frame.on_page(show)
