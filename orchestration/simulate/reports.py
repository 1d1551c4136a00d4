"""What management publishes: monthly revenue, and at each month's end liabilities, reserves and the insurance fund.

What belongs here: honest figures that agree with the book. What doesn't: made-up ones (package acts change the rows).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from orchestration.simulate.assets import ASSETS, LEDGER_PLACES, OWN_TOKEN_INDEX, PRICE_PLACES
from orchestration.simulate.book import Book
from orchestration.simulate.clock import Clock
from orchestration.simulate.record import REVENUE_KINDS, Records, cents
from orchestration.simulate.world import INSURANCE_ACCOUNT

Row = dict[str, Any]

STOCK_DELAY_DAYS = 3
REVENUE_DELAY_DAYS = 5
ELIGIBLE_CUSTODY = ("hot", "cold", "custodian", "bank")
REVENUE_LINES: dict[str, tuple[str, ...]] = {
    "trading": ("fee",),
    "lending": ("interest",),
    "derivatives": ("funding", "liquidation"),
    "other": ("revenue",),
    "customer incentives": ("rebate", "reward"),
}


def reserve_quantities(book: Book, records: Records, day: int) -> list[int]:
    """Eligible reserves by asset in 10**-18 units; the own token counts up to what customers are owed of it."""
    totals = [0] * len(ASSETS)
    for slot, exact in enumerate(records.days[day].slots):
        wallet = book.world.wallets[int(book.slot_wallet[slot])]
        if wallet.is_reserve and wallet.custody in ELIGIBLE_CUSTODY and wallet.is_proven_on(day):
            totals[int(book.slot_asset[slot])] += exact * (100 - wallet.encumbered_pct) // 100
    totals[OWN_TOKEN_INDEX] = min(totals[OWN_TOKEN_INDEX], records.days[day].liability[OWN_TOKEN_INDEX])
    return totals


def stock_figures(book: Book, records: Records, clock: Clock, month_end: int, published_at: int) -> list[Row]:
    """Liabilities and reserves per asset and in total, and the insurance fund, as they stood at the month's end."""
    liability = records.days[month_end].liability
    reserves = reserve_quantities(book, records, month_end)
    fund = records.days[month_end].special[book.world.account_index(INSURANCE_ACCOUNT)]
    moments = {"period_start": None, "period_end": clock.close(month_end), "published_at": published_at}
    rows: list[Row] = []
    for figure, exact in (("customer_liabilities", liability), ("reserves", reserves)):
        rows.append(_stock(figure, None, _total_usd(records, month_end, exact), moments))
        for number, asset in enumerate(ASSETS):
            amount = Decimal(exact[number]).scaleb(-LEDGER_PLACES)
            rows.append(_stock(figure, asset.symbol, amount, moments))
    total = _total_usd(records, month_end, fund)
    rows.append(_stock("insurance_fund", None, total, moments))
    return rows


def revenue_figures(records: Records, clock: Clock, month_end: int, published_at: int) -> list[Row]:
    """A month's revenue: by line in odd months, as one total in even months."""
    first = clock.day_of(clock.date_of(month_end).replace(day=1))
    by_line: list[tuple[str | None, tuple[str, ...]]] = list(REVENUE_LINES.items())
    if clock.date_of(month_end).month % 2 == 0:
        by_line = [(None, REVENUE_KINDS)]
    return [
        {
            "figure": "revenue",
            "line": line,
            "asset": None,
            "amount": cents(records.revenue_usd(first, month_end, kinds)),
            "period_start": clock.midnight(first),
            "period_end": clock.midnight(month_end + 1),
            "published_at": published_at,
        }
        for line, kinds in by_line
    ]


def _total_usd(records: Records, day: int, exact: list[int]) -> Decimal:
    price = records.price_units[day]
    whole = sum(quantity * int(price[asset]) for asset, quantity in enumerate(exact))
    return cents(Decimal(whole).scaleb(-LEDGER_PLACES - PRICE_PLACES))


def _stock(figure: str, asset: str | None, amount: Decimal, moments: Row) -> Row:
    return {"figure": figure, "line": None, "asset": asset, "amount": amount, **moments}
