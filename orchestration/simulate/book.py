"""The book: running balances of accounts and wallets, and the rows that changed them.

What belongs here: posting legs and transfers, numbering, the double-entry assertion, balances at the end of a day.
What doesn't: why something is posted (activity, margin, acts) and how rows are written (tables).

Amounts are int64 counts of 10**-places of their asset, plus a tail in 10**-18 for the asset with 18 places. The two
parts are kept apart and never carried into each other until a row is written, so every sum is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestration import contract
from orchestration.simulate.assets import ASSETS, INDEX, TAIL_ASSET
from orchestration.simulate.prices import Integers
from orchestration.simulate.world import World

ENTRY_TYPES: tuple[str, ...] = contract.table("ledger_entries").column("entry_type").values
KIND: dict[str, int] = {name: number for number, name in enumerate(ENTRY_TYPES)}
TRANSFER_TYPES: tuple[str, ...] = contract.table("wallet_transfers").column("transfer_type").values
TRANSFER_KIND: dict[str, int] = {name: number for number, name in enumerate(TRANSFER_TYPES)}
NONE = -1


@dataclass
class LegBatch:
    """Columns of ledger legs; all arrays have one length. ``late`` legs are delivered with the next day's batch."""

    transaction: Integers
    account: Integers
    asset: Integers
    units: Integers
    tail: Integers
    kind: Integers
    effective: Integers
    recorded: Integers
    reference: Integers
    memo: Integers

    def take(self, rows: Any) -> LegBatch:
        """The legs at the given rows."""
        return LegBatch(*(column[rows] for column in self.columns()))

    def columns(self) -> list[Integers]:
        """The columns in declared order."""
        return [getattr(self, name) for name in self.__dataclass_fields__]

    @property
    def count(self) -> int:
        """Number of legs."""
        return len(self.transaction)


@dataclass
class TransferBatch:
    """Columns of wallet transfers; ``counterparty`` is a wallet index or NONE."""

    number: Integers
    slot: Integers
    units: Integers
    tail: Integers
    kind: Integers
    counterparty: Integers
    block_time: Integers
    recorded: Integers

    def columns(self) -> list[Integers]:
        """The columns in declared order."""
        return [getattr(self, name) for name in self.__dataclass_fields__]


def concatenate(kind: type[Any], batches: list[Any]) -> Any:
    """One batch of all rows of several, in order; an empty batch if there are none."""
    width = len(kind.__dataclass_fields__)
    if not batches:
        return kind(*(np.empty(0, dtype=np.int64) for _ in range(width)))
    parts = [batch.columns() for batch in batches]
    return kind(*(np.concatenate([part[number] for part in parts]) for number in range(width)))


@dataclass
class Book:
    """Running state of the exchange. Account and slot indexes are the world's."""

    world: World
    balances: Integers
    tails: Integers
    slot_wallet: Integers
    slot_asset: Integers
    slots: Integers
    slot_tails: Integers
    memos: list[str] = field(default_factory=list)
    legs: list[LegBatch] = field(default_factory=list)
    late_legs: list[LegBatch] = field(default_factory=list)
    transfers: list[TransferBatch] = field(default_factory=list)
    next_transaction: int = 0
    next_transfer: int = 0

    def memo(self, text: str) -> int:
        """The number under which a memo is kept."""
        if text not in self.memos:
            self.memos.append(text)
        return self.memos.index(text)

    def slot(self, wallet_id: str, symbol: str) -> int:
        """The index of what a wallet holds of an asset."""
        wallet, asset = self.world.wallet_index(wallet_id), INDEX[symbol]
        return int(np.flatnonzero((self.slot_wallet == wallet) & (self.slot_asset == asset))[0])

    def new_transactions(self, count: int) -> Integers:
        """Reserve transaction numbers."""
        self.next_transaction += count
        return np.arange(self.next_transaction - count, self.next_transaction)

    def new_transfers(self, count: int) -> Integers:
        """Reserve transfer numbers."""
        self.next_transfer += count
        return np.arange(self.next_transfer - count, self.next_transfer)

    def post(
        self,
        transaction: Any,
        account: Any,
        asset: Any,
        units: Any,
        kind: str,
        effective: Any,
        *,
        recorded: Any = None,
        tail: Any = 0,
        reference: Any = NONE,
        memo: int = NONE,
        late: bool = False,
    ) -> None:
        """Post legs (arrays or scalars, broadcast together) and change the balances at once.

        Several calls may build one transaction; the sums are asserted when the day is taken. Recorded two seconds
        after it is effective unless said otherwise.
        """
        recorded = np.asarray(effective) + 2_000_000 if recorded is None else recorded
        values = (transaction, account, asset, units, tail, KIND[kind], effective, recorded, reference, memo)
        columns = [np.ascontiguousarray(c, dtype=np.int64) for c in np.broadcast_arrays(*np.atleast_1d(*values))]
        batch = LegBatch(*columns)
        np.add.at(self.balances, (batch.account, batch.asset), batch.units)
        if batch.tail.any():
            assert (batch.asset[batch.tail != 0] == TAIL_ASSET).all(), "only the asset with 18 places has a tail"
            np.add.at(self.tails, batch.account, batch.tail)
        (self.late_legs if late else self.legs).append(batch)

    def transfer(
        self,
        slot: Any,
        units: Any,
        kind: str,
        block_time: Any,
        *,
        tail: Any = 0,
        counterparty: Any = NONE,
        recorded: Any = None,
        numbers: Integers | None = None,
    ) -> Integers:
        """Record wallet transfers and change the wallets' balances; return the transfers' numbers.

        ``numbers`` gives numbers reserved before, for transfers that move later than the ledger did.
        """
        recorded = np.asarray(block_time) + 20_000_000 if recorded is None else recorded
        values = (slot, units, tail, TRANSFER_KIND[kind], counterparty, block_time, recorded)
        columns = [np.ascontiguousarray(c, dtype=np.int64) for c in np.broadcast_arrays(*np.atleast_1d(*values))]
        numbers = self.new_transfers(len(columns[0])) if numbers is None else numbers
        batch = TransferBatch(numbers, *columns)
        np.add.at(self.slots, batch.slot, batch.units)
        np.add.at(self.slot_tails, batch.slot, batch.tail)
        self.transfers.append(batch)
        return numbers

    def take_day(self, carried: LegBatch | None) -> tuple[LegBatch, LegBatch, TransferBatch]:
        """Hand over the day's legs to deliver (late ones of the day before first), its late legs, its transfers."""
        today = concatenate(LegBatch, self.legs)
        late = concatenate(LegBatch, self.late_legs)
        transfers = concatenate(TransferBatch, self.transfers)
        assert_double_entry(today)
        assert_double_entry(late)
        assert (self.slots >= (self.slot_tails < 0)).all(), "a wallet can't hold less than nothing"
        self.legs, self.late_legs, self.transfers = [], [], []
        delivered = concatenate(LegBatch, [today] if carried is None else [carried, today])
        return delivered.take(np.lexsort((delivered.transaction, delivered.effective))), late, transfers


def assert_double_entry(legs: LegBatch) -> None:
    """Raise AssertionError unless the legs sum to exactly zero per transaction and asset."""
    if legs.count == 0:
        return
    key = legs.transaction * len(ASSETS) + legs.asset
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    assert not np.add.reduceat(legs.units[order], starts).any(), "a transaction's legs don't sum to zero"
    assert not np.add.reduceat(legs.tail[order], starts).any(), "a transaction's tails don't sum to zero"


def open_book(world: World, start_prices: Any) -> Book:
    """Open the book: balances and wallets stand at zero, the slots exist, and the first day's opening is posted."""
    accounts = world.customers.count + len(world.accounts)
    pairs = [(number, INDEX[symbol]) for number, wallet in enumerate(world.wallets) for symbol in wallet.shares]
    book = Book(
        world=world,
        balances=np.zeros((accounts, len(ASSETS)), dtype=np.int64),
        tails=np.zeros(accounts, dtype=np.int64),
        slot_wallet=np.array([wallet for wallet, _ in pairs], dtype=np.int64),
        slot_asset=np.array([asset for _, asset in pairs], dtype=np.int64),
        slots=np.zeros(len(pairs), dtype=np.int64),
        slot_tails=np.zeros(len(pairs), dtype=np.int64),
    )
    _post_opening(book, start_prices)
    _fill_wallets(book, start_prices)
    return book


def _post_opening(book: Book, start_prices: Any) -> None:
    """Everybody's opening balances against the outside world, one transaction per account."""
    world, customers = book.world, book.world.customers
    special = np.zeros((len(world.accounts), len(ASSETS)), dtype=np.int64)
    for number, account in enumerate(world.accounts):
        for symbol, value in account.opening_usd.items():
            held = INDEX[symbol]
            special[number, held] = int(value / start_prices[held] * 10 ** ASSETS[held].places)
    opening = np.concatenate([customers.opening, special])
    tails = np.concatenate([customers.opening_tail, np.zeros(len(special), dtype=np.int64)])
    holder, asset = np.nonzero(opening)
    units = opening[holder, asset]
    tail = np.where(asset == TAIL_ASSET, tails[holder], 0)
    external = np.array([world.external_index(number) for number in range(len(ASSETS))])
    transaction = book.new_transactions(len(opening))[holder]
    when = world.clock.midnight(0)
    book.post(transaction, holder, asset, units, "opening", when, tail=tail)
    book.post(transaction, external[asset], asset, -units, "opening", when, tail=-tail)


def _fill_wallets(book: Book, start_prices: Any) -> None:
    """Spread what is owed to everybody plus the operator's surplus over the wallets that exist on the first day."""
    world = book.world
    inside = np.ones(len(book.balances), dtype=bool)
    inside[[world.external_index(number) for number in range(len(ASSETS))]] = False
    owed = book.balances[inside].sum(axis=0)
    filled = np.zeros(len(ASSETS), dtype=np.int64)
    for number, (wallet_number, asset) in enumerate(zip(book.slot_wallet, book.slot_asset, strict=True)):
        wallet = world.wallets[int(wallet_number)]
        if wallet.first_day is not None:
            continue
        share = wallet.shares[ASSETS[int(asset)].symbol]
        if wallet.is_reserve:
            book.slots[number] = int(int(owed[asset]) * (1.02 * share)) + 1
            filled[asset] += book.slots[number]
        else:
            value = world.owed_usd * ASSETS[int(asset)].owed_share * share
            book.slots[number] = int(value / start_prices[asset] * 10 ** ASSETS[int(asset)].places)
    tail_slot = book.slot("eth-cold", "ETH")
    book.slot_tails[tail_slot] = int(book.tails[inside].sum())
    assert (filled >= owed).all(), "reserves start above what is owed"
