"""Answers of the present: stamped as they are, delivered in time or not at all, and no day waits for a missed one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestration.connectors.base import (
    Batch,
    Clock,
    Completed,
    Connector,
    Feed,
    Order,
    Probe,
    Services,
    SourceConfiguration,
)
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import manifests
from orchestration.connectors.errors import AnswerError, TooLateError
from orchestration.connectors.kinds import Kind
from orchestration.connectors.present import require_in_time, stamp
from orchestration.connectors.pulling import PullError, pull_day, pull_days

DAY = date(2026, 3, 4)
ORDER = Order(DAY)


def clock_at(moment: datetime) -> Clock:
    return Clock(now=lambda: moment)


@pytest.mark.parametrize(("hours", "in_time"), [(0, True), (6, True), (6.01, False), (24 * 30, False)])
def test_a_day_is_too_long_past_after_the_grace(tmp_path: Path, hours: float, in_time: bool) -> None:
    services = Services(tmp_path, clock=clock_at(ORDER.until + timedelta(hours=hours)))
    if in_time:
        require_in_time(ORDER, services, 6, "balances")
        return
    with pytest.raises(TooLateError, match="balances can only be had as they are now, and 2026-03-04 ended more than"):
        require_in_time(ORDER, services, 6, "balances")


@pytest.mark.parametrize("seconds", [-300, 0, 1800, 6 * 3600])
def test_the_stamp_is_the_moment_itself(seconds: int) -> None:
    moment = ORDER.until + timedelta(seconds=seconds)
    assert stamp(ORDER, moment, 6, "the answer") == moment


def test_an_answer_from_before_or_long_after_is_refused() -> None:
    with pytest.raises(AnswerError, match="the answer is of 2026-03-04 23:54:59, before the end of 2026-03-04"):
        stamp(ORDER, ORDER.until - timedelta(seconds=301), 6, "the answer")
    with pytest.raises(AnswerError, match="more than 6 hours after the end"):
        stamp(ORDER, ORDER.until + timedelta(hours=6, seconds=301), 6, "the answer")
    old = ORDER.until - timedelta(hours=3)
    assert stamp(ORDER, old, 6, "the answer", oldest=timedelta(hours=24)) == old


class OfThePresent(Connector):
    configuration_class: ClassVar[type[SourceConfiguration]] = SourceConfiguration

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        return (Feed("wallet_balances", of_the_present=True),)

    def check(self) -> Iterator[Probe]:
        yield Probe("balances", True, "there")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        require_in_time(order, self.services, 6, "balances")
        moment = stamp(order, self.services.clock.now(), 6, "the answer")
        columns = {"wallet_id": ["w"], "asset": ["BTC"], "balance": ["1"], "as_of": [moment]}
        yield Batch("wallet_balances", self.table_of(columns))
        yield Completed({"day": str(order.day)})


class OfThePresentKind(Kind):
    def load(self) -> type[Connector]:
        return OfThePresent


def test_days_after_a_missed_one_are_pulled_all_the_same(tmp_path: Path) -> None:
    source = Source("venue", OfThePresentKind("present", "", "", ""), SourceConfiguration(kind="present"))
    assert pull_day(source, tmp_path, DAY, clock_at(datetime(2026, 3, 5, 1))) is not None
    later = clock_at(datetime(2026, 3, 8, 1))
    pulled = list(pull_days([source], tmp_path, DAY, date(2026, 3, 7), later))
    assert [(one.day.day, one.manifest is not None, one.error is not None) for one in pulled] == [
        (4, False, False),
        (5, False, True),
        (6, False, True),
        (7, True, False),
    ]
    assert [manifest.day.day for manifest in manifests(tmp_path, "venue")] == [4, 7]
    with pytest.raises(PullError) as refusal:
        pull_day(source, tmp_path, date(2026, 3, 6), later)
    assert refusal.value.is_too_late
