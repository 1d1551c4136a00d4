"""A source that couldn't be pulled, was left halfway or was never asked is one incident, until it has delivered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from orchestration import cli
from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.watching import Watch, Watched
from orchestration.connectors import configuration
from orchestration.connectors.attempts import Failure, alone, last_failure, record_failure
from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import load_sources
from orchestration.connectors.pulling import PullError, pull_day
from orchestration.journal import PULL, Run, add_end
from tests.alerts.warehouses import DAY, MORNING, Warehouse, said
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET
from tests.connectors.sample import SampleKind, answer

NEXT = DAY + timedelta(days=1)
NIGHT = datetime(2026, 3, 6, 0, 20)
"""After the day ``NEXT`` has ended, and before it has to be there."""


class Feeds:
    """A configured source, what it serves, and looks at it."""

    def __init__(self, server: web.Web, folder: Path, alerts_file: Path, warehouse: Warehouse) -> None:
        self.server, self.landing, self.file = server, folder / "landing", folder / "sources.yaml"
        self.alerts_file, self.warehouse = alerts_file, warehouse
        section = {"kind": "sample", "url": server.url, "token_variable": "SAMPLE_TOKEN", **HTTP_SETTINGS}
        self.file.write_text(yaml.safe_dump({"sources": {"custody": section}}), encoding="utf-8")
        self.landing.mkdir()

    def pull(self, day: date, at: datetime = NIGHT, *, is_final: bool = True) -> None:
        (source,) = load_sources(self.file)
        pull_day(source, self.landing, day, _clock(at), is_final=is_final)

    def fail(self, day: date, at: datetime = NIGHT, *, is_final: bool = True) -> None:
        self.server.fault = web.denied
        with pytest.raises(PullError):
            self.pull(day, at, is_final=is_final)
        self.server.fault = None

    def look(self, at: datetime = NIGHT) -> Watched:
        watch = Watch(
            load_alerts(self.alerts_file),
            self.warehouse.paths,
            _clock(at),
            landing=self.landing,
            sources_file=self.file,
        )
        return watch.look()


def _clock(at: datetime) -> Clock:
    return Clock(now=lambda: at, monotonic=lambda: 0.0, sleep=lambda _: None)


@pytest.fixture
def server() -> Iterator[web.Web]:
    with web.serving(answer) as running:
        yield running


@pytest.fixture
def feeds(
    server: web.Web, tmp_path: Path, alerts_file: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> Feeds:
    """The day ``DAY`` was delivered and published."""
    monkeypatch.setattr(configuration, "kinds_by_name", lambda: {"sample": SampleKind("sample", "", "", "a sample")})
    monkeypatch.setenv("SAMPLE_TOKEN", SECRET)
    warehouse.publish()
    feeds = Feeds(server, tmp_path, alerts_file, warehouse)
    feeds.pull(DAY)
    return feeds


def test_a_source_that_fails_is_told_with_its_tables_and_last_day_and_resolved_when_pulled(
    feeds: Feeds, receiver: web.Web
) -> None:
    feeds.look()
    assert receiver.requests == []
    feeds.fail(NEXT)
    feeds.look()
    feeds.look()
    assert said(receiver) == [("opened", "source_pulled")]
    (told,) = receiver.requests[0].json["told"]
    assert told["category"] == "data never came"
    for words in ("custody", "2026-03-05", "status 401", "wallet_balances", "the last day delivered is 2026-03-04"):
        assert words in told["what"]
    assert SECRET not in json.dumps(receiver.requests[0].json)
    feeds.pull(NEXT)
    feeds.look()
    assert said(receiver)[1:] == [("resolved", "source_pulled")]
    assert last_failure(feeds.landing, "custody") is None


def test_what_is_tried_again_is_told_only_if_nothing_comes_of_it(feeds: Feeds, receiver: web.Web) -> None:
    feeds.fail(NEXT, is_final=False)
    feeds.look(NIGHT + timedelta(minutes=14))
    assert receiver.requests == []
    feeds.look(NIGHT + timedelta(minutes=15))
    assert said(receiver) == [("opened", "source_pulled")]


def test_while_a_source_is_pulled_nothing_is_said_or_taken_back(feeds: Feeds, receiver: web.Web) -> None:
    feeds.fail(NEXT)
    with alone(feeds.landing, "custody"):
        feeds.look()
        assert receiver.requests == []
    feeds.look()
    with alone(feeds.landing, "custody"):
        feeds.look()
        assert said(receiver) == [("opened", "source_pulled")]
        # By the deadline it doesn't matter any more what is going on.
        feeds.look(datetime(2026, 3, 6, 6, 1))
    assert ("resolved", "source_pulled") not in said(receiver)


def test_a_pull_whose_process_died_is_told(feeds: Feeds, receiver: web.Web) -> None:
    halfway = feeds.landing / "_staging" / "custody" / str(NEXT)
    halfway.mkdir(parents=True)
    with alone(feeds.landing, "custody"):
        feeds.look()
        assert receiver.requests == []
    feeds.look()
    assert said(receiver) == [("opened", "source_pulled")]
    assert "the process that pulled it died" in receiver.requests[0].json["told"][0]["what"]


def test_a_source_that_nobody_pulled_is_told_by_the_deadline(feeds: Feeds, receiver: web.Web) -> None:
    feeds.look(datetime(2026, 3, 6, 5, 59))
    assert receiver.requests == []
    feeds.look(datetime(2026, 3, 6, 6, 0))
    assert sorted(said(receiver)) == [("opened", "published_in_time"), ("opened", "source_pulled")]
    feeds.look(datetime(2026, 3, 7, 6, 0))
    assert [one for one in said(receiver) if one[0] == "opened"][2:] == []


def test_a_source_that_never_delivered_is_told(feeds: Feeds, receiver: web.Web) -> None:
    content = yaml.safe_load(feeds.file.read_text(encoding="utf-8"))
    content["sources"]["bank"] = content["sources"]["custody"]
    feeds.file.write_text(yaml.safe_dump(content), encoding="utf-8")
    feeds.look()
    assert said(receiver) == [("opened", "source_pulled")]
    assert "it was never pulled" in receiver.requests[0].json["told"][0]["what"]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"day": "2026-03-05"}', b"[]", b"\xff"])
def test_a_note_that_can_t_be_read_is_none(feeds: Feeds, damage: bytes) -> None:
    record_failure(feeds.landing, "custody", Failure(NEXT, "x", NIGHT))
    assert last_failure(feeds.landing, "custody") == Failure(NEXT, "x", NIGHT)
    (feeds.landing / "_staging" / "custody.failed.json").write_bytes(damage)
    assert last_failure(feeds.landing, "custody") is None


def test_who_asks_too_early_or_finds_it_busy_leaves_no_note(feeds: Feeds) -> None:
    with pytest.raises(PullError, match="hasn't ended"):
        feeds.pull(NIGHT.date())
    with alone(feeds.landing, "custody"), pytest.raises(PullError, match="another process is pulling it"):
        feeds.pull(NEXT)
    assert last_failure(feeds.landing, "custody") is None


def test_a_file_of_sources_that_can_t_be_read_hides_nothing_else(feeds: Feeds, receiver: web.Web) -> None:
    feeds.file.write_text("sources: {custody: {kind: nothing}}", encoding="utf-8")
    feeds.look(MORNING)
    assert said(receiver) == [("opened", "check_runs")]
    assert receiver.requests[0].json["told"][0]["affected"] == "check source_pulled"


def test_a_failed_job_is_explained_by_its_source_and_over_when_all_has_landed(feeds: Feeds, receiver: web.Web) -> None:
    add_end(feeds.warehouse.paths.runs, Run("pull", PULL, NEXT, NEXT, NIGHT, status="error", message="a step failed"))
    feeds.fail(NEXT)
    feeds.look()
    assert said(receiver) == [("opened", "source_pulled")]
    feeds.pull(NEXT)
    feeds.look()
    assert said(receiver)[1:] == [("resolved", "source_pulled")]


def test_the_command_tells_what_it_could_not_pull(
    feeds: Feeds, receiver: web.Web, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RINGFENCE_ALERTS", str(feeds.alerts_file))
    monkeypatch.setenv("RINGFENCE_WAREHOUSE", str(feeds.warehouse.paths.root))
    today = datetime.now(UTC).date()
    places = ["--sources", str(feeds.file), "--landing", str(feeds.landing)]
    feeds.server.fault = web.denied
    arguments = [*places, "--from", str(NEXT), "--to", str(today - timedelta(days=1))]
    assert cli._invoke(["sources", "pull", *arguments]) == 1
    assert ("opened", "source_pulled") in said(receiver)
    assert SECRET not in capsys.readouterr().err
