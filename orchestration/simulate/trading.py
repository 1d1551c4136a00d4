"""Trades: customers with each other and with the market maker, and the fees on them.

What belongs here: spot trades of ordinary days. What doesn't: lending and derivatives (margin.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestration.simulate.assets import INDEX
from orchestration.simulate.payments import Desk, pick_held
from orchestration.simulate.prices import Integers
from orchestration.simulate.today import PLACES, Today
from orchestration.simulate.world import FEE_ACCOUNT, MARKET_MAKER_ACCOUNT

PAIRS_PER_ACCOUNT = 0.03
MARKET_MAKER_TRADES_PER_ACCOUNT = 0.02
TRADE_SHARE = 0.25
TAKER_FEE_BASIS_POINTS = 7
MAKER_FEE_BASIS_POINTS = 2
MARKET_MAKER_TAKES_UP_TO = 150.0
"""The market maker is the taker in small trades only: its fees must stay a small part of any month's revenue."""
BASES: Integers = np.array([INDEX[s] for s in ("EUR", "BTC", "ETH", "SOL", "XRP", "MRX")])
QUOTES: Integers = np.array([INDEX[s] for s in ("USD", "USDC", "USDT")])


@dataclass(frozen=True)
class Trades:
    """Columns of trades: the seller gives ``quantity`` of the base asset for ``cost`` of the quote asset."""

    seller: Integers
    buyer: Integers
    base: Integers
    quote: Integers
    quantity: Integers
    cost: Integers

    def take(self, rows: Any) -> Trades:
        """The trades at the given rows."""
        columns = (self.seller, self.buyer, self.base, self.quote, self.quantity, self.cost)
        return Trades(*(column[rows] for column in columns))


def trade_among_customers(today: Today, begin: float, end: float) -> None:
    """Pairs of customers trade within a part of what they hold; each account takes part at most once a round."""
    free = today.rng.permutation(today.free_accounts())
    pairs = min(max(int(len(free) * PAIRS_PER_ACCOUNT), 1), len(free) // 2)
    seller, buyer = free[:pairs], free[pairs : 2 * pairs]
    base, quote = pick_held(today, seller, BASES), pick_held(today, buyer, QUOTES)
    keep = (base >= 0) & (quote >= 0)
    seller, buyer, base, quote = seller[keep], buyer[keep], base[keep], quote[keep]
    quantity, cost = _sizes(today, seller, buyer, base, quote)
    keep = (quantity > 0) & (cost > 0)
    settle_trades(today, Trades(seller, buyer, base, quote, quantity, cost).take(keep), begin, end)


def _sizes(
    today: Today, seller: Integers, buyer: Integers, base: Integers, quote: Integers
) -> tuple[Integers, Integers]:
    """Quantity of the base asset and its cost in the quote asset, within a part of what both sides hold."""
    rows = np.arange(len(seller))
    can_sell = today.usd(seller)[rows, base]
    can_pay = today.usd(buyer)[rows, quote]
    value = np.minimum(can_sell, can_pay) * today.rng.uniform(0.02, TRADE_SHARE, len(seller))
    return today.units(value, base), today.units(value, quote)


def trade_with_market_maker(today: Today, desk: Desk) -> None:
    """Customers trade with the market maker, which never sells below the inventory it keeps."""
    rng, book = today.rng, today.book
    maker = today.world.account_index(MARKET_MAKER_ACCOUNT)
    free = today.free_accounts()
    count = min(max(int(len(free) * MARKET_MAKER_TRADES_PER_ACCOUNT), 1), len(free))
    customer = rng.choice(free, count, replace=False)
    sells = rng.random(count) < 0.5
    base = np.where(sells, pick_held(today, customer, BASES), rng.choice(BASES, count))
    quote = np.where(sells, rng.choice(QUOTES, count), pick_held(today, customer, QUOTES))
    keep = (base >= 0) & (quote >= 0)
    customer, sells, base, quote = customer[keep], sells[keep], base[keep], quote[keep]
    seller, buyer = np.where(sells, customer, maker), np.where(sells, maker, customer)
    quantity, cost = _sizes(today, seller, buyer, base, quote)
    room = np.maximum(book.balances[maker] - desk.market_maker_floor, 0) // 2
    keep = (quantity > 0) & (cost > 0)
    keep &= _within_room(np.where(sells, quote, base), np.where(sells, cost, quantity), room)
    settle_trades(today, Trades(seller, buyer, base, quote, quantity, cost).take(keep), 14.5, 17.5)


def _within_room(asset: Integers, units: Integers, room: Integers) -> Any:
    """Which of the rows fit, in order, into the room left per asset."""
    fits = np.zeros(len(asset), dtype=bool)
    for number in np.unique(asset):
        rows = np.flatnonzero(asset == number)
        fits[rows] = np.cumsum(units[rows]) <= room[number]
    return fits


def settle_trades(today: Today, trades: Trades, begin: float, end: float) -> None:
    """Post trades with both sides' fees in the quote asset; the market maker pays only as a taker."""
    if len(trades.seller) == 0:
        return
    seller, buyer, base, quote = trades.seller, trades.buyer, trades.base, trades.quote
    quantity, cost = trades.quantity, trades.cost
    book, rng, count = today.book, today.rng, len(seller)
    when = np.sort(today.moments(count, begin, end))
    transaction = book.new_transactions(count)
    book.post(transaction, seller, base, -quantity, "trade", when)
    book.post(transaction, buyer, base, quantity, "trade", when)
    book.post(transaction, buyer, quote, -cost, "trade", when)
    book.post(transaction, seller, quote, cost, "trade", when)
    maker = today.world.account_index(MARKET_MAKER_ACCOUNT)
    against_maker = (seller == maker) | (buyer == maker)
    is_small = cost / PLACES[quote] < MARKET_MAKER_TAKES_UP_TO
    maker_takes = against_maker & is_small & (rng.random(count) < 0.1)
    buyer_takes = rng.random(count) < 0.5
    buyer_takes = np.where(against_maker, (buyer == maker) == maker_takes, buyer_takes)
    for account, takes in ((buyer, buyer_takes), (seller, ~buyer_takes)):
        points = np.where(takes, TAKER_FEE_BASIS_POINTS, MAKER_FEE_BASIS_POINTS)
        points = np.where((account == today.customers.fee_exempt) | ((account == maker) & ~takes), 0, points)
        fee = cost * points // 10_000
        rows = fee > 0
        if rows.any():
            book.post(transaction[rows], account[rows], quote[rows], -fee[rows], "fee", when[rows])
            fees = today.world.account_index(FEE_ACCOUNT)
            book.post(transaction[rows], fees, quote[rows], fee[rows], "fee", when[rows])
            today.fees_usd += float((fee / PLACES[quote] * today.mid[quote]).sum())
