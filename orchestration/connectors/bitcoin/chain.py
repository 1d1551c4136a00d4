"""The chain as connectors see it: blocks, transactions, and which blocks make a day.

What belongs here: what both ways of asking give, and the rule of the day. What doesn't: any request.

A day is the blocks from the first one whose time is at or after its beginning to the last one before the first whose
time is at or after its end. Blocks' times are what miners wrote and don't always rise: the time at which a block's
transactions moved is the latest that any block of the day bore up to there. So each block is in exactly one day,
every movement is within its day, and a balance at the day's last block is the balance at the day's end. (The median
of past times, which rises by consensus, trails the clock by an hour: a balance by it would lack the last hour's
withdrawals while the ledger has them.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.connectors.base import Json, Order, Probe
from orchestration.connectors.errors import AnswerError, IncompleteError

SATOSHI = 100_000_000
MOST_SATOSHI = 21_000_000 * SATOSHI
_SEARCH_MARGIN = timedelta(hours=3)
_MEDIAN_BLOCKS = 11


class ReorganisedError(IncompleteError):
    """Blocks that were counted on are no longer on the chain."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header. ``time`` and ``median_time`` (of it and the ten before) are seconds since 1970, UTC."""

    height: int
    hash: str
    previous: str | None
    time: int
    median_time: int


@dataclass(frozen=True, slots=True)
class Part:
    """An input (what it spends) or an output: script in hexadecimal, value in satoshi."""

    script: str
    value: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A confirmed transaction; a coinbase has no inputs. ``fee`` in satoshi is what inputs exceed outputs by."""

    txid: str
    height: int
    inputs: tuple[Part, ...]
    outputs: tuple[Part, ...]
    is_coinbase: bool

    @property
    def fee(self) -> int:
        """Satoshi left to the miner; zero for a coinbase."""
        return 0 if self.is_coinbase else sum(p.value for p in self.inputs) - sum(p.value for p in self.outputs)

    def changes(self, scripts: Container[str]) -> dict[str, int]:
        """By how much each of these scripts' balances changes, in satoshi; those that occur, also with zero."""
        changes: dict[str, int] = {}
        for sign, parts in ((-1, self.inputs), (1, self.outputs)):
            for part in parts:
                if part.script in scripts:
                    changes[part.script] = changes.get(part.script, 0) + sign * part.value
        return changes


@dataclass(frozen=True, slots=True)
class State:
    """An address at a block: satoshi held, and in how many transactions it occurred (None: never counted)."""

    balance: int
    transactions: int | None

    @classmethod
    def read(cls, stored: Json) -> State:
        """From a position."""
        return cls(stored[0], stored[1])

    def as_json(self) -> Json:
        """For a position."""
        return [self.balance, self.transactions]


@dataclass(frozen=True, slots=True)
class Day:
    """The blocks of a day: those after height ``previous`` up to ``height``, whose hash is ``hash``.

    ``hashes`` and ``moved_at`` give each block's hash, and when what is in it moved, by height.
    """

    previous: int
    height: int
    hash: str
    hashes: Mapping[int, str] = field(default_factory=dict)
    moved_at: Mapping[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """Transactions of the day that hadn't been told of, and the cursor after them, None if there is none.

    ``was_slow``: finding them took long enough to be kept at once.
    """

    transactions: list[Transaction]
    resume: Json = None
    was_slow: bool = False


class Chain(ABC):
    """One way of asking for the chain."""

    @abstractmethod
    def tip(self) -> int:
        """The height of the newest block."""

    @abstractmethod
    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of these heights on the best chain, in order."""

    @abstractmethod
    def probes(self) -> Iterator[Probe]:
        """What else a pull needs, tried."""

    @abstractmethod
    def read(self, day: Day, scripts: Mapping[str, str], states: dict[str, State], resume: Json) -> Iterator[Found]:
        """Yield the day's transactions with any of these scripts (given with their addresses), each once.

        ``states`` holds what the last delivery knew of scripts; at the end it holds all as they are at the day's last
        block. ``resume`` is a cursor that was given before, in a pull of the same day for the same scripts.
        """

    def block(self, height: int) -> Block:
        """The block of a height."""
        return next(self.blocks(height, height))


def find_day(chain: Chain, order: Order, confirmations: int) -> Day:
    """The blocks of the day asked for.

    Raises IncompleteError while the block that ends the day isn't there or isn't as deep as ``confirmations``, and
    ReorganisedError if the block that the last delivery ended with has left the chain.
    """
    tip = chain.tip()
    if order.position is None:
        previous = _first_at(chain, order.since, tip) - 1
        last = chain.block(previous).hash if 0 <= previous <= tip else None
    else:
        previous, last = order.position["height"], order.position["hash"]
        verify(chain, previous, last, tip)
    hashes: dict[int, str] = {}
    moved_at: dict[int, datetime] = {}
    until, latest = _seconds(order.until), 0
    for block in chain.blocks(previous + 1, tip):
        if block.previous != last:
            raise ReorganisedError(f"block {block.height} doesn't follow the one before it", "pull again")
        if block.time >= until:
            return _ended(
                order, block, tip, confirmations, Day(previous, block.height - 1, last or "", hashes, moved_at)
            )
        last, latest = block.hash, max(latest, block.time)
        hashes[block.height] = block.hash
        moved_at[block.height] = datetime.fromtimestamp(latest, UTC).replace(tzinfo=None)
    raise IncompleteError(
        f"{order.day} isn't final yet: no block after its end is there (newest {tip})",
        "pull later, or see whether the node has caught up with the chain",
    )


def verify(chain: Chain, height: int, expected: str, tip: int | None = None) -> None:
    """Raise ReorganisedError unless the block of that height still has that hash."""
    if tip is not None and tip < height:
        raise IncompleteError(
            f"the newest block is {tip}, before block {height} that the last delivery ended with",
            "see whether the node is still catching up, and pull again when it has",
        )
    if (found := chain.block(height).hash) != expected:
        raise ReorganisedError(
            f"block {height} was {expected} and is {found} now: the chain was reorganised",
            "if the last delivery rests on the old block, move its files and manifest away, raise confirmations and"
            " pull those days again; else ask a node on the right chain",
        )


def _ended(order: Order, ending: Block, tip: int, confirmations: int, day: Day) -> Day:
    depth = tip - ending.height + 1
    if depth < confirmations:
        raise IncompleteError(
            f"{order.day} isn't final yet: block {ending.height}, which ends it, has {depth} of {confirmations}"
            " confirmations",
            "pull later",
        )
    if day.height < 0:
        raise AnswerError(f"the chain begins after {order.day}", "pull from a later day on")
    return day


def _first_at(chain: Chain, moment: datetime, tip: int) -> int:
    """The height of the first block whose time is at or after a moment; one beyond the newest if there is none.

    No block is so far ahead of the clock that it stands before the median of past times came near.
    """
    near, low, high = _seconds(moment - _SEARCH_MARGIN), 0, tip + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if chain.block(middle).median_time >= near else (middle + 1, high)
    for block in chain.blocks(max(0, low - _MEDIAN_BLOCKS), tip):
        if block.time >= _seconds(moment):
            return block.height
    return tip + 1


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def block_from(answer: Any, hash_key: str, time_key: str, place: str) -> Block:
    """A header as either interface writes it; raise AnswerError if a part of it is missing or of another type."""
    try:
        values = (answer["height"], answer[hash_key], answer.get("previousblockhash"))
        times = (answer[time_key], answer["mediantime"])
    except (KeyError, TypeError, AttributeError) as error:
        raise AnswerError(f"{place} is no block header", "see what answers at that address") from error
    if not all(type(number) is int for number in (values[0], *times)) or not isinstance(values[1], str):
        raise AnswerError(f"{place} is no block header", "see what answers at that address")
    return Block(*values, *times)


def checked(transaction: Transaction) -> Transaction:
    """The transaction; raise AnswerError if it can't be one: amounts out of range, or more out than in."""
    for part in (*transaction.inputs, *transaction.outputs):
        if not 0 <= part.value <= MOST_SATOSHI:
            raise AnswerError(
                f"transaction {transaction.txid}: {part.value} satoshi can't be", "see what answers at that address"
            )
    if transaction.fee < 0:
        raise AnswerError(
            f"transaction {transaction.txid} spends more than it takes in", "see what answers at that address"
        )
    return transaction
