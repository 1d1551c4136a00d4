"""An account: its owner, equity, balances below zero, privileges, findings, and the ledger entries that are kept."""

from __future__ import annotations

from datetime import date

import streamlit as st

from orchestration.explore import address, charts, frame, holders, showing, solvency, tracing
from orchestration.explore.questions import DAYS_SHOWN, Row, ask_for_one


def _account(row: Row) -> showing.Target:
    return "account", {"account": row["account_id"]}


def show(look: frame.Look) -> None:
    """Lay the page out."""
    name = address.stated("account")
    if not name:
        _choose(look)
        return
    showing.heading("Account", name)
    address.link("All accounts", "account", icon=":material/arrow_back:")
    day = address.day_control("Day", look.days)
    row = ask_for_one(look.reader.cursor, holders.account(name))
    if row is None:
        showing.words("No account of that name is published.")
        return
    showing.record(row)
    if row["relation"] == "affiliate":
        address.link("Its owner among the affiliates", "affiliates", {"entity": row["entity_id"]})
    _through_time(look, name, day)
    _audit(look, name, row["entity_id"])


def _choose(look: frame.Look) -> None:
    showing.heading("Accounts")
    day = address.day_control("Day", look.days)
    text = address.text_control("Account, owner or owner's name", "search", "a part, as it is spelled")
    if text:
        showing.table(
            look.reader, "Accounts found", holders.accounts_like(text), name="accounts", opens=_account, empty="None."
        )
    showing.table(
        look.reader,
        "Accounts below zero on this day",
        holders.debtors(day),
        name=f"debtors-{day}",
        opens=_account,
        empty="No account is below zero.",
    )


def _through_time(look: frame.Look, name: str, day: date) -> None:
    picture = st.container()
    equity = showing.table(
        look.reader,
        "Equity by day",
        holders.account_equity(name),
        name="equity",
        empty="The account never owed anything and had no open position.",
        rows=DAYS_SHOWN,
    )
    with picture:
        drawn = ("equity_usd", "borrowing_usd", "collateral_usd")
        charts.through_time(equity.all_rows()[::-1], drawn, unit="USD", marked=day)
    showing.table(
        look.reader,
        "Balances below zero, by day and asset",
        holders.account_negative_balances(name),
        name="negative-balances",
        empty="No balance was below zero at the end of a day.",
    )
    showing.table(
        look.reader,
        "Periods below zero, and the entry that drove it there",
        holders.account_negative_periods(name),
        name="negative-periods",
        empty="None.",
    )
    showing.table(look.reader, "Privileges", holders.account_privileges(name), name="privileges")


def _audit(look: frame.Look, name: str, entity: str) -> None:
    showing.table(
        look.reader,
        "Findings",
        solvency.findings_about("account", name),
        name="findings-account",
        opens=showing.finding_target,
    )
    showing.table(
        look.reader,
        "Ledger entries behind findings",
        tracing.entries_of(name),
        name="ledger-entries",
        opens=showing.source_target,
        hint="the largest that findings rest on; the others stay in the landing zone",
        empty="None is kept: no finding rests on this account's entries. All are in the landing zone's ledger_entries.",
    )
    drifts = holders.account_drifts(name)
    showing.table(look.reader, "Engine against ledger", drifts, name="drift", empty="They agree on every day.")
    with st.expander("The owner's accounts"):
        showing.table(
            look.reader, "The owner's accounts", holders.accounts_of(entity), name="owner-accounts", opens=_account
        )


if __name__ == "__main__":
    frame.on_page(show)
