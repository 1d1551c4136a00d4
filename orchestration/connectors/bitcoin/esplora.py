"""The chain by Esplora's REST interface, which blockstream.info and mempool.space serve and anyone can run.

What belongs here: requests, and the proof that an address's history came whole. What doesn't: which day is asked for.

Esplora knows no balance at a height. It says how many transactions an address has at the newest block, and what it
received and spent in all. Together with what the last delivery knew (nothing, for an address seen first) that tells
how many transactions must come and what they must add up to: pages are read, newest first, until so many came, and the
sums are compared. Balance and transfers are then those of the blocks up to the day's last one. An address without
news costs one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.connectors.base import Json, Probe, Services
from orchestration.connectors.bitcoin.chain import (
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
from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.connectors.http import HttpClient
from orchestration.connectors.paging import Page, pages

_READ_AGAIN = 3
_CHECKPOINT_ADDRESSES = 50
_HINT = "see what answers at that address"


class EsploraChain(Chain):
    """Asks one server; each request is a plain GET."""

    def __init__(self, client: HttpClient, services: Services) -> None:
        self.client, self.services = client, services

    def tip(self) -> int:
        """The height of the newest block that the server has."""
        height = self.client.get_json("blocks/tip/height")
        if type(height) is not int or height < 0:
            raise AnswerError("blocks/tip/height is no height", _HINT)
        return height

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of these heights, two requests each."""
        for height in range(first, last + 1):
            name = self.client.request("GET", f"block-height/{height}").decode("ascii", "replace").strip()
            if len(name) != 64 or set(name) - set("0123456789abcdef"):
                raise AnswerError(f"block-height/{height} is no block hash", _HINT)
            block = block_from(self.client.get_json(f"block/{name}"), "id", "timestamp", f"block/{name}")
            if (block.height, block.hash) != (height, name):
                raise AnswerError(f"block/{name} is another block", _HINT)
            yield block

    def probes(self) -> Iterator[Probe]:
        """Nothing needs rights here."""
        yield Probe("newest block", True, f"height {self.tip()}")

    def read(self, day: Day, scripts: Mapping[str, str], states: dict[str, State], resume: Json) -> Iterator[Found]:
        """One address after the other; a transaction of several is told of with the first."""
        done = 0
        if resume is not None:
            done = int(resume["done"])
            states.update({script: State.read(stored) for script, stored in resume["states"].items()})
        told: list[Transaction] = []
        order = {script: number for number, script in enumerate(scripts)}
        for number, (script, address) in enumerate(scripts.items()):
            if number < done:
                continue
            states[script], transactions = self._address(day, script, address, states.get(script))
            told += [t for t in transactions if min(order[other] for other in t.changes(order)) == number]
            if (number + 1) % _CHECKPOINT_ADDRESSES == 0:
                self.services.report(f"{number + 1:,} of {len(scripts):,} addresses")
                kept = {other: states[other].as_json() for other in list(scripts)[: number + 1]}
                yield Found(told, {"done": number + 1, "states": kept}, was_slow=True)
                told = []
        yield Found(told)

    def _address(self, day: Day, script: str, address: str, known: State | None) -> tuple[State, list[Transaction]]:
        """An address at the day's last block, and its transactions of the day."""
        if known is None or known.transactions is None:
            known, begin = State(0, 0), -1
        else:
            begin = day.previous
        stats = self._stats(address)
        for _ in range(_READ_AGAIN):
            later = self._later(day, script, address, begin, stats[1] - int(known.transactions or 0))
            changes = [(transaction, transaction.changes([script])[script]) for transaction in later]
            have = (known.balance + sum(change for _, change in changes), int(known.transactions or 0) + len(later))
            if have == stats:
                until = [(transaction, change) for transaction, change in changes if transaction.height <= day.height]
                state = State(
                    known.balance + sum(change for _, change in until), int(known.transactions or 0) + len(until)
                )
                return state, [transaction for transaction, _ in reversed(until) if transaction.height > day.previous]
            before, stats = stats, self._stats(address)
            if before == stats:  # nothing was mined meanwhile
                break
        raise IncompleteError(
            f"address {address}: {have[1]:,} transactions that leave {have[0]:,} satoshi came, and {stats[1]:,} that"
            f" leave {stats[0]:,} are told of",
            "pull again; if that stays so, the server's index is not whole, or its history of the address is bounded",
        )

    def _later(self, day: Day, script: str, address: str, begin: int, expected: int) -> list[Transaction]:
        """So many transactions after block ``begin``, newest first, or all that come if they are fewer."""
        found: list[Transaction] = []
        seen: set[str] = set()
        if expected <= 0:
            return found
        place = f"the history of address {address}"
        for page in pages(lambda last: self._page(address, last), place):
            for item in page.items:
                transaction = self._transaction(item, day)
                if transaction is None or transaction.height <= begin:
                    return found
                if transaction.txid in seen:
                    raise IncompleteError(f"{place} has {transaction.txid} twice", "its paging can't be trusted")
                if script not in transaction.changes([script]):
                    raise AnswerError(f"{place} has {transaction.txid}, which doesn't concern it", _HINT)
                seen.add(transaction.txid)
                found.append(transaction)
                if len(found) == expected:
                    return found
        return found

    def _page(self, address: str, last: str | None) -> Page:
        """A page of confirmed transactions after one, newest first; an empty one has no next."""
        path = f"address/{address}/txs/chain" + (f"/{last}" if last else "")
        items = self.client.get_json(path)
        if not isinstance(items, list):
            raise AnswerError(f"{path} is no list of transactions", _HINT)
        return Page(items, items[-1].get("txid") if items and isinstance(items[-1], dict) else None)

    def _stats(self, address: str) -> tuple[int, int]:
        """What the address holds at the newest block, in satoshi, and its confirmed transactions."""
        answer = self.client.get_json(f"address/{address}")
        stats = answer.get("chain_stats") if isinstance(answer, dict) else None
        keys = ("funded_txo_sum", "spent_txo_sum", "tx_count")
        if not isinstance(stats, dict) or not all(type(stats.get(key)) is int and stats[key] >= 0 for key in keys):
            raise AnswerError(f"address/{address} has no chain_stats", _HINT)
        return stats["funded_txo_sum"] - stats["spent_txo_sum"], stats["tx_count"]

    def _transaction(self, item: Any, day: Day) -> Transaction | None:
        """A transaction, None if it isn't confirmed; raise AnswerError if it isn't one or doesn't add up."""
        try:
            status, txid = item["status"], item["txid"]
            if status["confirmed"] is not True:
                return None
            height, is_coinbase = status["block_height"], item["vin"][0]["is_coinbase"] is True
            spent = [] if is_coinbase else [_part(source["prevout"]) for source in item["vin"]]
            made = tuple(_part(output) for output in item["vout"])
            transaction = checked(Transaction(txid, height, tuple(spent), made, is_coinbase))
            is_whole = is_coinbase or item["fee"] == transaction.fee
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise AnswerError(f"no transaction where one should be ({type(error).__name__})", _HINT) from error
        if not is_whole:
            raise AnswerError(f"transaction {txid}: fee, inputs and outputs don't add up", _HINT)
        if day.hashes.get(height, status["block_hash"]) != status["block_hash"]:
            raise ReorganisedError(f"transaction {txid} is in another block {height} than the chain's", "pull again")
        return transaction


def _part(written: Any) -> Part:
    script, value = written["scriptpubkey"], written["value"]
    if type(value) is not int:
        raise TypeError
    bytes.fromhex(script)
    return Part(script, value)
