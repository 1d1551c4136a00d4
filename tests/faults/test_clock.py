"""A clock that is put back or ahead, between runs and within one: order and content don't follow it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.alerts.incidents import Occasion
from orchestration.alerts.outbox import FIRST_WAIT, deliver
from orchestration.alerts.store import LONGEST_WAIT, Draft, Store
from orchestration.landing import create_schemas
from orchestration.pipeline import run as run_module
from orchestration.pipeline.run import ExitStatus, close_run, open_run
from orchestration.policy import load_policy
from tests.alerts import looks
from tests.faults.undisturbed import LAST, STEPS, Undisturbed, plain_run, runs

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
A_DAY, A_YEAR = timedelta(days=1), timedelta(days=365)

SetClock = Callable[[datetime], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    def set_to(moment: datetime) -> None:
        clock = type("Clock", (datetime,), {"now": staticmethod(moment.astimezone)})
        monkeypatch.setattr(run_module, "datetime", clock)

    return set_to


def test_a_clock_that_jumps_within_a_run_changes_no_content_and_no_order(
    undisturbed: Undisturbed, tmp_path: Path, set_clock: SetClock
) -> None:
    settings = undisturbed.copy(tmp_path)
    jumps = dict(zip(STEPS, (A_YEAR, -A_DAY, A_YEAR, -A_DAY, 2 * A_YEAR, -A_DAY, A_YEAR, -A_DAY), strict=True))
    set_clock(NOW)
    assert plain_run(settings, "jumping", after=lambda step: set_clock(NOW + jumps[step])) is ExitStatus.PASSED
    undisturbed.require_held(settings, is_before=False)
    set_clock(NOW - A_YEAR)
    undisturbed.require_mended(settings)
    assert [run_id for run_id, _ in runs(settings.paths)] == ["one", "two", "jumping", "again"]
    with duckdb.connect(str(settings.paths.published_file), read_only=True) as connection:
        wrong = "started_at > finished_at or started_at > published_at or published_at > finished_at"
        assert connection.execute(f"select run_id from audit.run where {wrong}").fetchall() == []


def test_what_a_killed_run_never_said_is_taken_back_though_the_clock_was_put_back_before_it(
    tmp_path: Path, set_clock: SetClock
) -> None:
    figure = (
        "insert into audit.published_figure"
        " (entry_number, run_id, knowledge_at, as_of_date, source_table, figure, subject, amount)"
        " values (?, ?, '2022-01-04', '2022-01-03', 'fct_solvency_daily', 'net_gap_usd', 'exchange', 1)"
    )
    with duckdb.connect(str(tmp_path / "ringfence_build.duckdb")) as connection:
        create_schemas(connection)

        def start(run_id: str, moment: datetime) -> None:
            set_clock(moment)
            published = {"said"}.__contains__
            days = {"first_date": LAST, "last_date": LAST, "landing_first_date": LAST}
            open_run(connection, load_policy(), run_id=run_id, was_published=published, **days)

        for number, (run_id, moment) in enumerate({"said": NOW + A_YEAR, "killed": NOW}.items()):
            start(run_id, moment)
            connection.execute(figure, [number, run_id])
            close_run(connection, run_id, ExitStatus.PASSED, "")
        start("next", NOW + A_DAY)
        assert connection.execute("select run_id from audit.published_figure").fetchall() == [("said",)]
        told = connection.execute("select run_id, status from audit.run order by started_at").fetchall()
    assert told == [("said", "passed"), ("killed", "killed"), ("next", "running")]


def test_a_message_that_a_clock_put_off_for_a_year_goes_out_when_it_is_right_again(tmp_path: Path) -> None:
    store = Store.in_file(tmp_path / "alerts.sqlite")
    now, sent = NOW.replace(tzinfo=None), []
    store.add_message(Draft("pager", "line", Occasion.OPENED, "", ()), now + A_YEAR)
    assert deliver(store, {}, lambda: now + A_YEAR)[0].due_at == now + A_YEAR + FIRST_WAIT
    for moment in (now, now + FIRST_WAIT - timedelta(seconds=1), now + 2 * FIRST_WAIT, now - A_DAY):
        sent.append(len(deliver(store, {}, lambda at=moment: at)))
    assert sent == [1, 0, 1, 1], "each wait counts from when it was tried last"
    assert max(message.due_at for message in store.messages()) - (now - A_DAY) <= LONGEST_WAIT
    store.close()


def test_a_clock_that_was_ahead_neither_keeps_reminders_back_nor_repeats_them() -> None:
    watch = looks.Watch()
    night = looks.NIGHT
    said = [
        [step.occasion for step in watch.look(looks.seen(), at=at) if step.occasion is not None]
        for at in (night + A_YEAR, night, night + timedelta(hours=1), night + timedelta(hours=4))
    ]
    assert said == [[Occasion.OPENED], [Occasion.REMINDER], [], [Occasion.REMINDER]]
