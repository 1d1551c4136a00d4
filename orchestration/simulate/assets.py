"""The assets of the simulated exchange: precision, market behaviour, share of what customers are owed.

What belongs here: constants of the made-up market. What doesn't: price paths (prices.py), who holds what (world.py).
Price levels have the magnitude of November 2021; the mix of what is owed follows fact B4 (5.1 of 8.9 billion in US
dollars, 1.4 billion in bitcoin).
"""

from __future__ import annotations

from dataclasses import dataclass

LEDGER_PLACES = 18
"""Places of the contract's decimals: every amount is written as an integer count of 10**-18."""

PRICE_PLACES = 8
"""Prices are integers in 10**-8 USD."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset. ``places`` is the resolution of its amounts as int64; ``has_tail`` adds places down to 18.

    ``owed_share`` is its share of the USD value of what customers are owed on the first day, ``daily_volatility`` and
    ``market_beta`` shape its price path, ``holder_share`` is the part of customers who hold it.
    """

    symbol: str
    asset_class: str
    places: int
    decimals: int
    start_price: float
    daily_volatility: float
    market_beta: float
    owed_share: float
    holder_share: float
    in_kind_group: str | None = None
    has_tail: bool = False

    @property
    def group(self) -> str:
        """The reference asset of the in-kind group."""
        return self.in_kind_group or self.symbol


OWN_TOKEN = "MRX"

ASSETS: tuple[Asset, ...] = (
    Asset("USD", "fiat", 2, 2, 1.0, 0.0, 0.0, 0.34, 0.65),
    Asset("EUR", "fiat", 2, 2, 1.14, 0.003, 0.0, 0.04, 0.12),
    Asset("USDC", "stablecoin", 6, 6, 1.0, 0.0, 0.0, 0.13, 0.35, in_kind_group="USD"),
    Asset("USDT", "stablecoin", 6, 6, 1.0, 0.0, 0.0, 0.10, 0.30, in_kind_group="USD"),
    Asset("BTC", "crypto", 8, 8, 57000.0, 0.006, 1.0, 0.17, 0.50),
    Asset("ETH", "crypto", 9, 18, 4500.0, 0.012, 1.1, 0.10, 0.45, has_tail=True),
    Asset("SOL", "crypto", 9, 9, 210.0, 0.020, 1.2, 0.06, 0.25),
    Asset("XRP", "crypto", 6, 6, 1.0, 0.015, 1.0, 0.03, 0.20),
    Asset(OWN_TOKEN, "exchange_token", 6, 18, 50.0, 0.015, 0.8, 0.03, 0.15),
)

SYMBOLS: tuple[str, ...] = tuple(asset.symbol for asset in ASSETS)
INDEX: dict[str, int] = {symbol: number for number, symbol in enumerate(SYMBOLS)}
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(asset.group for asset in ASSETS))
TAIL_ASSET = INDEX["ETH"]
OWN_TOKEN_INDEX = INDEX[OWN_TOKEN]

OWED_PER_ACCOUNT_USD = 8900.0
"""USD owed per account: fact B4's 8.9 billion spread over a million accounts."""

HAIRCUT: dict[str, float] = {"fiat": 0.0, "stablecoin": 0.02, "crypto": 0.10, "exchange_token": 1.0}
"""Haircuts the margin desk uses. The own token counts nothing there, which is stricter than any policy."""


def members(group: str) -> tuple[int, ...]:
    """Indexes of the assets whose in-kind group is ``group``."""
    return tuple(number for number, asset in enumerate(ASSETS) if asset.group == group)


def exact_units(index: int, units: int, tail: int = 0) -> int:
    """An amount as an integer count of 10**-18 of the asset."""
    exact: int = int(units) * 10 ** (LEDGER_PLACES - ASSETS[index].places) + int(tail)
    return exact
