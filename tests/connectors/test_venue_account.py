"""Accounts at venues through ccxt: exact, nothing counted twice or left out, and no signature shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pyarrow.parquet as pq
import pytest

from orchestration.connectors.base import Clock, Order
from orchestration.connectors.configuration import Source
from orchestration.connectors.errors import AnswerError, IncompleteError, SourceError, TooLateError
from orchestration.connectors.kinds import kinds_by_name
from orchestration.connectors.pulling import pull_day
from orchestration.connectors.venue import VenueConfiguration, VenueConnector
from orchestration.errors import ConfigurationError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults
from tests.connectors.venues import (
    ANSWERED,
    DAY,
    Binance,
    Kraken,
    bitstamp,
    coinbase,
    connector,
    fault_of,
    milliseconds,
    okx,
    pulled,
    ticking,
)

NOON = datetime(2026, 3, 4, 12)


def denied_on(server: web.Web, path: str) -> Callable[[], None]:
    def begin() -> None:
        server.fault = lambda request, answer: web.denied(request, answer) if request.path.endswith(path) else answer

    return begin


DEPOSITS = [
    {"id": "d0", "coin": "BTC", "amount": "9", "insertTime": milliseconds(NOON - timedelta(days=3)), "status": 1},
    {"id": "d1", "coin": "BTC", "amount": "1.000000000000000001", "insertTime": milliseconds(NOON), "status": 1},
    {"id": "d2", "coin": "ETH", "amount": "2", "insertTime": milliseconds(NOON) + 1, "status": 0},
    {"id": "d3", "coin": "ETH", "amount": "3", "insertTime": milliseconds(NOON) + 2, "status": 1},
    {"id": "d4", "coin": "ETH", "amount": "4", "insertTime": milliseconds(ANSWERED) - 1, "status": 1},
    {"id": "d5", "coin": "ETH", "amount": "5", "insertTime": milliseconds(ANSWERED), "status": 1},
]


WITHDRAWALS = [
    {"id": f"w{number}", "coin": "BTC", "amount": f"1.{number}", "transactionFee": "1e-8", "status": 6}
    | {"applyTime": f"2026-03-04 1{number}:00:00", "address": f"bc1q{number}", "txId": f"t{number}"}
    for number in range(5)
]


SPOT = [
    {"asset": "BTC", "free": "12345678901.123456789012345678", "locked": "0.000000000000000001"},
    {"asset": "ETH", "free": "1e-8", "locked": "0"},
    {"asset": "USDT", "free": "0.00000000", "locked": "0.00000000"},
    {"asset": "XRP", "free": "0.00000000", "locked": "0.00000000"},
    {"asset": "DUST", "free": "77", "locked": "0"},
]


FUNDING = [{"asset": "BTC", "free": "2", "locked": "1", "freeze": "0", "withdrawing": "0"}]


ACCOUNT: dict[str, Any] = {
    "wallet_id": "binance-1",
    "accounts": ["spot", "funding"],
    "assets": {"USDT": "USDT", "ETH": "ETHER"},
    "left_out": ["DUST"],
    "transfers": {},
}


def transfer(name: str, asset: str, amount: str, kind: str, moment: datetime | str, to: str | None = None) -> Any:
    row = {"transfer_id": f"binance-1:{name}", "wallet_id": "binance-1", "counterparty_address": to, "asset": asset}
    return row | {"amount": amount, "transfer_type": kind, "block_time": str(moment), "recorded_at": str(moment)}


def binance() -> Binance:
    return Binance(SECRET, spot=SPOT, funding=FUNDING, deposits=DEPOSITS, withdrawals=WITHDRAWALS)


class TestAccountAtBinance(ConformanceTests):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        venue = binance()
        with web.serving(venue) as server:

            def heal() -> None:
                server.fault = None
                venue.spot, venue.funding = SPOT, FUNDING

            def empty() -> None:
                venue.spot, venue.funding = [], []

            withdrawn = [
                transfer(f"withdrawal:w{n}", "BTC", f"-1.{n}", "withdrawal", f"{DAY} 1{n}:00:00", f"bc1q{n}")
                for n in range(1, 5)
            ]
            fees = [
                transfer(f"withdrawal:w{n}:fee", "BTC", "-0.00000001", "network_fee", f"{DAY} 1{n}:00:00")
                for n in range(1, 5)
            ]
            venue.withdrawals = WITHDRAWALS[1:]
            yield Case(
                section={
                    "kind": "venue",
                    "venue": "binance",
                    "api_url": server.url,
                    "key_variable": "VENUE_KEY",
                    "secret_variable": "VENUE_SECRET",
                    "balances": ACCOUNT,
                    **HTTP_SETTINGS,
                },
                variables={"VENUE_KEY": SECRET, "VENUE_SECRET": f"the other {SECRET}"},
                day=DAY,
                expected={
                    "wallet_balances": [
                        {"wallet_id": "binance-1", "asset": asset, "balance": balance, "as_of": str(ANSWERED)}
                        for asset, balance in (
                            ("BTC", "12345678904.123456789012345679"),
                            ("ETHER", "0.00000001"),
                            ("USDT", "0"),
                        )
                    ],
                    "wallet_transfers": [
                        transfer("deposit:d1", "BTC", "1.000000000000000001", "deposit", NOON),
                        transfer("deposit:d3", "ETHER", "3", "deposit", NOON + timedelta(milliseconds=2)),
                        transfer("deposit:d4", "ETHER", "4", "deposit", ANSWERED - timedelta(milliseconds=1)),
                        *withdrawn,
                        *fees,
                    ],
                },
                faults={
                    **http_faults(server),
                    "denied on the account": Fault(denied_on(server, "/account"), "status 401"),
                    "empty": Fault(empty, "lists no balance at all"),
                    "no right": Fault(
                        fault_of(server, "/account", {"code": -2015, "msg": "Invalid API-key, IP, or permissions"}),
                        "refuses the credentials",
                    ),
                    "no number": Fault(
                        fault_of(server, "/account", {"balances": [{"asset": "BTC", "free": "12,5", "locked": "0"}]}),
                        "binance",
                    ),
                },
                heal=heal,
            )

    def test_a_refusal_that_repeats_the_signature_does_not_show_it(
        self, case: Case, source: Any, landing: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        from orchestration.connectors.pulling import PullError

        case.faults["denied on the account"].begin()
        with pytest.raises(PullError) as refusal:
            self.pull(case, source, landing)
        shown = str(refusal.value) + refusal.value.trace
        assert "x-mbx-apikey" in shown.lower()
        assert "***" in shown
        assert "signature=" not in shown


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("VENUE_KEY", SECRET)
    monkeypatch.setenv("VENUE_SECRET", base64.b64encode(SECRET.encode()).decode())
    return {"key_variable": "VENUE_KEY", "secret_variable": "VENUE_SECRET", "password_variable": "VENUE_KEY"}


@pytest.fixture
def account(tmp_path: Path, keys: dict[str, str]) -> Iterator[tuple[Binance, Callable[..., VenueConnector]]]:
    venue = binance()
    with web.serving(venue) as server:

        def open_account(**changes: Any) -> VenueConnector:
            return connector(tmp_path, server, venue="binance", balances={**ACCOUNT, **changes}, **keys)

        yield venue, open_account


Account = tuple[Binance, Callable[..., VenueConnector]]


def test_transfers_go_on_from_the_balance_before_and_come_once(account: Account, tmp_path: Path) -> None:
    venue, open_account = account
    source = Source("binance", kinds_by_name()["venue"], open_account().configuration)
    landing = tmp_path / "landing"
    landing.mkdir()

    def pull(days: int) -> list[str]:
        day, now = DAY + timedelta(days=days), ANSWERED + timedelta(days=days)
        venue.moment = now
        manifest = pull_day(source, landing, day, Clock(now=lambda: now, sleep=lambda _: None, monotonic=ticking()))
        assert manifest is not None
        assert manifest.position["as_of"] == now.isoformat()
        return (
            pq.ParquetFile(landing / f"wallet_transfers/date={day}/binance.parquet").read()["transfer_id"].to_pylist()
        )

    first = pull(0)
    assert {"binance-1:deposit:d1", "binance-1:deposit:d3", "binance-1:deposit:d4"} <= set(first)
    assert "binance-1:deposit:d0" not in first  # it is in the first balance
    # Two days are missed; what was pending is credited, and something new came on the first of them.
    credited = {"status": 1, "successTime": milliseconds(ANSWERED) + 9}
    venue.deposits = [DEPOSITS[0], *({**one, **credited} for one in DEPOSITS[1:])]
    venue.deposits.append({**DEPOSITS[0], "id": "d6", "insertTime": milliseconds(ANSWERED) + 7})
    assert pull(3) == [f"binance-1:deposit:{name}" for name in ("d2", "d5", "d6")]
    assert pull(4) == []


def test_fees_within_the_amount_are_no_rows(account: Account) -> None:
    _, open_account = account
    rows, _ = pulled(open_account(transfers={"fees": "within"}))
    assert {row["transfer_type"] for row in rows["wallet_transfers"]} == {"deposit", "withdrawal"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": 99}, "says of transfer binance-1:deposit:d1 that it is '99'"),
        ({"amount": "-1"}, "is of -1"),
        ({"id": None}, "without an identifier"),
        ({"amount": "1,5"}, "no number"),
    ],
)
def test_a_transfer_that_cannot_be_read_stops_the_pull(account: Account, change: dict[str, Any], says: str) -> None:
    venue, open_account = account
    venue.deposits = [{**DEPOSITS[1], **change}]
    with pytest.raises(AnswerError, match=says):
        pulled(open_account())


def test_a_list_that_cannot_be_asked_on_from_is_not_taken_for_whole(account: Account) -> None:
    _, open_account = account

    def newest(request: web.Request) -> web.Answer:
        if request.path.endswith("hisrec"):
            return web.Answer(DEPOSITS[2:5])
        return binance()(request)

    with web.serving(newest) as server:
        source = open_account()
        source.configuration = replace_url(source.configuration, server.url)
        with pytest.raises(IncompleteError, match="pays no heed to the end asked for"):
            pulled(source)


def replace_url(configuration: VenueConfiguration, url: str) -> VenueConfiguration:
    return configuration.model_copy(update={"api_url": url})


def test_a_day_too_long_past_is_refused_before_anything_is_asked(account: Account) -> None:
    _, open_account = account
    source = open_account()
    with pytest.raises(TooLateError, match="balances at binance can only be had as they are now"):
        pulled(source, Order(DAY - timedelta(days=1)))
    assert "exchange" not in vars(source)


@pytest.mark.parametrize("moment", [ANSWERED - timedelta(hours=1), ANSWERED + timedelta(hours=8)])
def test_a_venue_whose_clock_is_off_is_refused(account: Account, moment: datetime) -> None:
    venue, open_account = account
    venue.moment = moment
    with pytest.raises(AnswerError, match="binance's time is of"):
        pulled(open_account())


def test_one_answer_for_two_kinds_of_account_counts_once(account: Account) -> None:
    _, open_account = account
    with pytest.raises(IncompleteError, match="is asked the same for the accounts spot and cash"):
        pulled(open_account(accounts=["spot", "cash"]))


def test_a_debt_is_no_reserve(account: Account) -> None:
    _, open_account = account
    margin = {"userAssets": [{"asset": "BTC", "free": "5", "locked": "0", "borrowed": "4", "interest": "0.1"}]}

    def answer(request: web.Request) -> web.Answer:
        return web.Answer(margin) if request.path.endswith("margin/account") else binance()(request)

    with web.serving(answer) as server:
        source = open_account(accounts=["margin"])
        source.configuration = replace_url(source.configuration, server.url)
        with pytest.raises(AnswerError, match=r"owes 4\.1 BTC, and what is borrowed is no reserve"):
            pulled(source)


def test_what_is_absent_is_missing_unless_it_is_said_to_be_zero(account: Account) -> None:
    _, open_account = account
    assets = {"SOL": "SOL"}
    rows, _ = pulled(open_account(assets=assets))
    assert "SOL" not in {row["asset"] for row in rows["wallet_balances"]}
    rows, _ = pulled(open_account(assets=assets, absent_is_zero=True))
    assert {row["asset"]: row["balance"] for row in rows["wallet_balances"]}["SOL"] == "0"


def test_several_currencies_of_a_venue_may_be_one_asset(account: Account) -> None:
    _, open_account = account
    rows, _ = pulled(open_account(assets={"DUST": "BTC"}, left_out=[], accounts=["spot"]))
    balances = {row["asset"]: row["balance"] for row in rows["wallet_balances"]}
    assert balances["BTC"] == "12345678978.123456789012345679"


def test_the_wallet_is_the_one_registered_under_the_address(account: Account, tmp_path: Path) -> None:
    _, open_account = account
    header = "wallet_id,network,address,owner_entity_id,purpose,custody,encumbered_pct,ownership_proof,proven_at,"
    header += "valid_from,valid_to,recorded_at\n"
    row = "{},venue,{},op,house,venue,0,none,,2026-01-01T00:00:00Z,,2026-01-01T00:00:00Z\n"
    (tmp_path / "wallets").mkdir()
    (tmp_path / "wallets" / "all.csv").write_text(header + row.format("one", "uid 7") + row.format("two", "uid 8"))
    rows, _ = pulled(open_account(wallet_id=None, address="uid 8"))
    assert {row["wallet_id"] for row in rows["wallet_balances"]} == {"two"}
    with pytest.raises(ConfigurationError, match="no wallet of network venue is registered under the address uid 9"):
        pulled(open_account(wallet_id=None, address="uid 9"))


def test_okx_adds_up_trading_and_funding(tmp_path: Path, keys: dict[str, str]) -> None:
    balances = {"wallet_id": "okx-1", "accounts": ["spot", "funding"]}
    with web.serving(okx) as server:
        source = connector(tmp_path, server, venue="okx", balances=balances, **keys)
        rows, _ = pulled(source)
        assert [(row["asset"], row["balance"]) for row in rows["wallet_balances"]] == [("BTC", "0.04905426")]
        twice = connector(tmp_path, server, venue="okx", balances={**balances, "accounts": ["spot", "trading"]}, **keys)
        with pytest.raises(IncompleteError, match="spot and trading"):
            pulled(twice)
        without = connector(tmp_path, server, venue="okx", balances=balances, **{**keys, "password_variable": None})
        with pytest.raises(AnswerError, match="okx refuses the credentials"):
            pulled(without)


@pytest.mark.parametrize(
    ("options", "bitcoin"),
    [({}, "3.0000000000000001"), ({"fetchBalance": "v3PrivateGetBrokerageAccounts"}, "3.5000000000000001")],
)
def test_coinbase_lists_accounts_in_pages(
    tmp_path: Path, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch, options: dict[str, str], bitcoin: str
) -> None:
    monkeypatch.setenv("VENUE_SECRET", SECRET)  # one that ends in = would be taken for a private key
    with web.serving(coinbase) as server:
        section = {"venue": "coinbase", "balances": {"wallet_id": "cb"}, "options": options, **keys}
        rows, _ = pulled(connector(tmp_path, server, **section))
        assert [(row["asset"], row["balance"]) for row in rows["wallet_balances"]] == [
            ("BTC", bitcoin),
            ("ETH", "0.000000000000000001"),
            ("USDC", "7"),
        ]
        server.fault = lambda request, answer: web.Answer({**coinbase(request).body, "has_next": True, "cursor": ""})
        if options:
            with pytest.raises(IncompleteError, match="has more balances and doesn't say where"):
                pulled(connector(tmp_path, server, **section))


def test_bitstamp_tells_the_time_in_its_answers_only(tmp_path: Path, keys: dict[str, str]) -> None:
    with web.serving(bitstamp) as server:
        balances = {"wallet_id": "bs", "assets": {"USDT": "USDT"}}
        rows, _ = pulled(connector(tmp_path, server, venue="bitstamp", balances=balances, **keys))
        assert [(row["asset"], row["balance"], row["as_of"]) for row in rows["wallet_balances"]] == [
            ("BTC", "0.1", "2026-03-05T00:29:58"),
            ("USDT", "7.00000", "2026-03-05T00:29:58"),
        ]


def test_balances_of_kraken_stay_as_they_are_written(tmp_path: Path, keys: dict[str, str]) -> None:
    balances = {
        "ZUSD": {"balance": 25435.21, "hold_trade": 8249.76},
        "XXBT": {"balance": "1.243500000000000001", "hold_trade": "0.8423"},
    }
    venue = Kraken()

    def kraken(request: web.Request) -> web.Answer:
        if request.path == "/0/private/BalanceEx":
            assert request.headers["api-key"] == SECRET
            return web.Answer({"error": [], "result": balances})
        return venue(request)

    with web.serving(kraken) as server:
        rows, _ = pulled(connector(tmp_path, server, venue="kraken", balances={"wallet_id": "k"}, **keys))
        assert [(row["asset"], row["balance"]) for row in rows["wallet_balances"]] == [
            ("BTC", "1.243500000000000001"),
            ("USD", "25435.21"),
        ]
        # Kraken has one kind of account and would answer the same for any word.
        two = {"wallet_id": "k", "accounts": ["spot", "funding"]}
        with pytest.raises(IncompleteError, match="spot and funding"):
            pulled(connector(tmp_path, server, venue="kraken", balances=two, **keys))
        # ccxt keeps the last of two entries of one currency.
        balances["XBT"] = {"balance": "5", "hold_trade": "0"}
        with pytest.raises(AnswerError, match=r"lists BTC under two names \(XBT, XXBT\)"):
            pulled(connector(tmp_path, server, venue="kraken", balances={"wallet_id": "k"}, **keys))


def test_ccxt_cannot_do_everything_everywhere(tmp_path: Path, keys: dict[str, str]) -> None:
    with web.serving(bitstamp) as server, pytest.raises(SourceError):
        pulled(connector(tmp_path, server, venue="bitstamp", balances={"wallet_id": "b", "transfers": {}}, **keys))


SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "api_samples" / "ccxt"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples of venues' answers aren't there")
@pytest.mark.parametrize(
    ("venue", "path", "number", "accounts", "expected"),
    [
        ("kraken", "/BalanceEx", 0, [], {"USD": "25435.21", "BTC": "1.2435"}),
        ("okx", "/account/balance", 0, [], "ccxt can't read"),  # a space within a number
        ("okx", "/account/balance", 1, [], {"BTC": "0.049"}),
        ("okx", "/asset/balances", 2, ["funding"], {"BTC": "0.00005426"}),
        ("bitstamp", "/account_balances/", 0, [], {"USDT": "7.00000"}),
        ("coinbase", "/v2/accounts", 0, [], "the same page twice"),
    ],
)
def test_samples_of_venues_answers_are_read(
    tmp_path: Path,
    keys: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    venue: str,
    path: str,
    number: int,
    accounts: list[str],
    expected: dict[str, str] | str,
) -> None:
    sample = json.loads((SAMPLES / f"{venue}.json").read_text())["samples"]["fetch_balance"][number]
    answers = {"kraken": Kraken(), "okx": okx, "bitstamp": bitstamp, "coinbase": coinbase}
    if venue == "coinbase":
        monkeypatch.setenv("VENUE_SECRET", SECRET)
    with web.serving(answers[venue]) as server:
        server.fault = lambda request, answer: replace(answer, body=sample) if request.path.endswith(path) else answer
        source = connector(tmp_path, server, venue=venue, balances={"wallet_id": "w", "accounts": accounts}, **keys)
        if isinstance(expected, str):
            with pytest.raises(AnswerError, match=expected):
                pulled(source)
        else:
            rows, _ = pulled(source)
            assert {row["asset"]: row["balance"] for row in rows["wallet_balances"]} == expected


def times(request: web.Request, first: str, last: str) -> tuple[Decimal, Decimal]:
    """The bounds that a request names, in its query or its form."""
    named = {**dict(parse_qsl(request.body.decode())), **request.query}
    return Decimal(named.get(first, "0")), Decimal(named.get(last, "9e18"))


def test_kraken_counts_in_seconds_and_cuts_the_oldest_off(tmp_path: Path, keys: dict[str, str]) -> None:
    venue, begun = Kraken(), milliseconds(NOON) // 1000
    deposits = [
        {"refid": f"d{number}", "asset": "XXBT", "amount": f"0.{number}1", "fee": "0.0000000000", "status": "Success"}
        | {"time": begun + number // 2, "txid": f"t{number}", "info": "bc1q"}
        for number in range(9)
    ]

    def kraken(request: web.Request) -> web.Answer:
        if request.path.endswith("BalanceEx"):
            return web.Answer({"error": [], "result": {"XXBT": {"balance": "1", "hold_trade": "0"}}})
        if request.path.endswith("WithdrawStatus"):
            return web.Answer({"error": [], "result": []})
        if request.path.endswith("DepositStatus"):
            first, last = times(request, "start", "end")
            shown = [one for one in deposits if first <= one["time"] <= last]
            return web.Answer({"error": [], "result": sorted(shown, key=lambda one: -one["time"])[:4]})
        return venue(request)

    with web.serving(kraken) as server:
        balances = {"wallet_id": "k", "transfers": {}}
        rows, _ = pulled(connector(tmp_path, server, venue="kraken", balances=balances, **keys))
    assert [(row["transfer_id"], row["amount"]) for row in rows["wallet_transfers"]] == [
        (f"k:deposit:d{number}", f"0.{number}1") for number in range(9)
    ]
    assert rows["wallet_transfers"][0]["counterparty_address"] is None  # the venue's own address isn't the sender's


def test_okx_leaves_out_the_moment_asked_for(tmp_path: Path, keys: dict[str, str]) -> None:
    withdrawals = [
        {"wdId": f"w{number}", "ccy": "BTC", "amt": "0.1", "fee": "0.0004", "state": "2", "txId": f"t{number}"}
        | {"ts": str(milliseconds(NOON) + number), "to": "bc1q", "from": "me"}
        for number in range(7)
    ]

    def answer(request: web.Request) -> web.Answer:
        data: list[Any] = []
        if request.path.endswith("withdrawal-history"):
            first, last = times(request, "before", "after")
            data = [one for one in reversed(withdrawals) if first < int(one["ts"]) < last][:3]
        elif not request.path.endswith("deposit-history"):
            return okx(request)
        return web.Answer({"code": "0", "msg": "", "data": data})

    with web.serving(answer) as server:
        balances = {"wallet_id": "o", "transfers": {}}
        rows, _ = pulled(connector(tmp_path, server, venue="okx", balances=balances, **keys))
    amounts = {row["transfer_id"]: row["amount"] for row in rows["wallet_transfers"]}
    names = [f"o:withdrawal:w{number}" for number in range(7)]
    assert amounts == dict.fromkeys(names, "-0.1") | {f"{name}:fee": "-0.0004" for name in names}


def test_a_secret_of_another_form_is_the_configurations_fault(
    tmp_path: Path, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENUE_SECRET", "abcde")
    with web.serving(Kraken()) as server, pytest.raises(ConfigurationError, match="the secret isn't of the form"):
        pulled(connector(tmp_path, server, venue="kraken", balances={"wallet_id": "k"}, **keys))
