"""Value that calls moved within transactions, as nodes that trace tell it.

What belongs here: the two ways of tracing (``debug_traceBlockByNumber`` with callTracer, ``trace_block``) and what
counts in them. What doesn't: fees and withdrawals, which no call moves (``native``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.connectors.evm import words
from orchestration.connectors.evm.balances import Asset
from orchestration.connectors.evm.blocks import Block
from orchestration.connectors.evm.movements import Movement
from orchestration.connectors.evm.node import Node, RpcError

_MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
"""Calls that move value; DELEGATECALL shows its caller's value, and CALLCODE moves it from and to the same account."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Value moved by a call: the index of its transaction, its path within it (the outermost: none)."""

    transaction: int
    path: tuple[int, ...]
    sender: str
    receiver: str
    units: int


class Traces:
    """Asks for the calls of blocks, in the way that the node offers."""

    def __init__(self, node: Node, asset: Asset) -> None:
        self.node, self.asset = node, asset
        self._is_parity: bool | None = None

    def movements(
        self, block: Block, transactions: Sequence[str], touches: Callable[[str, str], bool]
    ) -> list[Movement]:
        """The movements of a block's calls that ``touches`` (sender, receiver) lets through.

        ``transactions`` are the hashes of the block's, of which each must be traced.
        """
        moved = [each for each in self.of(block.number, transactions) if touches(each.sender, each.receiver)]
        return [
            Movement(
                block.number,
                (each.transaction, 2, number),
                transactions[each.transaction],
                "-".join(["trace", *map(str, each.path)]) if each.path else "native",
                self.asset.name,
                each.units,
                self.asset.decimals,
                each.sender,
                each.receiver,
            )
            for number, each in enumerate(moved)
        ]

    def of(self, block: int, transactions: Sequence[str]) -> list[Moved]:
        """All value that the calls of a block moved; raise AnswerError if the node traces in neither way."""
        if self._is_parity is None:
            try:
                found = self._nested(block, transactions)
            except RpcError:
                self._is_parity = True
            else:
                self._is_parity = False
                return found
        return self._flat(block, transactions) if self._is_parity else self._nested(block, transactions)

    def _nested(self, block: int, transactions: Sequence[str]) -> list[Moved]:
        place = f"traces of block {block}"
        answer = self.node.ask("debug_traceBlockByNumber", hex(block), {"tracer": "callTracer"})
        traces = words.sequence(answer, place)
        if len(traces) != len(transactions):
            raise IncompleteError(f"{place}: {len(traces)} for {len(transactions)} transactions", "ask another node")
        moved: list[Moved] = []
        for index, (trace, transaction) in enumerate(zip(traces, transactions, strict=True)):
            entry = words.mapping(trace, place)
            if entry.get("txHash", transaction) != transaction:
                raise AnswerError(f"{place}: they are of other transactions than the block's", "ask another node")
            moved += _of_frame(index, words.mapping(entry.get("result"), f"trace of transaction {transaction}"))
        return moved

    def _flat(self, block: int, transactions: Sequence[str]) -> list[Moved]:
        place = f"traces of block {block}"
        entries = words.sequence(self.node.ask("trace_block", hex(block)), place)
        indexes = {transaction: index for index, transaction in enumerate(transactions)}
        traced: dict[int, list[dict[str, Any]]] = {index: [] for index in indexes.values()}
        for answer in entries:
            entry = words.mapping(answer, place)
            if entry.get("type") == "reward":
                continue
            index = indexes.get(str(entry.get("transactionHash")))
            if index is None:
                raise AnswerError(f"{place}: they are of other transactions than the block's", "ask another node")
            traced[index].append(entry)
        if missing := sum(not entries for entries in traced.values()):
            raise IncompleteError(f"{place}: {missing} transactions have none", "ask another node")
        return [moved for index, entries in traced.items() for moved in _of_entries(index, entries)]


def _of_frame(index: int, outermost: dict[str, Any]) -> Iterator[Moved]:
    """Value moved by a call and those within it, in their order; a call that failed undid all within it."""
    waiting: list[tuple[tuple[int, ...], dict[str, Any]]] = [((), outermost)]
    while waiting:
        path, frame = waiting.pop()
        place = f"call {path} of transaction {index}"
        if frame.get("error") is not None:
            continue
        if frame.get("type") in _MOVING and (units := words.quantity(frame.get("value", "0x0"), f"{place}, value")):
            sender = words.address(frame.get("from"), f"{place}, from")
            yield Moved(index, path, sender, words.address(frame.get("to"), f"{place}, to"), units)
        calls = frame.get("calls") or []
        within = [((*path, number), words.mapping(call, place)) for number, call in enumerate(calls)]
        waiting += reversed(within)


def _of_entries(index: int, entries: Sequence[dict[str, Any]]) -> Iterator[Moved]:
    """Value moved by the entries of one transaction; one that failed undid all whose path begins with its own."""
    paths = [_path(entry) for entry in entries]
    failed = {path for path, entry in zip(paths, entries, strict=True) if entry.get("error") is not None}
    for path, entry in sorted(zip(paths, entries, strict=True), key=lambda pair: pair[0]):
        is_undone = any(path[:length] in failed for length in range(len(path) + 1))
        if not is_undone and (moved := _of_entry(index, path, entry)) is not None and moved.units:
            yield moved


def _path(entry: dict[str, Any]) -> tuple[int, ...]:
    steps = words.sequence(entry.get("traceAddress"), "traceAddress")
    if not all(isinstance(step, int) and step >= 0 for step in steps):
        raise AnswerError(f"traceAddress is no path ({str(steps)[:40]})", "ask another node")
    return tuple(steps)


def _of_entry(index: int, path: tuple[int, ...], entry: dict[str, Any]) -> Moved | None:
    place = f"trace {path} of transaction {index}"
    action, kind = words.mapping(entry.get("action"), f"{place}, action"), entry.get("type")
    if kind == "call" and action.get("callType") == "call":
        sides, value = (action.get("from"), action.get("to")), action.get("value")
    elif kind == "create":
        created = words.mapping(entry.get("result"), f"{place}, result").get("address")
        sides, value = (action.get("from"), created), action.get("value")
    elif kind == "suicide":
        sides, value = (action.get("address"), action.get("refundAddress")), action.get("balance")
    else:
        return None
    sender, receiver = (words.address(side, f"{place}, address") for side in sides)
    return Moved(index, path, sender, receiver, words.quantity(value, f"{place}, value"))
