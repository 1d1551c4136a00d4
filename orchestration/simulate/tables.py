"""The contract's tables, derived from the world, the book and the prices.

What belongs here: one function per table that gives a day's rows (or a reference table's). What doesn't: what
happened (activity, margin, acts) and files (writer.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration import contract
from orchestration.simulate import columns as c
from orchestration.simulate.assets import ASSETS, INDEX, OWN_TOKEN_INDEX, PRICE_PLACES, SYMBOLS
from orchestration.simulate.book import ENTRY_TYPES, TRANSFER_TYPES, Book, LegBatch, TransferBatch
from orchestration.simulate.clock import DAY, MINUTE
from orchestration.simulate.margin import QUANTITY_PLACES, unrealised_cents
from orchestration.simulate.prices import Integers, PricePaths
from orchestration.simulate.world import (
    World,
    customer_account_id,
)

PLACES: Integers = np.array([asset.places for asset in ASSETS])
_SYMBOLS = pa.array(SYMBOLS)
_ENTRY_TYPES = pa.array(ENTRY_TYPES)
_TRANSFER_TYPES = pa.array(TRANSFER_TYPES)
_BLOCK_SECONDS = {"bitcoin": 600, "ethereum": 13, "solana": 1, "tron": 3, "xrp": 4}


@dataclass
class Names:
    """Identifiers by index, made once."""

    accounts: pa.Array
    wallets: pa.Array
    addresses: pa.Array
    is_snapshotted: Any

    @staticmethod
    def of(world: World) -> Names:
        """The identifiers of a world whose plan is complete."""
        ordinary = [customer_account_id(world.customers, number) for number in range(world.customers.count)]
        return Names(
            pa.array([*ordinary, *(account.account_id for account in world.accounts)]),
            pa.array([wallet.wallet_id for wallet in world.wallets]),
            pa.array([wallet.address for wallet in world.wallets]),
            np.array([True] * len(ordinary) + [a.account_class != "external" for a in world.accounts]),
        )


def ledger_entries(book: Book, names: Names, legs: LegBatch, first_entry: int) -> pa.Table:
    """A day's batch of ledger entries, numbered from ``first_entry`` in order of effect."""
    return c.typed_table(
        "ledger_entries",
        {
            "entry_id": c.numbered("e", np.arange(first_entry, first_entry + legs.count)),
            "transaction_id": c.numbered("x", legs.transaction),
            "account_id": c.looked_up(names.accounts, legs.account),
            "asset": c.looked_up(_SYMBOLS, legs.asset),
            "amount": c.decimals(legs.units, PLACES[legs.asset], legs.tail),
            "entry_type": c.looked_up(_ENTRY_TYPES, legs.kind),
            "effective_at": c.times(legs.effective),
            "recorded_at": c.times(legs.recorded),
            "reference": c.numbered("t", legs.reference),
            "memo": c.looked_up(pa.array(book.memos, type=pa.string()), legs.memo),
        },
    )


def wallet_transfers(book: Book, names: Names, batch: TransferBatch) -> pa.Table:
    """A day's wallet transfers; outsiders' addresses are made up from the transfer's number."""
    order = np.lexsort((batch.number, batch.block_time))
    number, slot, units, tail, kind, counterparty, block_time, recorded = (column[order] for column in batch.columns())
    outside = c.numbered("addr-", (number * 7_919 + 104_729) % 10**10)
    inside = c.looked_up(names.addresses, counterparty)
    return c.typed_table(
        "wallet_transfers",
        {
            "transfer_id": c.numbered("t", number),
            "wallet_id": c.looked_up(names.wallets, book.slot_wallet[slot]),
            "counterparty_address": pc.coalesce(inside, outside),
            "counterparty_wallet_id": c.looked_up(names.wallets, counterparty),
            "asset": c.looked_up(_SYMBOLS, book.slot_asset[slot]),
            "amount": c.decimals(units, PLACES[book.slot_asset[slot]], tail),
            "transfer_type": c.looked_up(_TRANSFER_TYPES, kind),
            "block_time": c.times(block_time),
            "recorded_at": c.times(recorded),
        },
    )


def balance_snapshots(book: Book, names: Names, as_of: int) -> pa.Table:
    """Every balance that isn't zero at the end of a day, external accounts apart."""
    filled = (book.balances != 0) & names.is_snapshotted[:, None]
    filled[:, INDEX["ETH"]] |= (book.tails != 0) & names.is_snapshotted
    account, asset = np.nonzero(filled)
    tail = np.where(asset == INDEX["ETH"], book.tails[account], 0)
    return c.typed_table(
        "balance_snapshots",
        {
            "account_id": c.looked_up(names.accounts, account),
            "asset": c.looked_up(_SYMBOLS, asset),
            "balance": c.decimals(book.balances[account, asset], PLACES[asset], tail),
            "as_of": c.times(np.full(len(account), as_of)),
        },
    )


def wallet_balances(book: Book, names: Names, day: int, as_of: int) -> pa.Table:
    """What every wallet listed by the day holds of each of its assets, zero included."""
    wallets = book.world.wallets
    listed = np.array([(w.first_day is None) or (w.first_day <= day) for w in wallets])
    seconds = np.array([_BLOCK_SECONDS.get(wallet.network, -1) for wallet in wallets])
    slot = np.flatnonzero(listed[book.slot_wallet])
    wallet, asset = book.slot_wallet[slot], book.slot_asset[slot]
    pace = seconds[wallet]
    height = np.where(pace > 0, as_of // 10**6 // np.maximum(pace, 1) - 1_000_000, -1)
    return c.typed_table(
        "wallet_balances",
        {
            "wallet_id": c.looked_up(names.wallets, wallet),
            "asset": c.looked_up(_SYMBOLS, asset),
            "balance": c.decimals(book.slots[slot], PLACES[asset], book.slot_tails[slot]),
            "as_of": c.times(np.full(len(slot), as_of)),
            "block_height": pa.array(height, mask=height < 0),
        },
    )


def token_prices(paths: PricePaths, quotes: Integers, volumes: Integers, day: int, midnight: int) -> pa.Table:
    """One quote per asset and source, late in the day."""
    asset, source = (grid.ravel() for grid in np.indices(quotes[day].shape))
    as_of = midnight + DAY - (20 - 2 * source) * MINUTE
    return c.typed_table(
        "token_prices",
        {
            "asset": c.looked_up(_SYMBOLS, asset),
            "price_usd": c.decimals(quotes[day].ravel(), PRICE_PLACES),
            "volume_usd": c.decimals(volumes[day].ravel(), 0),
            "as_of": c.times(as_of),
            "source": c.looked_up(pa.array(paths.sources), source),
        },
    )


def market_depth(paths: PricePaths, day: int, as_of: int) -> pa.Table:
    """Depth and volume per source for everything that isn't money itself."""
    table, rows = contract.table("market_depth"), []
    for number, asset in enumerate(ASSETS):
        if asset.asset_class in ("fiat", "stablecoin"):
            continue
        for position, source in enumerate(paths.sources):
            volume = paths.average_volume_usd(day, number, position)
            rows.append(
                {
                    "asset": asset.symbol,
                    "as_of": as_of,
                    "bid_depth_2pct_usd": volume // (4 if number == OWN_TOKEN_INDEX else 50),
                    "volume_30d_avg_usd": volume,
                    "volatility_30d": "0.045",
                    "source": source,
                }
            )
    return c.rows_to_table(table, rows)


def token_supply(world: World, as_of: int) -> pa.Table:
    """Units in circulation of the tokens whose supply is known; a tenth of what was issued is locked."""
    rows = [
        {"asset": symbol, "as_of": as_of, "circulating": units, "total": units + units // 9}
        for symbol, units in world.token_circulating.items()
    ]
    return c.rows_to_table(contract.table("token_supply"), rows)


def open_positions(names: Names, positions: Integers, price_units: Integers, as_of: int) -> pa.Table:
    """The margin desk's open positions, marked at the day's reference price."""
    account, asset = positions[:, 0], positions[:, 1]
    instruments = pa.array([f"{symbol}-PERP" for symbol in SYMBOLS])
    return c.typed_table(
        "open_positions",
        {
            "account_id": c.looked_up(names.accounts, account),
            "instrument": c.looked_up(instruments, asset),
            "quantity": c.decimals(positions[:, 2], QUANTITY_PLACES),
            "entry_price": c.decimals(positions[:, 3], PRICE_PLACES),
            "mark_price": c.decimals(price_units[asset], PRICE_PLACES),
            "unrealised_pnl_usd": c.decimals(unrealised_cents(positions, price_units), 2),
            "as_of": c.times(np.full(len(positions), as_of)),
        },
    )
