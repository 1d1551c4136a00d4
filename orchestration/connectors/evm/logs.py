"""Token transfers: the ERC-20 Transfer logs of registered addresses, both directions, over a range of blocks.

What belongs here: asking for logs, in ranges as large as the node answers, and refusing those that weren't asked for.
What doesn't: native transfers (``native``), whose rows they become (``movements``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.connectors.errors import AnswerError, LimitError
from orchestration.connectors.evm import words
from orchestration.connectors.evm.balances import Asset
from orchestration.connectors.evm.blocks import Block
from orchestration.connectors.evm.movements import Movement
from orchestration.connectors.evm.node import Node, RpcError

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""First topic of ``Transfer(address indexed from, address indexed to, uint256 value)``."""


@dataclass(frozen=True, slots=True)
class Log:
    """A Transfer log. ``units`` may be zero."""

    block: int
    block_hash: str
    index: int
    transaction: str
    transaction_index: int
    contract: str
    sender: str
    receiver: str
    units: int


class TransferLogs:
    """Finds Transfer logs. ``log_range``: blocks asked for at once; less while the node finds that too many."""

    def __init__(
        self,
        node: Node,
        tokens: Sequence[Asset],
        addresses: Sequence[str],
        *,
        log_range: int,
        addresses_per_filter: int,
    ) -> None:
        self.node = node
        self.tokens = {token.contract: token for token in tokens if token.contract is not None}
        self.most_blocks = self._blocks = log_range
        parts = [
            addresses[begin : begin + addresses_per_filter] for begin in range(0, len(addresses), addresses_per_filter)
        ]
        topics = [[f"0x{address[2:]:0>64}" for address in part] for part in parts]
        self.filters = [[TRANSFER, part] for part in topics] + [[TRANSFER, None, part] for part in topics]

    def between(self, first: int, last: int) -> list[Log]:
        """The logs of blocks ``first`` to ``last``, each once; raise AnswerError if answers contradict one another."""
        if not self.tokens:
            return []
        found: dict[tuple[int, int], Log] = {}
        for topics in self.filters:
            for log in self._asked(topics, first, last):
                if found.setdefault((log.block, log.index), log) != log:
                    raise AnswerError(
                        f"log {log.index} of block {log.block} was answered twice and differently", "ask another node"
                    )
        return list(found.values())

    def _asked(self, topics: list[Any], first: int, last: int) -> Iterator[Log]:
        """The logs of one filter, in ranges: halved when the node refuses one, longer again when it doesn't."""
        while first <= last:
            end = min(last, first + self._blocks - 1)
            try:
                yield from self._range(topics, first, end)
            except (RpcError, LimitError) as error:
                if end == first or (isinstance(error, RpcError) and error.code == -32601):
                    raise
                self._blocks = max(1, (end - first + 1) // 2)
                continue
            first, self._blocks = end + 1, min(self.most_blocks, self._blocks + self._blocks // 4 + 1)

    def _range(self, topics: list[Any], first: int, last: int) -> list[Log]:
        wanted = {"fromBlock": hex(first), "toBlock": hex(last), "address": sorted(self.tokens), "topics": topics}
        place = f"logs of blocks {first} to {last}"
        logs = [self._read(log, place) for log in words.sequence(self.node.ask("eth_getLogs", wanted), place)]
        for log in logs:
            sides = zip((log.sender, log.receiver), topics[1:], strict=False)
            is_wanted = all(topic is None or f"0x{side[2:]:0>64}" in topic for side, topic in sides)
            if not first <= log.block <= last or log.contract not in self.tokens or not is_wanted:
                raise AnswerError(
                    f"{place}: one of block {log.block} that wasn't asked for ({log.transaction}, log {log.index})",
                    "ask another node",
                )
        return logs

    def _read(self, answer: Any, place: str) -> Log:
        log = words.mapping(answer, place)
        transaction = words.hash_(log.get("transactionHash"), f"{place}, transactionHash")
        place = f"a log of transaction {transaction}"
        topics = words.sequence(log.get("topics"), f"{place}, topics")
        if log.get("removed") is True:
            raise AnswerError(f"{place} was removed by a reorganisation", "pull again; if it stays, ask another node")
        if len(topics) != 3 or topics[0] != TRANSFER:
            raise AnswerError(
                f"{place} is no Transfer of an ERC-20 token ({len(topics)} topics)", "see whether its contract is one"
            )
        return Log(
            block=words.quantity(log.get("blockNumber"), f"{place}, blockNumber"),
            block_hash=words.hash_(log.get("blockHash"), f"{place}, blockHash"),
            index=words.quantity(log.get("logIndex"), f"{place}, logIndex"),
            transaction=transaction,
            transaction_index=words.quantity(log.get("transactionIndex"), f"{place}, transactionIndex"),
            contract=words.address(log.get("address"), f"{place}, address"),
            sender=_party(topics[1], place),
            receiver=_party(topics[2], place),
            units=words.word(words.data(log.get("data"), f"{place}, data"), f"{place}, data"),
        )

    def movements(self, logs: Sequence[Log], blocks: Mapping[int, Block]) -> list[Movement]:
        """What logs moved; raise AnswerError if one is of another block than the chain has at its number."""
        for log in logs:
            if blocks[log.block].hash != log.block_hash:
                raise AnswerError(
                    f"log {log.index} of block {log.block} is of block {log.block_hash}, and the chain has"
                    f" {blocks[log.block].hash} there",
                    "pull again; if it stays so, ask another node",
                )
        return [self._movement(log) for log in logs if log.units]

    def _movement(self, log: Log) -> Movement:
        token = self.tokens[log.contract]
        return Movement(
            log.block,
            (log.transaction_index, 1, log.index),
            log.transaction,
            str(log.index),
            token.name,
            log.units,
            token.decimals,
            log.sender,
            log.receiver,
        )


def _party(topic: Any, place: str) -> str:
    word = words.hash_(topic, f"{place}, topic")
    if word[2:26] != "0" * 24:
        raise AnswerError(f"{place}: topic {word} is no address", "ask another node")
    return f"0x{word[26:]}"
