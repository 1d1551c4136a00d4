"""What the simulator refuses, and what it leaves alone when it does."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import ConfigurationError
from orchestration.simulate import scenario_names, simulate


def test_both_scenarios_are_there() -> None:
    assert {"collapse", "healthy"} <= set(scenario_names())


@pytest.mark.parametrize(
    ("scenario", "sizes", "named"),
    [
        ("heathy", {}, "healthy"),
        ("../healthy", {}, "healthy"),
        ("healthy", {"days": 0}, "between 1"),
        ("healthy", {"days": -3}, "between 1"),
        ("healthy", {"days": 10_000}, "3660"),
        ("healthy", {"accounts": 19}, "between 20"),
        ("healthy", {"accounts": 0}, "between 20"),
        ("healthy", {"seed": -1}, "--seed -1"),
        ("collapse", {"days": 59}, "between 60"),
        ("collapse", {"last_date": date(2026, 11, 25)}, "days of its own"),
    ],
)
def test_nonsense_is_refused_in_one_line_and_writes_nothing(
    tmp_path: Path, scenario: str, sizes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as error:
        simulate(scenario, tmp_path / "out", **sizes)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_exchange_without_a_story_ends_on_the_day_asked_for(tmp_path: Path) -> None:
    summary = simulate("healthy", tmp_path / "out", days=2, accounts=20, last_date=date(2026, 3, 1))
    assert (summary.first_date, summary.last_date) == (date(2026, 2, 28), date(2026, 3, 1))
    days = {path.name for path in (tmp_path / "out" / "ledger_entries").iterdir()}
    assert days == {"date=2026-02-28", "date=2026-03-01"}


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear auditor")
    with pytest.raises(ConfigurationError, match="neither empty nor an earlier simulation"):
        simulate("healthy", tmp_path, days=2, accounts=20)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_simulation_with_a_stranger_file_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "zone"
    simulate("healthy", out, days=2, accounts=20)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="neither empty"):
        simulate("healthy", out, days=2, accounts=20)
    assert (out / "notes.txt").read_text() == "mine"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(ConfigurationError, match="is a file"):
        simulate("healthy", tmp_path / "out", days=2, accounts=20)


def test_an_earlier_simulation_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "zone"
    simulate("healthy", out, days=4, accounts=20)
    simulate("healthy", out, days=2, accounts=20)
    assert len(list((out / "ledger_entries").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["zone"]


def test_an_empty_folder_and_missing_parents_are_fine(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert simulate("healthy", tmp_path / "empty", days=1, accounts=20).truth.exists()
    assert simulate("healthy", tmp_path / "a" / "b", days=1, accounts=20).truth.exists()
