"""An asset that only one fault knows: its prices can be anything without touching the rest of the exchange.

A customer is owed some of it and a wallet holds a little more, worth about twenty millionths of what customers are owed
in all, so that no total moves. It exists in what is delivered only; the book has never heard of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.clock import MICROSECONDS, MINUTE
from orchestration.simulate.faults.base import Fault, with_rows
from orchestration.simulate.prices import OUTSIDE_SOURCES, PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import World

Row = dict[str, Any]

WORTH = 0.00002
START_PRICE = Decimal("0.05")


class OwnAsset(Fault):
    """A fault about the price of an asset of its own, owed to a customer unless ``is_owed`` is false."""

    is_owed: ClassVar[bool] = True

    @property
    def symbol(self) -> str:
        """The asset."""
        return f"T{self.slug_of(self.name)}"

    def usual_price(self, day: int) -> Decimal:
        """What the asset costs on a day: it goes up and down by a few percent."""
        return START_PRICE * (1000 + day * 7 % 19) / 1000

    def quotes(self, day: int) -> dict[str, Decimal]:
        """The day's price by source; none for a source that is silent."""
        return {source: self.usual_price(day) for source in OUTSIDE_SOURCES[:2]}

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account and the wallet, and say how much there is."""
        self.account = self.open_customer(world)
        self.wallet = self.open_wallet(world, self.symbol, 0.0, shares={})
        self.owed = int(world.owed_usd * WORTH / float(START_PRICE)) + 40

    @override
    def refer(self, world: World, tables: dict[str, pa.Table]) -> None:
        """List the asset."""
        row = {
            "asset": self.symbol,
            "asset_class": "other",
            "issuer_entity_id": None,
            "decimals": 6,
            "in_kind_group": None,
        }
        tables["tokens"] = with_rows("tokens", tables["tokens"], [row])

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Add the day's rows: the opening, what the engine and the custodian say, prices."""
        as_of = today.clock.close(today.day)
        rows: dict[str, list[Row]] = {
            "wallet_balances": [
                {
                    "wallet_id": self.wallet,
                    "asset": self.symbol,
                    "balance": self.owed * 11 // 10,
                    "as_of": as_of,
                    "block_height": None,
                }
            ],
            "token_prices": self.price_rows(today),
        }
        if self.is_owed:
            snapshot = {"account_id": self.account, "asset": self.symbol, "balance": self.owed, "as_of": as_of}
            rows["balance_snapshots"] = [snapshot]
            rows["ledger_entries"] = self._opening(today) if today.day == 0 else []
        for name, added in rows.items():
            tables[name] = with_rows(name, tables[name], added)

    def price_rows(self, today: Today) -> list[Row]:
        """The day's rows of prices."""
        return [
            {
                "asset": self.symbol,
                "price_usd": price,
                "volume_usd": 1_000,
                "as_of": today.clock.close(today.day) - 10 * MINUTE,
                "source": source,
            }
            for source, price in self.quotes(today.day).items()
        ]

    def _opening(self, today: Today) -> list[Row]:
        legs = ((self.account, self.owed), ("external-USD", -self.owed))
        when = today.clock.midnight(0)
        return [
            {
                "entry_id": f"e-{self.symbol}-{number}",
                "transaction_id": f"x-{self.symbol}",
                "account_id": account,
                "asset": self.symbol,
                "amount": amount,
                "entry_type": "opening",
                "effective_at": when,
                "recorded_at": when + 2 * MICROSECONDS,
                "reference": None,
                "memo": None,
            }
            for number, (account, amount) in enumerate(legs)
        ]
