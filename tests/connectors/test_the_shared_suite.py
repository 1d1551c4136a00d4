"""The shared suite on a connector as small as can be; and it must not pass connectors with a defect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestration.connectors import configuration
from orchestration.connectors.base import Batch, Completed, Connector, Feed, Order, Probe, Services, SourceConfiguration
from orchestration.connectors.configuration import Source
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.kinds import Kind
from orchestration.connectors.limits import Limits
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.pulling import PullError
from orchestration.connectors.secrets import Address, VariableName
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults

DAY = date(2026, 3, 4)
BALANCES = [("w1", "BTC", "1.5"), ("w2", "BTC", "0.000000000000000001"), ("w3", "ETH", "12345678901234567890")]


class SampleConfiguration(SourceConfiguration):
    url: Address
    token_variable: VariableName
    http: HttpSettings = HttpSettings()
    limits: Limits = Limits()


class SampleConnector(Connector):
    """Pages of balances behind a token."""

    configuration_class: ClassVar[type[SourceConfiguration]] = SampleConfiguration

    def __init__(self, name: str, configuration: SampleConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        headers = {"authorization": f"Bearer {services.secrets.read(configuration.token_variable)}"}
        url = services.secrets.fill(configuration.url)
        self.client = HttpClient(url, services, configuration.http, configuration.limits, headers)

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        return (Feed("wallet_balances"),)

    def check(self) -> Iterator[Probe]:
        self.client.get_json("balances", {"page": 0})
        yield Probe("balances", True, "the token may read them")

    def page(self, cursor: Any) -> Page:
        answer = self.client.get_json("balances", {"page": cursor})
        return Page(answer["items"], answer["next"])

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        for page in pages(self.page, "balances", start=order.resume or 0):
            columns: dict[str, list[Any]] = {
                "wallet_id": [item[0] for item in page.items],
                "asset": [item[1] for item in page.items],
                "balance": [item[2] for item in page.items],
                "as_of": [f"{order.day}T23:59:59Z"] * len(page.items),
            }
            yield Batch("wallet_balances", self.table_of(columns), page.next_cursor)
        yield Completed({"day": str(order.day)})


class SampleKind(Kind):
    connector_class: ClassVar[type[Connector]] = SampleConnector

    def load(self) -> type[Connector]:
        return self.connector_class


def answer(request: web.Request) -> web.Answer:
    if request.headers.get("authorization") != f"Bearer {SECRET}":
        return web.Answer({"error": "who are you?"}, 401)
    page = int(request.query["page"])
    return web.Answer({"items": BALANCES[page : page + 1], "next": page + 1 if page + 1 < len(BALANCES) else None})


def page_again(request: web.Request, honest: web.Answer) -> web.Answer:
    return web.Answer({"items": [BALANCES[0]], "next": int(request.query["page"]) + 1})


def cursor_again(request: web.Request, honest: web.Answer) -> web.Answer:
    return web.Answer({"items": [[request.query["page"], "X", "1"]], "next": 1})


class StopsEarly(SampleConnector):
    """Takes the first page for all there is."""

    def page(self, cursor: Any) -> Page:
        return Page(super().page(cursor).items)


class WritesFloats(SampleConnector):
    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        import pyarrow as pa

        for batch in super().pull(order):
            if isinstance(batch, Batch):
                floats = pa.array([float(value) for value in batch.rows["balance"].to_pylist()])
                yield Batch(batch.table, batch.rows.set_column(2, "balance", floats))
            else:
                yield batch


class NeverCompletes(SampleConnector):
    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        return (batch for batch in super().pull(order) if isinstance(batch, Batch))


class TestSample(ConformanceTests):
    @pytest.fixture
    def case(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
        kind = SampleKind("sample", "", "", "")
        monkeypatch.setattr(configuration, "kinds_by_name", lambda: {"sample": kind})
        with web.serving(answer) as server:

            def heal() -> None:
                server.fault = None

            def become(fault: web.Fault) -> None:
                server.fault = fault

            nothing = web.Answer({"items": [], "next": None})
            yield Case(
                section={"kind": "sample", "url": server.url, "token_variable": "SAMPLE_TOKEN", **HTTP_SETTINGS},
                variables={"SAMPLE_TOKEN": SECRET},
                day=DAY,
                expected={
                    "wallet_balances": [
                        {"wallet_id": wallet, "asset": asset, "balance": balance, "as_of": f"{DAY} 23:59:59"}
                        for wallet, asset, balance in BALANCES
                    ]
                },
                faults={
                    **http_faults(server),
                    "empty": Fault(lambda: become(lambda *_: nothing), "counts as missing"),
                    "page loop": Fault(lambda: become(page_again), "the same page twice"),
                    "cursor loop": Fault(lambda: become(cursor_again), "the same cursor twice"),
                },
                heal=heal,
            )

    @pytest.mark.parametrize("defective", [StopsEarly, WritesFloats, NeverCompletes])
    def test_a_connector_with_a_defect_does_not_pass(
        self, defective: type[Connector], case: Case, source: Source, landing: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SampleKind, "connector_class", defective)
        with pytest.raises((AssertionError, PullError)):
            self.test_what_is_pulled_is_exact_and_conforms(case, source, landing)
