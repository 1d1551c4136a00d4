"""The treasury's evening: fees to the house, bank charges, sweeps between hot and cold wallets.

What belongs here: what the operator moves on its own account. What doesn't: anything a customer asked for.
"""

from __future__ import annotations

import numpy as np

from orchestration.simulate.assets import ASSETS, INDEX
from orchestration.simulate.payments import Desk
from orchestration.simulate.today import Today
from orchestration.simulate.world import FEE_ACCOUNT, HOUSE_ACCOUNT


def close_day(today: Today, desk: Desk) -> None:
    """The treasury's evening: fees to the house, bank charges, sweeps between hot and cold wallets."""
    collect_fees(today)
    pay_bank_charges(today, desk)
    if today.controls.sweeps:
        sweep(today, desk)


def collect_fees(today: Today) -> None:
    """On the third of each month the fees received move to the house account."""
    if today.clock.date_of(today.day).day != 3:
        return
    book = today.book
    fees, house = today.world.account_index(FEE_ACCOUNT), today.world.account_index(HOUSE_ACCOUNT)
    assets = np.flatnonzero(book.balances[fees] > 0)
    if len(assets) == 0:
        return
    units, when = book.balances[fees, assets].copy(), today.clock.at(today.day, 22.5)
    transaction, memo = book.new_transactions(1), book.memo("monthly fee collection")
    book.post(transaction, fees, assets, -units, "transfer", when, memo=memo)
    book.post(transaction, house, assets, units, "transfer", when, memo=memo)


def pay_bank_charges(today: Today, desk: Desk) -> None:
    """On the second of each month the bank takes its charge, out of the operator's surplus."""
    if today.clock.date_of(today.day).day != 2:
        return
    for symbol in ("USD", "EUR"):
        slot = desk.liquid_slots[INDEX[symbol]][0]
        units = min(2_500, int(today.book.slots[slot]) // 100_000)
        if units > 0:
            today.book.transfer(slot, -units, "other", today.clock.at(today.day, 12.0))


def sweep(today: Today, desk: Desk) -> None:
    """Bring hot wallets (and the first dollar bank) back to their share: closely on Mondays, else if far from it."""
    book, wallets = today.book, today.world.wallets
    is_monday = today.clock.date_of(today.day).weekday() == 0
    low, high = (0.99, 1.01) if is_monday else (0.7, 1.4)
    for asset, base in desk.base_slot.items():
        symbol = ASSETS[asset].symbol
        slots = desk.liquid_slots[asset]
        total = sum(int(book.slots[slot]) for slot in [*slots, base])
        shares = {slot: wallets[int(book.slot_wallet[slot])].shares[symbol] for slot in slots}
        whole = sum(shares.values()) + wallets[int(book.slot_wallet[base])].shares[symbol]
        for slot in slots:
            target = int(total * (shares[slot] / whole))
            if low * target <= book.slots[slot] <= high * target:
                continue
            move = min(target - int(book.slots[slot]), int(book.slots[base]) * 9 // 10)
            if move:
                pair, when = np.array([slot, base]), today.clock.at(today.day, 22.7)
                other = book.slot_wallet[pair[::-1]]
                book.transfer(pair, np.array([move, -move]), "internal", when, counterparty=other)
