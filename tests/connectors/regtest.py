"""A small Bitcoin chain in memory that answers as Esplora and as Bitcoin Core do, both from the same blocks.

Blocks are linked, times are what a test says, outputs are spent once, and a block's Merkle root is the real one. What
isn't there: scripts that run, proof of work, real serialisation (identifiers are hashes of what a transaction says).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median_low
from typing import Any

from orchestration.connectors.bitcoin.addresses import NETWORKS, address_of, script_of
from tests.connectors import web

REGTEST = NETWORKS["regtest"]
COIN = 100_000_000
PAGE = 25


def address(name: str, kind: str = "key") -> str:
    """An address that stands for a name."""
    digest = hashlib.sha256(name.encode()).digest()
    scripts = {
        "key": b"\x00\x14" + digest[:20],
        "script": b"\x00\x20" + digest,
        "taproot": b"\x51\x20" + digest,
        "legacy": b"\x76\xa9\x14" + digest[:20] + b"\x88\xac",
        "nested": b"\xa9\x14" + digest[:20] + b"\x87",
    }
    found = address_of(scripts[kind].hex(), REGTEST)
    assert found is not None
    return found


@dataclass
class Spend:
    """A transaction: what it spends (identifier and place of outputs), what it makes (script, satoshi)."""

    spent: list[tuple[str, int]]
    made: list[tuple[str, int]]
    salt: str = ""
    txid: str = field(init=False)

    def __post_init__(self) -> None:
        said = json.dumps([self.spent, self.made, self.salt]).encode()
        self.txid = hashlib.sha256(hashlib.sha256(said).digest()).digest().hex()


@dataclass
class Mined:
    height: int
    hash: str
    previous: str | None
    time: int
    transactions: list[Spend]


def epoch(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


class Regtest:
    """The chain. ``waiting`` are transactions that no block holds yet."""

    def __init__(self, begin: str) -> None:
        self.mined: list[Mined] = []
        self.known: dict[str, Spend] = {}
        self.waiting: list[Spend] = []
        self.unspent: set[tuple[str, int]] = set()
        self.login = ""
        self.scans = 0
        self.scans_refused = 0
        self.warming_up = 0
        self.pruned_below = 0
        self.mine(begin)

    def pay(self, spent: Iterable[tuple[str, int]], made: Mapping[str, int] | list[tuple[str, int]]) -> str:
        """Broadcast a transaction from outputs to addresses; what is left over is the fee. Return its identifier."""
        outputs = list(made.items()) if isinstance(made, dict) else list(made)  # type: ignore[arg-type]
        scripts = [(to if set(to) <= set("0123456789abcdef") else script_of(to, REGTEST), v) for to, v in outputs]
        spend = Spend(list(spent), scripts)
        for place in spend.spent:
            assert place in self.unspent, "spent already, or never made"
            self.unspent.remove(place)
        self.known[spend.txid] = spend
        self.unspent |= {(spend.txid, number) for number in range(len(scripts))}
        assert spend.txid.islower()
        assert self.fee(spend) >= 0
        self.waiting.append(spend)
        return spend.txid

    def value(self, place: tuple[str, int]) -> int:
        return self.known[place[0]].made[place[1]][1]

    def fee(self, spend: Spend) -> int:
        return sum(self.value(place) for place in spend.spent) - sum(value for _, value in spend.made)

    def mine(self, moment: str, to: str | None = None) -> Mined:
        """A block with all that waits; the subsidy goes to an address."""
        height = len(self.mined)
        script = script_of(to or address("miner"), REGTEST)
        reward = 50 * COIN + sum(self.fee(spend) for spend in self.waiting)
        coinbase = Spend([], [(script, reward), ("6a24aa21a9ed", 0)], f"coinbase {height} {moment}")
        self.known[coinbase.txid] = coinbase
        self.unspent |= {(coinbase.txid, 0)}
        previous = self.mined[-1].hash if self.mined else None
        transactions = [coinbase, *self.waiting]
        said = json.dumps([previous, moment, [spend.txid for spend in transactions]]).encode()
        name = hashlib.sha256(said).hexdigest() if self.mined else REGTEST.first_block
        block = Mined(height, name, previous, epoch(moment), transactions)
        self.mined.append(block)
        self.waiting = []
        return block

    def coin(self, to: str, value: int, moment: str) -> tuple[str, int]:
        """An output of that value at an address, paid by a miner, in a block of its own."""
        block = self.mine(moment)
        txid = self.pay([(block.transactions[0].txid, 0)], {to: value, address("miner"): 50 * COIN - value})
        self.mine(moment)
        return txid, 0

    def median_time(self, height: int) -> int:
        return median_low([block.time for block in self.mined[max(0, height - 10) : height + 1]])

    def height_of(self, spend: Spend) -> int | None:
        return next((block.height for block in self.mined if spend in block.transactions), None)

    def history(self, script: str) -> list[Spend]:
        """Confirmed transactions with a script, newest first."""
        found = []
        for block in reversed(self.mined):
            for spend in reversed(block.transactions):
                scripts = {made for made, _ in spend.made} | {self.known[t].made[n][0] for t, n in spend.spent}
                if script in scripts:
                    found.append(spend)
        return found

    def held(self, script: str, height: int | None = None) -> int:
        """What a script holds after a block: the slow and simple way."""
        total = 0
        for block in self.mined[: None if height is None else height + 1]:
            for spend in block.transactions:
                total += sum(value for made, value in spend.made if made == script)
                total -= sum(
                    self.value(place) for place in spend.spent if self.known[place[0]].made[place[1]][0] == script
                )
        return total

    # Esplora

    def esplora(self, request: web.Request) -> web.Answer:
        """Answer as Esplora does; with ``login`` set, only to those who bear it."""
        if self.login and request.headers.get("authorization") != f"Bearer {self.login}":
            return web.Answer(b"who are you?", 401)
        said = self._said(request.path.strip("/").split("/"))
        return web.Answer(b"not found", 404) if said is None else web.Answer(said)

    def _said(self, path: list[str]) -> Any:
        match path:
            case ["blocks", "tip", "height"]:
                return str(self.mined[-1].height).encode()
            case ["block-height", height] if int(height) < len(self.mined):
                return self.mined[int(height)].hash.encode()
            case ["block", name] if block := self._named(name):
                return self._esplora_block(block)
            case ["address", to]:
                return self._esplora_stats(to)
            case ["address", to, "txs", "chain", *last]:
                history = self.history(script_of(to, REGTEST))
                names = [spend.txid for spend in history]
                begin = names.index(last[0]) + 1 if last else 0
                return [self._esplora_transaction(spend) for spend in history[begin : begin + PAGE]]
        return None

    def _named(self, name: str) -> Mined | None:
        return next((block for block in self.mined if block.hash == name), None)

    def _esplora_block(self, block: Mined) -> dict[str, Any]:
        return {
            "id": block.hash,
            "height": block.height,
            "timestamp": block.time,
            "mediantime": self.median_time(block.height),
            "previousblockhash": block.previous,
            "tx_count": len(block.transactions),
        }

    def _esplora_stats(self, to: str) -> dict[str, Any]:
        script = script_of(to, REGTEST)
        history = self.history(script)
        funded = [value for spend in history for made, value in spend.made if made == script]
        spent = [
            self.value(place)
            for spend in history
            for place in spend.spent
            if self.known[place[0]].made[place[1]][0] == script
        ]
        waiting = {"tx_count": len(self.waiting), "funded_txo_sum": 7, "spent_txo_sum": 0}
        chain = {
            "funded_txo_count": len(funded),
            "funded_txo_sum": sum(funded),
            "spent_txo_count": len(spent),
            "spent_txo_sum": sum(spent),
            "tx_count": len(history),
        }
        return {"address": to, "chain_stats": chain, "mempool_stats": waiting}

    def _esplora_transaction(self, spend: Spend) -> dict[str, Any]:
        height = self.height_of(spend)
        status: dict[str, Any] = {"confirmed": height is not None}
        if height is not None:
            block = self.mined[height]
            status |= {"block_height": height, "block_hash": block.hash, "block_time": block.time}
        sources = [
            {"txid": t, "vout": n, "prevout": _esplora_output(*self.known[t].made[n]), "is_coinbase": False}
            for t, n in spend.spent
        ]
        return {
            "txid": spend.txid,
            "vin": sources or [{"txid": "00" * 32, "vout": 0xFFFFFFFF, "prevout": None, "is_coinbase": True}],
            "vout": [_esplora_output(script, value) for script, value in spend.made],
            "fee": self.fee(spend) if spend.spent else 0,
            "status": status,
        }

    # Bitcoin Core

    def core(self, request: web.Request) -> web.Answer:
        """Answer a batch as Core does; with ``login`` (user:password) set, only to those who give it."""
        token = base64.b64encode(self.login.encode()).decode()
        if self.login and request.headers.get("authorization") != f"Basic {token}":
            return web.Answer(b"", 401)
        answers = [self._answer(call) for call in request.json]
        data = json.dumps(list(reversed(answers)))
        return web.Answer(_written_as_core(data).encode())

    def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        try:
            if self.warming_up > 0:
                self.warming_up -= 1
                raise CallRefusedError(-28, "Loading block index…")
            result = getattr(self, f"_{call['method']}")(*call["params"])
        except CallRefusedError as refusal:
            error = {"code": refusal.code, "message": refusal.message}
            return {"jsonrpc": "2.0", "error": error, "id": call["id"]}
        return {"jsonrpc": "2.0", "result": result, "id": call["id"]}

    def _getblockcount(self) -> int:
        return self.mined[-1].height

    def _getblockchaininfo(self) -> dict[str, Any]:
        state = {"chain": "regtest", "blocks": self.mined[-1].height, "initialblockdownload": False}
        return state | {"pruned": bool(self.pruned_below), "pruneheight": self.pruned_below}

    def _getblockhash(self, height: int) -> str:
        if not 0 <= height < len(self.mined):
            raise CallRefusedError(-8, "Block height out of range")
        return self.mined[height].hash

    def _getblockheader(self, name: str) -> dict[str, Any]:
        block = self._named(name)
        if block is None:
            raise CallRefusedError(-5, "Block not found")
        header = {
            "hash": block.hash,
            "height": block.height,
            "time": block.time,
            "mediantime": self.median_time(block.height),
            "merkleroot": _merkle([spend.txid for spend in block.transactions]),
            "nTx": len(block.transactions),
        }
        return header | ({"previousblockhash": block.previous} if block.previous else {})

    def _getblock(self, name: str, verbosity: int) -> dict[str, Any]:
        assert verbosity == 3
        header = self._getblockheader(name)
        if header["height"] < self.pruned_below:
            raise CallRefusedError(-1, "Block not available (pruned data)")
        return header | {"tx": [self._core_transaction(spend) for spend in self.mined[header["height"]].transactions]}

    def _core_transaction(self, spend: Spend) -> dict[str, Any]:
        sources = [
            {"txid": t, "vout": n, "prevout": {"generated": False, **_core_output(*self.known[t].made[n])}}
            for t, n in spend.spent
        ]
        outputs = [{"n": number, **_core_output(*made)} for number, made in enumerate(spend.made)]
        fee = {"fee": _coins(self.fee(spend))} if spend.spent else {}
        return {"txid": spend.txid, "vin": sources or [{"coinbase": "51"}], "vout": outputs, **fee}

    def _scantxoutset(self, action: str, descriptors: list[str] | None = None) -> Any:
        if action == "status":
            return None
        if self.scans_refused > 0:
            self.scans_refused -= 1
            raise CallRefusedError(-8, 'Scan already in progress, use action "abort" or "status"')
        self.scans += 1
        wanted = {text.removeprefix("raw(").removesuffix(")") for text in descriptors or []}
        confirmed = {spend.txid for block in self.mined for spend in block.transactions}
        spent = {place for block in self.mined for spend in block.transactions for place in spend.spent}
        found = [
            {"txid": txid, "vout": number, "scriptPubKey": script, "amount": _coins(value)}
            for txid in sorted(confirmed)
            for number, (script, value) in enumerate(self.known[txid].made)
            if script in wanted and (txid, number) not in spent
        ]
        total = sum(
            value
            for txid in confirmed
            for number, (script, value) in enumerate(self.known[txid].made)
            if script in wanted and (txid, number) not in spent
        )
        tip = self.mined[-1]
        return {
            "success": True,
            "txouts": len(found),
            "height": tip.height,
            "bestblock": tip.hash,
            "unspents": found,
            "total_amount": _coins(total),
        }


class CallRefusedError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def _coins(satoshi: int) -> str:
    """Marked, so that ``_written_as_core`` can write it as a number with eight places, as Core does."""
    return f"<{satoshi // COIN}.{satoshi % COIN:08}>"


def _written_as_core(text: str) -> str:
    return text.replace('"<', "").replace('>"', "")


def _esplora_output(script: str, value: int) -> dict[str, Any]:
    to = address_of(script, REGTEST)
    return {"scriptpubkey": script, "value": value} | ({"scriptpubkey_address": to} if to else {})


def _core_output(script: str, value: int) -> dict[str, Any]:
    to = address_of(script, REGTEST)
    return {"value": _coins(value), "scriptPubKey": {"hex": script, **({"address": to} if to else {})}}


def _merkle(txids: list[str]) -> str:
    hashes = [bytes.fromhex(txid)[::-1] for txid in txids]
    while len(hashes) > 1:
        if len(hashes) % 2:
            hashes.append(hashes[-1])
        joined = [hashes[number] + hashes[number + 1] for number in range(0, len(hashes), 2)]
        hashes = [hashlib.sha256(hashlib.sha256(pair).digest()).digest() for pair in joined]
    return hashes[0][::-1].hex()
