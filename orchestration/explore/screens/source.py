"""A landing row as it arrived: its content, its place in its file, the file's digest, and what rests on it."""

from __future__ import annotations

import streamlit as st

from orchestration.explore import address, frame, showing, tracing
from orchestration.explore.files import fields_of
from orchestration.explore.publication import Reader
from orchestration.explore.questions import Row, ask_for_one
from orchestration.explore.wording import place_in_file


def show(reader: Reader) -> None:
    """Lay the page out."""
    table, key, file, number = (address.stated(name) for name in ("table", "key", "file", "row"))
    showing.heading("Source row", f"{table} {key}")
    row = (
        ask_for_one(reader.cursor, tracing.source_row(table, key, file, int(number)))
        if number.isascii() and number.isdigit() and len(number) < 19
        else None
    )
    if row is None:
        showing.words("No such row is kept in the published file.")
        return
    _content(row)
    showing.table(
        reader, "The file's deliveries, with the sha256 of its bytes", tracing.deliveries(file), name="deliveries"
    )
    _transaction(reader, row)
    showing.table(
        reader,
        "Findings that rest on this row",
        tracing.findings_resting_on(table, key, file, int(number)),
        name="findings-resting",
        opens=showing.finding_target,
    )


def _content(row: Row) -> None:
    showing.record(
        {
            "file": row["source_file"],
            "place_in_it": place_in_file(row["source_file"], row["source_row"]),
            "delivered_for": row["partition_date"],
        }
    )
    st.subheader("As it arrived", anchor=False)
    fields = dict(fields_of(row["content"]))
    showing.record(fields)
    if row["source_table"] == "ledger_entries" and fields.get("account_id"):
        address.link("The account", "account", {"account": fields["account_id"]})
    if row["source_table"].startswith("wallet") and fields.get("wallet_id"):
        address.link("The wallet", "wallet", {"wallet": fields["wallet_id"]})


def _transaction(reader: Reader, row: Row) -> None:
    transaction = dict(fields_of(row["content"])).get("transaction_id")
    if row["source_table"] == "ledger_entries" and transaction:
        showing.table(
            reader,
            "Entries of the same transaction that are kept",
            tracing.transaction_legs(transaction),
            name="transaction",
            opens=showing.source_target,
        )


if __name__ == "__main__":
    frame.on_page(lambda look: show(look.reader), without_days=show)
