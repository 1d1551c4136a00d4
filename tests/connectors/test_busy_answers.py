"""A server that refuses within an answer of status 200 is asked again, as one that refuses by status is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.base import Clock, Services
from orchestration.connectors.errors import LimitError, StatusError, UnreachableError
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.limits import Limits
from tests.connectors import web


def busy(answer: Any) -> str | None:
    return answer.get("busy")


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def services(tmp_path: Path, slept: list[float]) -> Services:
    return Services(tmp_path, clock=Clock(sleep=slept.append))


def test_a_busy_answer_is_asked_for_again(services: Services, slept: list[float]) -> None:
    with web.serving(lambda _: web.Answer({"result": 1})) as server:
        server.fault = web.once(lambda *_: web.Answer({"busy": "slow down"}))
        assert HttpClient(server.url, services).post_json(body={}, busy=busy) == {"result": 1}
    assert len(slept) == 1


def test_busy_for_good_is_unreachable(services: Services, slept: list[float]) -> None:
    with web.serving(lambda _: web.Answer({"busy": "slow down"})) as server:
        client = HttpClient(server.url, services, HttpSettings(attempts=3))
        with pytest.raises(UnreachableError, match=r"slow down \(tried 3 times\)"):
            client.post_json(body={}, busy=busy)
        assert client.post_json(body={}) == {"busy": "slow down"}
    assert len(slept) == 2


def test_a_refusal_by_status_keeps_what_was_said(services: Services) -> None:
    with (
        web.serving(lambda _: web.Answer({"error": "too many"}, 400)) as server,
        pytest.raises(StatusError) as refusal,
    ):
        HttpClient(server.url, services).post_json(body={}, busy=busy)
    assert (refusal.value.status, refusal.value.body) == (400, b'{"error": "too many"}')


@pytest.mark.parametrize("text", ['["[[[[", "\\"[[[[", "\\\\"]', '{"a": {"b": {}}}'])
def test_brackets_in_text_are_no_nesting(text: str) -> None:
    Limits(max_nesting=3).read_json(text, "it")


@pytest.mark.parametrize("text", ['["\\\\", [[[[]]]]]', "[[[[", '["\\"", {"a": {"b": {"c": {}}}}]'])
def test_nesting_behind_text_is_seen(text: str) -> None:
    with pytest.raises(LimitError, match="nested deeper than 3"):
        Limits(max_nesting=3).read_json(text, "it")
