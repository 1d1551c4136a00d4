"""The kinds of sources: where each one's connector stands, and what it needs.

What belongs here: the list. What doesn't: anything a connector does.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from orchestration.connectors.base import Connector


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source. ``extra`` is the optional install that holds its libraries, None if the base has them."""

    name: str
    module: str
    connector: str
    summary: str
    extra: str | None = None

    def load(self) -> type[Connector]:
        """The connector's class; its heavy libraries are imported when it works."""
        found: type[Connector] = getattr(
            importlib.import_module(f"orchestration.connectors.{self.module}"), self.connector
        )
        return found


KINDS: tuple[Kind, ...] = (
    Kind("postgresql", "postgresql", "PostgresqlConnector", "the exchange's own PostgreSQL", "postgresql"),
    Kind("files", "files", "FilesConnector", "files on local or S3-compatible storage", "s3"),
    Kind("evm", "evm", "EvmConnector", "balances and transfers on an EVM chain", "evm"),
    Kind("bitcoin", "bitcoin", "BitcoinConnector", "balances and transfers on Bitcoin"),
    Kind("venue", "venue", "VenueConnector", "a trading venue: balances held there, prices, market depth", "venues"),
    Kind("coingecko", "coingecko", "CoinGeckoConnector", "prices and supply from CoinGecko", "coingecko"),
    Kind("price_files", "price_files", "PriceFilesConnector", "prices in CSV files"),
    Kind("bank_statements", "bank_statements", "BankStatementsConnector", "CAMT.053 and MT940 statements", "bank"),
    Kind("custodian_api", "custodian", "CustodianApiConnector", "a custodian's balances over HTTP and JSON"),
    Kind("custodian_files", "custodian", "CustodianFilesConnector", "a custodian's balances in CSV files"),
    Kind("wallet_labels", "wallet_labels", "WalletLabelsConnector", "public labels of wallets in CSV files"),
)


def kinds_by_name() -> dict[str, Kind]:
    """All kinds by name."""
    return {kind.name: kind for kind in KINDS}
