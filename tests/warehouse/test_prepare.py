"""What dbt warns of when it parses the project is kept, and fails whoever asks for no warnings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.warehouse import dbt


@contextmanager
def said_by_dbt(*said: tuple[str, str]) -> Iterator[list[str]]:
    """A dbt that says these levels and messages instead of parsing; yields the commands it was given."""
    commands: list[str] = []

    def invoke(arguments: list[str], folder: Path, *, manifest: Any, on_event: Any) -> None:
        commands.append(" ".join(arguments))
        for level, text in said:
            on_event(SimpleNamespace(info=SimpleNamespace(level=level, msg=text)))
        for name in dbt._PARSED:
            (folder / name).write_text("{}", encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt, "_invoke", invoke)
        yield commands


@pytest.fixture(autouse=True)
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dbt, "_PREPARED", tmp_path / "prepared")
    monkeypatch.setattr(dbt, "set_build_file", lambda _: None)
    return dbt.prepared_folder()


def test_a_project_without_warnings_passes_and_is_parsed_once() -> None:
    with said_by_dbt(("debug", "nothing of note"), ("info", "as usual")) as commands:
        dbt.require_no_warnings()
        dbt.require_no_warnings()
    assert commands == ["--no-partial-parse parse"]


def test_a_warning_fails_now_and_when_the_project_is_found_parsed() -> None:
    with said_by_dbt(("warn", "a model\nis unused"), ("info", "as usual")):
        dbt.prepare_project()
    for _ in range(2):
        with pytest.raises(dbt.DbtError, match=r"^dbt warns of the project 1 times: a model.{1,3}is unused$"):
            dbt.require_no_warnings()


def test_what_an_earlier_version_parsed_is_parsed_again(prepared: Path) -> None:
    prepared.mkdir(parents=True)
    (prepared / "manifest.json").write_text("{}", encoding="utf-8")
    with said_by_dbt(("warn", "late")) as commands, pytest.raises(dbt.DbtError, match="late"):
        dbt.require_no_warnings()
    assert len(commands) == 1


def test_dbt_s_warnings_reach_whoever_listens_although_its_details_do_not() -> None:
    from dbt.adapters.events.types import AdapterEventDebug, AdapterEventWarning
    from dbt_common.events.event_manager_client import get_event_manager
    from dbt_common.events.functions import fire_event

    heard: list[str] = []
    before = get_event_manager()
    with dbt._events_unread():
        get_event_manager().add_callback(lambda event: heard.append(event.info.level))
        fire_event(AdapterEventDebug(name="n", base_msg="m", args=[]))
        fire_event(AdapterEventWarning(name="n", base_msg="m", args=[]))
    assert heard == ["warn"]
    assert get_event_manager() is before
