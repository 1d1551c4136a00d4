"""The chain by Bitcoin Core's RPC.

What belongs here: walking blocks, and balances from the set of unspent outputs. What doesn't: JSON-RPC itself
(``rpc``), which day is asked for.

Core has no index of addresses. A day's transactions are found by reading its blocks whole, each proven by its Merkle
root. Balances are those of the last delivery and what moved since. Where there are none (an address seen first), and
whenever the day is near enough to the newest block, the set of unspent outputs is scanned as it is now, and what the
blocks since the day changed is taken off: a balance that owes nothing to the transfers. Both must agree.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from orchestration.connectors.base import Json, Probe, Services
from orchestration.connectors.bitcoin.chain import (
    SATOSHI,
    Block,
    Chain,
    Day,
    Found,
    Part,
    ReorganisedError,
    State,
    Transaction,
    block_from,
    checked,
)
from orchestration.connectors.bitcoin.rpc import IN_USE, CallError, Rpc
from orchestration.connectors.errors import AnswerError, IncompleteError, SourceError, UnreachableError

_SCANNED_AT_ONCE = 100_000
_POLL_SECONDS = 5.0
_CHECKPOINT_BLOCKS = 10
_HINT = "see what answers at that address"


@dataclass(frozen=True, slots=True)
class Scan:
    """The unspent outputs of some scripts at one block: satoshi by script, none left out."""

    height: int
    hash: str
    held: Mapping[str, int]


class CoreChain(Chain):
    """Asks one node. ``scanner`` is the same node with the patience that a scan of all unspent outputs needs.

    A day at most ``scan_within_blocks`` before the newest block is checked against a scan.
    """

    def __init__(self, rpc: Rpc, scanner: Rpc, services: Services, batch_size: int, scan_within_blocks: int) -> None:
        self.rpc, self.scanner, self.services = rpc, scanner, services
        self.batch_size, self.scan_within_blocks = batch_size, scan_within_blocks

    def tip(self) -> int:
        """The height of the newest block that the node has verified."""
        height = self.rpc.call("getblockcount")
        if type(height) is not int or height < 0:
            raise AnswerError("getblockcount gave no height", _HINT)
        return height

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of these heights, two batches for each ``batch_size`` of them."""
        for begin in range(first, last + 1, self.batch_size):
            heights = range(begin, min(begin + self.batch_size, last + 1))
            names = self.rpc.batch("getblockhash", [[height] for height in heights])
            headers = self.rpc.batch("getblockheader", [[name] for name in names])
            for height, name, header in zip(heights, names, headers, strict=True):
                block = block_from(header, "hash", "time", f"header of block {height}")
                if (block.height, block.hash) != (height, name):
                    raise AnswerError(f"the header of block {height} is another one's", _HINT)
                yield block

    def probes(self) -> Iterator[Probe]:
        """The node's state, and that it keeps what a day needs."""
        state = self.rpc.call("getblockchaininfo")
        if not isinstance(state, dict):
            raise AnswerError("getblockchaininfo gave no state", _HINT)
        catching_up = state.get("initialblockdownload") is True
        detail = f"height {state.get('blocks')}"
        yield Probe("node", not catching_up, detail + (", still catching up; wait until it has" if catching_up else ""))
        if state.get("pruned"):
            detail = f"pruned: days before block {state.get('pruneheight')} can't be pulled; set prune=0 for those"
            yield Probe("blocks", True, detail)
        newest = self.block(self.tip())
        self._transactions(newest.hash, newest.height)
        yield Probe("spent outputs", True, f"block {newest.height} comes with what it spends")
        self.rpc.call("scantxoutset", "status")
        yield Probe("unspent outputs", True, "may be scanned")

    def read(self, day: Day, scripts: Mapping[str, str], states: dict[str, State], resume: Json) -> Iterator[Found]:
        """One block after the other; balances at the end."""
        reached, moved = day.previous, dict[str, list[int]]()
        if resume is not None:
            reached, moved = int(resume["height"]), {script: list(kept) for script, kept in resume["moved"].items()}
        for height in range(reached + 1, day.height + 1):
            transactions = [t for t in self._transactions(day.hashes[height], height) if t.changes(scripts)]
            for transaction in transactions:
                for script, change in transaction.changes(scripts).items():
                    have = moved.setdefault(script, [0, 0])
                    moved[script] = [have[0] + change, have[1] + 1]
            self.services.report(f"block {height} of {day.height}")
            yield Found(transactions, {"height": height, "moved": dict(moved)}, height % _CHECKPOINT_BLOCKS == 0)
        for script in scripts:
            known, (change, count) = states.get(script), moved.get(script, [0, 0])
            if known is not None:
                total = None if known.transactions is None else known.transactions + count
                states[script] = State(known.balance + change, total)
        self._scan(day, scripts, states)

    def _scan(self, day: Day, scripts: Mapping[str, str], states: dict[str, State]) -> None:
        """Fill in the balances that aren't known, and compare those that are, if the day is near enough."""
        is_near = self.tip() - day.height <= self.scan_within_blocks
        wanted = [script for script in scripts if is_near or script not in states]
        since: list[tuple[Block, dict[str, int]]] = []
        for begin in range(0, len(wanted), _SCANNED_AT_ONCE):
            chosen = wanted[begin : begin + _SCANNED_AT_ONCE]
            scan = self._scanned(chosen)
            self._walk(day, scan, wanted, since)
            for script in chosen:
                later = sum(changes.get(script, 0) for block, changes in since if block.height <= scan.height)
                balance = scan.held.get(script, 0) - later
                known = states.setdefault(script, State(balance, None))
                if known.balance != balance:
                    raise IncompleteError(
                        f"address {scripts[script]} holds {balance:,} satoshi by its unspent outputs at block"
                        f" {day.height}, and {known.balance:,} by the last delivery and what moved since",
                        "see which delivery is wrong: that file, or the node's set of unspent outputs",
                    )

    def _walk(self, day: Day, scan: Scan, scripts: Sequence[str], since: list[tuple[Block, dict[str, int]]]) -> None:
        """Read the blocks between the day's last and the scan's, as far as they haven't been read; prove the chain."""
        wanted = dict.fromkeys(scripts)
        last, top = (since[-1][0].hash, since[-1][0].height) if since else (day.hash, day.height)
        for block in self.blocks(top + 1, scan.height):
            if block.previous != last:
                raise ReorganisedError(f"block {block.height} doesn't follow the one before it", "pull again")
            changes: dict[str, int] = {}
            for transaction in self._transactions(block.hash, block.height):
                for script, change in transaction.changes(wanted).items():
                    changes[script] = changes.get(script, 0) + change
            since.append((block, changes))
            last = block.hash
            self.services.report(f"block {block.height}, to take it off the unspent outputs at {scan.height}")
        at = next((b.hash for b, _ in since if b.height == scan.height), day.hash if scan.height == day.height else "")
        if at != scan.hash:
            raise ReorganisedError(
                f"block {scan.height} isn't the one that unspent outputs were scanned at", "pull again"
            )

    def _scanned(self, scripts: Sequence[str]) -> Scan:
        """Scan all unspent outputs, which takes minutes; the node does one scan at a time."""
        running: Future[Any] = Future()
        descriptors = [f"raw({script})" for script in scripts]
        # Nobody waits for this thread: whoever stops the pull shouldn't have to wait for the node.
        threading.Thread(target=self._scan_into, args=(running, descriptors), daemon=True).start()
        while not self._is_done(running):
            with suppress(SourceError):  # it only tells how far the scan is
                state = self.rpc.call("scantxoutset", "status")
                done = state.get("progress") if isinstance(state, dict) else None
                self.services.report(f"scanning unspent outputs{f', {done} %' if done is not None else ''}")
        return _scan_from(running.result(), set(scripts))

    def _scan_into(self, running: Future[Any], descriptors: list[str]) -> None:
        try:
            running.set_result(self._scan_in_turn(descriptors))
        except BaseException as error:  # noqa: BLE001 (raised where the result is asked for)
            running.set_exception(error)

    @staticmethod
    def _is_done(running: Future[Any]) -> bool:
        try:
            running.exception(_POLL_SECONDS)
        except NotYetError:
            return False
        return True

    def _scan_in_turn(self, descriptors: list[str]) -> Any:
        """Scan, after whatever scan is running has ended: somebody else's, or ours whose connection broke off."""
        clock, settings = self.services.clock, self.scanner.client.settings
        deadline = clock.monotonic() + settings.total_seconds
        while clock.monotonic() < deadline:
            try:
                return self.scanner.call("scantxoutset", "start", descriptors)
            except CallError as error:
                if error.code != IN_USE or "in progress" not in error.message:
                    raise
                clock.sleep(_POLL_SECONDS)
        raise UnreachableError(
            f"the node was scanning for somebody else for {settings.total_seconds:g} s",
            "pull again when it has ended, or end it with: bitcoin-cli scantxoutset abort",
        )

    def _transactions(self, name: str, height: int) -> list[Transaction]:
        """A block's transactions with what they spend, all of them."""
        answer = self.rpc.call("getblock", name, 3)
        try:
            transactions = [_transaction(written, height) for written in answer["tx"]]
            root, is_named = answer["merkleroot"], answer["hash"] == name
        except (KeyError, TypeError, IndexError, ValueError, ArithmeticError) as error:
            raise AnswerError(
                f"block {height} isn't told of as it should be ({type(error).__name__}: {str(error)[:80]})",
                "this needs Bitcoin Core 23 or later with the undo data of its blocks",
            ) from error
        if not is_named or merkle_root([transaction.txid for transaction in transactions]) != root:
            raise IncompleteError(f"block {height} came without all its transactions", "pull again; see the node's log")
        return transactions


def satoshi(written: Any) -> int:
    """Bitcoin as Core writes them in satoshi; raise ValueError if they are none, or not whole."""
    if isinstance(written, bool) or not isinstance(written, int | Decimal):
        raise ValueError("an amount that is no number")
    amount = Decimal(written) * SATOSHI
    if amount != int(amount):
        raise ValueError("an amount finer than a satoshi")
    return int(amount)


def merkle_root(txids: Sequence[str]) -> str:
    """The root that a block's header commits to, from its transactions in order; empty if there are none."""
    level = [bytes.fromhex(txid)[::-1] for txid in txids]
    while len(level) > 1:
        level += level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(hashlib.sha256(left + right).digest()).digest() for left, right in pairs]
    return level[0][::-1].hex() if level else ""


def _transaction(written: Any, height: int) -> Transaction:
    is_coinbase = "coinbase" in written["vin"][0]
    spent = [] if is_coinbase else [_part(source["prevout"]) for source in written["vin"]]
    made = [_part(output) for output in written["vout"]]
    if [output["n"] for output in written["vout"]] != list(range(len(made))):
        raise ValueError("outputs out of order")
    transaction = checked(Transaction(written["txid"], height, tuple(spent), tuple(made), is_coinbase))
    if not is_coinbase and "fee" in written and satoshi(written["fee"]) != transaction.fee:
        raise ValueError("fee, inputs and outputs don't add up")
    return transaction


def _part(written: Any) -> Part:
    script = written["scriptPubKey"]["hex"]
    bytes.fromhex(script)
    return Part(script, satoshi(written["value"]))


def _scan_from(answer: Any, scripts: set[str]) -> Scan:
    """What a scan found; raise AnswerError if it didn't end, or doesn't add up."""
    if not isinstance(answer, dict) or answer.get("success") is not True:
        raise IncompleteError("the scan of unspent outputs was ended before it was whole", "pull again")
    try:
        held: dict[str, int] = {}
        for output in answer["unspents"]:
            script = output["scriptPubKey"]
            held[script] = held.get(script, 0) + satoshi(output["amount"])
        scan = Scan(answer["height"], answer["bestblock"], held)
        total = satoshi(answer["total_amount"])
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise AnswerError(f"the scan of unspent outputs gave none ({type(error).__name__})", _HINT) from error
    if set(held) - scripts or sum(held.values()) != total or type(scan.height) is not int:
        raise IncompleteError("the unspent outputs don't add up to their total", "pull again")
    return scan
