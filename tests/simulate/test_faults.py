"""The fault library: what is planted is found, exactly; faults that don't go together are refused; the rest is as ever.

Faults are planted a group an exchange. Published ones go through the models, those that keep the load out through
ingestion and the integrity models.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from orchestration.checks import CHECKS, Kind, checks_by_name
from orchestration.cli import app
from orchestration.errors import ConfigurationError
from orchestration.landing import create_schemas
from orchestration.policy import load_policy, write_policy
from orchestration.simulate import SimulationSummary, simulate
from orchestration.simulate.delivery import LATER, later_date, lay_over
from orchestration.simulate.faults import FAULTS, Stage, compatible_groups, fault_lines, minimum_days
from orchestration.warehouse.compiled import DATABASE, compiled_project
from tests.landing.integrity import INTEGRITY
from tests.landing.integrity import Books as IntegrityBooks
from tests.landing.zone import Zone
from tests.simulate.landings import Books, files, landing, truth
from tests.support.landed import PUBLISHED_CHECKS, build_from_landing, published_findings

_ROOT = tempfile.TemporaryDirectory(prefix="ringfence-faults-")
SEED, ACCOUNTS = 1, 30
GROUPS = compatible_groups()
PUBLISHED = [group for group in GROUPS if FAULTS[group[0]].stage is Stage.PUBLISHED]
REFUSED = [group for group in GROUPS if FAULTS[group[0]].stage is not Stage.PUBLISHED]
Group = tuple[str, ...]


@cache
def exchange(group: Group) -> SimulationSummary:
    """The exchange that holds a group of faults."""
    folder = Path(_ROOT.name) / str(GROUPS.index(group))
    return simulate("healthy", folder, days=minimum_days(group), accounts=ACCOUNTS, seed=SEED, faults=group)


def told(summary: SimulationSummary) -> set[tuple[str, str, str, str | None]]:
    """What the truth says must be found."""
    return {(fault["check"], fault["date"], fault["subject"], fault["asset"]) for fault in truth(summary)["faults"]}


def assert_same(found: set[tuple[str, str, str, str | None]], expected: set[tuple[str, str, str, str | None]]) -> None:
    """Neither a false alarm nor a miss."""
    assert sorted(map(str, found - expected)) == [], "false alarms"
    assert sorted(map(str, expected - found)) == [], "misses"


@pytest.mark.parametrize("group", PUBLISHED, ids=len)
def test_what_is_planted_is_found_and_nothing_else(group: Group, tmp_path: Path) -> None:
    summary = exchange(group)
    warehouse = build_from_landing(tmp_path, summary.folder, summary.last_date, " ".join(PUBLISHED_CHECKS))
    found = {(check, day.isoformat(), *rest) for check, day, *rest in published_findings(warehouse)}
    assert_same(found, told(summary))


@contextmanager
def ingestion(summary: SimulationSummary, folder: Path) -> Iterator[IntegrityBooks]:
    """Ingestion and the integrity models over a simulated landing zone."""
    models = {name: compiled_project()[name].sql for name in INTEGRITY}
    with duckdb.connect(str(folder / f"{DATABASE}.duckdb"), config={"threads": 1}) as connection:
        create_schemas(connection)
        write_policy(connection, load_policy())
        yield IntegrityBooks(Zone(summary.folder), connection, models)


@pytest.mark.parametrize("group", REFUSED, ids=len)
def test_what_spoils_a_delivery_keeps_it_out_and_is_all_that_is_found(group: Group, tmp_path: Path) -> None:
    sizes = {"days": minimum_days(group), "accounts": ACCOUNTS, "seed": SEED}
    summary = simulate("healthy", tmp_path / "zone", faults=group, **sizes)
    with ingestion(summary, tmp_path) as books:
        later = later_date(summary.folder)
        if later is not None:
            assert books.run(later.isoformat()) == set(), "the first delivery is sound"
            lay_over(summary.folder)
        assert_same(books.run(summary.last_date.isoformat()), told(summary))


def test_published_faults_leave_the_load_sound(tmp_path: Path) -> None:
    summary = exchange(PUBLISHED[0])
    with ingestion(summary, tmp_path) as books:
        assert books.run(summary.last_date.isoformat()) == set()


@pytest.mark.parametrize("group", GROUPS, ids=len)
def test_a_fault_does_what_it_says(group: Group) -> None:
    content = truth(exchange(group))
    planted = {fault["fault"]: fault for fault in content["planted"]}
    assert list(planted) == list(group)
    for name, fault in planted.items():
        caused: list[dict[str, Any]] = [found for found in content["faults"] if found["fault"] == name]
        assert (fault["form"] == "innocent") == (caused == []), name
        assert caused == [] or fault["check"] in {found["check"] for found in caused}, name
        assert all(found["date"] >= fault["date"] for found in caused), name
        assert all(found["form"] == fault["form"] for found in caused), name


def ordinary_entries(folder: Path, last_date: date) -> set[tuple[Any, ...]]:
    """What ordinary customers' accounts saw up to a date."""
    query = f"""
        select account_id, asset, amount, entry_type, effective_at
        from ledger_entries
        where regexp_matches(account_id, '^acct-[0-9]+-') and effective_at < date '{last_date}' + 1
    """
    return set(Books(folder).rows(query))


def test_the_rest_of_the_exchange_is_the_same_with_and_without_faults() -> None:
    summary = exchange(PUBLISHED[0])
    days = (summary.last_date - summary.first_date).days + 1
    healthy = landing("healthy", days, ACCOUNTS, SEED)
    expected = ordinary_entries(healthy.folder, healthy.last_date)
    assert len(expected) > 100
    assert ordinary_entries(summary.folder, summary.last_date) == expected


def test_groups_hold_every_fault_once_and_never_mix_stages() -> None:
    assert sorted(name for group in GROUPS for name in group) == sorted(FAULTS)
    assert all(len({FAULTS[name].stage for name in group}) == 1 for group in GROUPS)
    assert all(minimum_days(group) <= 45 for group in GROUPS)


def test_every_check_has_an_obvious_and_a_quiet_fault() -> None:
    forms = {(fault.check, fault.form) for fault in FAULTS.values()}
    assert {(check.name, form) for check in CHECKS for form in ("obvious", "quiet")} - forms == set()


def test_integrity_faults_are_those_that_keep_the_load_out() -> None:
    for name, fault in FAULTS.items():
        is_integrity = checks_by_name()[fault.check].kind is Kind.INTEGRITY and fault.form != "innocent"
        assert is_integrity == (fault.stage is not Stage.PUBLISHED), name


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_what_it_is(name: str) -> None:
    fault = FAULTS[name]
    assert fault.name == name
    assert fault.form in ("obvious", "quiet", "innocent")
    assert fault.description.endswith(".")


def test_names_in_identifiers_differ() -> None:
    assert len({fault.slug_of(name) for name, fault in FAULTS.items()}) == len(FAULTS)


def test_the_catalogue_names_every_fault() -> None:
    assert [line.split()[0] for line in fault_lines()] == list(FAULTS)


def test_faults_that_touch_the_same_thing_are_planted_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["engine_shows_more", "twin"]
    monkeypatch.setitem(FAULTS, "twin", type("Twin", (FAULTS[names[0]],), {"name": "twin"}))
    assert compatible_groups(names) == [("engine_shows_more",), ("twin",)]
    with pytest.raises(ConfigurationError, match="don't go together: both touch engine ETH; plant them apart"):
        simulate("healthy", tmp_path / "out", days=12, accounts=20, faults=names)


def test_the_command_line_lists_faults_and_needs_nothing_else_for_it() -> None:
    result = CliRunner().invoke(app, ["simulate", "--list-faults"])
    assert (result.exit_code, result.output.splitlines()) == (0, fault_lines())


def test_the_command_line_plants_faults(tmp_path: Path) -> None:
    named = "lost_leg, nineteen_places"
    sizes = ["--days", "12", "--accounts", "20"]
    arguments = ["simulate", "--scenario", "healthy", "--out", str(tmp_path / "zone"), "--fault", named, *sizes]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    content = json.loads((tmp_path / "zone" / "truth.json").read_text(encoding="utf-8"))
    assert {fault["check"] for fault in content["faults"]} == {"ledger_balances", "schema_conforms"}


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


def test_a_second_delivery_replaces_only_what_it_holds(tmp_path: Path) -> None:
    faults = ["entry_edited_in_place"]
    folder = simulate("healthy", tmp_path / "landing", days=14, accounts=20, faults=faults).folder
    assert later_date(folder) == date(2021, 11, 13)
    before = files(folder)
    (moved,) = lay_over(folder)
    after = files(folder)
    assert moved == "ledger_entries/date=2021-11-06/part-0.parquet"
    assert {path for path in after if after[path] != before[path]} == {moved}
    assert not (folder / LATER).exists()
    assert lay_over(folder) == []


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    group = max(GROUPS, key=len)
    arguments = {"days": minimum_days(group), "accounts": 20, "seed": 4, "faults": group}
    first, second = (simulate("healthy", tmp_path / name, **arguments) for name in ("one", "two"))  # type: ignore[arg-type]
    assert files(first.folder) == files(second.folder)
