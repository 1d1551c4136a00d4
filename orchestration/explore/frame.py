"""What every page has: one look at the published file, the days to choose from, and a plain word when there is none.

What belongs here: what is the same on each page. What doesn't: what a page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import streamlit as st

from orchestration.errors import RingfenceError
from orchestration.explore import address, showing, solvency
from orchestration.explore.publication import Reader, served
from orchestration.explore.questions import Question, ask_for_one
from orchestration.reading.published import has_table

NAMES = {
    "headline": ("Headline", ":material/balance:"),
    "replay": ("Replay", ":material/history:"),
    "compare": ("Compare two days", ":material/compare_arrows:"),
    "findings": ("Findings", ":material/flag:"),
    "affiliates": ("Affiliates", ":material/account_tree:"),
    "account": ("Accounts", ":material/person:"),
    "wallet": ("Wallets", ":material/account_balance_wallet:"),
}
"""Pages to start from; the others are come to by a click."""

_SPAN = Question("select min(as_of_date) as first_day, max(as_of_date) as last_day from marts.fct_solvency_daily")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the published file, and the first and last day in it."""

    reader: Reader
    days: tuple[date, date]

    @property
    def day_before_last(self) -> date:
        """The day before the last one, or the only one."""
        return max(self.days[0], self.days[1] - timedelta(days=1))


def on_page(show: Callable[[Look], None], *, without_days: Callable[[Reader], None] | None = None) -> None:
    """Run a page on one publication. ``without_days`` shows what there is when no day was ever published."""
    try:
        with served().reading() as reader:
            days = _days(reader)
            if days is not None:
                show(Look(reader, days))
                return
            _say_that_nothing_is_published(reader)
            if without_days is not None:
                without_days(reader)
    except RingfenceError as error:
        st.subheader("This can't be shown", anchor=False)
        showing.words(error)


def _days(reader: Reader) -> tuple[date, date] | None:
    if not has_table(reader.cursor, "marts", "fct_solvency_daily"):
        return None
    span = ask_for_one(reader.cursor, _SPAN)
    return None if span is None or span["first_day"] is None else (span["first_day"], span["last_day"])


def _say_that_nothing_is_published(reader: Reader) -> None:
    showing.heading("No day was ever published in this warehouse")
    refusal(reader)
    showing.words("What runs found is on the page of findings.")
    address.link("Findings", "findings", icon=NAMES["findings"][1])


def refusal(reader: Reader) -> None:
    """Say so if the latest run was refused: what is shown is then of the last good one."""
    refused = ask_for_one(reader.cursor, solvency.latest_refusal())
    if refused is not None:
        showing.words(
            f"The latest run, for {refused['last_date']}, was refused; the marts are those of the last good run."
            f" {refused['message'] or ''}"
        )


def menu() -> None:
    """Links to the pages to start from; the day goes along."""
    with st.sidebar:
        st.subheader("Ringfence", anchor=False)
        for name, (label, icon) in NAMES.items():
            address.link(label, name, icon=icon)
        showing.words(f"{served().paths.published_file}, read-only; times are UTC")
