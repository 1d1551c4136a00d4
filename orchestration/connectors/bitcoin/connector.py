"""The connector of Bitcoin: a day's blocks, balances at the last of them, and what moved.

What belongs here: the configuration, and the order of things. What doesn't: either interface.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from orchestration.connectors.base import Batch, Completed, Connector, Feed, Order, Probe, Services, SourceConfiguration
from orchestration.connectors.bitcoin.addresses import NETWORKS
from orchestration.connectors.bitcoin.chain import Chain, Day, State, Transaction, find_day, verify
from orchestration.connectors.bitcoin.core import CoreChain
from orchestration.connectors.bitcoin.esplora import EsploraChain
from orchestration.connectors.bitcoin.movements import Register, movements
from orchestration.connectors.bitcoin.rpc import Rpc
from orchestration.connectors.errors import AnswerError, ResumeError
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.limits import Limits
from orchestration.connectors.register import operator_wallets, registered_wallets
from orchestration.connectors.secrets import Address, VariableName

NETWORK = "bitcoin"


class BitcoinConfiguration(SourceConfiguration):
    """Where to ask, how, and how deep a day's end must lie."""

    interface: Literal["esplora", "core"]
    url: Address
    chain: Literal["mainnet", "testnet3", "testnet4", "signet", "regtest"] = "mainnet"
    asset: str = Field("BTC", min_length=1)
    confirmations: int = Field(6, ge=1, le=1000)
    token_variable: VariableName | None = None
    user_variable: VariableName | None = None
    password_variable: VariableName | None = None
    batch_size: int = Field(50, ge=1, le=1000)
    scan_seconds: float = Field(1800, gt=0, le=86_400)
    scan_within_blocks: int = Field(288, ge=0)
    http: HttpSettings = HttpSettings()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _fits_the_interface(self) -> BitcoinConfiguration:
        if (self.user_variable is None) != (self.password_variable is None):
            raise ValueError("user_variable and password_variable come together; give both or none")
        if self.interface == "esplora" and self.user_variable is not None:
            raise ValueError("esplora takes token_variable, not user_variable and password_variable")
        if self.interface == "core" and self.token_variable is not None:
            raise ValueError("core takes user_variable and password_variable, not token_variable")
        return self


class BitcoinConnector(Connector):
    """Balances and transfers of the registered wallets of network bitcoin."""

    configuration_class: ClassVar[type[SourceConfiguration]] = BitcoinConfiguration

    def __init__(self, name: str, configuration: BitcoinConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration, self.network = configuration, NETWORKS[configuration.chain]
        self.chain = self._chain()

    @classmethod
    def feeds_of(cls, configuration: BitcoinConfiguration) -> tuple[Feed, ...]:  # noqa: ARG003 (always both)
        """A day without transfers is normal: what balances prove of it is complete."""
        return (Feed("wallet_balances"), Feed("wallet_transfers", may_be_empty=True))

    def check(self) -> Iterator[Probe]:
        """The chain, what the interface needs, and every registered address."""
        self._verify_network()
        yield Probe("chain", True, self.configuration.chain)
        yield from self.chain.probes()
        wallets = self._register(Order((self.services.clock.now() - timedelta(days=1)).date())).wallets
        yield Probe("wallets", True, f"{len(wallets):,} registered addresses are in order")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """Transfers as they are found, then balances at the day's last block."""
        register = self._register(order)
        fingerprint = hashlib.sha256(repr((register.addresses, register.wallets)).encode()).hexdigest()
        self._verify_network()
        day = find_day(self.chain, order, self.configuration.confirmations)
        begun = {"block": day.hash, "register": fingerprint, "interface": self.configuration.interface}
        kept = order.resume
        if kept is not None and {key: kept[key] for key in begun} != begun:
            raise ResumeError("the chain or the register of wallets changed while it was pulled", "pull again")
        known = order.position["addresses"] if order.position is not None else {}
        states = {
            script: State.read(known[address]) for script, address in register.addresses.items() if address in known
        }
        for found in self.chain.read(day, register.addresses, states, kept["cursor"] if kept is not None else None):
            resume = {**begun, "cursor": found.resume} if found.resume is not None else None
            yield Batch(
                "wallet_transfers",
                self._transfers(found.transactions, day, register),
                resume,
                is_durable=found.was_slow,
            )
        yield Batch("wallet_balances", self._balances(order, day, register, states))
        verify(self.chain, day.height, day.hash)
        addresses = {address: states[script].as_json() for script, address in register.addresses.items()}
        yield Completed({"height": day.height, "hash": day.hash, "addresses": addresses})

    def _chain(self) -> Chain:
        chosen, secrets = self.configuration, self.services.secrets
        url, headers = secrets.fill(chosen.url), {}
        if chosen.token_variable is not None:
            headers["authorization"] = f"Bearer {secrets.read(chosen.token_variable)}"
        if chosen.user_variable is not None and chosen.password_variable is not None:
            login = f"{secrets.read(chosen.user_variable)}:{secrets.read(chosen.password_variable)}"
            token = base64.b64encode(login.encode()).decode()
            secrets.add(token)
            headers["authorization"] = f"Basic {token}"
        client = HttpClient(url, self.services, chosen.http, chosen.limits, headers)
        if chosen.interface == "esplora":
            return EsploraChain(client, self.services)
        patient = chosen.http.model_copy(
            update={
                "read_seconds": max(chosen.scan_seconds, chosen.http.read_seconds),
                "total_seconds": max(chosen.scan_seconds, chosen.http.total_seconds),
            }
        )
        scanner = Rpc(HttpClient(url, self.services, patient, chosen.limits, headers), self.services)
        rpc = Rpc(client, self.services)
        return CoreChain(rpc, scanner, self.services, chosen.batch_size, chosen.scan_within_blocks)

    def _register(self, order: Order) -> Register:
        landing = self.services.landing
        wallets = registered_wallets(landing, NETWORK, order.day)
        return Register.of(wallets, self.network, operator_wallets(landing, NETWORK, order.day))

    def _verify_network(self) -> None:
        """Raise AnswerError if the other side is on another chain: all it says would be right, and of no use."""
        if self.chain.block(0).hash != self.network.first_block:
            raise AnswerError(f"this is not {self.configuration.chain}", "mend chain or url of this source")

    def _transfers(self, transactions: list[Transaction], day: Day, register: Register) -> pa.Table:
        moved = [(movement, day.moved_at[t.height]) for t in transactions for movement in movements(t, register)]
        return self.table_of(
            {
                "transfer_id": [movement.transfer_id for movement, _ in moved],
                "wallet_id": [movement.wallet_id for movement, _ in moved],
                "counterparty_address": [movement.counterparty_address for movement, _ in moved],
                "counterparty_wallet_id": [movement.counterparty_wallet_id for movement, _ in moved],
                "asset": [self.configuration.asset] * len(moved),
                "amount": [_bitcoin(movement.amount) for movement, _ in moved],
                "transfer_type": [movement.transfer_type for movement, _ in moved],
                "block_time": [when for _, when in moved],
                "recorded_at": [when for _, when in moved],
            }
        )

    def _balances(self, order: Order, day: Day, register: Register, states: dict[str, State]) -> pa.Table:
        held = register.balances({script: states[script].balance for script in register.wallets})
        columns: dict[str, list[Any]] = {
            "wallet_id": list(held),
            "asset": [self.configuration.asset] * len(held),
            "balance": [_bitcoin(balance) for balance in held.values()],
            "as_of": [order.until - timedelta(microseconds=1)] * len(held),
            "block_height": [str(day.height)] * len(held),
        }
        return self.table_of(columns)


def _bitcoin(satoshi: int) -> str:
    """Satoshi as bitcoin, exact."""
    return format(Decimal(satoshi).scaleb(-8), "f")
