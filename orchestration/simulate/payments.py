"""Customers' deposits and withdrawals: wallet transfers and the ledger transactions that refer to them.

What belongs here: what crosses the border to the outside world on ordinary days and in a run. What doesn't: trades
(trading.py) and the operator's own moves (treasury.py). Everything keeps two promises: no customer spends what they
don't hold, and what the operator owes in an asset moves together with what its wallets hold of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestration.simulate.assets import ASSETS, INDEX, OWN_TOKEN_INDEX, TAIL_ASSET
from orchestration.simulate.prices import Floats, Integers
from orchestration.simulate.today import PLACES, Today
from orchestration.simulate.world import FEE_ACCOUNT, MARKET_MAKER_ACCOUNT

DEPOSITS_PER_ACCOUNT = 0.02
WITHDRAWALS_PER_ACCOUNT = 0.015
DAILY_FLOW_SHARE = 0.008
DAILY_WITHDRAWAL_LIMIT = 0.012
HOT_WITHDRAWAL_LIMIT = 0.2
LAG_SHARE = 0.05
WITHDRAWAL_FEE_USD = 1.0
OWN_TOKEN_FEE_USD = 0.05
MARKET_MAKER_FLOOR = 0.3
NETWORK_FEE_SHARE = 5_000
CHAIN_NATIVE = frozenset({"BTC", "ETH", "SOL", "XRP"})


@dataclass(frozen=True)
class Payments:
    """Columns of deposits or withdrawals: whose account, of which asset, how much; positive."""

    account: Integers
    asset: Integers
    units: Integers
    tail: Integers

    @staticmethod
    def one(account: int, asset: int, units: int) -> Payments:
        """A single payment."""
        return Payments(np.array([account]), np.array([asset]), np.array([units]), np.zeros(1, dtype=np.int64))

    def take(self, rows: Any) -> Payments:
        """The payments at the given rows."""
        return Payments(self.account[rows], self.asset[rows], self.units[rows], self.tail[rows])


@dataclass
class Desk:
    """What ordinary activity remembers from one day to the next."""

    liquid_slots: dict[int, list[int]]
    base_slot: dict[int, int]
    target: Integers
    market_maker_floor: Integers
    pending_deposits: list[tuple[Payments, Integers]] = field(default_factory=list)
    pending_withdrawals: list[tuple[Integers, ...]] = field(default_factory=list)
    deposited_to: list[tuple[int, int]] = field(default_factory=list)


def open_desk(today: Today) -> Desk:
    """Derive from the first day's book which wallets serve customers and what levels to return to."""
    world, book = today.world, today.book
    liquid: dict[int, list[int]] = {number: [] for number in range(len(ASSETS))}
    base: dict[int, int] = {}
    for slot, (wallet_number, asset) in enumerate(zip(book.slot_wallet, book.slot_asset, strict=True)):
        wallet = world.wallets[int(wallet_number)]
        if not wallet.is_reserve or wallet.custody == "custodian":
            continue
        if wallet.custody in ("hot", "bank") and wallet.wallet_id != "bank-harbor-usd":
            liquid[int(asset)].append(slot)
        else:
            base[int(asset)] = slot
    maker = world.account_index(MARKET_MAKER_ACCOUNT)
    floor = np.floor(book.balances[maker] * MARKET_MAKER_FLOOR).astype(np.int64)
    return Desk(liquid, base, today.customer_totals(), floor)


def deposit(today: Today, desk: Desk) -> None:
    """Customers bring assets: one wallet transfer and one ledger transaction each, some credited only next day."""
    rng, free = today.rng, today.free_accounts()
    count = max(int(len(free) * DEPOSITS_PER_ACCOUNT), 2)
    newcomers = free[today.customers.opened_day[free] == today.day] if today.day else free[:0]
    account = np.concatenate([newcomers, rng.choice(free, min(count, len(free)), replace=False)])
    asset = rng.choice(len(ASSETS), len(account), p=[a.owed_share for a in ASSETS])
    value = today.customers.size_usd[account] * rng.uniform(0.02, 0.3, len(account))
    units = np.maximum(_scaled_to(today, desk, asset, value), 0)
    keep = units > 0
    account, asset, units = account[keep], asset[keep], units[keep]
    if len(account) == 0:
        return
    tail = np.where(asset == TAIL_ASSET, rng.integers(0, 10**9, len(account)), 0)
    slot = _pick_slots(today, desk, asset)
    lags = (rng.random(len(account)) < LAG_SHARE) & (not today.is_last)
    block_time = np.where(lags, today.moments(len(account), 23.1, 23.5), today.moments(len(account), 1.0, 5.5))
    numbers = today.book.transfer(slot, units, "deposit", block_time, tail=tail)
    payments = Payments(account, asset, units, tail)
    credit(today, payments.take(~lags), block_time[~lags], numbers[~lags])
    desk.pending_deposits.append((payments.take(lags), numbers[lags]))


def credit_pending(today: Today, desk: Desk) -> None:
    """Credit yesterday evening's transfers, and send the withdrawals that were booked but not sent yesterday."""
    when = today.clock.at(today.day, 0.2)
    for payments, numbers in desk.pending_deposits:
        credit(today, payments, when, numbers)
    for slot, units, tail, numbers in desk.pending_withdrawals:
        if len(numbers):
            today.book.transfer(slot, -units, "withdrawal", when, tail=-tail, numbers=numbers)
    desk.pending_deposits, desk.pending_withdrawals = [], []


def _scaled_to(today: Today, desk: Desk, asset: Integers, value: Floats) -> Integers:
    """Units worth ``value``, scaled down per asset so that flows keep balances near where they started."""
    totals = today.customer_totals()
    pull = np.clip(desk.target / np.maximum(totals, 1), 0.3, 3.0)
    limit = desk.target / PLACES * today.mid * DAILY_FLOW_SHARE * pull * today.rng.uniform(0.5, 1.5, len(ASSETS))
    wanted = np.bincount(asset, weights=value, minlength=len(ASSETS))
    factor = np.minimum(limit / np.maximum(wanted, 1e-9), 1.0)
    return today.units(value * factor[asset], asset)


def _pick_slots(today: Today, desk: Desk, asset: Integers) -> Integers:
    slot = np.zeros(len(asset), dtype=np.int64)
    draw = today.rng.random(len(asset))
    for number, slots in desk.liquid_slots.items():
        rows = asset == number
        slot[rows] = np.array(slots)[(draw[rows] * len(slots)).astype(np.int64)]
    return slot


def credit(today: Today, payments: Payments, block_time: Any, numbers: Integers) -> None:
    """Credit deposits to accounts against the outside world, each in a transaction that refers to its transfer."""
    if len(payments.account) == 0:
        return
    book, asset, when = today.book, payments.asset, block_time + 90_000_000
    transaction = book.new_transactions(len(asset))
    external = np.array([today.world.external_index(number) for number in range(len(ASSETS))])[asset]
    units, tail = payments.units, payments.tail
    book.post(transaction, payments.account, asset, units, "deposit", when, tail=tail, reference=numbers)
    book.post(transaction, external, asset, -units, "deposit", when, tail=-tail, reference=numbers)


def withdraw(today: Today, desk: Desk) -> None:
    """Customers take assets out, within what they hold and what hot wallets serve in a day; bitcoin goes in batches."""
    in_run = today.controls.run_share > 0
    account, asset, wanted = _wanted_in_run(today) if in_run else _wanted_ordinarily(today)
    slot = _pick_slots(today, desk, asset)
    units = _within_limits(today, slot, wanted)
    tail = np.where(asset == TAIL_ASSET, today.book.tails[account], 0)
    served = units > 0
    if served.any():
        payments = Payments(account, asset, units, tail).take(served)
        send_out(today, desk, payments, slot[served])
        _charge_withdrawal_fees(today, payments.account, payments.asset)


def _wanted_in_run(today: Today) -> tuple[Integers, Integers, Integers]:
    """Everybody wants most of everything, in an order of chance: accounts, assets, units."""
    rng, book, free = today.rng, today.book, today.free_accounts()
    assets = np.array([INDEX[symbol] for symbol in today.controls.run_assets])
    holder, column = np.nonzero(book.balances[np.ix_(free, assets)] > 0)
    order = rng.permutation(len(holder))
    account, asset = free[holder][order], assets[column][order]
    wanted = np.floor(book.balances[account, asset] * rng.uniform(0.5, 0.9, len(account))).astype(np.int64)
    return account, asset, wanted


def _wanted_ordinarily(today: Today) -> tuple[Integers, Integers, Integers]:
    """A few want a part of one thing they hold; one day a large holder wants a lot: accounts, assets, units."""
    rng, book, free = today.rng, today.book, today.free_accounts()
    count = min(max(int(len(free) * WITHDRAWALS_PER_ACCOUNT), 2), len(free))
    account = rng.choice(free, count, replace=False)
    asset = pick_held(today, account, np.arange(len(ASSETS)))
    account, asset = account[asset >= 0], asset[asset >= 0]
    wanted = np.floor(book.balances[account, asset] * rng.uniform(0.05, 0.6, len(account))).astype(np.int64)
    bitcoin = INDEX["BTC"]
    whale = free[np.argmax(book.balances[free, bitcoin])]
    if is_whale_day(today) and whale not in account:
        large = min(int(book.balances[whale, bitcoin]) * 4 // 5, int(today.customer_totals()[bitcoin]) // 20)
        account, asset = np.concatenate([[whale], account]), np.concatenate([[bitcoin], asset])
        wanted = np.concatenate([[large], wanted])
    return account, asset, wanted


def is_whale_day(today: Today) -> bool:
    """Whether today the largest holder of bitcoin takes out most of it: large, genuine and no finding."""
    return today.day == (2 * today.last_day) // 5


def _within_limits(today: Today, slot: Integers, wanted: Integers) -> Integers:
    """Units served: cumulative per wallet up to the day's limit, in the order given; what exceeds it waits."""
    book, totals, run_share = today.book, today.customer_totals(), today.controls.run_share
    served = np.zeros(len(wanted), dtype=np.int64)
    for number in np.unique(slot):
        rows = np.flatnonzero(slot == number)
        total, held = int(totals[book.slot_asset[number]]), int(book.slots[number])
        limit = min(int(total * DAILY_WITHDRAWAL_LIMIT), int(held * HOT_WITHDRAWAL_LIMIT))
        if run_share > 0:
            limit = int(held * run_share)
        elif is_whale_day(today) and limit < int(wanted[rows[0]]) <= held * HOT_WITHDRAWAL_LIMIT:
            limit = int(wanted[rows[0]])
        share = np.minimum(wanted[rows], limit)
        room = np.maximum(limit - (np.cumsum(share) - share), 0)
        served[rows] = np.minimum(share, room)
    return served


def send_out(today: Today, desk: Desk, payments: Payments, slot: Integers) -> None:
    """Book withdrawals against the outside world and send them; a few are sent only after midnight."""
    account, asset, units, tail = payments.account, payments.asset, payments.units, payments.tail
    book, count = today.book, len(account)
    when = np.sort(today.moments(count, 19.0, 21.0))
    batch = _batches(asset, slot)
    first = np.unique(batch, return_index=True)[1]
    lags = (today.rng.random(len(first)) < LAG_SHARE) & (not today.is_last)
    numbers = book.new_transfers(len(first))
    transaction = book.new_transactions(count)
    external = np.array([today.world.external_index(number) for number in range(len(ASSETS))])[asset]
    reference = numbers[batch]
    book.post(transaction, account, asset, -units, "withdrawal", when, tail=-tail, reference=reference)
    book.post(transaction, external, asset, units, "withdrawal", when, tail=tail, reference=reference)
    sums, tails = np.zeros(len(first), dtype=np.int64), np.zeros(len(first), dtype=np.int64)
    np.add.at(sums, batch, units)
    np.add.at(tails, batch, tail)
    sent = today.clock.at(today.day, 21.5)
    now = ~lags
    if now.any():
        book.transfer(slot[first][now], -sums[now], "withdrawal", sent, tail=-tails[now], numbers=numbers[now])
    desk.pending_withdrawals.append((slot[first][lags], sums[lags], tails[lags], numbers[lags]))
    _pay_network_fees(today, slot[first], sums)


def _batches(asset: Integers, slot: Integers) -> Integers:
    """A dense batch number per withdrawal: bitcoin in batches of up to ten per wallet, everything else alone."""
    label = np.arange(len(asset)) + 10 * len(asset)
    for number in np.unique(slot[asset == INDEX["BTC"]]):
        rows = np.flatnonzero((asset == INDEX["BTC"]) & (slot == number))
        label[rows] = rows[(np.arange(len(rows)) // 10) * 10]
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _pay_network_fees(today: Today, slot: Integers, units: Integers) -> None:
    """One network fee per wallet and day, a small part of what was sent, out of the operator's surplus."""
    for number in np.unique(slot):
        asset = ASSETS[int(today.book.slot_asset[number])]
        fee = min(int(units[slot == number].sum()) // NETWORK_FEE_SHARE, int(5 / asset.start_price * 10**asset.places))
        if asset.symbol in CHAIN_NATIVE and fee > 0:
            today.book.transfer(number, -fee, "network_fee", today.clock.at(today.day, 21.6))


def _charge_withdrawal_fees(today: Today, account: Integers, asset: Integers) -> None:
    """About a dollar each in the asset withdrawn, in a transaction of its own, from those who still can pay it.

    The own token costs a few cents, so that income in it stays a small part of any month's revenue.
    """
    fee = today.units(np.where(asset == OWN_TOKEN_INDEX, OWN_TOKEN_FEE_USD, WITHDRAWAL_FEE_USD), asset)
    can_pay = (today.book.balances[account, asset] > 3 * fee) & (account != today.customers.fee_exempt) & (fee > 0)
    first = np.zeros(len(account), dtype=bool)
    first[np.unique(account, return_index=True)[1]] = True
    rows = can_pay & first
    charge(today, account[rows], asset[rows], fee[rows], today.moments(int(rows.sum()), 21.1, 21.4))


def charge(today: Today, account: Any, asset: Any, units: Any, when: Any, *, late: bool = False) -> None:
    """Take fees from accounts, each in a transaction of its own."""
    if len(account) == 0:
        return
    book = today.book
    transaction = book.new_transactions(len(account))
    book.post(transaction, account, asset, -units, "fee", when, late=late)
    book.post(transaction, today.world.account_index(FEE_ACCOUNT), asset, units, "fee", when, late=late)
    today.fees_usd += float((units / PLACES[asset] * today.mid[asset]).sum())


def pick_held(today: Today, account: Integers, assets: Integers) -> Integers:
    """One asset of ``assets`` that each account holds, at random; -1 where it holds none."""
    held = today.book.balances[np.ix_(account, assets)] > 0
    score = today.rng.random(held.shape) * held
    return np.where(held.any(axis=1), assets[score.argmax(axis=1)], -1)
