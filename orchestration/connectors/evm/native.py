"""Native transfers: value of transactions, fees of their senders, validators' withdrawals, from whole blocks.

What belongs here: reading blocks with their transactions and receipts. What doesn't: value that contracts move
(``traces``), tokens (``logs``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.connectors.evm import words
from orchestration.connectors.evm.balances import Asset
from orchestration.connectors.evm.blocks import Block, Blocks
from orchestration.connectors.evm.movements import Movement
from orchestration.connectors.evm.traces import Traces

WITHDRAWAL_UNITS = 10**9
"""A validator's withdrawal is counted in thousand millionths of the native unit."""

_AFTER_TRANSACTIONS = 1 << 30


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction in its block. ``receiver`` is None if it creates a contract."""

    block: Block
    index: int
    hash: str
    sender: str
    receiver: str | None
    units: int


@dataclass(slots=True)
class Scanned:
    """What a stretch of blocks held: the blocks by number, and what moved."""

    blocks: dict[int, Block] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)


class NativeTransfers:
    """Reads whole blocks, ``blocks_per_request`` at a time; ``traces`` are asked too if there are any."""

    def __init__(
        self, blocks: Blocks, asset: Asset, addresses: Sequence[str], blocks_per_request: int, traces: Traces | None
    ) -> None:
        self.blocks, self.node, self.asset = blocks, blocks.node, asset
        self.registered = frozenset(addresses)
        self.blocks_per_request, self.traces = blocks_per_request, traces

    def between(self, first: int, last: int, parent: str | None) -> Scanned:
        """What moved in blocks ``first`` to ``last``.

        Raises IncompleteError if one of them doesn't follow the one before (of hash ``parent`` for the first).
        """
        scanned = Scanned()
        for begin in range(first, last + 1, self.blocks_per_request):
            numbers = range(begin, min(last + 1, begin + self.blocks_per_request))
            calls = [("eth_getBlockByNumber", [hex(number), True]) for number in numbers]
            for number, answer in zip(numbers, self.node.ask_all(calls, self.blocks_per_request), strict=True):
                block = self.blocks.parsed(answer, number)
                if parent is not None and block.parent != parent:
                    raise IncompleteError(
                        f"block {number} of {self.blocks.network} doesn't follow the one before ({parent})",
                        "the chain changed while it was read: pull again; if it stays so, ask another node",
                    )
                scanned.blocks[number], parent = block, block.hash
                scanned.movements += self._of_block(block, answer)
        return scanned

    def _of_block(self, block: Block, answer: Mapping[str, Any]) -> Iterator[Movement]:
        place = f"block {block.number} of {self.blocks.network}"
        transactions = [
            self._transaction(block, index, transaction)
            for index, transaction in enumerate(words.sequence(answer.get("transactions"), f"{place}, transactions"))
        ]
        wanted = [transaction for transaction in transactions if self._needs_receipt(transaction)]
        for transaction, receipt in zip(wanted, self._receipts(wanted), strict=True):
            yield from self._of_transaction(transaction, receipt)
        if self.traces is not None and transactions:
            yield from self.traces.movements(block, [transaction.hash for transaction in transactions], self._touches)
        for withdrawal in answer.get("withdrawals") or []:
            yield from self._withdrawn(block, withdrawal, place)

    def _transaction(self, block: Block, index: int, answer: Any) -> Transaction:
        place = f"transaction {index} of block {block.number}"
        transaction = words.mapping(answer, place)
        receiver = transaction.get("to")
        return Transaction(
            block,
            index,
            words.hash_(transaction.get("hash"), f"{place}, hash"),
            words.address(transaction.get("from"), f"{place}, from"),
            None if receiver is None else words.address(receiver, f"{place}, to"),
            words.quantity(transaction.get("value"), f"{place}, value"),
        )

    def _touches(self, sender: str, receiver: str) -> bool:
        return sender in self.registered or receiver in self.registered

    def _needs_receipt(self, transaction: Transaction) -> bool:
        """The sender pays a fee; without traces only the receipt says if value moved, and to which new contract."""
        if transaction.sender in self.registered:
            return True
        may_receive = transaction.receiver is None or transaction.receiver in self.registered
        return self.traces is None and transaction.units > 0 and may_receive

    def _receipts(self, transactions: Sequence[Transaction]) -> Iterator[dict[str, Any]]:
        answers = self.node.ask_all([("eth_getTransactionReceipt", [each.hash]) for each in transactions])
        for transaction, answer in zip(transactions, answers, strict=True):
            place = f"receipt of transaction {transaction.hash}"
            receipt = words.mapping(answer, place)
            if words.hash_(receipt.get("transactionHash"), f"{place}, transactionHash") != transaction.hash:
                raise AnswerError(f"{place}: the node answered with another's", "ask another node")
            if words.hash_(receipt.get("blockHash"), f"{place}, blockHash") != transaction.block.hash:
                raise AnswerError(f"{place} is of another block than the chain has", "pull again, or ask another node")
            yield receipt

    def _of_transaction(self, transaction: Transaction, receipt: Mapping[str, Any]) -> Iterator[Movement]:
        place = f"receipt of transaction {transaction.hash}"
        if transaction.sender in self.registered and (paid := fee(receipt, place)):
            yield self._movement(transaction, 0, "fee", paid, transaction.sender, None)
        has_succeeded = words.quantity(receipt.get("status"), f"{place}, status") == 1
        if self.traces is None and has_succeeded and transaction.units:
            receiver = transaction.receiver or words.address(
                receipt.get("contractAddress"), f"{place}, contractAddress"
            )
            if self._touches(transaction.sender, receiver):
                yield self._movement(transaction, 2, "native", transaction.units, transaction.sender, receiver)

    def _movement(
        self, transaction: Transaction, kind: int, leg: str, units: int, sender: str, receiver: str | None
    ) -> Movement:
        return Movement(
            transaction.block.number,
            (transaction.index, kind, 0),
            transaction.hash,
            leg,
            self.asset.name,
            units,
            self.asset.decimals,
            sender,
            receiver,
            "fee" if receiver is None else "transfer",
        )

    def _withdrawn(self, block: Block, answer: Any, place: str) -> Iterator[Movement]:
        withdrawal = words.mapping(answer, f"{place}, a withdrawal")
        receiver = words.address(withdrawal.get("address"), f"{place}, address of a withdrawal")
        if receiver not in self.registered:
            return
        index = words.quantity(withdrawal.get("index"), f"{place}, index of a withdrawal")
        units = words.quantity(withdrawal.get("amount"), f"{place}, amount of a withdrawal") * WITHDRAWAL_UNITS
        if units:
            order, name, asset = (_AFTER_TRANSACTIONS, 0, index), str(index), self.asset
            yield Movement(
                block.number, order, "withdrawal", name, asset.name, units, asset.decimals, None, receiver, "reward"
            )


def fee(receipt: Mapping[str, Any], place: str) -> int:
    """What the sender paid for a transaction, failed or not: gas, blobs, and a rollup's fee for the layer below."""
    gas = words.quantity(receipt.get("gasUsed"), f"{place}, gasUsed")
    total = gas * words.quantity(receipt.get("effectiveGasPrice"), f"{place}, effectiveGasPrice")
    if receipt.get("blobGasUsed") is not None:
        blob_gas = words.quantity(receipt["blobGasUsed"], f"{place}, blobGasUsed")
        total += blob_gas * words.quantity(receipt.get("blobGasPrice"), f"{place}, blobGasPrice") if blob_gas else 0
    if receipt.get("l1Fee") is not None:
        total += words.quantity(receipt["l1Fee"], f"{place}, l1Fee")
    return total
