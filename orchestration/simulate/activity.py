"""Ordinary days: the order of what customers do, and the small things that happen on a sound exchange.

What belongs here: a day's order, late fees, dust, rebates, unidentified wires. What doesn't: payments, trades, the
treasury and the margin desk (modules of their own), and wrongdoing (package acts).
"""

from __future__ import annotations

import numpy as np

from orchestration.simulate.assets import INDEX
from orchestration.simulate.payments import Desk, Payments, charge, credit, credit_pending, deposit, withdraw
from orchestration.simulate.prices import Integers
from orchestration.simulate.today import Today
from orchestration.simulate.trading import trade_among_customers, trade_with_market_maker
from orchestration.simulate.world import HOUSE_ACCOUNT, SUSPENSE_ACCOUNT

TRADE_ROUNDS: tuple[tuple[float, float], ...] = ((6.0, 10.0), (10.0, 14.0))
REBATE_SHARE_OF_FEES = 0.01


def live_through_day(today: Today, desk: Desk) -> None:
    """Everything ordinary that happens on a day before the treasury closes it."""
    credit_pending(today, desk)
    if not today.controls.halted:
        deposit(today, desk)
        for begin, end in TRADE_ROUNDS:
            trade_among_customers(today, begin, end)
        trade_with_market_maker(today, desk)
        withdraw(today, desk)
        charge_late_fee(today)
        leave_dust(today)
        pay_rebates(today)
        receive_unidentified_wire(today, desk)


def _holders(today: Today, symbol: str, least: int) -> Integers:
    free = today.free_accounts()
    holders: Integers = free[today.book.balances[free, INDEX[symbol]] >= least]
    return holders


def charge_late_fee(today: Today) -> None:
    """Now and then a fee of less than half a dollar reaches us a day late; the engine had it in time."""
    holders = _holders(today, "USD", 1_000)
    if today.is_last or len(holders) == 0 or today.rng.random() > 0.35:
        return
    account = today.rng.choice(holders, 1)
    units = today.rng.integers(10, 46, 1)
    when = today.moments(1, 23.55, 23.6)
    charge(today, account, np.array([INDEX["USD"]]), units, when, late=True)


def leave_dust(today: Today) -> None:
    """Rarely a fee takes a few cents more than the account has: a negative balance below dust."""
    holders = _holders(today, "USD", 1)
    small = holders[(today.book.balances[holders, INDEX["USD"]] < 5_000) & (holders < today.customers.spot_count)]
    if len(small) == 0 or today.rng.random() > 0.1:
        return
    account = small[:1]
    units = today.book.balances[account, INDEX["USD"]] + today.rng.integers(1, 40, 1)
    charge(today, account, np.array([INDEX["USD"]]), units, today.moments(1, 22.0, 22.1))


def pay_rebates(today: Today) -> None:
    """A small part of the day's fees goes back to a few customers, out of the house account."""
    free = today.free_accounts()
    count = min(max(len(free) // 200, 1), len(free))
    account = today.rng.choice(free, count, replace=False)
    each = int(today.fees_usd * REBATE_SHARE_OF_FEES * 100 / count)
    if each <= 0:
        return
    book, when = today.book, today.moments(count, 22.2, 22.4)
    transaction = book.new_transactions(count)
    house = today.world.account_index(HOUSE_ACCOUNT)
    kind = "rebate" if today.day % 2 else "reward"
    book.post(transaction, account, INDEX["USD"], each, kind, when)
    book.post(transaction, house, INDEX["USD"], -each, kind, when)


def receive_unidentified_wire(today: Today, desk: Desk) -> None:
    """A small wire without a name waits in the suspense account until it is cleared to a customer."""
    book, usd = today.book, INDEX["USD"]
    suspense = today.world.account_index(SUSPENSE_ACCOUNT)
    waiting = int(book.balances[suspense, usd])
    if waiting and today.rng.random() < 0.4:
        account = today.rng.choice(today.free_accounts(), 1)
        transaction, when = book.new_transactions(1), today.clock.at(today.day, 18.6)
        memo = book.memo("sender identified")
        book.post(transaction, suspense, usd, -waiting, "transfer", when, memo=memo)
        book.post(transaction, account, usd, waiting, "transfer", when, memo=memo)
    elif not waiting and today.rng.random() < 0.2:
        units = min(int(today.world.owed_usd * 1e-5 * 100), 30_000)
        if units > 0:
            slot, when = desk.liquid_slots[usd][0], today.clock.at(today.day, 18.5)
            numbers = book.transfer(slot, units, "deposit", when)
            credit(today, Payments.one(suspense, usd, units), when, numbers)
