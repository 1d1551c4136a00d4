"""What a source of kind venue can be told.

What belongs here: keys, and what contradicts itself. What doesn't: anything that only the venue knows.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from orchestration.connectors.base import SourceConfiguration
from orchestration.connectors.http import HttpSettings
from orchestration.connectors.limits import Limits
from orchestration.connectors.present import DEFAULT_GRACE_HOURS, GraceHours
from orchestration.connectors.secrets import Address, VariableName

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Part(BaseModel):
    """A part of the section; no key that isn't known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Transfers(Part):
    """Deposits to the venue and withdrawals from it.

    ``lookback_days``: how long one may take until the venue says that it is done; it is delivered then.
    ``fees``: whether the venue's fee goes ``beside`` the amount that it states (the balance changes by both, so the fee
    is a row of its own) or stands ``within`` it.
    """

    lookback_days: int = Field(14, ge=1, le=60)
    fees: Literal["beside", "within"] = "beside"


class Balances(Part):
    """An account at the venue, as one wallet: named by ``wallet_id``, or the one registered under ``address``.

    ``accounts`` are ccxt's types of account (spot, funding, margin, …), added up; empty asks for what ccxt asks for by
    default. ``assets`` names the venue's currencies as the register of tokens does; several may be one asset. Others
    keep their own code. ``left_out`` are currencies that aren't delivered. A zero is delivered for what ``assets``
    names; with ``absent_is_zero`` also if the venue's answer lists other currencies and not this one.
    """

    wallet_id: Name | None = None
    address: Name | None = None
    accounts: tuple[Name, ...] = ()
    assets: dict[Name, Name] = Field(default_factory=dict)
    left_out: tuple[Name, ...] = ()
    absent_is_zero: bool = False
    grace_hours: GraceHours = DEFAULT_GRACE_HOURS
    transfers: Transfers | None = None

    @model_validator(mode="after")
    def _is_one_wallet(self) -> Balances:
        if (self.wallet_id is None) == (self.address is None):
            raise ValueError("name the wallet either by wallet_id or by the address it is registered under")
        if len(set(self.accounts)) != len(self.accounts):
            raise ValueError("an account stands twice in accounts, and would count twice; take one away")
        if both := sorted(set(self.assets) & set(self.left_out)):
            raise ValueError(f"{both[0]} stands in assets and in left_out; decide on one")
        return self


class Market(Part):
    """A spot market of the venue, named as ccxt does (BTC/USD), and the asset that it prices.

    ``source`` tells several markets of one asset apart; by default the venue's name. ``listed_on`` is the first whole
    day of trading of a market younger than 30 days, whose averages stay unknown until it is old enough.
    """

    asset: Name
    symbol: Annotated[str, StringConstraints(pattern=r"^[^/:\s]+/[^/:\s]+$")]
    source: Name | None = None
    listed_on: date | None = None


class Depth(Part):
    """How deep the markets are. ``levels``: how many prices to ask for (by default as many as the venue likes).

    ``part``: what to do with an order book that ends before 2 % below the price: ``refuse`` it, or take what it shows
    as a ``lower_bound``.
    """

    levels: int | None = Field(None, ge=1, le=10_000)
    part: Literal["refuse", "lower_bound"] = "refuse"
    grace_hours: GraceHours = DEFAULT_GRACE_HOURS


class VenueConfiguration(SourceConfiguration):
    """One venue: an account there (``balances``) or markets there (``markets``), each a source of its own.

    ``quotes`` names for each quote currency that isn't USD the market that turns it into USD. ``options`` are handed
    to ccxt as they are.
    """

    venue: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
    api_url: Address | None = None
    key_variable: VariableName | None = None
    secret_variable: VariableName | None = None
    password_variable: VariableName | None = None
    uid_variable: VariableName | None = None
    balances: Balances | None = None
    markets: tuple[Market, ...] = ()
    prices: bool = True
    depth: Depth | None = None
    quotes: dict[Name, Annotated[str, StringConstraints(pattern=r"^[^/:\s]+/USD$")]] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    http: HttpSettings = HttpSettings()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _is_one_thing(self) -> VenueConfiguration:
        if self.balances is not None and self.markets:
            raise ValueError(
                "balances and markets in one source: balances can't be had for a day missed, and its prices would be"
                " lost with them; make two sources"
            )
        if self.balances is None and not self.markets:
            raise ValueError("it asks for nothing; name balances or markets")
        if self.markets and not self.prices and self.depth is None:
            raise ValueError("markets without prices and without depth ask for nothing; take one")
        if self.balances is not None and (self.key_variable is None or self.secret_variable is None):
            raise ValueError("balances need key_variable and secret_variable; a key that may only read is enough")
        return self

    @model_validator(mode="after")
    def _markets_differ(self) -> VenueConfiguration:
        named = [(market.asset, self.source_of(market)) for market in self.markets]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"two markets price {twice[0][0]} as source {twice[0][1]}; give each a source of its own")
        if "USD" in self.quotes:
            raise ValueError("USD needs no quotes; take it away")
        return self

    def source_of(self, market: Market) -> str:
        """The name under which a market's prices are delivered."""
        return market.source or self.venue
