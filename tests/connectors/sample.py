"""A connector as small as can be, and the server it asks: pages of balances behind a token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from orchestration.connectors.base import Batch, Completed, Connector, Feed, Order, Probe, Services, SourceConfiguration
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.kinds import Kind
from orchestration.connectors.limits import Limits
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.secrets import Address, VariableName
from tests.connectors import web
from tests.connectors.conformance import SECRET

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
