"""The shared suite on a connector as small as can be; and it must not pass connectors with a defect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors import configuration
from orchestration.connectors.base import Batch, Completed, Connector, Order
from orchestration.connectors.configuration import Source
from orchestration.connectors.paging import Page
from orchestration.connectors.pulling import PullError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults
from tests.connectors.sample import BALANCES, SampleConnector, SampleKind, answer

DAY = date(2026, 3, 4)


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
