"""Blocks: which is the last of a day, which are final, and that they hang together.

What belongs here: headers. What doesn't: what transactions do (``native``, ``logs``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.base import Json, Order
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError
from orchestration.connectors.evm import words
from orchestration.connectors.evm.node import Node, RpcError


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header; ``seconds`` since 1970 is its time."""

    number: int
    hash: str
    parent: str
    seconds: int

    @property
    def moment(self) -> str:
        """Its time as ISO 8601 in UTC."""
        return words.moment(self.seconds)


@dataclass(frozen=True, slots=True)
class Day:
    """The blocks of a day: from ``first`` (none if it is greater) to ``last``; ``previous`` is the one before them."""

    first: int
    last: Block
    previous: Block | None


class Blocks:
    """The blocks of one network as a node tells them."""

    def __init__(self, node: Node, network: str, reorg_depth: int | None) -> None:
        self.node, self.network, self.reorg_depth = node, network, reorg_depth

    def at(self, number: int) -> Block:
        """The block of a number; raise IncompleteError if the node doesn't have it."""
        return self.parsed(self.node.ask("eth_getBlockByNumber", hex(number), False), number)

    def headers(self, numbers: Iterable[int]) -> dict[int, Block]:
        """The blocks of the numbers, by number."""
        asked = sorted(numbers)
        answers = self.node.ask_all([("eth_getBlockByNumber", [hex(number), False]) for number in asked])
        return {number: self.parsed(answer, number) for number, answer in zip(asked, answers, strict=True)}

    def parsed(self, answer: Any, number: int) -> Block:
        """The header in an answer about the block of that number."""
        place = f"block {number} of {self.network}"
        if answer is None:
            raise IncompleteError(f"{place}: the node doesn't have it", "ask a node that has all blocks")
        found = self._read(answer, place)
        if found.number != number:
            raise AnswerError(f"{place}: the node answered with block {found.number}", "ask another node")
        return found

    def _read(self, answer: Any, place: str) -> Block:
        header = words.mapping(answer, place)
        return Block(
            words.quantity(header.get("number"), f"{place}, number"),
            words.hash_(header.get("hash"), f"{place}, hash"),
            words.hash_(header.get("parentHash"), f"{place}, parentHash"),
            words.quantity(header.get("timestamp"), f"{place}, timestamp"),
        )

    def final(self) -> tuple[Block, str]:
        """The last block that can't be replaced any more, and in words how that is known."""
        refusal = "it answers nothing"
        try:
            answer = self.node.ask("eth_getBlockByNumber", "finalized", False)
            if answer is not None:
                return self._read(answer, f"finalized block of {self.network}"), "finalized"
        except RpcError as error:
            refusal = error.message
        if self.reorg_depth is None:
            raise AnswerError(
                f"the node doesn't say which block of {self.network} is final ({refusal})",
                "use a node that knows the tag finalized, or say reorg_depth: how many blocks make one final",
            )
        head = words.quantity(self.node.ask("eth_blockNumber"), f"head of {self.network}")
        if head < self.reorg_depth:
            raise AnswerError(f"{self.network} has no more than {head} blocks, none of them is final", "pull later")
        return self.at(head - self.reorg_depth), f"{self.reorg_depth} blocks below the head"

    def day(self, order: Order) -> Day:
        """The blocks of a day, all of them final.

        Raises AnswerError if the day's last block isn't final yet, or if the last block of the day before isn't the one
        any more that the delivery of that day was taken at.
        """
        since, until = _seconds(order.since), _seconds(order.until)
        final, _ = self.final()
        if final.seconds < until:
            raise AnswerError(
                f"the day's last block isn't final yet (the last final block of {self.network}, {final.number}, is of"
                f" {final.moment})",
                "pull later; if it stays so, see whether the node keeps up",
            )
        if order.position is not None:
            previous: Block | None = self._same_as(order.position)
        else:
            previous = self._last_before(since, self._early(since, final), final)
        last = self._last_before(until, previous or self._early(until, final), final)
        if last is None:
            raise EmptyAnswerError(f"{self.network} began after {order.day}", "pull from its first day on")
        return Day(previous.number + 1 if previous else 0, last, previous)

    def _same_as(self, position: Json) -> Block:
        found = self.at(position["block"])
        if found.hash != position["hash"]:
            raise AnswerError(
                f"block {found.number} of {self.network} was {position['hash']} when its day was delivered and is"
                f" {found.hash} now: the chain was reorganised deeper than what counted as final",
                "see on another node which is right; if it is the new one, move away what was delivered of that day"
                " and since, manifests included, and pull it again",
            )
        return found

    def _early(self, seconds: int, final: Block) -> Block:
        """A block before a moment, in ever longer steps back from ``final``; the chain's first if there is none."""
        step, found = 4_096, final
        while found.seconds >= seconds and found.number > 0:
            found, step = self.at(max(0, found.number - step)), step * 2
        return found

    def _last_before(self, seconds: int, low: Block, high: Block) -> Block | None:
        """The last block before a moment, between two blocks; None if there is none. ``high`` isn't before it."""
        if low.seconds >= seconds:
            return None
        while high.number - low.number > 1:
            middle = self.at((low.number + high.number) // 2)
            if not low.seconds <= middle.seconds <= high.seconds:
                raise AnswerError(
                    f"block {middle.number} of {self.network} is of {middle.moment}, which isn't between blocks"
                    f" {low.number} ({low.moment}) and {high.number} ({high.moment})",
                    "ask another node",
                )
            low, high = (middle, high) if middle.seconds < seconds else (low, middle)
        if high.parent != low.hash:
            raise AnswerError(f"blocks {low.number} and {high.number} of {self.network} don't join", "ask another node")
        return low


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())
