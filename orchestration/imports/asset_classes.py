"""What a bare asset code of a claims schedule most likely is: the token's class for haircuts.

What belongs here: the names that decide the class. What doesn't: haircuts and thresholds (policy), prices.
A schedule says nothing about its assets but their code. The lists hold codes as exchanges use them; an ISO currency
code that is better known as a token (SOS, TOP, MNT) is left out of the currencies on purpose.
"""

from __future__ import annotations

import re


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIAT_CURRENCIES = _codes(
    "AED ARS AUD BRL CAD CHF CLP CNY COP CZK DKK EUR GBP GHS HKD HUF IDR ILS INR JPY KES KRW MXN MYR NGN NOK NZD PEN"
    " PHP PLN RON SEK SGD THB TRY TWD UAH UGX USD VND XAF XOF ZAR"
)
STABLECOINS = _codes(
    "BRZ BUSD DAI EURS EURT FDUSD FRAX GUSD HUSD LUSD MXNT PAX PYUSD SUSD TRYB TUSD USDC USDD USDP USDT XSGD"
)
TOKENIZED_SHARES = _codes(
    "AAPL ABNB ACB AMC AMD AMZN APHA ARKK BABA BB BILI BITO BITW BNTX BYND CGC COIN CRON DKNG ETHE FB GBTC GDX GLD GLXY"
    " GME GOOGL HOOD MRNA MSTR NFLX NIO NVDA PENN PFE PYPL SLV SPY SQ TLRY TSLA TSM TWTR UBER USO ZM"
)

_DERIVATIVE = re.compile(r".+-(?:PERP|\d{4}|\d{6}|\d{8}|MOVE.*)", re.IGNORECASE)
_LEVERAGED = re.compile(r"[A-Z0-9]*(?:BULL|BEAR|HEDGE|HALF)(?:\d{4})?")
_COLLECTIBLE = re.compile(r"NFT\b.*", re.IGNORECASE)


def is_derivative(asset: str) -> bool:
    """Whether the name is that of a contract: a perpetual, a dated future, a volatility contract."""
    return _DERIVATIVE.fullmatch(asset) is not None


def is_collectible(asset: str) -> bool:
    """Whether the name is that of a single collectible token: ``NFT (id)``."""
    return _COLLECTIBLE.fullmatch(asset) is not None


def asset_class(asset: str, own_tokens: frozenset[str]) -> str:
    """Class of the asset for haircuts, one of the contract's; ``crypto`` if nothing in its name says otherwise.

    Own tokens come first, as the caller knows the exchange. Contracts, collectibles, leveraged and locked tokens are
    ``other``, the class with the largest haircut but the own tokens'.
    """
    if asset in own_tokens:
        return "exchange_token"
    if asset in FIAT_CURRENCIES:
        return "fiat"
    if asset in STABLECOINS:
        return "stablecoin"
    if asset in TOKENIZED_SHARES:
        return "tokenized"
    is_other = (
        is_derivative(asset)
        or is_collectible(asset)
        or _LEVERAGED.fullmatch(asset) is not None
        or asset.endswith("_LOCKED")
    )
    return "other" if is_other else "crypto"
