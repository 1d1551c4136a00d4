"""Bitcoin over both interfaces, from one chain: the same balances and transfers, to the satoshi."""

from __future__ import annotations

import json
import random
import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from orchestration.connectors.base import Clock, Completed, Order, Services
from orchestration.connectors.bitcoin import BitcoinConfiguration, BitcoinConnector, connector, core, esplora
from orchestration.connectors.bitcoin.addresses import script_of
from orchestration.connectors.bitcoin.chain import ReorganisedError
from orchestration.connectors.configuration import load_sources
from orchestration.connectors.errors import IncompleteError, ResumeError, SourceError
from orchestration.connectors.register import RegisteredWallet
from orchestration.connectors.secrets import Secrets
from orchestration.errors import ConfigurationError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults, plain
from tests.connectors.regtest import COIN, REGTEST, Regtest, address

DAY = date(2026, 3, 4)
HOT, COLD, OLD, VAULT, FRESH = (
    address("hot"),
    address("cold", "taproot"),
    address("old", "legacy"),
    address("vault", "script"),
    address("fresh", "nested"),
)
OUTSIDER, CUSTOMER = address("outsider"), address("customer", "legacy")
WALLETS = {"w-cold": COLD, "w-fresh": FRESH, "w-hot": HOT, "w-old": OLD, "w-twin": OLD, "w-vault": VAULT.upper()}


@dataclass
class Story:
    """A chain of a few days, and the transactions on it by name."""

    chain: Regtest
    named: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)


def tell(login: str = "") -> Story:
    """Three days: money comes in, moves between wallets, goes out; blocks' times don't always rise."""
    chain = Regtest("2026-03-01T00:00:00")
    chain.login = login
    story = Story(chain)
    first = chain.coin(HOT, 3 * COIN, "2026-03-02T10:00:00")
    second = chain.coin(COLD, 2 * COIN + 1, "2026-03-02T11:00:00")
    third = chain.coin(OLD, 40_000, "2026-03-02T12:00:00")
    outside = chain.coin(OUTSIDER, 7 * COIN, "2026-03-03T12:00:00")
    chain.mine("2026-03-03T23:30:00")
    # The day: a deposit to two wallets, a batch out of two wallets with change, a move between wallets.
    story.named["deposit"] = chain.pay([outside], {HOT: 123_456_789, OLD: 1, OUTSIDER: 5 * COIN})
    chain.mine("2026-03-04T00:10:00")
    batch = [(OUTSIDER, 100_000_000), (CUSTOMER, 50_000_000), ("6a0401020304", 0), (HOT, 349_999_000), (COLD, 1)]
    story.named["batch"] = chain.pay([first, second], batch)
    chain.mine("2026-03-04T09:00:00")
    story.named["sweep"] = chain.pay([third], {VAULT: 39_000})
    story.named["reward"] = chain.mine("2026-03-04T08:50:00", to=VAULT).transactions[0].txid
    chain.mine("2026-03-04T23:59:59")
    # The day after begins with the first block whose time says so; one more that was written earlier follows it.
    chain.mine("2026-03-05T00:00:00")
    story.named["late"] = chain.pay([(story.named["deposit"], 0)], {COLD: 100_000_000, HOT: 23_456_000})
    chain.mine("2026-03-04T23:58:00")
    story.named["next"] = chain.pay([(story.named["sweep"], 0)], {OUTSIDER: 38_000})
    chain.mine("2026-03-05T12:00:00")
    for hour in range(13, 18):
        chain.mine(f"2026-03-05T{hour}:00:00")
    chain.mine("2026-03-06T00:00:01")
    chain.pay([(story.named["batch"], 3)], {OUTSIDER: 1000, HOT: 349_900_000})
    for hour in range(1, 7):
        chain.mine(f"2026-03-06T{hour:02}:00:00")
    chain.pay([(story.named["late"], 1)], {OUTSIDER: 23_000_000})  # in no block: it hasn't happened
    return story


def registered(wallets: dict[str, str]) -> list[dict[str, str | None]]:
    common = {
        "network": "bitcoin",
        "owner_entity_id": "operator",
        "purpose": "customer",
        "custody": "cold",
        "encumbered_pct": "0",
        "ownership_proof": "signature",
        "proven_at": "2026-01-01",
        "valid_from": "2026-01-01",
        "recorded_at": "2026-01-01",
    }
    return [{"wallet_id": wallet, "address": where, **common} for wallet, where in wallets.items()]


def expected_rows(story: Story) -> dict[str, list[dict[str, str | None]]]:
    def moved(what: str, suffix: str, wallet: str, satoshi: int, kind: str, at: str, **more: str) -> Any:
        when = f"{DAY} {at}"
        return {
            "transfer_id": f"bitcoin:{story.named[what]}:{suffix}",
            "wallet_id": wallet,
            "asset": "BTC",
            "amount": plain(Decimal(satoshi).scaleb(-8)),
            "transfer_type": kind,
            "block_time": when,
            "recorded_at": when,
            **{f"counterparty_{name}": value for name, value in more.items()},
        }

    night, noon = "00:10:00", "09:00:00"
    transfers = [
        moved("deposit", "0", "w-hot", 123_456_789, "deposit", night, address=OUTSIDER),
        moved("deposit", "1", "w-old", 1, "deposit", night, address=OUTSIDER),
        moved("deposit", "also:w-twin", "w-twin", 1, "other", night),
        # Cold put in 200,000,001 and got 1 back, hot put in 300,000,000 and got 349,999,000: cold pays.
        moved("batch", "0", "w-cold", -100_000_000, "withdrawal", noon, address=OUTSIDER),
        moved("batch", "1", "w-cold", -50_000_000, "withdrawal", noon, address=CUSTOMER),
        moved("batch", "settled:w-hot:out", "w-hot", 49_999_000, "internal", noon, address=COLD, wallet_id="w-cold"),
        moved("batch", "settled:w-hot:in", "w-cold", -49_999_000, "internal", noon, address=HOT, wallet_id="w-hot"),
        moved("batch", "fee", "w-cold", -1000, "network_fee", noon),
        # Its block says 08:50 and comes after the one of 09:00.
        moved("sweep", "0:out", "w-old", -39_000, "internal", noon, address=VAULT, wallet_id="w-vault"),
        moved("sweep", "0", "w-vault", 39_000, "internal", noon, address=OLD, wallet_id="w-old"),
        moved("sweep", "fee", "w-old", -1000, "network_fee", noon),
        moved("sweep", "also:w-twin", "w-twin", -40_000, "other", noon),
        moved("reward", "0", "w-vault", 50 * COIN + 1000, "other", noon),
    ]
    balances = {
        "w-cold": 2 * COIN + 1 - 200_000_000,
        "w-fresh": 0,
        "w-hot": 123_456_789 + 349_999_000,
        "w-old": 1,
        "w-twin": 1,
        "w-vault": 39_000 + 50 * COIN + 1000,
    }
    height = next(block.height for block in story.chain.mined if block.time >= 1772668800) - 1
    return {
        "wallet_transfers": transfers,
        "wallet_balances": [
            {
                "wallet_id": wallet,
                "asset": "BTC",
                "balance": plain(Decimal(satoshi).scaleb(-8)),
                "as_of": f"{DAY} 23:59:59.999999",
                "block_height": str(height),
            }
            for wallet, satoshi in balances.items()
        ],
    }


def changed(part: str, change: Callable[[Any], Any]) -> web.Fault:
    """Esplora: the JSON answers to requests whose path has ``part``, changed."""

    def act(request: web.Request, honest: web.Answer) -> web.Answer:
        if part not in request.path or honest.status != 200:
            return honest
        return web.Answer(change(json.loads(honest.data)))

    return act


def called(method: str, change: Callable[[dict[str, Any]], Any]) -> web.Fault:
    """Core: the answers to calls of a method, changed."""

    def act(request: web.Request, honest: web.Answer) -> web.Answer:
        if not isinstance(request.json, list) or request.json[0]["method"] != method:
            return honest
        return web.Answer([change(answer) for answer in json.loads(honest.data)])

    return act


def refused(code: int, message: str) -> Callable[[dict[str, Any]], Any]:
    return lambda answer: {"id": answer["id"], "error": {"code": code, "message": message}, "result": None}


def with_stats(**more: int) -> web.Fault:
    def change(answer: Any) -> Any:
        if answer.get("chain_stats", {}).get("tx_count"):
            for key, value in more.items():
                answer["chain_stats"][key] += value
        return answer

    return changed("address/", lambda answer: change(answer) if isinstance(answer, dict) else answer)


def with_first(change: Callable[[dict[str, Any]], object]) -> web.Fault:
    """Esplora: the first transaction of every page, changed."""

    def act(page: Any) -> Any:
        if page:
            change(page[0])
        return page

    return changed("/txs/chain", act)


def other_hash(answer: Any) -> Any:
    return {**answer, "previousblockhash": "ab" * 32} if answer["height"] > 3 else answer


def page_again(request: web.Request, honest: web.Answer) -> web.Answer:
    """One more transaction is told of than there are, and the last page comes for ever."""
    said = with_stats(tx_count=1)(request, honest) or honest
    wallet = request.path.split("/")[2]
    if "/chain/" in request.path and said.body == []:
        return web.Answer(_last_pages[wallet])
    if "/txs/" in request.path:
        _last_pages[wallet] = said.body
    return said


_last_pages: dict[str, Any] = {}

ESPLORA_FAULTS: dict[str, tuple[web.Fault, str]] = {
    "no history": (changed("/txs/chain", lambda _: {}), "is no list of transactions"),
    "short page": (changed("/txs/chain", lambda page: page[1:]), "are told of"),
    "page again": (page_again, "the same page twice"),
    "transaction twice": (changed("/txs/chain", lambda page: page[:1] * 2), "twice"),
    "more told of": (with_stats(tx_count=1), "are told of"),
    "more held": (with_stats(funded_txo_sum=1), "are told of"),
    "no stats": (changed("address/", lambda a: a if isinstance(a, list) else {}), "has no chain_stats"),
    "unconfirmed": (with_first(lambda item: item.update(status={"confirmed": False})), "are told of"),
    "fee": (with_first(lambda item: item.update(fee=item["fee"] + 1)), "don't add up"),
    "fraction": (with_first(lambda item: item["vout"][0].update(value=0.5)), "no transaction where one should be"),
    "truth": (with_first(lambda item: item["vout"][0].update(value=True)), "no transaction where one should be"),
    "negative": (with_first(lambda item: item["vout"][0].update(value=-1)), "can't be"),
    "too much": (with_first(lambda item: item["vout"][0].update(value=10**18)), "can't be"),
    "no script": (with_first(lambda item: item["vout"][0].update(scriptpubkey="zz")), "no transaction where one"),
    "reorganised": (changed("block/", other_hash), "doesn't follow the one before it"),
    "in another block": (with_first(lambda i: i["status"].update(block_hash="cd" * 32)), "is in another block"),
    "another block": (changed("block/", lambda b: {**b, "id": "ef" * 32}), "is another block"),
    "no header": (changed("block/", lambda _: [1]), "is no block header"),
    "no time": (changed("block/", lambda b: {**b, "timestamp": "now"}), "is no block header"),
    "no height": (lambda r, honest: web.Answer(b"-1") if "tip" in r.path else honest, "is no height"),
    "no hash": (lambda r, honest: web.Answer(b"<html>") if "height/" in r.path else honest, "is no block hash"),
}


def result(method: str, change: Callable[[Any], Any]) -> web.Fault:
    return called(method, lambda answer: {**answer, "result": change(answer["result"])})


def first_output(**more: Any) -> web.Fault:
    def change(block: Any) -> Any:
        block["tx"][0]["vout"][0].update(more)
        return block

    return result("getblock", change)


def without_prevout(block: Any) -> Any:
    for spend in block["tx"]:
        for source in spend["vin"]:
            source.pop("prevout", None)
    return block


def with_fees(block: Any) -> Any:
    return {**block, "tx": [{**spend, "fee": 1} for spend in block["tx"]]}


CORE_FAULTS: dict[str, tuple[web.Fault, str]] = {
    "transaction gone": (result("getblock", lambda b: {**b, "tx": b["tx"][:1]}), "without all its"),
    "another block": (result("getblock", lambda b: {**b, "hash": "ab" * 32}), "without all its"),
    "no undo data": (result("getblock", without_prevout), "KeyError: 'prevout'"),
    "too fine": (first_output(value=0.000000001), "finer than a satoshi"),
    "text": (first_output(value="1"), "no number"),
    "negative": (first_output(value=-1), "can't be"),
    "out of order": (first_output(n=1), "out of order"),
    "fee": (result("getblock", with_fees), "don't add up"),
    "unspent outputs gone": (result("scantxoutset", lambda s: s and {**s, "unspents": []}), "add up to their total"),
    "scan ended": (result("scantxoutset", lambda s: s and {**s, "success": False}), "before it was whole"),
    "no scan": (result("scantxoutset", lambda s: s and {"success": True}), "gave none"),
    "scan elsewhere": (result("scantxoutset", lambda s: s and {**s, "bestblock": "ab" * 32}), "were scanned at"),
    "reorganised": (result("getblockheader", other_hash), "doesn't follow the one before it"),
    "another header": (result("getblockheader", lambda h: {**h, "height": 1}), "is another one's"),
    "no height": (result("getblockcount", lambda _: None), "gave no height"),
    "not found": (called("getblockheader", refused(-5, "Block not found")), "error -5"),
    "no such call": (called("getblock", refused(-32601, "Method not found")), "Bitcoin Core 23"),
    "pruned": (called("getblock", refused(-1, "Block not available (pruned data)")), "keeps recent blocks only"),
    "odd error": (called("getblock", lambda a: {"id": a["id"], "error": "no"}), "error 0, no"),
    "no batch": (lambda _, honest: web.Answer({"error": {"code": -32700, "message": "Parse error"}}), "Parse error"),
    "no answers": (lambda _, honest: web.Answer([]), "0 answers to 1 calls"),
    "text for answers": (lambda _, honest: web.Answer(["hello"]), "no answer to a batch"),
    "another's answer": (called("getblockcount", lambda a: {**a, "id": 5}), "answers to 1 calls, or not theirs"),
}


class Interface(ConformanceTests, ABC):
    interface: str

    @pytest.fixture
    def story(self) -> Story:
        return tell(SECRET if self.interface == "esplora" else f"reader:{SECRET}")

    @pytest.fixture
    def server(self, story: Story) -> Iterator[web.Web]:
        with web.serving(getattr(story.chain, self.interface)) as server:
            yield server

    @abstractmethod
    def faults(self, server: web.Web, story: Story) -> dict[str, Fault]: ...

    @pytest.fixture
    def case(self, server: web.Web, story: Story, monkeypatch: pytest.MonkeyPatch) -> Case:
        monkeypatch.setenv("BITCOIN_USER", "reader")
        variables = {"token_variable": "BITCOIN_TOKEN"}
        values = {"BITCOIN_TOKEN": SECRET}
        if self.interface == "core":
            variables = {"user_variable": "BITCOIN_USER", "password_variable": "BITCOIN_PASSWORD"}
            values = {"BITCOIN_PASSWORD": SECRET}

        def heal() -> None:
            server.fault = None
            story.chain.warming_up = story.chain.scans_refused = 0

        section = {"kind": "bitcoin", "interface": self.interface, "url": server.url, "chain": "regtest"}
        section["scan_seconds"] = "60"
        return Case(
            section={**section, **variables, **HTTP_SETTINGS},
            variables=values,
            day=DAY,
            expected=expected_rows(story),
            faults=self.faults(server, story),
            heal=heal,
            wallets=registered(WALLETS),
        )


class TestEsplora(Interface):
    interface = "esplora"

    def faults(self, server: web.Web, story: Story) -> dict[str, Fault]:
        def become(fault: web.Fault) -> Callable[[], None]:
            return lambda: setattr(server, "fault", fault)

        return {
            **http_faults(server, after=45),
            "rubbish": Fault(become(web.from_then_on(web.rubbish, 1)), "is no JSON"),
            "nested": Fault(become(web.from_then_on(web.nested, 1)), "nested deeper"),
            "empty": Fault(become(changed("/txs/chain", lambda _: [])), "0 transactions that leave 0 satoshi came"),
        }


class TestCore(Interface):
    interface = "core"

    def faults(self, server: web.Web, story: Story) -> dict[str, Fault]:
        def become(fault: web.Fault) -> Callable[[], None]:
            return lambda: setattr(server, "fault", fault)

        nothing = result("getblock", lambda block: {**block, "tx": []})
        return {
            **http_faults(server, after=14),
            "empty": Fault(become(nothing), "came without all its transactions"),
            "starting": Fault(lambda: setattr(story.chain, "warming_up", 3), is_survived=True),
            "starting for good": Fault(lambda: setattr(story.chain, "warming_up", 1000), "still starting"),
            "scan in progress": Fault(lambda: setattr(story.chain, "scans_refused", 3), is_survived=True),
            "scan for good": Fault(lambda: setattr(story.chain, "scans_refused", 10_000), "for somebody else"),
        }


@dataclass
class Pulled:
    """What one pull of a connector gave: rows of both tables as text, and its position."""

    transfers: list[dict[str, str | None]]
    balances: dict[str, int]
    position: Any
    cursors: list[Any]


class Direct:
    """Pulls without a landing zone, from a chain that the tests go on writing."""

    def __init__(self, chain: Regtest, wallets: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.chain, self.wallets, self.operator = chain, wallets, frozenset[str]()
        self.reports: list[str] = []
        self.requests: list[web.Request] = []
        monkeypatch.setattr(connector, "registered_wallets", lambda *_: self.register())
        monkeypatch.setattr(connector, "operator_wallets", lambda *_: self.operator)

    def register(self) -> tuple[RegisteredWallet, ...]:
        return tuple(RegisteredWallet(wallet, where) for wallet, where in sorted(self.wallets.items()))

    def source(self, url: str, interface: str, **more: Any) -> BitcoinConnector:
        settings = {"kind": "bitcoin", "interface": interface, "url": url, "chain": "regtest", **HTTP_SETTINGS}
        slept: list[float] = []
        clock = Clock(now=lambda: datetime(2026, 3, 9), sleep=slept.append)
        services = Services(Path("none"), Secrets(), clock, self.reports.append)
        return BitcoinConnector("direct", BitcoinConfiguration.model_validate(settings | more), services)

    def pull(
        self,
        interface: str,
        day: date,
        position: Any = None,
        resume: Any = None,
        fault: web.Fault | None = None,
        **more: Any,
    ) -> Pulled:
        with web.serving(getattr(self.chain, interface)) as server:
            server.fault, self.requests = fault, server.requests
            pulled = Pulled([], {}, None, [])
            for answer in self.source(server.url, interface, **more).pull(Order(day, position, resume)):
                if isinstance(answer, Completed):
                    pulled.position = json.loads(json.dumps(answer.position))
                    continue
                assert isinstance(answer.rows, pa.Table)
                rows = answer.rows.to_pylist()
                if answer.table == "wallet_transfers":
                    pulled.transfers += rows
                    pulled.cursors.append(json.loads(json.dumps(answer.resume)))
                else:
                    pulled.balances = {row["wallet_id"]: int(Decimal(row["balance"]) * COIN) for row in rows}
            return pulled


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> Direct:
    return Direct(tell().chain, dict(WALLETS), monkeypatch)


INTERFACES = pytest.mark.parametrize("interface", ["esplora", "core"])
DAYS = [DAY + timedelta(days=number) for number in range(-1, 2)]
MIDNIGHT = 1772668800
"""The end of the day, in seconds since 1970."""


def moved(pulled: Pulled) -> dict[str, int]:
    """What rows say that each wallet's balance changed by, in satoshi; wallets without a change left out."""
    total: Counter[str] = Counter()
    for row in pulled.transfers:
        total[str(row["wallet_id"])] += int(Decimal(str(row["amount"])) * COIN)
    return {wallet: amount for wallet, amount in total.items() if amount}


def in_order(pulled: Pulled) -> list[dict[str, str | None]]:
    return sorted(pulled.transfers, key=lambda row: str(row["transfer_id"]))


@pytest.mark.parametrize("name", [*(("esplora", n) for n in ESPLORA_FAULTS), *(("core", n) for n in CORE_FAULTS)])
def test_what_a_server_says_wrong_is_refused(name: tuple[str, str], direct: Direct) -> None:
    interface, fault_name = name
    fault, says = {"esplora": ESPLORA_FAULTS, "core": CORE_FAULTS}[interface][fault_name]
    with pytest.raises(SourceError, match=re.escape(says)) as refusal:
        direct.pull(interface, DAY, fault=fault)
    assert refusal.value.remedy


def test_both_interfaces_say_the_same_each_day_and_balances_roll_forward(direct: Direct) -> None:
    scripts = {wallet: script_of(where, REGTEST) for wallet, where in WALLETS.items()}
    before: dict[str, Pulled] = {}
    for day in DAYS:
        pulled = {
            interface: direct.pull(interface, day, before[interface].position if before else None)
            for interface in ("esplora", "core")
        }
        assert pulled["esplora"].balances == pulled["core"].balances
        assert in_order(pulled["esplora"]) == in_order(pulled["core"])
        for interface, one in pulled.items():
            height = one.position["height"]
            assert one.balances == {wallet: direct.chain.held(script, height) for wallet, script in scripts.items()}
            if before:
                earlier = before[interface].balances
                changes = {w: balance - earlier[w] for w, balance in one.balances.items() if balance != earlier[w]}
                assert moved(one) == changes
        before = pulled


def at_random(seed: int) -> Regtest:
    """Four days of payments among six wallets' addresses and outsiders, in blocks whose times go back and forth."""
    chance = random.Random(seed)
    chain = Regtest("2026-03-02T00:00:00")
    places = [*WALLETS.values(), OUTSIDER, CUSTOMER, address("miner")]
    moment = datetime(2026, 3, 2, 1)
    while moment < datetime(2026, 3, 7):
        for _ in range(chance.randrange(4)):
            spent = chance.sample(sorted(chain.unspent), min(len(chain.unspent), chance.randint(1, 3)))
            left = sum(chain.value(place) for place in spent)
            made = []
            for _ in range(chance.randint(1, 4)):
                made.append((chance.choice(places), chance.randint(0, left)))
                left -= made[-1][1]
            chain.pay(spent, made)
        written = moment + timedelta(minutes=chance.randint(-50, 50))
        chain.mine(written.isoformat(), chance.choice(places))
        moment += timedelta(hours=chance.choice([1, 2, 3]))
    return chain


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_both_interfaces_agree_with_the_chain(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    direct = Direct(at_random(seed), dict(WALLETS), monkeypatch)
    scripts = {wallet: script_of(where, REGTEST) for wallet, where in WALLETS.items()}
    positions: dict[str, Any] = {}
    earlier: dict[str, int] = {}
    for day in DAYS:
        by = {one: direct.pull(one, day, positions.get(one)) for one in ("esplora", "core")}
        assert in_order(by["esplora"]) == in_order(by["core"])
        held = {w: direct.chain.held(script, by["core"].position["height"]) for w, script in scripts.items()}
        assert by["esplora"].balances == by["core"].balances == held
        if earlier:
            assert moved(by["core"]) == {w: held[w] - earlier[w] for w in held if held[w] != earlier[w]}
        assert {str(row["block_time"])[:10] for row in by["core"].transfers} <= {str(day)}
        positions, earlier = {one: pulled.position for one, pulled in by.items()}, held


def test_a_day_ends_with_the_last_block_before_the_first_that_was_written_after_it(direct: Direct) -> None:
    day, next_day = (direct.pull("core", d) for d in DAYS[1:])
    late = [row for row in next_day.transfers if row["transfer_type"] == "internal"]
    assert len(late) == 2
    # Its block was written at 23:58 the day before, but follows one of the day.
    assert {row["block_time"] for row in late} == {"2026-03-05T00:00:00"}
    assert direct.chain.mined[day.position["height"] + 1].time == MIDNIGHT
    assert {str(row["block_time"])[:10] for row in day.transfers} == {str(DAY)}
    # A day in the middle is the same whether it goes on from the day before or not.
    assert direct.pull("core", DAYS[2], day.position).transfers == next_day.transfers


@INTERFACES
def test_the_other_interface_may_go_on(interface: str, direct: Direct) -> None:
    other = {"esplora": "core", "core": "esplora"}[interface]
    first = direct.pull(other, DAYS[0])
    switched = direct.pull(interface, DAYS[1], first.position)
    assert in_order(switched) == in_order(direct.pull(interface, DAYS[1]))


def test_an_address_without_news_costs_esplora_one_request(direct: Direct) -> None:
    first = direct.pull("esplora", DAYS[0])
    direct.pull("esplora", DAYS[1], first.position)
    assert [request.path for request in direct.requests if FRESH in request.path] == [f"/address/{FRESH}"]


def test_long_histories_come_page_by_page_to_their_end(direct: Direct) -> None:
    chain = direct.chain
    for number in range(15):
        chain.coin(HOT, 1000 + number, f"2026-03-06T10:{number:02}:00")
        chain.coin(HOT, 2000 + number, f"2026-03-06T10:{number:02}:30")
    for _ in range(6):
        chain.mine("2026-03-07T00:00:00")
    pulled = direct.pull("esplora", DAY + timedelta(days=2))
    assert pulled.balances["w-hot"] == chain.held(script_of(HOT, REGTEST), pulled.position["height"])
    asked = [request.path for request in direct.requests if f"{HOT}/txs" in request.path]
    assert len(asked) == 2
    assert asked[1].endswith(f"/{chain.history(script_of(HOT, REGTEST))[24].txid}")


def test_a_block_that_comes_while_esplora_is_read_is_read_too(direct: Direct) -> None:
    assert direct.chain.waiting

    def mined_meanwhile(request: web.Request, honest: web.Answer) -> web.Answer:
        if request.path == f"/address/{HOT}" and direct.chain.waiting:
            direct.chain.mine("2026-03-06T08:00:00")
        return honest

    calm = tell().chain
    pulled = direct.pull("esplora", DAY, fault=mined_meanwhile)
    assert pulled.balances["w-hot"] == calm.held(script_of(HOT, REGTEST), pulled.position["height"])
    assert sum(request.path == f"/address/{HOT}" for request in direct.requests) == 2


@INTERFACES
def test_a_day_is_final_when_the_block_that_ends_it_is_deep_enough(interface: str, direct: Direct) -> None:
    ending = direct.pull(interface, DAY).position["height"] + 1
    whole = direct.chain.mined
    direct.chain.mined = whole[: ending + 6]
    direct.pull(interface, DAY)
    direct.chain.mined = whole[: ending + 5]
    with pytest.raises(IncompleteError, match="has 5 of 6 confirmations"):
        direct.pull(interface, DAY)
    direct.pull(interface, DAY, confirmations=5)
    direct.chain.mined = whole[:ending]
    with pytest.raises(IncompleteError, match="no block after its end is there"):
        direct.pull(interface, DAY, confirmations=1)
    with pytest.raises(SourceError, match="chain begins after"):
        direct.pull(interface, date(2026, 2, 20))


@INTERFACES
def test_a_block_that_was_delivered_and_left_the_chain_stops_the_next_day(interface: str, direct: Direct) -> None:
    position = direct.pull(interface, DAYS[0]).position
    with pytest.raises(ReorganisedError, match="was reorganised"):
        direct.pull(interface, DAY, {**position, "hash": "ab" * 32})
    with pytest.raises(IncompleteError, match="before block 99 that the last delivery ended with"):
        direct.pull(interface, DAY, {**position, "height": 99})


@INTERFACES
def test_another_chain_is_refused(interface: str, direct: Direct) -> None:
    direct.wallets = {}
    with pytest.raises(SourceError, match="this is not signet"):
        direct.pull(interface, DAY, chain="signet")


@INTERFACES
def test_an_interrupted_pull_goes_on_from_any_cursor(
    interface: str, direct: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esplora, "_CHECKPOINT_ADDRESSES", 2)
    whole = direct.pull(interface, DAY)
    assert sum(cursor is not None for cursor in whole.cursors) >= 2
    for number, cursor in enumerate(whole.cursors):
        if cursor is not None:
            rest = direct.pull(interface, DAY, resume=cursor)
            assert (rest.balances, rest.position) == (whole.balances, whole.position)
            assert rest.transfers == whole.transfers[len(whole.transfers) - len(rest.transfers) :]
            assert len(rest.cursors) == len(whole.cursors) - number - 1
    direct.wallets["w-zero"] = address("zero")
    with pytest.raises(ResumeError):
        direct.pull(interface, DAY, resume=whole.cursors[0])


def test_balances_that_were_carried_are_held_against_unspent_outputs(direct: Direct) -> None:
    position = direct.pull("core", DAYS[0]).position
    scans = direct.chain.scans
    position["addresses"][HOT][0] += 1
    with pytest.raises(IncompleteError, match="by its unspent outputs"):
        direct.pull("core", DAY, position)
    assert direct.chain.scans == scans + 1
    # Far from the newest block the scan is left out, unless an address is new.
    assert direct.pull("core", DAY, position, scan_within_blocks=0).balances["w-hot"] > 0
    assert direct.chain.scans == scans + 1
    del position["addresses"][COLD]
    direct.pull("core", DAY, position, scan_within_blocks=0)
    assert direct.chain.scans == scans + 2


def test_unspent_outputs_are_scanned_in_parts_while_the_chain_grows(
    direct: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = direct.pull("core", DAY)
    monkeypatch.setattr(core, "_SCANNED_AT_ONCE", 2)
    scan = direct.chain._scantxoutset

    def growing(*parameters: Any) -> Any:
        if parameters[0] == "start":
            direct.chain.mine("2026-03-06T09:00:00", to=HOT)
        return scan(*parameters)

    monkeypatch.setattr(direct.chain, "_scantxoutset", growing)
    assert direct.pull("core", DAY).balances == whole.balances


def test_a_long_scan_says_how_far_it_is(direct: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_POLL_SECONDS", 0.02)
    scan = direct.chain._scantxoutset

    def slow(action: str, descriptors: Any = None) -> Any:
        if action == "start":
            time.sleep(0.2)
        return {"progress": 37} if action == "status" else scan(action, descriptors)

    monkeypatch.setattr(direct.chain, "_scantxoutset", slow)
    direct.pull("core", DAY)
    assert "scanning unspent outputs, 37 %" in direct.reports


@INTERFACES
def test_checking_names_what_is_wrong(interface: str, direct: Direct) -> None:
    direct.chain.pruned_below = 3
    with web.serving(getattr(direct.chain, interface)) as server:
        probes = list(direct.source(server.url, interface).check())
        assert all(probe.works for probe in probes)
        assert any("days before block 3" in probe.detail for probe in probes) is (interface == "core")
        direct.wallets["w-bad"] = HOT[:-1] + ("q" if HOT[-1] != "q" else "p")
        with pytest.raises(ConfigurationError, match=r"wallet w-bad: .*checksum doesn't fit"):
            list(direct.source(server.url, interface).check())
        direct.wallets["w-bad"] = "xpub" + "6CUGRUonZSQ4TWtTMmzXdrXDtypWKiKrhko4egpiMZbpiaQL2jkwSB1ic"
        with pytest.raises(ConfigurationError, match="register each of its addresses"):
            list(direct.source(server.url, interface).check())


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"interface": "electrum"}, "interface"),
        ({"user_variable": "USER_NAME"}, "come together"),
        ({"interface": "esplora", "user_variable": "A", "password_variable": "B"}, "takes token_variable"),
        ({"interface": "core", "token_variable": "A"}, "not token_variable"),
        ({"confirmations": 0}, "confirmations"),
        ({"url": "http://user:secret@node:8332"}, "put the password into a variable"),
        ({"chain": "litecoin"}, "chain"),
    ],
)
def test_wrong_settings_are_refused(keys: dict[str, Any], says: str, tmp_path: Path) -> None:
    section = {"kind": "bitcoin", "interface": "core", "url": "http://node:8332", **keys}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": {"chain": section}}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says):
        load_sources(path)
