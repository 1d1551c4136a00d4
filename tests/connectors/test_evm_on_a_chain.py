"""The EVM connector against a real node, with tokens, failed transactions, fees and days whose last block is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.delivery import Manifest, is_delivered
from orchestration.connectors.pulling import PullError, check_source, pull_day
from orchestration.contract import table
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults, plain
from tests.connectors.evm_chain import CHAIN_ID, MULTICALL3, Chain, calling, contracts, running_chain

DAY = date(2026, 3, 4)
ETHER = 10**18
MIXED_CASE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
"""The second account as people write it: with a checksum in its letters."""


@dataclass
class World:
    """A chain on which a day has happened: ``sent`` names transactions, ``heights`` blocks."""

    chain: Chain
    usdc: str
    points: str
    vault: str
    sent: dict[str, str]
    heights: dict[str, int]

    @property
    def hot(self) -> str:
        return self.chain.accounts[1]

    @property
    def cold(self) -> str:
        return self.chain.accounts[2]

    @property
    def customer(self) -> str:
        return self.chain.accounts[3]

    def name(self, sent: str, leg: str) -> str:
        return f"ethereum:{self.sent[sent]}:{leg}"

    def log(self, sent: str) -> str:
        (only,) = self.chain.receipt(self.sent[sent])["logs"]
        return self.name(sent, str(int(only["logIndex"], 16)))


def the_day_before(chain: Chain) -> World:
    usdc = chain.deploy("Token", "2026-03-03T23:01:00", 6)
    points = chain.deploy("Token", "2026-03-03T23:02:00", 0)
    vault = chain.deploy("Vault", "2026-03-03T23:03:00")
    chain.ask("anvil_setCode", MULTICALL3, contracts()["Multicall"]["runtime"])
    world = World(chain, usdc, points, vault, {}, {})
    chain.send(world.customer, usdc, 0, calling("Token", "mint(address,uint256)", world.customer, 10**12))
    chain.send(world.customer, vault, 5 * ETHER)
    world.heights["day before"] = chain.mine("2026-03-03T23:59:59")
    return world


def the_day(world: World) -> None:
    chain, sent, hot, cold, customer = world.chain, world.sent, world.hot, world.cold, world.customer
    sent["deposit"] = chain.send(customer, hot, ETHER * 3 // 2)
    sent["withdrawal"] = chain.send(hot, customer, 2 * ETHER + 1)
    world.heights["first"] = chain.mine("2026-03-04T00:00:00")
    sent["usdc in"] = chain.send(
        customer, world.usdc, 0, calling("Token", "transfer(address,uint256)", hot, 250_123_456)
    )
    chain.mine("2026-03-04T06:00:00")
    sent["usdc internal"] = chain.send(
        hot, world.usdc, 0, calling("Token", "transfer(address,uint256)", cold, 100_000_000)
    )
    chain.mine("2026-03-04T06:00:12")
    sent["failed"] = chain.send(hot, world.usdc, 0, calling("Token", "transfer(address,uint256)", cold, 10**15))
    sent["poison"] = chain.send(
        customer, world.usdc, 0, calling("Token", "transferFrom(address,address,uint256)", hot, customer, 0)
    )
    chain.mine("2026-03-04T12:00:00")
    sent["points"] = chain.send(customer, world.points, 0, calling("Token", "mint(address,uint256)", cold, 7))
    sent["to vault"] = chain.send(hot, world.vault, 3 * ETHER)
    chain.mine("2026-03-04T18:00:00")
    for minute in range(1, 6):
        chain.mine(f"2026-03-04T18:0{minute}:00")
    sent["last"] = chain.send(cold, hot, ETHER // 4)
    world.heights["last"] = chain.mine("2026-03-04T23:59:58")


def midnight(world: World) -> None:
    world.sent["next"] = world.chain.send(world.customer, world.hot, 9 * ETHER)
    world.heights["next"] = world.chain.mine("2026-03-05T00:00:00")
    world.chain.mine("2026-03-05T00:00:12")
    world.chain.mine("2026-03-05T00:00:24")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_chain("2026-03-03T23:00:00") as chain:
        world = the_day_before(chain)
        the_day(world)
        midnight(world)
        yield world


def wallets(world: World) -> list[dict[str, str | None]]:
    common = {
        "network": "ethereum",
        "owner_entity_id": "operator",
        "purpose": "customer",
        "custody": "hot",
        "encumbered_pct": "0",
        "ownership_proof": "none",
        "valid_from": "2026-01-01T00:00:00Z",
        "recorded_at": "2026-01-01T00:00:00Z",
    }
    assert world.hot == MIXED_CASE.lower()
    addresses = {"cold": world.cold.upper().replace("0X", "0x"), "hot": MIXED_CASE, "vault": world.vault}
    return [{**common, "wallet_id": wallet, "address": address} for wallet, address in addresses.items()]


def section(world: World, url: str, **more: Any) -> dict[str, Any]:
    tokens = {
        "USDC": {"contract": world.usdc, "decimals": 6},
        "POINTS": {"contract": world.points, "decimals": 0},
    }
    return {
        "kind": "evm",
        "url": url,
        "network": "ethereum",
        "chain_id": CHAIN_ID,
        "native_asset": "ETH",
        "tokens": tokens,
        "log_range": 4,
        "blocks_per_request": 3,
        **HTTP_SETTINGS,
        **more,
    }


def transfer(
    world: World,
    name: str,
    wallet: str,
    other: str | None,
    asset: str,
    amount: Decimal | str,
    type_: str,
    moment: str,
) -> dict[str, str | None]:
    known = {world.hot: "hot", world.cold: "cold", world.vault: "vault"}
    return {
        "transfer_id": name,
        "wallet_id": wallet,
        "counterparty_address": other,
        "counterparty_wallet_id": known.get(other or ""),
        "asset": asset,
        "amount": plain(amount),
        "transfer_type": type_,
        "block_time": moment,
        "recorded_at": moment,
    }


def fees(world: World) -> dict[str, Decimal]:
    names = ("withdrawal", "usdc internal", "failed", "to vault", "last")
    return {name: Decimal(world.chain.paid(world.sent[name])).scaleb(-18) for name in names}


def expected(world: World) -> dict[str, list[dict[str, str | None]]]:
    hot, cold, customer, paid = world.hot, world.cold, world.customer, fees(world)
    at = {
        "withdrawal": "2026-03-04 00:00:00",
        "usdc internal": "2026-03-04 06:00:12",
        "failed": "2026-03-04 12:00:00",
        "to vault": "2026-03-04 18:00:00",
        "last": "2026-03-04 23:59:58",
    }
    fee_rows = [
        transfer(
            world,
            world.name(name, "fee"),
            "cold" if name == "last" else "hot",
            None,
            "ETH",
            -paid[name],
            "network_fee",
            moment,
        )
        for name, moment in at.items()
    ]
    moved = [
        (world.name("deposit", "native"), "hot", customer, "ETH", "1.5", "deposit", at["withdrawal"]),
        (
            world.name("withdrawal", "native"),
            "hot",
            customer,
            "ETH",
            "-2.000000000000000001",
            "withdrawal",
            at["withdrawal"],
        ),
        (world.log("usdc in"), "hot", customer, "USDC", "250.123456", "deposit", "2026-03-04 06:00:00"),
        (world.log("usdc internal") + ":out", "hot", cold, "USDC", "-100", "internal", at["usdc internal"]),
        (world.log("usdc internal") + ":in", "cold", hot, "USDC", "100", "internal", at["usdc internal"]),
        (world.log("points"), "cold", "0x" + "0" * 40, "POINTS", "7", "deposit", at["to vault"]),
        (world.name("to vault", "native:out"), "hot", world.vault, "ETH", "-3", "internal", at["to vault"]),
        (world.name("to vault", "native:in"), "vault", hot, "ETH", "3", "internal", at["to vault"]),
        (world.name("last", "native:out"), "cold", hot, "ETH", "-0.25", "internal", at["last"]),
        (world.name("last", "native:in"), "hot", cold, "ETH", "0.25", "internal", at["last"]),
    ]
    start = Decimal(10_000)
    held = {
        "cold": (start - Decimal("0.25") - paid["last"], "100", "7"),
        "hot": (
            start + Decimal("-3.250000000000000001") - sum(paid.values()) + paid["last"],
            "150.123456",
            "0",
        ),
        "vault": (Decimal(8), "0", "0"),
    }
    balances = [
        {
            "wallet_id": wallet,
            "asset": asset,
            "balance": plain(amount),
            "as_of": "2026-03-04 23:59:58",
            "block_height": str(world.heights["last"]),
        }
        for wallet, amounts in held.items()
        for asset, amount in zip(("ETH", "USDC", "POINTS"), amounts, strict=True)
    ]
    return {"wallet_balances": balances, "wallet_transfers": [*fee_rows, *(transfer(world, *row) for row in moved)]}


def changed(method: str, change: Callable[[dict[str, Any], Any], Any]) -> web.Fault:
    """A fault of the answers to one method, in batches and alone: ``change`` gets the envelope and the parameters."""

    def fault(request: web.Request, answer: web.Answer) -> web.Answer:
        asked, answered = request.json, json.loads(answer.data)
        if isinstance(asked, dict):
            return web.Answer(change(answered, asked["params"]) if asked["method"] == method else answered)
        parameters = {each["id"]: each["params"] for each in asked if each["method"] == method}
        return web.Answer(
            [change(each, parameters[each["id"]]) if each["id"] in parameters else each for each in answered]
        )

    return fault


def with_result(method: str, change: Callable[[Any], Any]) -> web.Fault:
    return changed(method, lambda envelope, _: {**envelope, "result": change(envelope["result"])})


def with_error(method: str, code: int, message: str) -> web.Fault:
    return changed(
        method,
        lambda envelope, _: {"jsonrpc": "2.0", "id": envelope["id"], "error": {"code": code, "message": message}},
    )


def of_batches(change: Callable[[list[Any]], Any]) -> web.Fault:
    def fault(request: web.Request, answer: web.Answer) -> web.Answer:
        answered = json.loads(answer.data)
        return web.Answer(change(answered) if isinstance(answered, list) else answered)

    return fault


def too_many(envelope: dict[str, Any], parameters: list[Any]) -> dict[str, Any]:
    """More than one block of logs is too much."""
    if parameters[0]["fromBlock"] == parameters[0]["toBlock"]:
        return envelope
    error = {"code": -32005, "message": "query returned more than 10000 results"}
    return {"jsonrpc": "2.0", "id": envelope["id"], "error": error}


def logs_with(**fields: Any) -> web.Fault:
    return with_result("eth_getLogs", lambda logs: [{**log, **fields} for log in logs])


def faults_of_json_rpc(server: web.Web, balances: str) -> dict[str, Fault]:
    """Faults inside answers of status 200. ``balances``: the method by which they are asked for."""

    def set_fault(fault: web.Fault) -> Callable[[], None]:
        def begin() -> None:
            server.fault = fault

        return begin

    limited = with_error("eth_getLogs", -32005, "daily request rate limit reached, try again")
    refused = {
        "empty": (with_result("eth_getBlockByNumber", lambda _: None), "doesn't say which block of ethereum is final"),
        "not final": (with_error("eth_getBlockByNumber", -39001, "unknown block"), "is final (unknown block)"),
        "another chain": (with_result("eth_chainId", lambda _: "0x1"), "the node is of chain 1, not 31337"),
        "missing id": (of_batches(lambda answers: answers[:-1]), "left 1 of"),
        "wrong id": (of_batches(lambda answers: [{**answers[0], "id": 10**9}, *answers[1:]]), "left 1 of"),
        "duplicate id": (of_batches(lambda answers: [*answers, answers[0]]), "answered one request of a batch twice"),
        "stray id": (of_batches(lambda answers: [*answers, {"id": -1, "result": "0x"}]), "that weren't made"),
        "refused batch": (
            of_batches(lambda _: {"id": None, "error": {"code": -32600, "message": "batch too large"}}),
            "lower batch_size",
        ),
        "other range": (logs_with(blockNumber="0x1"), "one of block 1 that wasn't asked for"),
        "other token": (logs_with(address="0x" + "1" * 40), "that wasn't asked for"),
        "other block": (logs_with(blockHash="0x" + "1" * 64), "and the chain has"),
        "removed log": (logs_with(removed=True), "removed by a reorganisation"),
        "short log": (logs_with(data="0x01"), "1 bytes where one number of 32 belongs"),
        "truncated log": (logs_with(data="0x0"), "data is no data"),
        "lost receipt": (with_result("eth_getTransactionReceipt", lambda _: None), "is missing or no object"),
        "logs refused": (with_error("eth_getLogs", -32601, "no such method"), "ask a node that offers this method"),
    }
    # Transfers come before balances, so these leave a cursor behind after which logs aren't asked for again.
    late = {
        "no result": (changed(balances, lambda envelope, _: {"id": envelope["id"]}), "neither result nor error"),
        "error object": (with_error(balances, -32000, "missing trie node 00ff"), "archive node"),
        "limited for good": (with_error(balances, 429, "slow down"), "error 429: slow down (tried"),
        "null": (with_result(balances, lambda _: None), "is missing"),
        "no code": (with_result(balances, lambda _: "0x"), ""),
        "truncated": (with_result(balances, lambda result: result[:-1]), ""),
    }
    survived = {"too many logs": changed("eth_getLogs", too_many), "limited": web.once(limited)}
    return {
        **{name: Fault(set_fault(fault), says) for name, (fault, says) in refused.items()},
        **{name: Fault(set_fault(fault), is_survived=True) for name, fault in survived.items()},
        **{name: Fault(set_fault(fault), says) for name, (fault, says) in late.items()},
    }


@contextmanager
def proxied(world: World) -> Iterator[web.Web]:
    """The node behind a server that can be made to misbehave."""
    with web.serving(lambda request: web.Answer(world.chain.forward(request.body))) as server:
        yield server


@contextmanager
def case_of(world: World, balances: str, no_code: str, truncated: str, **more: Any) -> Iterator[Case]:
    with proxied(world) as server:

        def heal() -> None:
            server.fault = None

        faults = {**http_faults(server, after=24), **faults_of_json_rpc(server, balances)}
        faults["no code"] = Fault(faults["no code"].begin, no_code)
        faults["truncated"] = Fault(faults["truncated"].begin, truncated)
        yield Case(
            section=section(world, f"{server.url}/v1/${{EVM_KEY}}", **more),
            variables={"EVM_KEY": SECRET},
            day=DAY,
            wallets=wallets(world),
            expected=expected(world),
            faults=faults,
            heal=heal,
        )


class TestThroughMulticall(ConformanceTests):
    @pytest.fixture
    def case(self, world: World) -> Iterator[Case]:
        with case_of(world, "eth_call", "the answer is cut short", "is no data") as case:
            yield case


class TestInBatchesWithTraces(ConformanceTests):
    @pytest.fixture
    def case(self, world: World) -> Iterator[Case]:
        settings = {"multicall": None, "native_transfers": "traces", "batch_size": 4}
        with case_of(world, "eth_call", "is there a contract?", "is no data", **settings) as case:
            yield case
