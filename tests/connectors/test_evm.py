"""The EVM connector's parts on answers written by the tests: what a local node can't be made to say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestration.connectors import kinds
from orchestration.connectors.base import Order, Services
from orchestration.connectors.errors import AnswerError, IncompleteError, LimitError
from orchestration.connectors.evm import EvmConfiguration, EvmConnector, multicall, words
from orchestration.connectors.evm.balances import Asset, Balances, differences
from orchestration.connectors.evm.blocks import Block, Blocks
from orchestration.connectors.evm.holders import checked_address, holders_of
from orchestration.connectors.evm.logs import TRANSFER, TransferLogs
from orchestration.connectors.evm.movements import Movement, Naming, add_up, rows_of
from orchestration.connectors.evm.native import NativeTransfers, fee
from orchestration.connectors.evm.node import Node, RpcError, RpcRefusedBatchError
from orchestration.connectors.evm.provider import busy
from orchestration.connectors.evm.traces import Moved, Traces
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.register import RegisteredWallet
from orchestration.errors import ConfigurationError
from tests.connectors import evm_chain, web

HOT, COLD, OUTSIDE = (f"0x{digit * 40}" for digit in "abc")
ETH, USDC = Asset("ETH", 18), Asset("USDC", 6, "0x" + "d" * 40)
HASH = "0x" + "1" * 64


class Answers:
    """A node that answers as the test says: by method, a value or a function of the parameters."""

    batch_size = 10

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, list[Any]]] = []

    def ask(self, method: str, *params: Any) -> Any:
        self.asked.append((method, list(params)))
        answer = self.answers[method]
        found = answer(*params) if callable(answer) else answer
        if isinstance(found, Exception):
            raise found
        return found

    def ask_all(self, calls: list[tuple[str, list[Any]]], most: int | None = None) -> list[Any]:
        return [self.ask(method, *params) for method, params in calls]


def refused(code: int = -32000, message: str = "no") -> RpcError:
    return RpcError("method", {"code": code, "message": message})


class TestWords:
    @given(st.integers(0, 2**256 - 1))
    def test_a_number_comes_back_as_it_was(self, number: int) -> None:
        assert words.quantity(hex(number), "it") == number
        assert words.word(number.to_bytes(32, "big"), "it") == number

    @pytest.mark.parametrize("value", ["0x", "", "12", "0xg", "0x" + "f" * 65, 12, None, 1.5, True, "0x1\n", ["0x1"]])
    def test_what_is_no_number_is_refused(self, value: object) -> None:
        with pytest.raises(AnswerError, match=r"^it is (missing|no number)"):
            words.quantity(value, "it")

    @pytest.mark.parametrize("value", ["0x1", "0xzz", "ab", None, 3])
    def test_what_is_no_data_is_refused(self, value: object) -> None:
        with pytest.raises(AnswerError):
            words.data(value, "it")

    @pytest.mark.parametrize("value", [b"", b"\0" * 31, b"\0" * 33, b"\0" * 64])
    def test_a_number_of_another_length_is_no_number(self, value: bytes) -> None:
        with pytest.raises(AnswerError, match=r"nothing \(is there|where one number of 32 belongs"):
            words.word(value, "it")

    @pytest.mark.parametrize(
        ("units", "decimals", "text"),
        [
            (0, 0, "0"),
            (7, 0, "7"),
            (0, 18, "0.000000000000000000"),
            (1, 18, "0.000000000000000001"),
            (1_500_000, 6, "1.500000"),
            (-1, 6, "-0.000001"),
            (-12_345_678, 6, "-12.345678"),
        ],
    )
    def test_amounts_are_written_whole(self, units: int, decimals: int, text: str) -> None:
        assert words.amount(units, decimals) == text

    @given(st.integers(-(2**256), 2**256), st.integers(0, 77))
    def test_amounts_are_exact(self, units: int, decimals: int) -> None:
        sign, digits, exponent = Decimal(words.amount(units, decimals)).as_tuple()
        assert isinstance(exponent, int)
        whole = int("".join(map(str, digits))) * (-1 if sign else 1)
        assert (whole, -exponent) == (units, decimals)

    @pytest.mark.parametrize("check", [words.mapping, words.sequence])
    def test_another_shape_is_refused(self, check: Callable[[Any, str], Any]) -> None:
        with pytest.raises(AnswerError, match="it is missing or no"):
            check(3, "it")


class TestMulticall:
    calls = st.lists(st.tuples(st.binary(min_size=20, max_size=20), st.binary(min_size=36, max_size=36)), max_size=20)

    @given(calls)
    def test_it_is_encoded_as_web3_does(self, calls: list[tuple[bytes, bytes]]) -> None:
        from web3 import Web3

        theirs = Web3().codec.encode(
            ["(address,bool,bytes)[]"], [[(f"0x{target.hex()}", True, data) for target, data in calls]]
        )
        ours = multicall.aggregate3([(f"0x{target.hex()}", f"0x{data.hex()}") for target, data in calls])
        assert ours == f"0x{multicall.AGGREGATE3}{theirs.hex()}"

    @given(st.lists(st.tuples(st.booleans(), st.binary(max_size=70)), max_size=20), st.integers(1, 200))
    def test_it_is_decoded_as_web3_does_and_a_cut_is_seen(self, answers: list[tuple[bool, bytes]], cut: int) -> None:
        from web3 import Web3

        encoded = Web3().codec.encode(["(bool,bytes)[]"], [answers])
        expected = [data if success else None for success, data in answers]
        assert multicall.results(encoded, len(answers), "it") == expected
        if answers and answers[-1][0] and cut >= 64:
            with pytest.raises(IncompleteError):
                multicall.results(encoded[:-cut], len(answers), "it")
        with pytest.raises(IncompleteError):
            multicall.results(encoded, len(answers) + 1, "it")

    def test_a_success_that_is_neither_is_refused(self) -> None:
        from web3 import Web3

        encoded = bytearray(Web3().codec.encode(["(bool,bytes)[]"], [[(True, b"\1" * 32)]]))
        encoded[3 * 32 + 31] = 2
        with pytest.raises(IncompleteError):
            multicall.results(bytes(encoded), 1, "it")


class TestNode:
    @pytest.fixture
    def client(self, tmp_path: Path) -> Callable[[str], HttpClient]:
        return lambda url: HttpClient(url, Services(tmp_path), HttpSettings(attempts=1, requests_per_second=1_000))

    def test_a_refusal_by_status_is_read_as_one(self, client: Callable[[str], HttpClient]) -> None:
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32602, "message": "range is too large"}}
        with web.serving(lambda _: web.Answer(error, 400)) as server:
            node = Node(client(server.url), 10)
            with pytest.raises(RpcError, match="eth_getLogs: error -32602: range is too large"):
                node.ask("eth_getLogs")
            with pytest.raises(RpcRefusedBatchError, match="a batch of 2 requests: error -32602"):
                node.ask_all([("a", []), ("b", [])])

    @pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"error": "no"}', b'{"error": {}}'])
    def test_another_refusal_by_status_stays_one(self, body: bytes, client: Callable[[str], HttpClient]) -> None:
        with (
            web.serving(lambda _: web.Answer(body, 403)) as server,
            pytest.raises(AnswerError, match="status 403"),
        ):
            Node(client(server.url), 10).ask("eth_chainId")

    @pytest.mark.parametrize("answer", ["text", [], {"id": 7, "result": 1}, {"result": 1}, 3, [{"id": 0, "result": 1}]])
    def test_an_answer_that_is_none_is_refused(self, answer: Any, client: Callable[[str], HttpClient]) -> None:
        with web.serving(lambda _: web.Answer(answer)) as server, pytest.raises(IncompleteError):
            Node(client(server.url), 10).ask("eth_chainId")

    def test_batches_of_one_are_no_batches(self, client: Callable[[str], HttpClient]) -> None:
        def answer(request: web.Request) -> web.Answer:
            return web.Answer({"id": request.json["id"], "result": request.json["params"]})

        with web.serving(answer) as server:
            assert Node(client(server.url), 1).ask_all([("a", [1]), ("b", [2])]) == [[1], [2]]

    def test_answers_come_in_the_order_of_the_requests(self, client: Callable[[str], HttpClient]) -> None:
        def answer(request: web.Request) -> web.Answer:
            return web.Answer([{"id": each["id"], "result": each["params"]} for each in reversed(request.json)])

        with web.serving(answer) as server:
            assert Node(client(server.url), 2).ask_all([("a", [1]), ("b", [2]), ("c", [3])]) == [[1], [2], [3]]

    @pytest.mark.parametrize(
        ("code", "message", "is_busy"),
        [
            (429, "compute units", True),
            (-32005, "limit exceeded", True),
            (-32005, "query returned more than 10000 results", False),
            (-32000, "Too Many Requests", True),
            (-32000, "block range is too large, try again with less", False),
            (-32000, "execution reverted", False),
            (-32016, "over rate limit", True),
        ],
    )
    def test_busy_is_told_from_too_much(self, code: int, message: str, is_busy: bool) -> None:
        envelope = {"id": 1, "error": {"code": code, "message": message}}
        assert (busy(envelope) is not None) == is_busy
        assert (busy([{"id": 0, "result": 1}, envelope]) is not None) == is_busy
        assert busy("text") is None
        assert busy({"error": "text"}) is None


def header(number: int, seconds: int | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "number": hex(number),
        "hash": f"0x{number + 1:064x}",
        "parentHash": f"0x{number:064x}",
        "timestamp": hex(1_772_582_400 + number * 1000 if seconds is None else seconds),
        **fields,
    }


class TestBlocks:
    def blocks(self, **answers: Any) -> Blocks:
        return Blocks(Answers(**answers), "ethereum", None)  # type: ignore[arg-type]

    def test_a_long_chain_is_searched_and_not_read(self) -> None:
        blocks = self.blocks(
            eth_getBlockByNumber=lambda number, _: header(
                2_000_000 if number == "finalized" else int(number, 16), 1_700_000_000 + int(_seconds(number))
            )
        )
        day = blocks.day(Order(date(2024, 1, 10)))
        assert day.first == day.previous.number + 1  # type: ignore[union-attr]
        assert day.previous.moment == "2024-01-09T23:59:48Z"  # type: ignore[union-attr]
        assert day.last.moment == "2024-01-10T23:59:48Z"
        assert len(blocks.node.asked) < 60  # type: ignore[attr-defined]

    def test_another_block_than_asked_for_is_refused(self) -> None:
        with pytest.raises(AnswerError, match="block 3 of ethereum: the node answered with block 4"):
            self.blocks(eth_getBlockByNumber=header(4)).at(3)

    def test_a_block_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(IncompleteError, match="doesn't have it"):
            self.blocks(eth_getBlockByNumber=None).at(3)

    def test_times_that_go_back_are_refused(self) -> None:
        def answer(number: str, _: bool) -> dict[str, Any]:
            height = 200_000 if number == "finalized" else int(number, 16)
            return header(height, 1 if height % 4096 else 1_700_000_000 + height)

        blocks = self.blocks(eth_getBlockByNumber=answer)
        low, high = blocks.at(4096), Block(8192, HASH, HASH, 1_800_000_000)
        with pytest.raises(AnswerError, match="which isn't between blocks"):
            blocks._last_before(1_750_000_000, low, high)

    def test_neighbours_that_do_not_join_are_refused(self) -> None:
        low, high = Block(1, HASH, HASH, 10), Block(2, HASH, "0x" + "2" * 64, 20)
        with pytest.raises(AnswerError, match="blocks 1 and 2 of ethereum don't join"):
            self.blocks()._last_before(15, low, high)


def _seconds(number: str) -> int:
    height = 2_000_000 if number == "finalized" else int(number, 16)
    return height * 12 + 4  # 12 s a block, one of them at midnight: it is of the new day


class TestBalances:
    def test_errors_name_address_and_asset(self) -> None:
        node = Answers(eth_getBalance="0x5", eth_call="0x" + "0" * 63)
        asked = Balances(node, [ETH, USDC], 5, aggregator=None, multicall_size=5)  # type: ignore[arg-type]
        with pytest.raises(AnswerError, match=f"balance of USDC at {HOT}, block 5 is no data"):
            asked.of([HOT])

    def test_zero_is_an_answer(self) -> None:
        node = Answers(eth_getBalance="0x0", eth_call="0x" + "0" * 64)
        asked = Balances(node, [ETH, USDC], 5, aggregator=None, multicall_size=5)  # type: ignore[arg-type]
        assert asked.of([HOT, COLD]) == [[0, 0], [0, 0]]

    def test_a_contract_that_tells_otherwise_is_no_multicall(self) -> None:
        from web3 import Web3

        told = Web3().codec.encode(["(bool,bytes)[]"], [[(True, (6).to_bytes(32, "big"))]]).hex()
        node = Answers(eth_getBalance="0x5", eth_call=f"0x{told}")
        asked = Balances(node, [ETH], 5, aggregator=COLD, multicall_size=5)  # type: ignore[arg-type]
        with pytest.raises(AnswerError, match=f"tells other balances of {HOT} than the node does"):
            asked.check_aggregator(HOT)
        node.answers["eth_getBalance"] = "0x6"
        asked.check_aggregator(HOT)

    def test_only_what_had_a_balance_before_is_compared(self) -> None:
        assert differences({"ETH": 5, "USDC": 7}, {"ETH": 3}, {"ETH": 1}) == {"ETH": 1}
        assert differences({"ETH": 5}, {"ETH": 3}, {"ETH": 2}) == {}


def log(block: int = 5, **fields: Any) -> dict[str, Any]:
    return {
        "address": USDC.contract,
        "topics": [TRANSFER, f"0x{HOT[2:]:0>64}", f"0x{OUTSIDE[2:]:0>64}"],
        "data": f"0x{5:064x}",
        "blockNumber": hex(block),
        "blockHash": HASH,
        "transactionHash": "0x" + "e" * 64,
        "transactionIndex": "0x0",
        "logIndex": hex(block),
        "removed": False,
        **fields,
    }


class TestLogs:
    def logs(self, answer: Any, log_range: int = 100) -> TransferLogs:
        node = Answers(eth_getLogs=answer)
        return TransferLogs(node, [ETH, USDC], [HOT], log_range=log_range, addresses_per_filter=1)  # type: ignore[arg-type]

    def test_ranges_shrink_to_what_the_node_answers_and_grow_again(self) -> None:
        def answer(wanted: dict[str, Any]) -> Any:
            first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
            if wanted["topics"][1] is None:
                return []
            return refused() if last - first > 5 else [log(block) for block in range(first, last + 1)]

        assert [found.block for found in self.logs(answer).between(10, 99)] == list(range(10, 100))

    @pytest.mark.parametrize("error", [refused(), LimitError("larger", "no")])
    def test_one_block_that_is_too_much_is_an_error(self, error: Exception) -> None:
        logs = self.logs(lambda _: error)
        with pytest.raises(type(error)):
            logs.between(1, 64)
        assert len(logs.node.asked) == 7  # type: ignore[attr-defined]

    def test_a_log_of_both_filters_counts_once(self) -> None:
        inside = log(topics=[TRANSFER, f"0x{HOT[2:]:0>64}", f"0x{HOT[2:]:0>64}"])
        assert len(self.logs([inside]).between(1, 9)) == 1
        answers = iter([[inside], [{**inside, "data": f"0x{6:064x}"}]])
        with pytest.raises(AnswerError, match="answered twice and differently"):
            self.logs(lambda _: next(answers)).between(1, 9)

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"topics": [TRANSFER]}, "is no Transfer of an ERC-20 token"),
            ({"topics": [TRANSFER, HASH, HASH, HASH]}, "is no Transfer of an ERC-20 token"),
            ({"topics": [HASH, HASH, HASH]}, "is no Transfer of an ERC-20 token"),
            ({"topics": [TRANSFER, HASH, f"0x{HOT[2:]:0>64}"]}, "is no address"),
            ({"topics": [TRANSFER, *[f"0x{COLD[2:]:0>64}"] * 2]}, "that wasn't asked for"),
            ({"blockNumber": "0x1000"}, "one of block 4096 that wasn't asked for"),
            ({"logIndex": None}, "logIndex is missing"),
        ],
    )
    def test_what_was_not_asked_for_is_refused(self, fields: dict[str, Any], says: str) -> None:
        with pytest.raises(AnswerError, match=says):
            self.logs([log(**fields)]).between(1, 9)

    def test_nothing_is_asked_without_tokens(self) -> None:
        node = Answers()
        logs = TransferLogs(node, [ETH], [HOT], log_range=9, addresses_per_filter=1)  # type: ignore[arg-type]
        assert logs.between(1, 9) == []
        assert node.asked == []


def transaction(index: int, **fields: Any) -> dict[str, Any]:
    return {"hash": f"0x{index + 1:064x}", "from": OUTSIDE, "to": HOT, "value": "0x5", **fields}


def receipt(index: int, block: int, **fields: Any) -> dict[str, Any]:
    return {
        "transactionHash": f"0x{index + 1:064x}",
        "blockHash": f"0x{block + 1:064x}",
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x2",
        "contractAddress": None,
        **fields,
    }


class TestNative:
    def scanned(
        self, transactions: list[Any], receipts: list[Any], *, parent: str | None = None, **fields: Any
    ) -> list[Movement]:
        waiting = iter(receipts)
        node = Answers(
            eth_getBlockByNumber=header(5, transactions=transactions, **fields),
            eth_getTransactionReceipt=lambda _: next(waiting),
        )
        blocks = Blocks(node, "ethereum", None)  # type: ignore[arg-type]
        return NativeTransfers(blocks, ETH, [HOT, COLD], 10, None).between(5, 5, parent).movements

    def test_withdrawals_of_validators_are_rewards_in_thousand_millionths(self) -> None:
        withdrawals = [
            {"index": "0x4d2", "validatorIndex": "0x1", "address": COLD, "amount": "0x3"},
            {"index": "0x4d3", "validatorIndex": "0x1", "address": OUTSIDE, "amount": "0x3"},
            {"index": "0x4d4", "validatorIndex": "0x1", "address": COLD, "amount": "0x0"},
        ]
        (moved,) = self.scanned([], [], withdrawals=withdrawals)
        holders = holders_of([RegisteredWallet("cold", COLD)])
        rows = rows_of(
            [moved], holders, {5: "2026-03-04T00:00:00Z"}, Naming("{network}:{transaction}:{leg}", "ethereum")
        )
        assert rows["transfer_id"] == ["ethereum:withdrawal:1234"]
        assert (rows["amount"], rows["transfer_type"]) == (["0.000000003000000000"], ["other"])

    def test_a_contract_that_is_made_with_value_receives_it(self) -> None:
        made = transaction(0, to=None)
        (moved,) = self.scanned([made], [receipt(0, 5, contractAddress=COLD)])
        assert (moved.receiver, moved.units) == (COLD, 5)
        assert self.scanned([made], [receipt(0, 5, contractAddress=OUTSIDE)]) == []

    def test_a_failed_transaction_moves_its_fee_only(self) -> None:
        failed = transaction(0, **{"from": HOT, "to": COLD})
        (moved,) = self.scanned([failed], [receipt(0, 5, status="0x0")])
        assert (moved.kind, moved.units, moved.sender) == ("fee", 42_000, HOT)

    def test_addresses_are_known_in_any_case(self) -> None:
        assert len(self.scanned([transaction(0, to=HOT.upper().replace("0X", "0x"))], [receipt(0, 5)])) == 1

    @pytest.mark.parametrize(
        ("transactions", "receipts", "says"),
        [
            ([transaction(0)], [receipt(1, 5)], "the node answered with another's"),
            ([transaction(0)], [receipt(0, 6)], "is of another block than the chain has"),
            ([transaction(0)], [receipt(0, 5, status=None)], "status is missing"),
            (["0x" + "1" * 64], [], "transaction 0 of block 5 is missing or no object"),
            ([transaction(0, value=None)], [], "value is missing"),
            ([transaction(0, to=None)], [receipt(0, 5)], "contractAddress is missing"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, transactions: list[Any], receipts: list[Any], says: str) -> None:
        with pytest.raises(AnswerError, match=says):
            self.scanned(transactions, receipts)

    def test_a_block_that_does_not_follow_is_refused(self) -> None:
        with pytest.raises(IncompleteError, match="doesn't follow the one before"):
            self.scanned([], [], parent=HASH)
        assert self.scanned([], [], parent=header(5)["parentHash"]) == []

    def test_fees_count_blobs_and_the_layer_below(self) -> None:
        plain = {"gasUsed": "0x10", "effectiveGasPrice": "0x2", "blobGasPrice": "0x1"}
        assert fee(plain, "it") == 32
        assert fee({**plain, "blobGasUsed": "0x0", "blobGasPrice": None}, "it") == 32
        assert fee({**plain, "blobGasUsed": "0x20000", "blobGasPrice": "0x3"}, "it") == 32 + 3 * 131_072
        assert fee({**plain, "l1Fee": "0x7"}, "it") == 39
        with pytest.raises(AnswerError, match="effectiveGasPrice is missing"):
            fee({"gasUsed": "0x10"}, "it")


def call(type_: str = "CALL", value: str = "0x1", calls: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "from": HOT, "to": COLD, "value": value, "calls": calls or [], **fields}


def entry(path: list[int], kind: str = "call", **fields: Any) -> dict[str, Any]:
    action = {"callType": "call", "from": HOT, "to": COLD, "value": "0x1"}
    return {"type": kind, "traceAddress": path, "transactionHash": HASH, "action": action, **fields}


class TestTraces:
    def nested(self, frame: dict[str, Any]) -> list[Moved]:
        node = Answers(debug_traceBlockByNumber=[{"txHash": HASH, "result": frame}])
        return Traces(node, ETH).of(5, [HASH])  # type: ignore[arg-type]

    def flat(self, *entries: dict[str, Any]) -> list[Moved]:
        node = Answers(debug_traceBlockByNumber=refused(-32601), trace_block=list(entries))
        traces = Traces(node, ETH)  # type: ignore[arg-type]
        found = traces.of(5, [HASH])
        assert traces.of(6, [HASH]) == found
        assert [method for method, _ in node.asked].count("debug_traceBlockByNumber") == 1
        return found

    def test_nested_calls_are_found_by_their_path(self) -> None:
        frame = call(
            calls=[
                call("DELEGATECALL", calls=[call("STATICCALL"), call("CREATE2", "0x2")]),
                call("CALLCODE"),
                call("SELFDESTRUCT", "0x3"),
                call(value="0x0"),
            ]
        )
        assert [(moved.path, moved.units) for moved in self.nested(frame)] == [((), 1), ((0, 1), 2), ((2,), 3)]

    def test_what_failed_undid_all_within_it(self) -> None:
        inner = call(error="execution reverted", calls=[call(calls=[call()])])
        assert [moved.path for moved in self.nested(call(calls=[inner, call()]))] == [(), (1,)]
        assert self.nested(call(error="out of gas", calls=[call()])) == []

    def test_flat_traces_say_the_same(self) -> None:
        found = self.flat(
            entry([]),
            entry([0], error="Reverted"),
            entry([0, 0]),
            entry([1], action={"callType": "delegatecall", "from": HOT, "to": COLD, "value": "0x1"}),
            entry([2], "create", action={"from": HOT, "value": "0x2"}, result={"address": COLD}),
            entry([3], "suicide", action={"address": HOT, "refundAddress": COLD, "balance": "0x3"}),
            {"type": "reward", "action": {"author": HOT, "value": "0x9"}},
        )
        assert [(moved.path, moved.units) for moved in found] == [((), 1), ((2,), 2), ((3,), 3)]

    @pytest.mark.parametrize(
        "node",
        [
            Answers(debug_traceBlockByNumber=[]),
            Answers(debug_traceBlockByNumber=[{"txHash": "0x2", "result": call()}]),
            Answers(debug_traceBlockByNumber=[{"txHash": HASH, "error": "execution timeout"}]),
            Answers(debug_traceBlockByNumber=[{"txHash": HASH, "result": call(value="0x")}]),
            Answers(debug_traceBlockByNumber=refused(), trace_block=[]),
            Answers(debug_traceBlockByNumber=refused(), trace_block=[entry([], transactionHash="0x2")]),
            Answers(debug_traceBlockByNumber=refused(), trace_block=[entry(["a"])]),  # type: ignore[list-item]
            Answers(debug_traceBlockByNumber=refused(), trace_block=refused()),
        ],
    )
    def test_what_is_missing_or_of_others_is_refused(self, node: Answers) -> None:
        with pytest.raises(AnswerError):
            Traces(node, ETH).of(5, [HASH])  # type: ignore[arg-type]


class TestMovements:
    moved = Movement(5, (0, 1, 0), HASH, "3", "USDC", 1_000_000, 6, HOT, HOT)

    def test_a_transfer_to_oneself_is_two_rows_that_cancel(self) -> None:
        holders = holders_of([RegisteredWallet("hot", HOT)])
        rows = rows_of([self.moved], holders, {5: "t"}, Naming("{network}:{transaction}:{leg}", "base"))
        assert rows["transfer_id"] == [f"base:{HASH}:3:out", f"base:{HASH}:3:in"]
        assert rows["amount"] == ["-1.000000", "1.000000"]
        sums: dict[str, dict[str, int]] = {}
        add_up(sums, [self.moved, replace(self.moved, sender=None), replace(self.moved, sender=OUTSIDE)], holders)
        assert sums == {HOT: {"USDC": 2_000_000}}

    def test_rows_come_in_the_order_of_the_chain(self) -> None:
        holders = holders_of([RegisteredWallet("hot", HOT)])
        later = replace(self.moved, place=(1, 0, 0), sender=None, leg="fee")
        rows = rows_of([later, self.moved], holders, {5: "t"}, Naming("{leg}{transaction}", "base"))
        assert [name[0] for name in rows["transfer_id"]] == ["3", "3", "f"]


@pytest.mark.parametrize("text", [HOT, HOT.upper(), HOT[2:], "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"])
def test_an_address_is_taken_in_any_spelling(text: str) -> None:
    assert checked_address(text, "it") == f"0x{text.lower().removeprefix('0x')}"


def test_a_wrong_checksum_is_a_slip() -> None:
    with pytest.raises(ConfigurationError, match="it: the letters of"):
        checked_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "it")


VALID: dict[str, Any] = {
    "kind": "evm",
    "url": "http://127.0.0.1:8545/${KEY}",
    "network": "ethereum",
    "chain_id": 1,
    "native_asset": "ETH",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": {name: {"contract": HOT, "decimals": 6} for name in "AB"}}, "the same contract"),
        ({"tokens": {"ETH": {"contract": HOT, "decimals": 18}}}, "can't be a token too"),
        ({"tokens": {"A": {"contract": 5, "decimals": 18}}}, "in quotes"),
        ({"tokens": {"A": {"contract": HOT, "decimals": 300}}}, "less than or equal to 77"),
        ({"transfer_id": "{transaction}"}, "must hold"),
        ({"transfer_id": "{transaction}{leg}{day}"}, "must hold"),
        ({"transfer_id": "{transaction}{leg"}, "must hold"),
        ({"multicall": "0x1"}, "in quotes"),
        ({"native_transfers": "all"}, "'traces', 'transactions' or 'none'"),
        ({"chain_id": 0}, "greater than or equal to 1"),
        ({"network": "two words"}, "match pattern"),
    ],
)
def test_a_configuration_that_can_not_be_meant_is_refused(change: dict[str, Any], says: str) -> None:
    EvmConfiguration.model_validate(VALID)
    with pytest.raises(ValidationError, match=says):
        EvmConfiguration.model_validate({**VALID, **change})


def test_the_kind_is_this_connector() -> None:
    assert kinds.kinds_by_name()["evm"].load() is EvmConnector


def test_what_it_fills_is_known_without_secrets() -> None:
    feeds = EvmConnector.feeds_of(EvmConfiguration.model_validate(VALID))
    assert {feed.table: feed.may_be_empty for feed in feeds} == {"wallet_balances": False, "wallet_transfers": True}


@pytest.mark.parametrize(("variables", "outcome"), [({}, "Skipped"), ({"CI": "true"}, "Failed")])
def test_without_a_node_tests_are_skipped_but_not_in_ci(
    variables: dict[str, str], outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(evm_chain, "FOLDER", tmp_path)
    for needed in (evm_chain.node_binary, evm_chain.contracts):
        with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match="npm ci --ignore-scripts") as ended:
            needed.__wrapped__()
        assert type(ended.value).__name__ == outcome
