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
        "log_range": 6,
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


def faults_of_json_rpc(server: web.Web, *, of_logs: bool, no_code: str) -> dict[str, Fault]:
    """Faults inside answers of status 200; ``no_code``: what is said of a contract that isn't there.

    Transfers come before balances, so faults of balances, which leave a cursor after the transfers, come last.
    """

    def set_fault(fault: web.Fault) -> Callable[[], None]:
        def begin() -> None:
            server.fault = fault

        return begin

    limited = with_error("eth_getLogs", -32005, "daily request rate limit reached, try again")
    logs = {
        "empty": (with_result("eth_getBlockByNumber", lambda _: None), "doesn't say which block of ethereum is final"),
        "not final": (with_error("eth_getBlockByNumber", -39001, "unknown block"), "is final (unknown block)"),
        "another chain": (with_result("eth_chainId", lambda _: "0x1"), "the node is of chain 1, not 31337"),
        "other range": (logs_with(blockNumber="0x1"), "one of block 1 that wasn't asked for"),
        "other token": (logs_with(address="0x" + "1" * 40), "that wasn't asked for"),
        "other block": (logs_with(blockHash="0x" + "1" * 64), "and the chain has"),
        "removed log": (logs_with(removed=True), "removed by a reorganisation"),
        "short log": (logs_with(data="0x01"), "1 bytes where one number of 32 belongs"),
        "truncated log": (logs_with(data="0x0"), "data is no data"),
        "lost receipt": (with_result("eth_getTransactionReceipt", lambda _: None), "is missing or no object"),
        "logs refused": (with_error("eth_getLogs", -32601, "no such method"), "ask a node that offers this method"),
    }
    batches = {
        "missing id": (of_batches(lambda answers: answers[:-1]), "left 1 of"),
        "wrong id": (of_batches(lambda answers: [{**answers[0], "id": 10**9}, *answers[1:]]), "left 1 of"),
        "duplicate id": (of_batches(lambda answers: [*answers, answers[0]]), "answered one request of a batch twice"),
        "stray id": (of_batches(lambda answers: [*answers, {"id": -1, "result": "0x"}]), "that weren't made"),
        "refused batch": (
            of_batches(lambda _: {"id": None, "error": {"code": -32600, "message": "batch too large"}}),
            "lower batch_size",
        ),
    }
    survived = {"too many logs": changed("eth_getLogs", too_many), "limited": web.once(limited)}
    balances = {
        "no result": (changed("eth_call", lambda envelope, _: {"id": envelope["id"]}), "neither result nor error"),
        "error object": (with_error("eth_call", -32000, "missing trie node 00ff"), "archive node"),
        "limited for good": (with_error("eth_call", 429, "slow down"), "error 429: slow down (tried"),
        "null": (with_result("eth_call", lambda _: None), "is missing"),
        "no code": (with_result("eth_call", lambda _: "0x"), no_code),
        "truncated": (with_result("eth_call", lambda result: result[:-1]), "is no data"),
    }
    refused = {**(logs if of_logs else {"empty": logs["empty"]}), **batches}
    return {
        **{name: Fault(set_fault(fault), says) for name, (fault, says) in refused.items()},
        **{name: Fault(set_fault(fault), is_survived=True) for name, fault in survived.items() if of_logs},
        **{name: Fault(set_fault(fault), says) for name, (fault, says) in balances.items()},
    }


@contextmanager
def proxied(world: World) -> Iterator[web.Web]:
    """The node behind a server that can be made to misbehave."""
    with web.serving(lambda request: web.Answer(world.chain.forward(request.body))) as server:
        yield server


@contextmanager
def case_of(world: World, *, of_logs: bool, no_code: str, **more: Any) -> Iterator[Case]:
    with proxied(world) as server:

        def heal() -> None:
            server.fault = None

        yield Case(
            section=section(world, f"{server.url}/v1/${{EVM_KEY}}", **more),
            variables={"EVM_KEY": SECRET},
            day=DAY,
            wallets=wallets(world),
            expected=expected(world),
            faults={**http_faults(server, after=24), **faults_of_json_rpc(server, of_logs=of_logs, no_code=no_code)},
            heal=heal,
        )


class TestThroughMulticall(ConformanceTests):
    @pytest.fixture
    def case(self, world: World) -> Iterator[Case]:
        with case_of(world, of_logs=True, no_code="the answer is cut short") as case:
            yield case


class TestInBatchesWithTraces(ConformanceTests):
    @pytest.fixture
    def case(self, world: World) -> Iterator[Case]:
        settings = {"multicall": None, "native_transfers": "traces", "batch_size": 4, "log_range": 100}
        with case_of(world, of_logs=False, no_code="is there a contract?", **settings) as case:
            yield case


@dataclass
class Pulling:
    """A landing zone with registered wallets, and one source."""

    folder: Path
    world: World
    slept: list[float]

    def source(self, **more: Any) -> Source:
        text = yaml.safe_dump({"sources": {"chain": section(self.world, **{"url": self.world.chain.url, **more})}})
        (self.folder / "sources.yaml").write_text(text, encoding="utf-8")
        (loaded,) = load_sources(self.folder / "sources.yaml")
        return loaded

    def register(self, *rows: dict[str, str | None]) -> None:
        names = table("wallets").column_names
        lines = [",".join(names)] + [",".join(row.get(name) or "" for name in names) for row in rows]
        (self.folder / "landing" / "wallets").mkdir(parents=True, exist_ok=True)
        path = self.folder / "landing" / "wallets" / "registered.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: datetime(2026, 3, 20), sleep=self.slept.append)

    def pull(self, day: date = DAY, **more: Any) -> Manifest:
        manifest = pull_day(self.source(**more), self.landing, day, self.clock)
        assert manifest is not None
        return manifest

    def refusal(self, day: date = DAY, **more: Any) -> str:
        with pytest.raises(PullError) as refused:
            self.pull(day, **more)
        assert not is_delivered(self.landing, "chain", day)
        return str(refused.value)

    def rows(self, name: str, day: date = DAY) -> list[dict[str, Any]]:
        return pq.ParquetFile(self.landing / name / f"date={day}" / "chain.parquet").read().to_pylist()

    def amounts(self, day: date = DAY) -> dict[str, Decimal]:
        """Amounts of transfers by the last part of their name and wallet."""
        rows = self.rows("wallet_transfers", day)
        return {f"{row['wallet_id']} {row['transfer_id'].split(':', 2)[2]}": row["amount"] for row in rows}

    def probes(self, **more: Any) -> dict[str, str]:
        """What doesn't work, by subject."""
        found = check_source(self.source(**more), self.landing, self.clock)
        return {probe.subject: probe.detail for probe in found if not probe.works}


@pytest.fixture
def pulling(world: World, tmp_path: Path) -> Pulling:
    found = Pulling(tmp_path, world, [])
    found.register(*wallets(world))
    return found


def test_a_day_whose_last_block_is_not_final_is_refused(pulling: Pulling) -> None:
    pulling.pull()
    assert "the day's last block isn't final yet" in pulling.refusal(DAY + timedelta(days=1))


def test_a_day_before_the_chain_began_is_refused(pulling: Pulling) -> None:
    assert "ethereum began after 2026-03-02" in pulling.refusal(date(2026, 3, 2))


def test_the_first_day_of_a_chain_begins_with_its_first_block(pulling: Pulling) -> None:
    day = date(2026, 3, 3)
    assert pulling.pull(day).position["block"] == pulling.world.heights["day before"]
    assert {row["balance"] for row in pulling.rows("wallet_balances", day) if row["wallet_id"] == "vault"} == {5, 0}
    assert pulling.amounts(day) == {"vault native": 5}
    assert pulling.pull(DAY).position["unexplained"] == {}


def test_an_address_of_several_wallets_lands_once_for_each(pulling: Pulling) -> None:
    first = wallets(pulling.world)[1]
    pulling.register(*wallets(pulling.world), {**first, "wallet_id": "again", "address": pulling.world.hot})
    pulling.pull()
    balances = {(row["wallet_id"], row["asset"]): row["balance"] for row in pulling.rows("wallet_balances")}
    assert balances["again", "USDC"] == balances["hot", "USDC"] == Decimal("150.123456")
    names = [row["transfer_id"] for row in pulling.rows("wallet_transfers")]
    assert len(set(names)) == len(names)
    plain_name = pulling.world.name("deposit", "native")
    held = {row["transfer_id"]: row["wallet_id"] for row in pulling.rows("wallet_transfers")}
    assert (held[plain_name], held[f"{plain_name}:hot"]) == ("again", "hot")


def test_names_of_transfers_follow_the_configuration(pulling: Pulling) -> None:
    pulling.pull(transfer_id="{transaction}/{leg}")
    deposit = pulling.world.sent["deposit"]
    assert f"{deposit}/native" in [row["transfer_id"] for row in pulling.rows("wallet_transfers")]


def test_without_native_transfers_only_tokens_move(pulling: Pulling) -> None:
    pulling.pull(native_transfers="none", batch_size=1, multicall=None)
    assert {row["asset"] for row in pulling.rows("wallet_transfers")} == {"USDC", "POINTS"}


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (MIXED_CASE.replace("C", "c"), "wallet hot: the letters of"),
        ("0x1234", "wallet hot: '0x1234' is no address"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "is no address"),
    ],
)
def test_an_address_that_can_not_be_one_is_refused_by_its_wallet(pulling: Pulling, address: str, says: str) -> None:
    pulling.register({**wallets(pulling.world)[1], "address": address})
    assert says in pulling.refusal()
    assert says in pulling.probes()["register"]


def test_checking_holds_decimals_against_the_contract(pulling: Pulling) -> None:
    tokens = {
        "USDC": {"contract": pulling.world.usdc, "decimals": 18},
        "VAULT": {"contract": pulling.world.vault, "decimals": 6},
        "NONE": {"contract": "0x" + "9" * 40, "decimals": 6},
    }
    found = pulling.probes(tokens=tokens)
    assert "the contract says 6, the configuration 18" in found["token USDC"]
    assert "execution reverted" in found["token VAULT"]
    assert "nothing (is there a contract?)" in found["token NONE"]
    assert "balance of" in found["balances"]


@pytest.mark.parametrize("multicall", [MULTICALL3, None])
def test_a_token_that_is_none_is_no_zero(pulling: Pulling, multicall: str | None) -> None:
    tokens = {"VAULT": {"contract": pulling.world.vault, "decimals": 6}}
    says = "the call failed" if multicall else "eth_call: error 3: execution reverted"
    assert says in pulling.refusal(tokens=tokens, multicall=multicall)
    tokens = {"NONE": {"contract": "0x" + "9" * 40, "decimals": 6}}
    assert "nothing (is there a contract?)" in pulling.refusal(tokens=tokens, multicall=multicall)


def test_without_a_tag_for_final_blocks_depth_decides(pulling: Pulling) -> None:
    def untagged(envelope: dict[str, Any], parameters: list[Any]) -> dict[str, Any]:
        return {"id": envelope["id"], "result": None} if parameters[0] == "finalized" else envelope

    with proxied(pulling.world) as server:
        server.fault = changed("eth_getBlockByNumber", untagged)
        assert "say reorg_depth" in pulling.refusal(url=server.url)
        assert "the day's last block isn't final yet" in pulling.refusal(url=server.url, reorg_depth=3)
        assert "none of them is final" in pulling.refusal(url=server.url, reorg_depth=1_000)
        assert pulling.pull(url=server.url, reorg_depth=2).position["block"] == pulling.world.heights["last"]


def test_a_pull_that_was_interrupted_begins_anew_with_other_wallets(pulling: Pulling) -> None:
    with proxied(pulling.world) as server:
        server.fault = with_error("eth_call", -32000, "no")
        assert "eth_call: error -32000: no" in pulling.refusal(url=server.url)
        server.fault = None
        pulling.register(*wallets(pulling.world)[:2])
        pulling.pull(url=server.url)
    assert {row["wallet_id"] for row in pulling.rows("wallet_balances")} == {"cold", "hot"}
    names = [row["transfer_id"] for row in pulling.rows("wallet_transfers")]
    assert len(set(names)) == len(names)


@pytest.fixture
def own_world() -> Iterator[World]:
    """A chain of its own for a test that goes on with it."""
    with running_chain("2026-03-03T23:00:00") as chain:
        world = the_day_before(chain)
        the_day(world)
        yield world


@pytest.fixture
def own_pulling(own_world: World, tmp_path: Path) -> Pulling:
    found = Pulling(tmp_path, own_world, [])
    found.register(*wallets(own_world))
    return found


def finish_day(chain: Chain, day: date) -> None:
    """Blocks of the day after, until the day's last one is final."""
    for minute in range(3):
        chain.mine(f"{day + timedelta(days=1)}T00:0{minute}:00")


def test_what_transfers_do_not_explain_is_told_and_kept(own_pulling: Pulling) -> None:
    world, next_day = own_pulling.world, DAY + timedelta(days=1)
    midnight(world)
    own_pulling.pull()
    pay = calling("Vault", "pay(address,uint256)", world.cold, 10**18)
    world.sent["paid"] = world.chain.send(world.customer, world.vault, 0, pay)
    regret = calling("Vault", "payAndRegret(address,uint256)", world.cold, 10**18)
    world.chain.send(world.customer, world.vault, 0, regret)
    world.chain.send(world.customer, world.usdc, 0, calling("Token", "rebase(address,uint256)", world.hot, 5))
    world.chain.mine("2026-03-05T12:00:00")
    finish_day(world.chain, next_day)

    position = own_pulling.pull(next_day).position
    assert position["unexplained"] == {"ETH": 2, "USDC": 1}
    assert sorted(position["named"]) == [
        "wallet cold has 1.000000000000000000 ETH more than the day before and its transfers explain",
        "wallet hot has 150.123451 USDC less than the day before and its transfers explain",
        "wallet vault has 1.000000000000000000 ETH less than the day before and its transfers explain",
    ]
    assert own_pulling.amounts(next_day) == {"hot native": 9}

    other = Pulling(own_pulling.folder / "traced", world, [])
    other.register(*wallets(world))
    other.pull(native_transfers="traces")
    assert other.pull(next_day, native_transfers="traces").position["unexplained"] == {"USDC": 1}
    assert other.amounts(next_day) == {"hot native": 9, "vault trace-0:out": -1, "cold trace-0:in": 1}


def test_a_chain_that_was_reorganised_deeper_than_final_is_refused(own_pulling: Pulling) -> None:
    chain, next_day = own_pulling.world.chain, DAY + timedelta(days=1)
    snapshot = chain.ask("evm_snapshot")
    chain.mine("2026-03-04T23:59:59")
    finish_day(chain, DAY)
    height = own_pulling.pull().position["block"]
    assert chain.ask("evm_revert", snapshot)
    chain.send(own_pulling.world.customer, own_pulling.world.hot, 1)
    chain.mine("2026-03-04T23:59:59")
    finish_day(chain, DAY)
    finish_day(chain, next_day)
    refusal = own_pulling.refusal(next_day)
    assert f"block {height} of ethereum was 0x" in refusal
    assert "reorganised deeper than what counted as final" in refusal


def test_a_day_without_blocks_has_the_balances_before_it(own_pulling: Pulling) -> None:
    chain, next_day = own_pulling.world.chain, DAY + timedelta(days=1)
    finish_day(chain, next_day)
    first, second = own_pulling.pull(), own_pulling.pull(next_day)
    assert first.position == second.position
    assert own_pulling.rows("wallet_transfers", next_day) == []
    assert own_pulling.rows("wallet_balances", next_day) == own_pulling.rows("wallet_balances")


def test_more_units_than_the_contract_holds_are_refused(own_pulling: Pulling) -> None:
    world = own_pulling.world
    mint = calling("Token", "mint(address,uint256)", world.cold, 2**256 - 1)
    world.chain.send(world.customer, world.usdc, 0, mint)
    world.chain.mine("2026-03-04T23:59:59")
    finish_day(world.chain, DAY)
    refusal = own_pulling.refusal()
    assert "amount: more than 20 digits before the point (#" in refusal
