"""`ringfence sources`: what the commands print and how they exit, on a source that a test serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from orchestration import cli
from orchestration.connectors import configuration
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET
from tests.connectors.sample import SampleKind, answer

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


@pytest.fixture
def server() -> Iterator[web.Web]:
    with web.serving(answer) as running:
        yield running


@pytest.fixture
def sources(server: web.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sources on one server: ``first`` has the right token, ``second`` asks with a wrong one."""
    monkeypatch.setattr(configuration, "kinds_by_name", lambda: {"sample": SampleKind("sample", "", "", "samples")})
    monkeypatch.setenv("RIGHT", SECRET)
    monkeypatch.setenv("WRONG", "a wrong secret")
    section = {"kind": "sample", "url": server.url, **HTTP_SETTINGS}
    sections = {"first": section | {"token_variable": "RIGHT"}, "second": section | {"token_variable": "WRONG"}}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": sections}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli._invoke([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def sources_command(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    return run(capsys, "sources", *arguments)


def test_check_says_what_works_and_what_does_not(
    sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = sources_command(capsys, "check", "--sources", sources, "--landing", landing, "--format", "json")
    assert status == 1
    found = {probe["source"]: probe for probe in json.loads(out)}
    assert (found["first"]["works"], found["first"]["detail"]) == ("yes", "the token may read them")
    assert found["second"]["works"] == "no"
    assert "status 401" in found["second"]["detail"]
    assert err.splitlines()[-1] == "ringfence: 1 of 2 sources can't be pulled: second"
    assert list(landing.iterdir()) == []


def test_check_of_what_works_exits_with_zero(sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = sources_command(capsys, "check", "--sources", sources, "--landing", landing, "--source", "first")
    assert status == 0
    assert "the token may read them" in out


def test_pull_lands_what_it_can_and_says_what_failed(
    sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--sources", sources, "--landing", landing)
    status, out, err = sources_command(capsys, "pull", *places, "--from", "2026-03-04", "--to", "2026-03-05")
    assert status == 1
    assert out.splitlines() == [
        "2026-03-04 first: wallet_balances 3 rows",
        "2026-03-05 first: wallet_balances 3 rows",
    ]
    (failure,) = [line for line in err.splitlines() if line.startswith("ringfence:")]
    assert failure.startswith("ringfence: source second, 2026-03-04: GET 127.0.0.1/balances: status 401")
    assert "a wrong secret" not in out + err
    assert sorted(path.relative_to(landing).as_posix() for path in landing.rglob("*.parquet")) == [
        "wallet_balances/date=2026-03-04/first.parquet",
        "wallet_balances/date=2026-03-05/first.parquet",
    ]
    again = sources_command(capsys, "pull", *places, "--date", "2026-03-05", "--source", "first")
    assert again[:2] == (0, "2026-03-05 first: had landed before\n")


def test_pull_without_days_goes_on_where_each_source_stopped(
    sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--sources", sources, "--landing", landing, "--source", "first")
    status, out, err = sources_command(capsys, "pull", *places)
    assert (status, out) == (2, "")
    assert "first: nothing was pulled yet; say from which day on" in err
    begun = YESTERDAY - timedelta(days=3)
    assert sources_command(capsys, "pull", *places, "--date", begun)[0] == 0
    status, out, _ = sources_command(capsys, "pull", *places)
    assert status == 0
    assert [line[:10] for line in out.splitlines()] == [str(begun + timedelta(days=number)) for number in (1, 2, 3)]
    assert sources_command(capsys, "pull", *places)[:2] == (0, "")


def test_days_are_not_left_out_and_not_pulled_early(
    sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--sources", sources, "--landing", landing, "--source", "first")
    sources_command(capsys, "pull", *places, "--date", "2026-03-04")
    status, _, err = sources_command(capsys, "pull", *places, "--date", "2026-03-07")
    assert status == 2
    assert "2026-03-05 and what follows hasn't been pulled; pull --from 2026-03-05 --to 2026-03-07" in err
    status, _, err = sources_command(capsys, "pull", *places, "--date", YESTERDAY + timedelta(days=1))
    assert status == 2
    assert "the day hasn't ended (UTC)" in err


def test_list_shows_position_freshness_and_rows(
    sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--sources", sources, "--landing", landing)
    days = (YESTERDAY - timedelta(days=2), YESTERDAY - timedelta(days=1))
    sources_command(capsys, "pull", *places, "--from", days[0], "--to", days[1], "--source", "first")
    status, out, _ = sources_command(capsys, "list", *places, "--format", "json")
    assert status == 0
    first, second = json.loads(out)
    assert (first["table"], first["first_day"], first["last_day"]) == ("wallet_balances", *map(str, days))
    assert (first["days_behind"], first["rows_last"], first["rows_all"]) == (1, 3, 6)
    assert json.loads(first["position"]) == {"day": str(days[1])}
    assert (second["source"], second["state"], second["last_day"]) == ("second", "never pulled", None)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["list"], "no sources file: give --sources FILE, or set RINGFENCE_SOURCES"),
        (["pull", "--sources", "none.yaml"], "sources file none.yaml can't be read"),
        (["check", "--sources", "{sources}", "--source", "third"], "no source is named third; there are first, second"),
        (["pull", "--sources", "{sources}", "--date", "yesterday"], "'yesterday' is no date"),
        (["pull", "--sources", "{sources}", "--from", "2026-03-04"], "give either --date, or both --from and --to"),
    ],
)
def test_wrong_usage_says_what_to_do(
    sources: Path, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.replace("{sources}", str(sources)) for argument in arguments]
    status, out, err = sources_command(capsys, *given)
    assert (status, out) == (2, "")
    assert problem in err.replace(f"{Path.cwd()}/", "")


def test_a_delivery_that_counts_is_finished_by_whoever_comes_next(
    sources: Path, landing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--sources", sources, "--landing", landing, "--source", "first")
    sources_command(capsys, "pull", *places, "--date", "2026-03-04")
    # As a kill leaves it right after the manifest: the file stands in staging.
    landed = landing / "wallet_balances" / "date=2026-03-04" / "first.parquet"
    staged = landing / "_staging" / "first" / "2026-03-04" / "wallet_balances.finished.parquet"
    staged.parent.mkdir(parents=True)
    landed.rename(staged)
    assert sources_command(capsys, "pull", *places, "--date", "2026-03-04")[0] == 0
    assert pq.read_metadata(landed).num_rows == 3
    assert not staged.parent.exists()
