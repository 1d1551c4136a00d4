"""The fault library: what is planted is found, exactly; faults that don't go together are refused; the rest is as ever.

Published faults go through the models together, a group an exchange. Those that keep the load out are compared with
the independent oracle here and go through whole runs in the benchmark.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orchestration.checks import CHECKS
from orchestration.errors import ConfigurationError
from orchestration.simulate import simulate
from orchestration.simulate.delivery import LATER, later_date, lay_over
from orchestration.simulate.faults import FAULTS, Stage, compatible_groups, fault_lines, minimum_days
from tests.simulate.landings import files, truth
from tests.support.landed import PUBLISHED_CHECKS, build_from_landing, published_findings

PUBLISHED = [name for name, fault in FAULTS.items() if fault.stage is Stage.PUBLISHED]
GROUPS = compatible_groups(PUBLISHED)
CASES = [pytest.param(group, seed, id=f"{number}-seed{seed}") for seed in (1,) for number, group in enumerate(GROUPS)]


@pytest.mark.parametrize(("group", "seed"), CASES)
def test_what_is_planted_is_found_and_nothing_else(group: tuple[str, ...], seed: int, tmp_path: Path) -> None:
    days = minimum_days(group)
    summary = simulate("healthy", tmp_path / "landing", days=days, accounts=40, seed=seed, faults=group)
    warehouse = build_from_landing(tmp_path, summary.folder, summary.last_date, " ".join(PUBLISHED_CHECKS))
    found = published_findings(warehouse)
    told = {
        (fault["check"], date.fromisoformat(fault["date"]), fault["subject"], fault["asset"])
        for fault in truth(summary)["faults"]
    }
    assert sorted(map(str, found - told)) == [], "false alarms"
    assert sorted(map(str, told - found)) == [], "misses"


def test_groups_hold_every_fault_once_and_can_be_planted() -> None:
    groups = compatible_groups()
    assert sorted(name for group in groups for name in group) == sorted(FAULTS)
    assert all(len({FAULTS[name].stage for name in group}) == 1 for group in groups)


def test_names_in_identifiers_differ() -> None:
    slugs = {fault.slug_of(name) for name, fault in FAULTS.items()}
    assert len(slugs) == len(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_what_it_is(name: str) -> None:
    fault = FAULTS[name]
    assert fault.name == name
    assert fault.check in {check.name for check in CHECKS}
    assert fault.form in ("obvious", "quiet", "innocent")
    assert fault.description.endswith(".")
    assert fault.minimum_days <= 45


def test_the_catalogue_names_every_fault() -> None:
    lines = fault_lines()
    assert [line.split()[0] for line in lines] == list(FAULTS)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"scenario": "healthy", "faults": ["lost_legs"]}, "unknown fault 'lost_legs'"),
        ({"scenario": "healthy", "faults": ["lost_leg", "lost_leg"]}, "named twice"),
        ({"scenario": "collapse", "faults": ["lost_leg"], "days": 60}, "healthy, not collapse"),
        ({"scenario": "healthy", "faults": ["lost_leg", "dust_negative"]}, "lost_leg and dust_negative don't go"),
        ({"scenario": "healthy", "faults": ["lost_leg"], "days": 11}, "lost_leg needs at least 12 days"),
    ],
)
def test_what_can_t_be_planted_is_refused(arguments: dict[str, object], named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=named) as error:
        simulate(out=tmp_path / "out", **{"days": 12, "accounts": 20, **arguments})  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_second_delivery_replaces_one_file(tmp_path: Path) -> None:
    faults = ["entry_edited_in_place"]
    landing = simulate("healthy", tmp_path / "landing", days=14, accounts=20, faults=faults).folder
    assert later_date(landing) == date(2021, 11, 13)
    before = files(landing)
    (moved,) = lay_over(landing)
    after = files(landing)
    assert moved == "ledger_entries/date=2021-11-06/part-0.parquet"
    assert {path for path in after if after[path] != before[path]} == {moved}
    assert not (landing / LATER).exists()
    assert lay_over(landing) == []
