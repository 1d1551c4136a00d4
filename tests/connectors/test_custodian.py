"""Custodians: balances over HTTP and JSON, and in CSV files, held against the register of wallets."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.connectors.base import Clock, Completed, Json, Order, Services, SourceConfiguration
from orchestration.connectors.configuration import Source
from orchestration.connectors.custodian import CustodianApiConnector, CustodianFilesConnector, holdings
from orchestration.connectors.custodian.api import CustodianApiConfiguration
from orchestration.connectors.custodian.files import CustodianFilesConfiguration
from orchestration.connectors.custodian.holdings import amount_of, moment_of
from orchestration.connectors.custodian.paths import rows_at
from orchestration.connectors.errors import (
    AnswerError,
    EmptyAnswerError,
    SourceError,
    TooLateError,
)
from orchestration.connectors.http import HttpClient, Response
from orchestration.connectors.kinds import kinds_by_name
from orchestration.connectors.pulling import pull_day
from orchestration.connectors.register import RegisteredWallet, registered_wallets
from orchestration.contract import table
from orchestration.errors import ConfigurationError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults

DAY = date(2026, 3, 4)
EXAMPLES = Path(holdings.__file__).parents[1] / "examples"


def wallet(wallet_id: str, address: str | None) -> dict[str, str | None]:
    return {
        "wallet_id": wallet_id,
        "network": "custodian",
        "address": address,
        "owner_entity_id": "operator",
        "purpose": "customer",
        "custody": "custodian",
        "encumbered_pct": "0",
        "ownership_proof": "custodian_letter",
        "proven_at": "2026-01-01",
        "valid_from": "2026-01-01",
        "recorded_at": "2026-01-01",
    }


def balance(wallet_id: str, asset: str, amount: str, as_of: str = f"{DAY} 23:59:59") -> dict[str, str | None]:
    return {"wallet_id": wallet_id, "asset": asset, "balance": amount, "as_of": as_of}


# Over HTTP

VAULTS = [
    {"id": "V-1", "assets": [{"name": "XBT", "total": {"amount": "1.000000000000000001"}}]},
    {"id": "v-2", "assets": [{"name": "ETH", "total": {"amount": 12}}, {"name": "XBT", "total": {"amount": "1E-8"}}]},
]


def vaults(request: web.Request) -> web.Answer:
    if request.headers.get("x-api-key") != SECRET:
        return web.Answer({"error": "who are you?"}, 401)
    assert request.query["date"] == str(DAY)
    page = int(request.query.get("after", "0"))
    return web.Answer({"data": {"vaults": VAULTS[page : page + 1]}, "next": str(page + 1) if page == 0 else None})


def page_again(request: web.Request, honest: web.Answer) -> web.Answer:
    following = int(request.query.get("after", "0")) + 1
    return web.Answer({"data": {"vaults": VAULTS[:1]}, "next": str(following)})


def cursor_again(request: web.Request, honest: web.Answer) -> web.Answer:
    name = f"V-{request.query.get('after')}"
    return web.Answer({"data": {"vaults": [{"id": name, "assets": []}]}, "next": "1"})


def without_cursor(request: web.Request, honest: web.Answer) -> web.Answer:
    return web.Answer({"data": {"vaults": VAULTS}})


def one_vault(request: web.Request, honest: web.Answer) -> web.Answer:
    return web.Answer({"data": {"vaults": VAULTS[:1]}, "next": None})


def another_vault(request: web.Request, honest: web.Answer) -> web.Answer:
    more = [{"id": "V-9", "assets": [{"name": "BTC", "total": {"amount": "5"}}]}]
    return web.Answer({"data": {"vaults": VAULTS + more}, "next": None})


def no_amount(request: web.Request, honest: web.Answer) -> web.Answer:
    return web.Answer({"data": {"vaults": [{"id": "V-1", "assets": [{"name": "A", "total": {}}]}]}, "next": None})


class TestCustodianApi(ConformanceTests):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with web.serving(vaults) as server:

            def become(fault: web.Fault | None) -> Callable[[], None]:
                return lambda: setattr(server, "fault", fault)

            nothing = web.Answer({"data": {"vaults": []}, "next": None})
            yield Case(
                section={
                    "kind": "custodian_api",
                    "url": server.url,
                    "path": "balances",
                    "headers": {"X-Api-Key": "${CUSTODIAN_KEY}"},
                    "query": {"date": "{day}"},
                    "paging": {"by": "cursor", "parameter": "after", "path": "next"},
                    "rows": "data.vaults.assets",
                    "columns": {"account": "^id", "asset": "name", "balance": "total.amount"},
                    "assets": {"XBT": "BTC"},
                    "balances_are": "of_the_day",
                    **HTTP_SETTINGS,
                },
                variables={"CUSTODIAN_KEY": SECRET},
                day=DAY,
                wallets=[wallet("cold", "v-1"), wallet("deep", "V- 2")],
                expected={
                    "wallet_balances": [
                        balance("cold", "BTC", "1.000000000000000001"),
                        balance("deep", "ETH", "12"),
                        balance("deep", "BTC", "0.00000001"),
                    ]
                },
                faults={
                    **http_faults(server),
                    "empty": Fault(become(lambda *_: nothing), "counts as missing"),
                    "page loop": Fault(become(page_again), "the same page twice"),
                    "cursor loop": Fault(become(cursor_again), "the same cursor twice"),
                    "no cursor": Fault(become(without_cursor), "has no next"),
                    "a wallet left out": Fault(become(one_vault), "nothing came for wallet deep"),
                    "an unknown account": Fault(become(another_vault), "account 'V-9' holds BTC and isn't registered"),
                    "no amount": Fault(become(no_amount), "has no amount (of total.amount)"),
                },
                heal=become(None),
            )


class Custodian:
    """A connector whose HTTP client is a function of the test, and whose register is what the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.landing = tmp_path
        self.wallets = [("w1", "A1"), ("w2", "A2")]
        self.asked: list[dict[str, Any]] = []
        self.heard: list[str] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: []
        self.headers = {"date": "Thu, 05 Mar 2026 00:20:00 GMT"}
        self.now = datetime(2026, 3, 5, 0, 30)
        self.section: dict[str, Any] = {
            "query": {"day": "{day}"},
            "rows": "",
            "columns": {"account": "account", "asset": "asset", "balance": "balance"},
            "balances_are": "of_the_day",
        }
        monkeypatch.setattr(
            holdings, "registered_wallets", lambda *_, **__: tuple(RegisteredWallet(*each) for each in self.wallets)
        )

        def exchange(client: HttpClient, method: str, path: str = "", **options: Any) -> Response:
            body = json.loads(options["body"]) if options.get("body") else {}
            query, headers = options.get("query") or {}, {**client.headers, **(options.get("headers") or {})}
            self.asked.append({"method": method, "path": path, "query": query, "body": body, "headers": headers})
            data = json.dumps(self.answer(self.asked[-1])).encode()
            if options.get("busy"):
                options["busy"](data)
            return Response(200, self.headers, data)

        monkeypatch.setattr(HttpClient, "exchange", exchange)

    def connector(self) -> CustodianApiConnector:
        section = {"kind": "custodian_api", "url": "http://custodian.example", **self.section}
        services = Services(self.landing, clock=Clock(now=lambda: self.now), report=self.heard.append)
        return CustodianApiConnector("c", CustodianApiConfiguration.model_validate(section), services)

    def pull(self) -> list[tuple[str, ...]]:
        batch, completed = self.connector().pull(Order(DAY))
        assert isinstance(completed, Completed)
        return [tuple(row.values()) for row in batch.rows.to_pylist()]


@pytest.fixture
def custodian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Custodian:
    return Custodian(monkeypatch, tmp_path)


def row(account: str, asset: str = "BTC", amount: Any = "1", **more: Any) -> dict[str, Any]:
    return {"account": account, "asset": asset, "balance": amount, **more}


BOTH = [row("A1"), row("A2")]
END = f"{DAY}T23:59:59"


def test_one_answer_without_pages(custodian: Custodian) -> None:
    custodian.answer = lambda _: BOTH
    assert custodian.pull() == [("w1", "BTC", "1" + "." + "0" * 18, END), ("w2", "BTC", "1" + "." + "0" * 18, END)]
    assert custodian.asked[0]["query"] == {"day": "2026-03-04"}


def test_pages_by_number_end_with_an_empty_one(custodian: Custodian) -> None:
    custodian.section["paging"] = {"by": "page", "parameter": "page", "first": 1}
    custodian.answer = lambda asked: BOTH[asked["query"]["page"] - 1 :][:1]
    assert len(custodian.pull()) == 2
    assert [asked["query"]["page"] for asked in custodian.asked] == [1, 2, 3]


def by_offset(custodian: Custodian, *answers: tuple[list[Any], Any]) -> None:
    custodian.section |= {
        "rows": "rows",
        "method": "POST",
        "query": {},
        "body": {"day": "{next_day}", "list": ["{day}", 1]},
        "paging": {"by": "offset", "parameter": "skip", "total": "total"},
    }
    given = iter(answers)

    def answer(_: dict[str, Any]) -> Any:
        rows, total = next(given)
        return {"rows": rows, "total": total}

    custodian.answer = answer


def test_pages_by_offset_end_with_the_total(custodian: Custodian) -> None:
    by_offset(custodian, (BOTH[:1], 2), (BOTH[1:], 2))
    assert len(custodian.pull()) == 2
    assert [asked["body"]["skip"] for asked in custodian.asked] == [0, 1]
    assert custodian.asked[0]["body"]["day"] == "2026-03-05"
    assert custodian.asked[0]["body"]["list"] == ["2026-03-04", 1]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([(BOTH[:1], 2), ([], 2)], "2 rows are said to be there and 1 came"),
        ([(BOTH, 1)], "1 rows are said to be there and 2 came"),
        ([(BOTH[:1], 2), (BOTH[1:], 3)], "2 rows became 3 between pages"),
        ([(BOTH, "2")], "total is no number of rows"),
        ([(BOTH[:1], 3), (BOTH[:1], 3)], "the same page twice"),
    ],
)
def test_a_total_that_does_not_fit_is_refused(custodian: Custodian, answers: list[Any], says: str) -> None:
    by_offset(custodian, *answers)
    with pytest.raises(AnswerError, match=says):
        custodian.pull()


def test_the_last_page_may_leave_its_cursor_out_if_that_is_said(custodian: Custodian) -> None:
    custodian.section |= {"rows": "rows", "paging": {"by": "cursor", "parameter": "c", "path": "next", "end": "absent"}}
    custodian.answer = lambda asked: {"rows": BOTH[1:]} if asked["query"].get("c") else {"rows": BOTH[:1], "next": 7}
    assert len(custodian.pull()) == 2
    custodian.answer = lambda _: {"rows": BOTH, "next": {"page": 2}}
    with pytest.raises(AnswerError, match="next is no cursor"):
        custodian.pull()


def test_a_login_gives_the_token_that_the_rest_bears(custodian: Custodian, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTODIAN_PASSWORD", "pass-word-1")
    custodian.section["login"] = {
        "path": "login",
        "body": {"user": "ringfence", "password": "${CUSTODIAN_PASSWORD}"},
        "token": "auth.token",
    }
    custodian.answer = lambda asked: {"auth": {"token": "t-0-k-e-n"}} if asked["path"] == "login" else BOTH
    assert len(custodian.pull()) == 2
    login, balances = custodian.asked
    assert login["body"]["password"] == "pass-word-1"
    assert balances["headers"]["authorization"] == "Bearer t-0-k-e-n"
    connector = custodian.connector()
    list(connector.pull(Order(DAY)))
    assert connector.services.secrets.redact("t-0-k-e-n pass-word-1") == "*** ***"


def test_balances_of_now_are_stamped_by_the_servers_clock(custodian: Custodian) -> None:
    custodian.section |= {"query": {}, "balances_are": "of_now"}
    custodian.answer = lambda _: BOTH
    assert {row[3] for row in custodian.pull()} == {"2026-03-05T00:20:00"}
    custodian.headers = {}
    with pytest.raises(AnswerError, match="the answer has no time"):
        custodian.pull()
    custodian.now = datetime(2026, 3, 5, 7)
    with pytest.raises(TooLateError, match="can only be had as they are now"):
        custodian.pull()
    feed = CustodianApiConnector.feeds_of(custodian.connector().settings)[0]
    assert feed.of_the_present


def test_balances_of_now_may_name_their_moment(custodian: Custodian) -> None:
    custodian.section |= {"query": {}, "balances_are": "of_now"}
    custodian.section["columns"] = {**custodian.section["columns"], "as_of": "at"}
    custodian.answer = lambda _: [row("A1", at="2026-03-05T01:00:00+01:00"), row("A2", at=1772669700123)]
    assert [row[3] for row in custodian.pull()] == ["2026-03-05T00:00:00", "2026-03-05T00:15:00.123000"]
    custodian.answer = lambda _: [row("A1", at="2026-03-04T12:00:00Z")]
    with pytest.raises(AnswerError, match="before the end of 2026-03-04"):
        custodian.pull()


@pytest.mark.parametrize(
    ("at", "is_taken"),
    [
        ("2026-03-04T00:00:00Z", True),
        ("2026-03-05T00:00:00Z", True),
        ("2026-03-03T23:59:59Z", False),
        ("2026-03-05T00:00:01Z", False),
        ("2026-03-05T00:30:00+01:00", True),
    ],
)
def test_balances_of_a_day_are_of_that_day(custodian: Custodian, at: str, is_taken: bool) -> None:
    custodian.section["columns"] = {**custodian.section["columns"], "as_of": "at"}
    custodian.answer = lambda _: [row("A1", at=at), row("A2", at=at)]
    if is_taken:
        assert len(custodian.pull()) == 2
    else:
        with pytest.raises(AnswerError, match="and not of 2026-03-04"):
            custodian.pull()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("A1"), row("A2", amount=None)], "balance is no amount"),
        ([row("A1"), row("A2", amount=True)], "balance is no amount"),
        ([row("A1"), row("A2", amount="")], "the amount is missing"),
        ([row("A1"), row("A2", amount="1,234")], "a thousand times"),
        ([row("A1"), row("A2", amount="0.0000000000000000001")], "more than 18"),
        ([row("A1"), row("A2", amount="1" + "0" * 20)], "more than 20 digits"),
        ([row("A1"), row("A2", amount="many")], "is not a number"),
        ([row("A1"), row("")], "account is no name"),
        ([row("A1"), row("A2", asset=None)], "asset is no name"),
        ([row("A1"), row("A1", amount="2"), row("A2")], "listed twice"),
        ([row("A1"), {"account": "A2", "asset": "BTC"}], "has no balance"),
        ([row("A1"), row("A2"), row("X")], "'X' holds BTC and isn't registered"),
        ([row("A1"), "A2"], "has no account"),
        ({"error": "maintenance"}, "has no account"),
        ("maintenance", "neither list nor object"),
    ],
)
def test_an_answer_that_cannot_be_taken_is_refused(custodian: Custodian, rows: Any, says: str) -> None:
    custodian.answer = lambda _: rows
    with pytest.raises(AnswerError, match=says):
        custodian.pull()


def test_a_wallet_without_a_row_is_missing(custodian: Custodian) -> None:
    custodian.answer = lambda _: BOTH[:1]
    with pytest.raises(EmptyAnswerError, match="nothing came for wallet w2 of 2026-03-04, which counts as missing"):
        custodian.pull()


def test_what_is_not_of_this_source_is_left_out_and_told(custodian: Custodian) -> None:
    custodian.section |= {"wallets": ["w1"], "unregistered_accounts": "leave_out"}
    custodian.answer = lambda _: [*BOTH, row("X")]
    assert [row[0] for row in custodian.pull()] == ["w1"]
    assert any("wallet w2 isn't one of this source" in heard for heard in custodian.heard)
    assert any("account 'X' isn't registered" in heard for heard in custodian.heard)


def test_accounts_are_named_in_the_configuration_and_added_up(custodian: Custodian) -> None:
    custodian.section |= {"accounts": {"main": "w1", "staked": "w1", "17": "w2"}}
    custodian.answer = lambda _: [row("main", amount="0.1"), row("staked", amount="0.2"), row(17, amount=5)]
    assert [(row[0], Decimal(row[2])) for row in custodian.pull()] == [("w1", Decimal("0.3")), ("w2", Decimal(5))]
    custodian.section["accounts"] = {"main": "w7"}
    with pytest.raises(ConfigurationError, match="wallet w7 isn't registered in network custodian"):
        custodian.pull()


def test_an_account_that_is_listed_under_two_wallets_is_left_to_the_checks(custodian: Custodian) -> None:
    custodian.wallets.append(("w3", "a 1"))
    custodian.answer = lambda _: BOTH
    assert [row[0] for row in custodian.pull()] == ["w1", "w2", "w3"]


def test_balances_may_be_pairs_of_names_and_amounts(custodian: Custodian) -> None:
    custodian.section |= {"rows": "funds", "columns": {"account": "=A1", "asset": "@key", "balance": "@value.free"}}
    custodian.section["wallets"] = ["w1"]
    custodian.answer = lambda _: {"funds": {"BTC": {"free": "1"}, "ETH": {"free": 2}}}
    assert [(row[0], row[1], Decimal(row[2])) for row in custodian.pull()] == [("w1", "BTC", 1), ("w1", "ETH", 2)]


def test_a_path_out_of_the_answer_is_refused() -> None:
    (only,) = rows_at({"a": [{"b": 1}]}, "a", "answer")
    assert only.value("b") == 1
    with pytest.raises(AnswerError, match="leads out of the answer"):
        only.value("^id")
    with pytest.raises(AnswerError, match="has no c"):
        rows_at({"a": []}, "c", "answer")


def test_checking_reads_one_row_at_any_time_of_day(custodian: Custodian) -> None:
    custodian.section |= {"query": {}, "balances_are": "of_now"}
    custodian.now = datetime(2026, 3, 5, 15)
    custodian.answer = lambda _: BOTH
    first, second = custodian.connector().check()
    assert first.works
    assert first.detail == "2 rows on its first page, the first of account A1 in BTC"
    assert second.works
    custodian.answer = lambda _: []
    assert not next(iter(custodian.connector().check())).works


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query": {}}, "needs {day} or {next_day}"),
        ({"balances_are": "of_now"}, "asks for no {day}"),
        ({"body": {"a": "b"}}, "a GET has none"),
        ({"rows": "a..b"}, "names with dots"),
        ({"columns": {"account": "^", "asset": "a", "balance": "b"}}, "names with dots"),
        ({"paging": {"by": "magic"}}, "paging"),
        ({"url": "http://me:secret@x"}, "password"),
        ({"grace_hours": 48, "balances_are": "of_now", "query": {}}, "grace_hours"),
    ],
)
def test_a_wrong_api_configuration_is_refused(custodian: Custodian, changes: dict[str, Any], says: str) -> None:
    custodian.section |= changes
    with pytest.raises(ValueError, match=says):
        custodian.connector()


@pytest.mark.parametrize("value", ["yesterday", None, True, 5, "2026-13-01", {"at": 1}])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(AnswerError, match="as_of is no time"):
        moment_of(value, "row 1", "as_of")


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [
        ("1.234.567,89", True, "1234567.89"),
        ("1'234,5", True, "1234.5"),
        ("1 234", True, "1234"),
        ("-0,000000000000000001", True, "-0.000000000000000001"),
        ("1,5E-7", True, "0.00000015"),
        ("1.234", True, "1234"),
        ("1.5", True, None),
        ("1,234", None, None),
        ("1,234", False, "1234"),
        ("1,234.5", None, "1234.5"),
        ("12,345,678", None, "12345678"),
        ("1,5", None, None),
        ("1,5", False, None),
        ("1.234", None, "1.234"),
        (",", True, None),
    ],
)
def test_commas_mean_what_is_said_or_nothing(text: str, comma: bool | None, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(AnswerError):
            amount_of(text, "line 1", "balance", comma)
    else:
        assert amount_of(text, "line 1", "balance", comma) == Decimal(expected)


def test_a_wallet_needs_an_address_only_where_it_is_asked_for_by_it(tmp_path: Path) -> None:
    names = table("wallets").column_names
    (tmp_path / "wallets").mkdir()
    lines = [",".join(names), ",".join(wallet("w1", None).get(name) or "" for name in names)]
    (tmp_path / "wallets" / "w.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ConfigurationError, match="has no address"):
        registered_wallets(tmp_path, "custodian", DAY)
    (found,) = registered_wallets(tmp_path, "custodian", DAY, with_address=False)
    assert (found.wallet_id, found.address) == ("w1", "")


# In files


class TestCustodianFiles(ConformanceTests):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        folder = tmp_path / "custodian"
        first = (
            '\ufeffAccount No;Asset;"Total balance";Remark\n'
            "V-1;XBT;1.234,000000000000000001;\n"
            'V-2;ETH;12;"a; b"\nTotal;;99;\n'
        )
        files = {
            f"{DAY}-a.csv": first.encode(),
            f"{DAY}-b.csv.gz": gzip.compress(first.replace("ETH", "XBT").encode(), mtime=0),
        }
        second = files[f"{DAY}-b.csv.gz"] = gzip.compress(
            b"Account No;Asset;Total Balance;Remark\nV-2;XBT;0;\n", mtime=0
        )

        def heal() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, content in files.items():
                (folder / name).write_bytes(content)

        def instead(name: str, content: bytes) -> Callable[[], object]:
            return lambda: (folder / name).write_bytes(content)

        def gone() -> None:
            shutil.rmtree(folder)

        def empty() -> None:
            gone()
            folder.mkdir()

        heal()
        last = f"{DAY}-b.csv.gz"
        return Case(
            section={
                "kind": "custodian_files",
                "folder": str(folder),
                "files": "{date}-*.csv*",
                "columns": {"account": "account no", "asset": "asset", "balance": "total balance"},
                "decimal_comma": True,
                "leave_out": {"account no": ["total"]},
                "assets": {"XBT": "BTC"},
                "limits": {"max_megabytes": 2},
            },
            day=DAY,
            is_http=False,
            wallets=[wallet("cold", "V-1"), wallet("deep", "V-2")],
            heal=heal,
            expected={
                "wallet_balances": [
                    balance("cold", "BTC", "1234.000000000000000001"),
                    balance("deep", "ETH", "12"),
                    balance("deep", "BTC", "0"),
                ]
            },
            faults={
                "down": Fault(gone, "isn't there"),
                "midway": Fault(instead(last, second[:-5]), "gzip"),
                "empty": Fault(empty, "counts as missing"),
                "rubbish": Fault(instead(last, b"<html>Welcome!</html>"), "no column 'account no' among"),
                "oversized": Fault(instead(last, b"x" * 3_000_000), "larger than 2 MB"),
                "bomb": Fault(instead(last, gzip.compress(b" " * 1_900_000, mtime=0)), "decompresses to more than"),
                "nothing in it": Fault(instead(last, b""), "counts as missing"),
                "a wallet left out": Fault(
                    instead(f"{DAY}-a.csv", b"Account No;Asset;Total Balance\nV-2;ETH;12\n"),
                    "nothing came for wallet cold",
                ),
                "an unknown account": Fault(
                    instead(f"{DAY}-c.csv", b"Account No;Asset;Total Balance\nV-9;ETH;12\n"), "isn't registered"
                ),
            },
        )


class Files:
    """A connector on a folder, pulled day after day."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.folder, self.position = tmp_path, None
        self.position: Json
        self.section: dict[str, Any] = {
            "files": "*.csv",
            "columns": {"account": "account", "asset": "asset", "balance": "balance", "as_of": "day"},
        }
        monkeypatch.setattr(holdings, "registered_wallets", lambda *_, **__: (RegisteredWallet("w1", "A1"),))

    def write(self, name: str, *lines: str, header: str = "account,asset,balance,day") -> None:
        (self.folder / name).write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")

    def pull(self, day: date = DAY) -> list[tuple[str, str]]:
        section = {"kind": "custodian_files", "folder": str(self.folder), **self.section}
        configuration = CustodianFilesConfiguration.model_validate(section)
        connector = CustodianFilesConnector("c", configuration, Services(self.folder))
        batch, completed = connector.pull(Order(day, self.position))
        assert isinstance(completed, Completed)
        self.position = json.loads(json.dumps(completed.position))
        return [(row["as_of"], format(Decimal(row["balance"]).normalize(), "f")) for row in batch.rows.to_pylist()]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Files:
    return Files(monkeypatch, tmp_path)


def test_a_file_of_many_days_is_taken_day_by_day(files: Files) -> None:
    files.write("all.csv", *[f"A1,BTC,{number},2026-03-0{number}" for number in range(3, 7)])
    assert files.pull() == [("2026-03-04T23:59:59", "4")]
    assert files.pull(DAY + timedelta(1)) == [("2026-03-05T23:59:59", "5")]
    assert files.pull(DAY + timedelta(2)) == [("2026-03-06T23:59:59", "6")]
    with pytest.raises(EmptyAnswerError, match="nothing came for wallet w1 of 2026-03-07"):
        files.pull(DAY + timedelta(3))


def test_a_correction_comes_late_with_the_day_that_finds_it(files: Files) -> None:
    files.write("a.csv", "A1,BTC,4,2026-03-04")
    files.pull()
    files.write("a.csv", "A1,BTC,5,2026-03-04")
    files.write("b.csv", "A1,BTC,6,2026-03-05")
    assert files.pull(DAY + timedelta(1)) == [("2026-03-04T23:59:59", "5"), ("2026-03-05T23:59:59", "6")]


def test_files_that_go_on_from_the_month_before_land_what_is_new(tmp_path: Path) -> None:
    names, landing, folder = table("wallets").column_names, tmp_path / "landing", tmp_path / "files"
    (landing / "wallets").mkdir(parents=True)
    folder.mkdir()
    lines = [",".join(names), ",".join(wallet("w1", "A1").get(name) or "" for name in names)]
    (landing / "wallets" / "w.csv").write_text("\n".join(lines) + "\n")
    columns = {"account": "account", "asset": "asset", "balance": "balance", "as_of": "day"}
    section = {"kind": "custodian_files", "folder": str(folder), "files": "*.csv", "columns": columns}
    configuration = CustodianFilesConfiguration.model_validate(section)
    source = Source("c", kinds_by_name()["custodian_files"], configuration)
    clock = Clock(now=lambda: datetime(2026, 3, 10))
    rows, landed = ["account,asset,balance,day"], []
    for number in range(4, 7):
        rows.append(f"A1,BTC,{number},2026-03-0{number}")
        (folder / f"{number}.csv").write_text("\n".join(rows) + "\n")
        manifest = pull_day(source, landing, date(2026, 3, number), clock)
        assert manifest is not None
        landed.append([file.rows for file in manifest.files])
    assert landed == [[1], [1], [1]]


def test_two_files_may_say_the_same_and_nothing_else(files: Files) -> None:
    files.write("a.csv", "A1,BTC,4,2026-03-04")
    files.write("b.csv", "A1,BTC,4.0,2026-03-04")
    assert files.pull() == [("2026-03-04T23:59:59", "4")]
    files.write("c.csv", "A1,BTC,5,2026-03-05")
    files.write("d.csv", "A1,BTC,6,2026-03-05")
    with pytest.raises(AnswerError, match="listed twice"):
        files.pull(DAY + timedelta(1))


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("%d.%m.%Y", "04.03.2026", "2026-03-04T23:59:59"),
        ("%d/%m/%Y %H:%M", "04/03/2026 18:30", "2026-03-04T18:30:00"),
        ("%Y-%m-%d %H:%M %z", "2026-03-05 00:30 +0100", "2026-03-04T23:30:00"),
        (None, "20260304", "2026-03-04T23:59:59"),
        (None, "2026-03-04T10:00:00Z", "2026-03-04T10:00:00"),
        (None, "1772618400", "2026-03-04T10:00:00"),
    ],
)
def test_days_come_in_many_spellings(files: Files, written: str | None, text: str, expected: str) -> None:
    files.section["date_format"] = written
    files.write("a.csv", f"A1,BTC,1,{text}")
    assert files.pull() == [(expected, "1")]


@pytest.mark.parametrize(
    ("lines", "changes", "says"),
    [
        (["A1,BTC,,2026-03-04"], {}, "balance is no amount"),
        (["A1,BTC,1"], {}, "a.csv, line 2 has 3 cells and the header 4"),
        (["A1,BTC,1,000,2026-03-04"], {}, "line 2 has 5 cells"),
        (['A1,BTC,"1,000",2026-03-04'], {}, "a thousand times"),
        (["A1,,1,2026-03-04"], {}, "asset is no name"),
        (["A1,BTC,1,2026-02-30"], {}, "as_of '2026-02-30' is no day"),
        (["A1,BTC,1,"], {}, "as_of is no time"),
        (['A1,"BTC,1,2026-03-04'], {}, "no row of a table"),
        (["A1,BTC,1,04.03.2026"], {"date_format": "%d/%m/%Y"}, "is no day"),
        (["A1,BTC,1,2026-03-04", "A1,BTC,1,2026-03-04"], {}, "listed twice"),
        (["A1,BTC,1,2026-03-04"], {"delimiter": ";"}, "no column 'account' among"),
        (["A1,BTC,1,2026-03-04"], {"leave_out": {"kind": ["total"]}}, "no column 'kind' among"),
        (["A1,BTC,1,2026-03-04"], {"lines_before_header": 5}, "has no header"),
    ],
)
def test_a_line_that_is_not_as_configured_is_refused(
    files: Files, lines: list[str], changes: dict[str, Any], says: str
) -> None:
    files.section |= changes
    files.write("a.csv", *lines)
    with pytest.raises(SourceError, match=says):
        files.pull()


def test_a_header_that_names_a_column_twice_is_refused(files: Files) -> None:
    files.write("a.csv", "A1,BTC,1,2026-03-04,2", header="account,asset,balance,day,Balance")
    with pytest.raises(AnswerError, match="more than one column 'balance'"):
        files.pull()


def test_text_that_is_not_utf_8_is_refused(files: Files) -> None:
    (files.folder / "a.csv").write_bytes("account,asset,balance,day\nA1,M\u00fcnze,1,2026-03-04\n".encode("latin-1"))
    with pytest.raises(AnswerError, match="line 2 is not UTF-8"):
        files.pull()


def test_lines_before_the_header_and_constants(files: Files) -> None:
    files.section = {
        "files": "{date:%Y%m%d}.csv",
        "lines_before_header": 2,
        "columns": {"account": "=A1", "asset": "coin", "balance": "held"},
    }
    files.write("20260304.csv", "", "coin|held", "BTC|1.5", "", "|", header="Report of the custodian")
    assert files.pull() == [("2026-03-04T23:59:59", "1.5")]


def test_name_and_column_must_agree_on_the_day(files: Files) -> None:
    files.section["files"] = "{date}.csv"
    files.write("2026-03-04.csv", "A1,BTC,1,2026-03-03")
    with pytest.raises(AnswerError, match="is of 2026-03-03 and the file's name says 2026-03-04"):
        files.pull()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"columns": {"account": "a", "asset": "b", "balance": "c"}}, "of which day"),
        ({"columns": {"account": "a", "asset": "b", "balance": "c", "as_of": "=x"}}, "as_of is a column"),
        (
            {"files": "{date}.csv", "columns": {"account": "a", "asset": "b", "balance": "c"}, "date_format": "%d"},
            "date_format is of",
        ),
        ({"delimiter": ":"}, "delimiter"),
    ],
)
def test_a_wrong_files_configuration_is_refused(files: Files, changes: dict[str, Any], says: str) -> None:
    files.section |= changes
    with pytest.raises(ValueError, match=says):
        files.pull()


@pytest.mark.parametrize(
    ("name", "configuration"),
    [("custodian_api", CustodianApiConfiguration), ("custodian_files", CustodianFilesConfiguration)],
)
def test_the_examples_are_configurations_with_every_key(name: str, configuration: type[SourceConfiguration]) -> None:
    (section,) = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")).values()
    assert set(section) == set(configuration.model_fields)
    configuration.model_validate(section)
