"""The margin desk: permitted borrowing, interest, repayment, liquidation, derivative positions and their funding.

What belongs here: negative balances that are allowed because collateral covers them many times over. What doesn't:
borrowing without collateral (package acts). An account bound by the desk is locked: it neither trades nor withdraws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.simulate.assets import ASSETS, INDEX
from orchestration.simulate.prices import Floats, Integers
from orchestration.simulate.today import COLLATERAL_SHARE, PLACES, Today
from orchestration.simulate.world import FEE_ACCOUNT, HOUSE_ACCOUNT, INSURANCE_ACCOUNT, MARKET_MAKER_ACCOUNT

USD = INDEX["USD"]
LEAST_LOAN_USD = 20.0
LOAN_SHARE_OF_COLLATERAL = (0.15, 0.42)
LOANS_PART_OF_MARKET_MAKER = 0.1
CALL_LEVEL = 2.0
INTEREST_PER_10_000 = 2
LIQUIDATION_FEE_PERCENT = 1
SALE_DISCOUNT = 0.995
POSITION_PART_OF_HOUSE = 0.1
FUNDING_KEPT_BY_HOUSE = 0.1
INSTRUMENTS: Integers = np.array([INDEX["BTC"], INDEX["ETH"]])
QUANTITY_PLACES = 6


@dataclass
class MarginDesk:
    """Who borrows, and the open positions as columns: account, underlying, quantity, entry price, closing day."""

    borrowers: Integers
    locked: np.ndarray
    positions: Integers

    @staticmethod
    def opened(accounts: int) -> MarginDesk:
        """A desk without loans and positions."""
        empty = np.empty((0, 5), dtype=np.int64)
        return MarginDesk(np.empty(0, dtype=np.int64), np.zeros(accounts, dtype=bool), empty)


def work_margin_desk(today: Today, desk: MarginDesk) -> None:
    """A day of the desk: what falls due first, then new business unless customers' business is halted."""
    _close_positions(today, desk)
    _charge_interest(today, desk)
    _liquidate(today, desk)
    _repay(today, desk)
    if not today.controls.halted:
        _lend(today, desk)
        _open_positions(today, desk)
    _pay_funding(today, desk)
    desk.locked[:] = False
    desk.locked[desk.borrowers] = True
    desk.locked[desk.positions[:, 0]] = True


def unrealised_cents(positions: Integers, price_units: Integers) -> Integers:
    """Unrealised profit of positions in cents at prices in 10**-8 USD, rounded down."""
    change = price_units[positions[:, 1]] - positions[:, 3]
    # quantity in 10**-6 times price in 10**-8 is 10**-14 USD, which int64 may not hold
    profits = [int(quantity) * int(move) // 10**12 for quantity, move in zip(positions[:, 2], change, strict=True)]
    return np.array(profits, dtype=np.int64)


def _collateral(today: Today, account: Integers) -> Floats:
    """USD value after haircuts of what accounts hold, dollars apart."""
    value = today.usd(account) * COLLATERAL_SHARE
    value[:, USD] = 0.0
    total: Floats = np.maximum(value, 0.0).sum(axis=1)
    return total


def _margin_accounts(today: Today, desk: MarginDesk) -> Integers:
    customers = today.customers
    accounts: Integers = np.arange(customers.spot_count, customers.count)
    free: Integers = accounts[~desk.locked[accounts] & (accounts != customers.credit_line)]
    return free


def _charge_interest(today: Today, desk: MarginDesk) -> None:
    owed = -today.book.balances[desk.borrowers, USD]
    interest = -(-owed * INTEREST_PER_10_000 // 10_000)
    rows = interest > 0
    if not rows.any():
        return
    book, when = today.book, today.clock.at(today.day, 18.0)
    transaction = book.new_transactions(int(rows.sum()))
    book.post(transaction, desk.borrowers[rows], USD, -interest[rows], "interest", when)
    book.post(transaction, today.world.account_index(HOUSE_ACCOUNT), USD, interest[rows], "interest", when)


def _liquidate(today: Today, desk: MarginDesk) -> None:
    """Sell collateral of borrowers whose cover has thinned to the market maker, long before it runs out."""
    owed = -today.book.balances[desk.borrowers, USD] / PLACES[USD]
    called = _collateral(today, desk.borrowers) < CALL_LEVEL * owed
    called |= today.rng.random(len(called)) < 0.002
    for account in desk.borrowers[called]:
        _sell_out(today, int(account))
    desk.borrowers = desk.borrowers[~called]


def _sell_out(today: Today, account: int) -> None:
    book, world = today.book, today.world
    maker, when = world.account_index(MARKET_MAKER_ACCOUNT), today.clock.at(today.day, 18.2)
    debt = -int(book.balances[account, USD])
    fee = max(debt * LIQUIDATION_FEE_PERCENT // 100, 2)
    missing = debt + fee
    transaction = book.new_transactions(1)
    for asset in np.argsort(-today.usd(np.array([account]))[0] * COLLATERAL_SHARE, kind="stable"):
        held = int(book.balances[account, asset])
        if missing <= 0 or asset == USD or held <= 0 or COLLATERAL_SHARE[asset] == 0:
            continue
        price = float(today.mid[asset]) * SALE_DISCOUNT
        quantity = min(held, int((missing + 1) / 100 / price * PLACES[asset]) + 1)
        proceeds = min(int(quantity / PLACES[asset] * price * 100), missing + 1)
        book.post(transaction, [account, maker], asset, [-quantity, quantity], "trade", when)
        book.post(transaction, [account, maker], USD, [proceeds, -proceeds], "trade", when)
        missing -= proceeds
    to_fund = fee // 2
    fund, fees = world.account_index(INSURANCE_ACCOUNT), world.account_index(FEE_ACCOUNT)
    book.post(transaction, [account, fund, fees], USD, [-fee, to_fund, fee - to_fund], "liquidation", when)


def _repay(today: Today, desk: MarginDesk) -> None:
    """Some borrowers repay from their spot account, if it holds enough."""
    book, borrowers = today.book, desk.borrowers
    spot = today.customers.owner[borrowers]
    owed = -book.balances[borrowers, USD]
    rows = (book.balances[spot, USD] >= owed) & (today.rng.random(len(owed)) < 0.1) & (owed > 0)
    if rows.any():
        when = today.clock.at(today.day, 18.3)
        transaction = book.new_transactions(int(rows.sum()))
        book.post(transaction, spot[rows], USD, -owed[rows], "repay", when)
        book.post(transaction, borrowers[rows], USD, owed[rows], "repay", when)
        desk.borrowers = borrowers[~rows]


def _lend(today: Today, desk: MarginDesk) -> None:
    """Lend dollars to a few margin accounts within their collateral and within what the market maker could absorb."""
    book, rng = today.book, today.rng
    free = _margin_accounts(today, desk)
    if len(free) == 0:
        return
    chosen = rng.choice(free, min(max(len(free) // 100, 1), len(free)), replace=False)
    loan = _collateral(today, chosen) * rng.uniform(*LOAN_SHARE_OF_COLLATERAL, len(chosen))
    cents = np.floor(loan * 100).astype(np.int64)
    maker = int(book.balances[today.world.account_index(MARKET_MAKER_ACCOUNT), USD])
    outstanding = -int(book.balances[desk.borrowers, USD].sum())
    room = int(maker * LOANS_PART_OF_MARKET_MAKER) - outstanding
    cents = np.minimum(cents, room // 2)
    rows = (cents >= LEAST_LOAN_USD * 100) & (np.cumsum(cents) <= room)
    if not rows.any():
        return
    account, cents = chosen[rows], cents[rows]
    moved = cents + book.balances[account, USD]
    when, transaction = today.clock.at(today.day, 18.4), book.new_transactions(len(account))
    book.post(transaction, account, USD, -moved, "borrow", when)
    book.post(transaction, today.customers.owner[account], USD, moved, "borrow", when)
    desk.borrowers = np.concatenate([desk.borrowers, account])
    desk.locked[account] = True


def _open_positions(today: Today, desk: MarginDesk) -> None:
    """A few margin accounts with dollars enough for any loss take a position for some days."""
    book, rng = today.book, today.rng
    free = _margin_accounts(today, desk)
    free = free[book.balances[free, USD] >= 20_000]
    if len(free) == 0:
        return
    chosen = rng.choice(free, min(max(len(free) // 50, 1), len(free)), replace=False)
    house = float(book.balances[today.world.account_index(HOUSE_ACCOUNT), USD]) / PLACES[USD]
    taken = sum(abs(int(q)) * int(p) for q, p in desk.positions[:, 2:4]) / 10**14
    room = house * POSITION_PART_OF_HOUSE - taken
    notional = book.balances[chosen, USD] / PLACES[USD] * rng.uniform(0.1, 0.5, len(chosen))
    notional = np.minimum(notional, max(room, 0.0) / 2)
    rows = (notional >= 10.0) & (np.cumsum(notional) <= room)
    chosen, notional = chosen[rows], notional[rows]
    asset = rng.choice(INSTRUMENTS, len(chosen))
    entry = today.price_units[asset]
    quantity = np.floor(notional / (entry / 10**8) * 10**QUANTITY_PLACES).astype(np.int64)
    quantity *= rng.choice(np.array([-1, 1]), len(chosen))
    closing = today.day + rng.integers(2, 7, len(chosen))
    new = np.column_stack([chosen, asset, quantity, entry, closing])
    desk.positions = np.concatenate([desk.positions, new[quantity != 0]])
    desk.locked[chosen] = True


def _close_positions(today: Today, desk: MarginDesk) -> None:
    """Settle positions at the end of their life in dollars against the house, at today's price."""
    due = desk.positions[:, 4] <= today.day
    closing = desk.positions[due]
    profit = unrealised_cents(closing, today.price_units)
    rows = profit != 0
    if rows.any():
        book, when = today.book, today.clock.at(today.day, 17.8)
        transaction, memo = book.new_transactions(int(rows.sum())), book.memo("position settled")
        house = today.world.account_index(HOUSE_ACCOUNT)
        book.post(transaction, closing[rows, 0], USD, profit[rows], "trade", when, memo=memo)
        book.post(transaction, house, USD, -profit[rows], "trade", when, memo=memo)
    desk.positions = desk.positions[~due]


def _pay_funding(today: Today, desk: MarginDesk) -> None:
    """Longs pay shorts once a day per instrument; the house keeps a tenth, booked as one net leg."""
    book, house = today.book, today.world.account_index(HOUSE_ACCOUNT)
    for asset in INSTRUMENTS:
        rows = desk.positions[desk.positions[:, 1] == asset]
        price = float(today.price_units[asset]) / 10**8
        notional = rows[:, 2] / 10**QUANTITY_PLACES * price
        longs, shorts = notional > 0, notional < 0
        if not longs.any() or not shorts.any():
            continue
        paid = np.floor(notional[longs] * today.rng.uniform(0.0001, 0.0005) * 100).astype(np.int64)
        pool = int(int(paid.sum()) * (1 - FUNDING_KEPT_BY_HOUSE))
        received = np.floor(pool * (notional[shorts] / notional[shorts].sum())).astype(np.int64)
        kept = int(paid.sum()) - int(received.sum())
        if kept <= 0:
            continue
        account = np.concatenate([rows[longs, 0], rows[shorts, 0], [house]])
        units = np.concatenate([-paid, received, [kept]])
        memo = book.memo(f"{ASSETS[int(asset)].symbol}-PERP")
        present = units != 0
        book.post(
            book.new_transactions(1)[0],
            account[present],
            USD,
            units[present],
            "funding",
            today.clock.at(today.day, 18.5),
            memo=memo,
        )
