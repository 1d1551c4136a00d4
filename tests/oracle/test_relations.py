"""The entity graph by hand: who is an affiliate, by which path, on which day."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from tests.oracle.relations import direct_shares, effective_share
from tests.oracle.small_books import DAY, exchange, row

PEOPLE = ("boss", "spouse", "director")
COMPANIES = ("holding", "alpha", "beta", "gamma")


def link(parent: str, child: str, kind: str = "ownership", pct: str | None = None, **dates: Any) -> dict[str, Any]:
    return {
        "parent_entity_id": parent,
        "child_entity_id": child,
        "link_type": kind,
        "ownership_pct": pct,
        **dates,
    }


def affiliates(*links: dict[str, Any], day: date = DAY) -> set[str]:
    entities = [{"entity_id": person, "entity_type": "person"} for person in PEOPLE]
    entities += [{"entity_id": company} for company in COMPANIES]
    world = exchange(last=date(2026, 1, 9), entities=entities, entity_links=list(links))
    return world.relations.affiliates(day)


def share(owner: str, owned: str, *links: dict[str, Any]) -> Fraction:
    return effective_share(direct_shares([row("entity_links", **values) for values in links]), owner, owned)


def test_ownership_multiplies_along_a_path() -> None:
    # 0.40 x 0.30
    assert share("a", "c", link("a", "b", pct="40"), link("b", "c", pct="30")) == Fraction(12, 100)


def test_a_link_above_half_counts_as_the_whole() -> None:
    # 1 x 0.30; exactly half stays a half: 0.5 x 0.30
    assert share("a", "c", link("a", "b", pct="50.000001"), link("b", "c", pct="30")) == Fraction(30, 100)
    assert share("a", "c", link("a", "b", pct="50"), link("b", "c", pct="30")) == Fraction(15, 100)


def test_simple_paths_add_up_and_are_capped() -> None:
    # 0.4 x 0.3 + 0.1 = 0.22; 1 + 1 is capped
    assert share("a", "c", link("a", "b", pct="40"), link("b", "c", pct="30"), link("a", "c", pct="10")) == Fraction(
        22, 100
    )
    assert share("a", "c", link("a", "b", "control"), link("b", "c", "control"), link("a", "c", pct="60")) == 1


def test_a_cycle_terminates_and_adds_nothing() -> None:
    links = (link("a", "b", pct="40"), link("b", "a", pct="40"), link("b", "c", pct="50"))
    assert share("a", "c", *links) == Fraction(20, 100)


@pytest.mark.parametrize(("pct", "expected"), [("20", {"alpha"}), ("19.999999", set())])
def test_the_threshold_is_reached_at_exactly_twenty(pct: str, expected: set[str]) -> None:
    assert affiliates(link("operator", "alpha", pct=pct)) == expected
    assert affiliates(link("alpha", "operator", pct=pct)) == expected


def test_two_paths_below_the_threshold_reach_it_together() -> None:
    # boss 100 % of holding 12 % of alpha, boss 8 % of alpha: 20 %; boss controls the operator through holding
    links = (
        link("boss", "holding", pct="100"),
        link("holding", "operator", pct="51"),
        link("holding", "alpha", pct="12"),
        link("boss", "alpha", pct="8"),
    )
    assert affiliates(*links) == {"boss", "holding", "alpha"}


def test_a_shareholder_without_control_relates_nobody_else() -> None:
    # boss has 30 % of the operator: related, but what he owns elsewhere isn't reached by that; what he controls is
    assert affiliates(link("boss", "operator", pct="30"), link("boss", "alpha", pct="40")) == {"boss"}
    assert affiliates(link("boss", "operator", pct="30"), link("boss", "alpha", pct="60")) == {"boss", "alpha"}


def test_directors_their_family_and_what_they_control() -> None:
    links = (
        link("director", "operator", "director"),
        link("spouse", "director", "family"),
        link("spouse", "beta", "control"),
        link("director", "gamma", pct="50"),
    )
    assert affiliates(*links) == {"director", "spouse", "beta"}


def test_a_director_of_a_controller_counts_and_of_a_shareholder_does_not() -> None:
    directs = link("director", "holding", "director")
    assert affiliates(directs, link("holding", "operator", "control")) == {"director", "holding"}
    assert affiliates(directs, link("holding", "operator", pct="50")) == {"holding"}


def test_related_at_any_moment_of_the_day_is_related_that_day() -> None:
    ends_at_noon = link("operator", "alpha", pct="30", valid_to="2026-01-03 12:00")
    assert affiliates(ends_at_noon, day=date(2026, 1, 3)) == {"alpha"}
    assert affiliates(ends_at_noon, day=date(2026, 1, 4)) == set()
    ends_at_midnight = link("operator", "alpha", pct="30", valid_to="2026-01-03")
    assert affiliates(ends_at_midnight, day=date(2026, 1, 3)) == set()
    seven_minutes = link("operator", "alpha", pct="30", valid_from="2026-01-03 23:50", valid_to="2026-01-03 23:57")
    assert affiliates(seven_minutes, day=date(2026, 1, 3)) == {"alpha"}


def test_two_links_that_never_held_together_do_not_add_up() -> None:
    links = (
        link("operator", "alpha", pct="15", valid_to="2026-01-03 12:00"),
        link("operator", "beta", pct="100"),
        link("beta", "alpha", pct="15", valid_from="2026-01-03 12:00"),
    )
    assert affiliates(*links, day=date(2026, 1, 3)) == {"beta"}
