"""The connector of kind venue: which parts a source has, and in which order they are asked.

What belongs here: putting the parts together. What doesn't: what each part asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from orchestration.connectors.base import Batch, Completed, Connector, Feed, Order, Probe, Services, SourceConfiguration
from orchestration.connectors.present import require_in_time, stamp
from orchestration.connectors.venue.balances import held
from orchestration.connectors.venue.configuration import VenueConfiguration
from orchestration.connectors.venue.exchange import Exchange
from orchestration.connectors.venue.markets import Markets
from orchestration.connectors.venue.transfers import moved


class VenueConnector(Connector):
    """One venue: an account's balances and transfers, or markets' prices and depth.

    Balances are of the present (``present``): stamped with the venue's own time just before they were asked for, and
    delivered for the day that ended at most ``grace_hours`` before. Transfers are those up to that stamp, so that the
    balance rolls forward from stamp to stamp, and go on from the stamp before, over days that were missed. Trades, fees
    for trading and interest aren't transfers: an account that trades doesn't roll forward by transfers alone.

    A day's price is the close of its daily candle (00:00 to 24:00 UTC), stamped with the day's last second as bars in
    price files are; volume is the candle's volume in units times its close, rounded half up to 8 places.
    """

    configuration_class: ClassVar[type[SourceConfiguration]] = VenueConfiguration

    def __init__(self, name: str, configuration: VenueConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        """Balances and transfers, or prices and depth."""
        if configuration.balances is not None:
            transfers = (Feed("wallet_transfers", may_be_empty=True),) if configuration.balances.transfers else ()
            return (Feed("wallet_balances", of_the_present=True), *transfers)
        return tuple(
            Feed(table)
            for table, is_asked in (("token_prices", configuration.prices), ("market_depth", configuration.depth))
            if is_asked
        )

    @cached_property
    def exchange(self) -> Exchange:
        """The venue; opened when it is asked for the first time."""
        return Exchange(self.configuration, self.services)

    def check(self) -> Iterator[Probe]:
        """Try the venue's time, the account's balances, and each market's name and way to USD."""
        moment = self.exchange.now() if self.exchange.offers("fetchTime") else None
        if moment is not None:
            yield Probe(self.configuration.venue, True, f"its time is {moment:%Y-%m-%d %H:%M:%S}")
        if self.configuration.balances is not None:
            assets = held(self.exchange, self.configuration.balances)
            yield Probe("balances", True, f"the key may read them; {len(assets)} assets")
        markets = Markets(self.exchange, self.configuration)
        for market in self.configuration.markets:
            yield Probe(market.symbol, True, markets.way_to_usd(market))

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """Yield the day's records."""
        if self.configuration.balances is not None:
            yield from self._account(order)
        else:
            yield from Markets(self.exchange, self.configuration).pull(order, self)
            yield Completed({"day": order.day.isoformat()})

    def _account(self, order: Order) -> Iterator[Batch | Completed]:
        settings = self.configuration.balances
        assert settings is not None
        require_in_time(order, self.services, settings.grace_hours, f"balances at {self.configuration.venue}")
        wallet = settings.wallet_id or self._registered(settings.address or "", order)
        if not self.exchange.offers("fetchTime"):
            self.exchange.ask("load_markets", True)  # its answer's date is the time
        moment = stamp(order, self.exchange.now(), settings.grace_hours, f"{self.configuration.venue}'s time")
        assets = held(self.exchange, settings)
        columns: dict[str, list[Any]] = {
            "wallet_id": [wallet] * len(assets),
            "asset": list(assets),
            "balance": [format(amount, "f") for amount in assets.values()],
            "as_of": [moment] * len(assets),
        }
        yield Batch("wallet_balances", self.table_of(columns))
        position: dict[str, Any] = {"day": order.day.isoformat(), "as_of": moment.isoformat()}
        if settings.transfers is not None:
            before = order.position or {}
            first = datetime.fromisoformat(before.get("transfers_since") or order.since.isoformat())
            last = datetime.fromisoformat(before["as_of"]) if "as_of" in before else order.since
            since = min(last, moment) - timedelta(days=settings.transfers.lookback_days)
            rows = self.table_of(moved(self.exchange, settings, wallet, since, moment, first))
            # A delivery reaches into the day after its own, so what is listed may have come with the day before.
            known = since.date() - timedelta(days=1)
            yield Batch("wallet_transfers", rows, delivered_since=known, is_known_by_key=True)
            position["transfers_since"] = first.isoformat()
        yield Completed(position)

    def _registered(self, address: str, order: Order) -> str:
        from orchestration.connectors.register import registered_wallets
        from orchestration.errors import ConfigurationError

        wallets = registered_wallets(self.services.landing, "venue", order.day)
        found = sorted({wallet.wallet_id for wallet in wallets if wallet.address == address})
        if len(found) != 1:
            what = "no wallet" if not found else f"more than one wallet ({', '.join(found[:3])})"
            raise ConfigurationError(
                f"{what} of network venue is registered under the address {address}; register it, or name a wallet_id"
            )
        return found[0]
