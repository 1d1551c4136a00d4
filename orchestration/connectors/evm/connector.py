"""The pull of one EVM network: which block, what moved until then, what was there, and whether the two agree.

What belongs here: the order of a pull, its cursor, and what is tried beforehand. What doesn't: how each thing is asked
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

import pyarrow as pa

from orchestration.connectors.base import Batch, Completed, Connector, Feed, Json, Order, Probe, Services
from orchestration.connectors.errors import AnswerError, ResumeError
from orchestration.connectors.evm import words
from orchestration.connectors.evm.balances import Asset, Balances, differences, has_code
from orchestration.connectors.evm.blocks import Block, Blocks, Day
from orchestration.connectors.evm.configuration import EvmConfiguration
from orchestration.connectors.evm.holders import Holders, checked_address, holders_of
from orchestration.connectors.evm.logs import TransferLogs
from orchestration.connectors.evm.movements import Moved, Movement, Naming, add_up, rows_of
from orchestration.connectors.evm.native import NativeTransfers
from orchestration.connectors.evm.node import Node
from orchestration.connectors.evm.previous import PreviousBalances
from orchestration.connectors.evm.traces import Traces
from orchestration.connectors.http import HttpClient
from orchestration.connectors.register import registered_wallets
from orchestration.errors import ConfigurationError, RingfenceError

NATIVE_DECIMALS = 18
DECIMALS = "0x313ce567"
"""Selector of ERC-20's ``decimals()``."""

BALANCES_AT_ONCE = 10_000
_ANYBODY = "0x" + "0" * 39 + "1"
NAMED = 20
"""So many differences are named one by one; all are counted."""


@dataclass
class Progress:
    """How far a pull has come: ``next_block`` of the transfers, then ``next_address`` of the balances.

    ``block`` and ``register`` tell whether it is the same pull; ``parent`` is the hash of the last block read;
    ``moved`` the sum of transfers so far; ``unexplained`` counts balances that don't add up, ``named`` names some.
    """

    block: str
    register: str
    next_block: int
    parent: str | None = None
    next_address: int = 0
    moved: Moved = field(default_factory=dict)
    unexplained: dict[str, int] = field(default_factory=dict)
    named: list[str] = field(default_factory=list)

    def cursor(self) -> Json:
        """A copy that JSON can hold."""
        moved = {address: dict(sums) for address, sums in self.moved.items()}
        return {**vars(self), "moved": moved, "unexplained": dict(self.unexplained), "named": list(self.named)}


class EvmConnector(Connector):
    """Balances and transfers of the registered wallets of one EVM network."""

    configuration_class: ClassVar[type[EvmConfiguration]] = EvmConfiguration

    def __init__(self, name: str, configuration: EvmConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration
        self._known_node: Node | None = None

    @classmethod
    def feeds_of(cls, configuration: EvmConfiguration) -> tuple[Feed, ...]:  # noqa: ARG003
        """Balances of each day, and transfers, of which a day may have none: balances tell whether they are missing."""
        return (Feed("wallet_balances"), Feed("wallet_transfers", may_be_empty=True))

    @property
    def node(self) -> Node:
        """The node; its address, which may hold a secret, is read when it is first asked."""
        if self._known_node is None:
            url = self.services.secrets.fill(self.configuration.url)
            client = HttpClient(url, self.services, self.configuration.http, self.configuration.limits)
            self._known_node = Node(client, self.configuration.batch_size)
        return self._known_node

    @property
    def blocks(self) -> Blocks:
        """The network's blocks."""
        return Blocks(self.node, self.configuration.network, self.configuration.reorg_depth)

    @property
    def assets(self) -> list[Asset]:
        """The native asset, then the tokens; raise ConfigurationError for a contract's wrong checksum."""
        tokens = [
            Asset(name, token.decimals, checked_address(token.contract, f"token {name}"))
            for name, token in self.configuration.tokens.items()
        ]
        return [Asset(self.configuration.native_asset, NATIVE_DECIMALS), *tokens]

    def check(self) -> Iterator[Probe]:
        """Chain, finality, tokens, how balances are asked for, traces, and the register of yesterday."""
        self._check_chain()
        yield Probe("chain", True, f"the node is of chain {self.configuration.chain_id}")
        block, how = self.blocks.final()
        yield Probe("finality", True, f"block {block.number} of {block.moment} is final ({how})")
        for asset in self.assets[1:]:
            yield self._probe(f"token {asset.name}", lambda asset=asset: self._try_token(asset))
        yield self._probe("balances", lambda: self._try_balances(block))
        yield self._probe("native transfers", lambda: self._try_native(block))
        yield self._probe("register", self._try_register)

    def _probe(self, subject: str, attempt: Any) -> Probe:
        try:
            return Probe(subject, True, attempt())
        except RingfenceError as error:
            return Probe(subject, False, str(error))

    def _check_chain(self) -> None:
        found = words.quantity(self.node.ask("eth_chainId"), "eth_chainId")
        if found != self.configuration.chain_id:
            raise ConfigurationError(
                f"the node is of chain {found}, not {self.configuration.chain_id}; mend url or chain_id"
            )

    def _try_token(self, asset: Asset) -> str:
        place = f"decimals of {asset.name}"
        call = {"to": asset.contract, "data": DECIMALS}
        found = words.word(words.data(self.node.ask("eth_call", call, "latest"), place), place)
        if found != asset.decimals:
            raise ConfigurationError(f"{place}: the contract says {found}, the configuration {asset.decimals}; mend it")
        return f"{asset.contract} has {found} decimals"

    def _try_balances(self, block: Block) -> str:
        aggregator = self._aggregator(block)
        asked = Balances(
            self.node,
            self.assets,
            block.number,
            aggregator=aggregator,
            multicall_size=self.configuration.multicall_size,
        )
        asked.of([_ANYBODY])
        asked.check_aggregator(_ANYBODY)
        return f"through {aggregator}" if aggregator else f"in batches of {self.node.batch_size}"

    def _try_native(self, block: Block) -> str:
        kind = self.configuration.native_transfers
        if kind == "traces":
            transactions = words.sequence(
                words.mapping(
                    self.node.ask("eth_getBlockByNumber", hex(block.number), False), f"block {block.number}"
                ).get("transactions"),
                "transactions",
            )
            Traces(self.node, self.assets[0]).of(block.number, transactions)
            return "of transactions and of contracts, by tracing"
        if kind == "transactions":
            return "of transactions; what contracts send isn't seen, and shows as a difference (traces would see it)"
        return "none; what moves natively shows as a difference"

    def _try_register(self) -> str:
        yesterday = self.services.clock.now().date() - timedelta(days=1)
        holders = holders_of(registered_wallets(self.services.landing, self.configuration.network, yesterday))
        return f"{len(holders.addresses):,} addresses of {self.configuration.network} are registered"

    def _aggregator(self, block: Block) -> str | None:
        if self.configuration.multicall is None:
            return None
        contract = checked_address(self.configuration.multicall, "multicall")
        return contract if has_code(self.node, contract, block.number) else None

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """Transfers in stretches of ``log_range`` blocks, then balances; both of the same final blocks."""
        self._check_chain()
        holders = holders_of(registered_wallets(self.services.landing, self.configuration.network, order.day))
        day = self.blocks.day(order)
        progress = self._progress(order, day, holders)
        self.services.report(f"{order.day}, blocks {day.first} to {day.last.number} of {day.last.moment}")
        yield from self._transfers(day, holders, progress)
        yield from self._balances(order, day, holders, progress)
        is_joined = self.configuration.native_transfers == "none" or progress.parent in (None, day.last.hash)
        if not is_joined or self.blocks.at(day.last.number).hash != day.last.hash:
            raise AnswerError(
                f"block {day.last.number} was replaced while it was read",
                "pull again; if it stays so, ask another node, or raise reorg_depth",
            )
        for asset, count in sorted(progress.unexplained.items()):
            self.services.report(f"{order.day}, {count} balances of {asset} differ from what moved")
        yield Completed(
            {
                "block": day.last.number,
                "hash": day.last.hash,
                "time": day.last.moment,
                "unexplained": progress.unexplained,
                "named": progress.named,
            }
        )

    def _progress(self, order: Order, day: Day, holders: Holders) -> Progress:
        if order.resume is None:
            parent = day.previous.hash if day.previous is not None else None
            return Progress(day.last.hash, holders.digest, day.first, parent)
        progress = Progress(**order.resume)
        if (progress.block, progress.register) != (day.last.hash, holders.digest):
            what = "the chain" if progress.block != day.last.hash else "the register of wallets"
            raise ResumeError(f"{what} changed since the pull was interrupted", "it begins anew")
        if progress.parent not in (None, self.blocks.at(progress.next_block - 1).hash):
            raise ResumeError("blocks that were read were replaced since", "it begins anew")
        return progress

    def _transfers(self, day: Day, holders: Holders, progress: Progress) -> Iterator[Batch]:
        settings, assets = self.configuration, self.assets
        logs = TransferLogs(
            self.node,
            assets[1:],
            holders.addresses,
            log_range=settings.log_range,
            addresses_per_filter=settings.addresses_per_filter,
        )
        traces = Traces(self.node, assets[0]) if settings.native_transfers == "traces" else None
        native = NativeTransfers(self.blocks, assets[0], holders.addresses, settings.blocks_per_request, traces)
        naming = Naming(settings.transfer_id, settings.network)
        while progress.next_block <= day.last.number:
            first, last = progress.next_block, min(day.last.number, progress.next_block + settings.log_range - 1)
            movements, blocks = self._stretch(first, last, progress.parent, logs, native)
            add_up(progress.moved, movements, holders)
            progress.next_block, progress.parent = last + 1, blocks[last].hash if last in blocks else None
            times = {number: block.moment for number, block in blocks.items()}
            rows = self.table_of(rows_of(movements, holders, times, naming))
            self.services.report(f"block {last} of {day.last.number}, {len(movements)} transfers in {last - first + 1}")
            yield Batch("wallet_transfers", rows, progress.cursor(), is_durable=True)

    def _stretch(
        self, first: int, last: int, parent: str | None, logs: TransferLogs, native: NativeTransfers
    ) -> tuple[list[Movement], dict[int, Block]]:
        """What moved in blocks ``first`` to ``last``, and the blocks in which something did."""
        found = logs.between(first, last)
        if self.configuration.native_transfers == "none":
            blocks = self.blocks.headers({log.block for log in found})
            return logs.movements(found, blocks), blocks
        scanned = native.between(first, last, parent)
        return [*scanned.movements, *logs.movements(found, scanned.blocks)], scanned.blocks

    def _balances(self, order: Order, day: Day, holders: Holders, progress: Progress) -> Iterator[Batch]:
        assets, addresses = self.assets, holders.addresses
        asked = Balances(
            self.node,
            assets,
            day.last.number,
            aggregator=self._aggregator(day.last),
            multicall_size=self.configuration.multicall_size,
        )
        asked.check_aggregator(addresses[0])
        before = PreviousBalances.delivered(self.services.landing, self.name, order.day, assets)
        at_once = max(1, BALANCES_AT_ONCE // len(assets))
        while progress.next_address < len(addresses):
            part = addresses[progress.next_address : progress.next_address + at_once]
            found = {
                address: {asset.name: amount for asset, amount in zip(assets, units, strict=True)}
                for address, units in zip(part, asked.of(part), strict=True)
            }
            for address, units in found.items():
                self._compare(address, units, before, holders, progress)
            progress.next_address += len(part)
            self.services.report(f"{progress.next_address:,} of {len(addresses):,} addresses at block {asked.block}")
            yield Batch("wallet_balances", self._rows(found, holders, day.last), progress.cursor(), is_durable=True)

    def _rows(self, found: dict[str, dict[str, int]], holders: Holders, block: Block) -> pa.Table:
        decimals = {asset.name: asset.decimals for asset in self.assets}
        rows = [
            (wallet, asset, words.amount(units, decimals[asset]))
            for address, amounts in found.items()
            for wallet in holders.wallets[address]
            for asset, units in amounts.items()
        ]
        wallets, assets, amounts = zip(*rows, strict=True)
        return self.table_of(
            {
                "wallet_id": list(wallets),
                "asset": list(assets),
                "balance": list(amounts),
                "as_of": [block.moment] * len(rows),
                "block_height": [str(block.number)] * len(rows),
            }
        )

    def _compare(
        self, address: str, units: dict[str, int], before: PreviousBalances, holders: Holders, progress: Progress
    ) -> None:
        """Note what an address has more or less than the day before and its transfers since explain."""
        wallet = holders.wallets[address][0]
        for asset, more in differences(units, before.of(wallet), progress.moved.get(address, {})).items():
            progress.unexplained[asset] = progress.unexplained.get(asset, 0) + 1
            if len(progress.named) < NAMED:
                amount = words.amount(abs(more), before.decimals[asset])
                direction = "more" if more > 0 else "less"
                told = f"wallet {wallet} has {amount} {asset} {direction} than the day before and its transfers explain"
                progress.named.append(told)
                self.services.report(told)
