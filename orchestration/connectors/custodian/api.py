"""A custodian's HTTP interface: one request, its pages, and where in the JSON the balances are.

What belongs here: configuration, requests, paging, the moment that an answer is of. What doesn't: reading JSON
(``paths``), whose balances they are (``holdings``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.connectors.base import Batch, Completed, Connector, Feed, Order, Probe, Services, SourceConfiguration
from orchestration.connectors.custodian.holdings import (
    NETWORK,
    CustodianConfiguration,
    Line,
    Register,
    amount_of,
    balances_of,
    moment_of,
    require_every_wallet,
    text_of,
)
from orchestration.connectors.custodian.paths import Row, RowsPath, ValuePath, rows_at, value_at
from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.present import DEFAULT_GRACE_HOURS, GraceHours, require_in_time, stamp
from orchestration.connectors.secrets import Address

_DAY_NAMES = ("{day}", "{next_day}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Part):
    """Where in a row its values are."""

    account: ValuePath
    asset: ValuePath
    balance: ValuePath
    as_of: ValuePath | None = None


class ByCursor(_Part):
    """Each page names the next one; ``path`` leads to that, and ``parameter`` asks for it."""

    by: Literal["cursor"]
    parameter: str
    path: ValuePath
    end: Literal["null", "absent"] = "null"


class ByPage(_Part):
    """Pages have numbers, and the one after the last is empty."""

    by: Literal["page"]
    parameter: str
    first: int = 1


class ByOffset(_Part):
    """Rows have numbers from 0; ``total`` leads to how many there are."""

    by: Literal["offset"]
    parameter: str
    total: ValuePath


class Login(_Part):
    """A request that answers with a token, which all others bear. ``token`` leads to it."""

    path: str
    body: dict[str, Any] = Field(default_factory=dict)
    token: ValuePath


class CustodianApiConfiguration(CustodianConfiguration):
    """The request and its answer."""

    url: Address
    method: Literal["GET", "POST"] = "GET"
    path: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] = Field(default_factory=dict)
    login: Login | None = None
    paging: Annotated[ByCursor | ByPage | ByOffset, Field(discriminator="by")] | None = None
    rows: RowsPath
    columns: Columns
    balances_are: Literal["of_the_day", "of_now"]
    grace_hours: GraceHours = DEFAULT_GRACE_HOURS
    http: HttpSettings = HttpSettings()

    @model_validator(mode="after")
    def _asks_for_the_day(self) -> Self:
        asked = json.dumps([self.path, self.query, self.body])
        asks = any(name in asked for name in _DAY_NAMES)
        if self.balances_are == "of_the_day" and not asks:
            raise ValueError(
                "balances_are: of_the_day needs {day} or {next_day} in path, query or body; else say of_now"
            )
        if self.balances_are == "of_now" and asks:
            raise ValueError("balances_are: of_now asks for no {day}; say of_the_day")
        if self.method == "GET" and self.body:
            raise ValueError("body: a GET has none; say method: POST, or query")
        return self


class CustodianApiConnector(Connector):
    """Balances as one custodian's interface gives them, all pages of them."""

    configuration_class: ClassVar[type[SourceConfiguration]] = CustodianApiConfiguration

    def __init__(self, name: str, configuration: CustodianApiConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.settings = configuration
        headers = {name.lower(): services.secrets.fill(value) for name, value in configuration.headers.items()}
        url = services.secrets.fill(configuration.url)
        self.client = HttpClient(url, services, configuration.http, configuration.limits, headers)

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        """Balances; an interface that knows no other than today's can't be asked for days gone by."""
        return (Feed("wallet_balances", of_the_present=configuration.balances_are == "of_now"),)

    def check(self) -> Iterator[Probe]:
        """Ask for the first page and read its first row; read the register."""
        yesterday = self.services.clock.now().date() - timedelta(days=1)
        asking = _Asking(self, Order(yesterday))
        page = asking.page(asking.first_cursor)
        place = self.client.place(self.settings.method, self.settings.path)
        found = "no row on its first page"
        if page.items:
            line = asking.read(page.items[0])
            found = f"{len(page.items)} rows on its first page, the first of account {line.account} in {line.asset}"
        yield Probe(place, bool(page.items), found)
        register = Register(self.services.landing, yesterday, self.settings)
        yield Probe("wallets", True, f"{len(register.expected)} registered wallets of network {NETWORK} are expected")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """All balances of the day, or of now. A pull that stopped begins anew: pages are of one moment."""
        if self.settings.balances_are == "of_now":
            require_in_time(order, self.services, self.settings.grace_hours, "balances at this custodian")
        register = Register(self.services.landing, order.day, self.settings)
        asking = _Asking(self, order)
        place = self.client.place(self.settings.method, self.settings.path)
        rows = [row for page in pages(asking.page, place, start=asking.first_cursor) for row in page.items]
        lines = [asking.line(row) for row in rows]
        balances = balances_of(lines, register, self.settings, self.services.report)
        require_every_wallet(balances["wallet_id"], register, order.day)
        yield Batch("wallet_balances", self.table_of(balances))
        yield Completed({"day": order.day.isoformat()})


class _Asking:
    """One pull's requests, with the day filled in."""

    def __init__(self, connector: CustodianApiConnector, order: Order) -> None:
        self.settings, self.client, self.order = connector.settings, connector.client, order
        self.secrets = connector.services.secrets
        self.answered_at: datetime | None = None
        self.total: int | None = None
        self.headers = {"authorization": f"Bearer {self._token()}"} if self.settings.login else {}
        paging = self.settings.paging
        self.first_cursor: Any = paging.first if isinstance(paging, ByPage) else None
        if isinstance(paging, ByOffset):
            self.first_cursor = 0

    def _token(self) -> str:
        login = self.settings.login
        assert login is not None
        answer, place = self.client.post_json(login.path, self._filled(login.body)), "the answer to the login"
        token = text_of(value_at(answer, login.token, place), place, login.token)
        self.secrets.add(token)
        return token

    def _filled(self, template: Any) -> Any:
        """A template with the day and secrets in place."""
        if isinstance(template, str):
            next_day = self.order.until.date()
            text = template.replace("{day}", self.order.day.isoformat()).replace("{next_day}", next_day.isoformat())
            return self.secrets.fill(text)
        if isinstance(template, dict):
            return {name: self._filled(value) for name, value in template.items()}
        return [self._filled(value) for value in template] if isinstance(template, list) else template

    def page(self, cursor: Any) -> Page:
        """Ask for a page."""
        settings, query, body = self.settings, self._filled(self.settings.query), self._filled(self.settings.body)
        if settings.paging is not None and cursor is not None:
            (query if settings.method == "GET" else body)[settings.paging.parameter] = cursor
        path, headers = self._filled(settings.path), dict(self.headers)
        data = None
        if settings.method == "POST":
            data, headers["content-type"] = json.dumps(body).encode(), "application/json"
        response = self.client.exchange(settings.method, path, query=query, body=data, headers=headers)
        place = self.client.place(settings.method, path)
        answer = settings.limits.read_json(response.body, place)
        if self.answered_at is None:
            self.answered_at = _date_of(response.headers)
        rows = rows_at(answer, settings.rows, place)
        return Page(rows, self._next(answer, rows, cursor, place))

    def _next(self, answer: Any, rows: list[Row], cursor: Any, place: str) -> Any:
        paging = self.settings.paging
        if isinstance(paging, ByCursor):
            return self._next_cursor(answer, paging, place)
        if isinstance(paging, ByPage):
            return cursor + 1 if rows else None
        return self._next_offset(answer, rows, cursor, place, paging) if isinstance(paging, ByOffset) else None

    def _next_cursor(self, answer: Any, paging: ByCursor, place: str) -> Any:
        try:
            found = value_at(answer, paging.path, place)
        except AnswerError:
            if paging.end == "absent":
                return None
            raise
        if found is None or found == "":
            return None
        if isinstance(found, bool | list | dict):
            raise AnswerError(f"{place}: {paging.path} is no cursor", "mend paging.path")
        return found

    def _next_offset(self, answer: Any, rows: list[Row], cursor: int, place: str, paging: ByOffset) -> int | None:
        total, reached = value_at(answer, paging.total, place), cursor + len(rows)
        if not isinstance(total, int) or isinstance(total, bool):
            raise AnswerError(f"{place}: {paging.total} is no number of rows", "mend paging.total")
        if self.total not in (None, total):
            raise IncompleteError(f"{place}: {self.total} rows became {total} between pages", "pull again")
        self.total = total
        if reached > total or (not rows and reached < total):
            raise IncompleteError(f"{place}: {total} rows are said to be there and {reached} came", "pull again")
        return reached if reached < total else None

    def line(self, row: Row) -> Line:
        """A row's balance; raise AnswerError if it may not stand for the day."""
        line = self.read(row)
        return replace(line, as_of=self._as_of(line))

    def read(self, row: Row) -> Line:
        """A row's balance and the moment that it names, or else its page; the end of the day if neither does."""
        columns = self.settings.columns
        given = None if columns.as_of is None else moment_of(row.value(columns.as_of), row.place, "as_of")
        if given is None and self.settings.balances_are == "of_now":
            given = self.answered_at
            if given is None:
                raise AnswerError(f"{row.place}: the answer has no time", "name its column as_of")
        return Line(
            row.place,
            text_of(row.value(columns.account), row.place, "account"),
            text_of(row.value(columns.asset), row.place, "asset"),
            amount_of(row.value(columns.balance), row.place, "balance"),
            given or self.order.until - timedelta(seconds=1),
        )

    def _as_of(self, line: Line) -> datetime:
        order, moment = self.order, line.as_of
        if self.settings.balances_are == "of_now":
            return stamp(order, moment, self.settings.grace_hours, line.place)
        if not order.since <= moment <= order.until:
            raise AnswerError(
                f"{line.place} is of {moment:%Y-%m-%d %H:%M:%S} and not of {order.day}",
                "see whether the custodian has closed that day, and how it is asked for",
            )
        return moment


def _date_of(headers: Mapping[str, str]) -> datetime | None:
    """The server's time, by the header of every answer."""
    try:
        return parsedate_to_datetime(headers["date"]).replace(tzinfo=None)
    except (KeyError, ValueError):
        return None
