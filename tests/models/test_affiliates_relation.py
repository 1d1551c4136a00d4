"""The entity graph: who is the operator, an affiliate or a customer on each day.

Expected values are worked out by hand; an exhaustive recomputation in exact fractions guards random graphs.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.support.warehouse import build_warehouse

FIRST, LAST = "2022-01-01", "2022-01-10"
RELATIONS = "int_affiliates__entity_relation"


def entities(*names: str, **types: str) -> list[dict[str, Any]]:
    """An operator ``op``, the persons whose names start with ``p_``, and companies."""
    rows = [{"entity_id": "op", "entity_type": "operator"}]
    rows += [{"entity_id": n, "entity_type": "person" if n.startswith("p_") else "company"} for n in names]
    return rows + [{"entity_id": name, "entity_type": type_} for name, type_ in types.items()]


def owns(parent: str, child: str, pct: str, **more: Any) -> dict[str, Any]:
    """An ownership link."""
    return {
        "parent_entity_id": parent,
        "child_entity_id": child,
        "link_type": "ownership",
        "ownership_pct": pct,
        **more,
    }


def link(kind: str, parent: str, child: str, **more: Any) -> dict[str, Any]:
    """A link of another kind."""
    return {"parent_entity_id": parent, "child_entity_id": child, "link_type": kind, **more}


def relations(folder: Path, entity_rows: list[dict[str, Any]], links: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Per entity its (relation, from_date, to_date), in order."""
    rows = {"entities": entity_rows, "entity_links": links}
    warehouse = build_warehouse(folder, rows, first_date=FIRST, last_date=LAST, select=RELATIONS)
    found: dict[str, list[Any]] = {}
    for row in warehouse.query(f"select * from intermediate.{RELATIONS} order by entity_id, from_date"):
        found.setdefault(row["entity_id"], []).append((row["relation"], row["from_date"], row["to_date"]))
    return found


def affiliates(folder: Path, entity_rows: list[dict[str, Any]], links: list[dict[str, Any]]) -> set[str]:
    """The entities that are affiliates on the whole calendar; no entity may change."""
    found = relations(folder, entity_rows, links)
    assert all(len(periods) == 1 for periods in found.values()), found
    return {entity for entity, periods in found.items() if periods[0][0] == "affiliate"}


def day(number: int) -> date:
    """The calendar's day of that number, from 1."""
    return date(2022, 1, 1) + timedelta(days=number - 1)


def test_threshold_is_exact_and_inclusive(tmp_path: Path) -> None:
    found = affiliates(
        tmp_path,
        entities("exact", "below", "owned_exact", "owned_below"),
        [
            owns("exact", "op", "20"),
            owns("below", "op", "19.999999999999999999"),
            owns("op", "owned_exact", "20.000000000000000000"),
            owns("op", "owned_below", "19.999999999999999999"),
        ],
    )
    assert found == {"exact", "owned_exact"}


def test_exactly_half_is_no_control_and_above_half_is_all(tmp_path: Path) -> None:
    """50 % x 39 % is 19.5 %; just above 50 % counts as 100 %, so 39 % remains."""
    found = affiliates(
        tmp_path,
        entities("half", "half_child", "more", "more_child"),
        [
            owns("op", "half", "50"),
            owns("half", "half_child", "39"),
            owns("op", "more", "50.000000000000000001"),
            owns("more", "more_child", "20"),
        ],
    )
    assert found == {"half", "more", "more_child"}


def test_paths_add_up_to_control_through_two_companies(tmp_path: Path) -> None:
    """p_x controls op through 30 % held by each of two companies it controls, so what p_x holds is related."""
    found = affiliates(
        tmp_path,
        entities("p_x", "a", "b", "fund", "other"),
        [
            owns("p_x", "a", "100"),
            owns("p_x", "b", "51"),
            owns("a", "op", "30"),
            owns("b", "op", "30"),
            owns("p_x", "fund", "20"),
            owns("p_x", "other", "19"),
        ],
    )
    assert found == {"p_x", "a", "b", "fund"}


def test_shareholder_without_control_does_not_pull_in_what_it_holds(tmp_path: Path) -> None:
    found = affiliates(tmp_path, entities("fund", "startup"), [owns("fund", "op", "25"), owns("fund", "startup", "90")])
    assert found == {"fund"}


def test_entities_of_a_common_controller_hold_on_its_behalf(tmp_path: Path) -> None:
    """The sister's 20 % make venture related; the sister's half-owned 15 % don't."""
    found = affiliates(
        tmp_path,
        entities("parent", "sister", "venture", "distant"),
        [
            link("control", "parent", "op"),
            owns("parent", "sister", "60"),
            owns("sister", "venture", "20"),
            owns("venture", "distant", "50"),
        ],
    )
    assert found == {"parent", "sister", "venture"}


def test_cycles_and_diamonds_end(tmp_path: Path) -> None:
    """a and b hold each other; the diamond's two paths of 12 % add up to 24 %."""
    found = affiliates(
        tmp_path,
        entities("a", "b", "left", "right", "bottom", "loose"),
        [
            owns("op", "a", "30"),
            owns("a", "b", "40"),
            owns("b", "a", "40"),
            owns("b", "op", "10"),
            owns("op", "left", "30"),
            owns("op", "right", "30"),
            owns("left", "bottom", "40"),
            owns("right", "bottom", "40"),
            owns("b", "loose", "45"),
        ],
    )
    assert found == {"a", "left", "right", "bottom"}


def test_directors_family_and_what_they_control(tmp_path: Path) -> None:
    found = affiliates(
        tmp_path,
        entities(
            "p_ceo", "p_wife", "p_cousin", "wifeco", "ceoco", "halfco", "parent", "p_chair", "sub", "p_subdirector"
        ),
        [
            link("director", "p_ceo", "op"),
            link("family", "p_wife", "p_ceo"),
            link("family", "p_cousin", "p_wife"),
            owns("p_wife", "wifeco", "51"),
            link("control", "p_ceo", "ceoco"),
            owns("p_ceo", "halfco", "50"),
            link("control", "parent", "op"),
            link("director", "p_chair", "parent"),
            owns("op", "sub", "100"),
            link("director", "p_subdirector", "sub"),
        ],
    )
    assert found == {"p_ceo", "p_wife", "wifeco", "ceoco", "parent", "p_chair", "sub"}


def test_related_at_any_moment_of_a_day_is_related_on_that_day(tmp_path: Path) -> None:
    """Ends at noon: related that day. Ends at midnight: not on the day that begins. Islands that touch are merged."""
    found = relations(
        tmp_path,
        entities("noon", "midnight", "touching", "moment", "gap"),
        [
            owns("noon", "op", "40", valid_from="2022-01-03 23:59:59.999999", valid_to="2022-01-05 12:00:00"),
            owns("midnight", "op", "40", valid_to="2022-01-05 00:00:00"),
            owns("touching", "op", "40", valid_to="2022-01-05 08:00:00"),
            owns("touching", "op", "30", valid_from="2022-01-05 20:00:00", valid_to="2022-01-07 00:00:00"),
            owns("moment", "op", "40", valid_from="2022-01-05 08:00:00", valid_to="2022-01-05 08:00:00"),
            owns("gap", "op", "40", valid_to="2022-01-03 00:00:00"),
            owns("gap", "op", "40", valid_from="2022-01-08 00:00:00"),
        ],
    )
    assert found["noon"] == [
        ("customer", day(1), day(3)),
        ("affiliate", day(3), day(6)),
        ("customer", day(6), day(11)),
    ]
    assert found["midnight"] == [("affiliate", day(1), day(5)), ("customer", day(5), day(11))]
    assert found["touching"] == [("affiliate", day(1), day(7)), ("customer", day(7), day(11))]
    assert found["moment"] == [("customer", day(1), day(11))]
    assert found["gap"] == [
        ("affiliate", day(1), day(3)),
        ("customer", day(3), day(8)),
        ("affiliate", day(8), day(11)),
    ]
    assert found["op"] == [("operator", day(1), day(11))]


def test_links_that_never_hold_at_the_same_moment_make_no_path(tmp_path: Path) -> None:
    """a leaves before b's stake begins, on the same day: no moment at which the chain stood."""
    found = affiliates(
        tmp_path,
        entities("mid", "end"),
        [
            owns("op", "mid", "10"),
            owns("mid", "end", "100", valid_to="2022-01-04 10:00:00"),
            owns("op", "end", "15", valid_from="2022-01-04 11:00:00"),
        ],
    )
    assert found == set()


def test_link_recorded_after_the_run_does_not_exist_and_latest_version_wins(tmp_path: Path) -> None:
    found = relations(
        tmp_path,
        entities("late", "closed"),
        [
            owns("late", "op", "40", recorded_at="2022-01-11 00:00:00"),
            owns("closed", "op", "40", recorded_at="2022-01-01 00:00:00"),
            owns("closed", "op", "40", valid_to="2022-01-04", recorded_at="2022-01-09 00:00:00"),
        ],
    )
    assert found["late"] == [("customer", day(1), day(11))]
    assert found["closed"] == [("affiliate", day(1), day(4)), ("customer", day(4), day(11))]


def test_custodial_subsidiary_of_policy_is_the_operator(tmp_path: Path) -> None:
    policy_file = tmp_path / "policy.yaml"
    policy_file.write_text("operator:\n  custodial_subsidiaries: [custody]\n")
    warehouse = build_warehouse(
        tmp_path,
        {
            "entities": entities("custody", "child", "sub"),
            "entity_links": [owns("custody", "child", "20"), owns("op", "sub", "100"), owns("op", "custody", "100")],
        },
        first_date=FIRST,
        last_date=LAST,
        select=RELATIONS,
        policy_file=policy_file,
    )
    rows = warehouse.query(f"select entity_id, relation, reason from intermediate.{RELATIONS} order by 1")
    assert [(row["entity_id"], row["relation"], row["reason"]) for row in rows] == [
        ("child", "affiliate", "held_by_operator"),
        ("custody", "operator", "custodial_subsidiary"),
        ("op", "operator", "entity_type"),
        ("sub", "affiliate", "held_by_operator"),
    ]


def test_evidence_path_reads_like_a_chain(tmp_path: Path) -> None:
    warehouse = build_warehouse(
        tmp_path,
        {
            "entities": entities("p_x", "alameda"),
            "entity_links": [owns("p_x", "op", "75.5"), owns("p_x", "alameda", "90")],
        },
        first_date=FIRST,
        last_date=LAST,
        select=RELATIONS,
    )
    rows = warehouse.query(f"select evidence_path from intermediate.{RELATIONS} where entity_id = 'alameda'")
    assert rows == [{"evidence_path": "p_x -> op (ownership 75.5 %); p_x -> alameda (ownership 90 %)"}]


def effective(links: list[tuple[str, str, int]], start: str, end: str) -> Fraction:
    """Sum over simple paths, by hand: the oracle of the random graphs."""

    def walk(node: str, seen: tuple[str, ...], share: Fraction) -> Fraction:
        if node == end:
            return share
        return sum(
            (
                walk(child, (*seen, child), share * (1 if pct > 50 else Fraction(pct, 100)))
                for parent, child, pct in links
                if parent == node and child not in seen
            ),
            Fraction(0),
        )

    return min(Fraction(1), walk(start, (start,), Fraction(1))) if start != end else Fraction(0)


def test_random_graphs_agree_with_exact_fractions(tmp_path: Path) -> None:
    """Twelve graphs of eight companies in one build, each with an operator of its own."""
    generator = random.Random(7)
    entity_rows: list[dict[str, Any]] = []
    link_rows: list[dict[str, Any]] = []
    expected: set[str] = set()
    for graph in range(12):
        names = [f"g{graph}_{number}" for number in range(8)]
        operator = names[0]
        entity_rows += [
            {"entity_id": name, "entity_type": "operator" if name == operator else "company"} for name in names
        ]
        pairs = [(a, b) for a in names for b in names if a != b]
        links = [(a, b, generator.choice([5, 10, 20, 25, 30, 40, 50, 51])) for a, b in generator.sample(pairs, 14)]
        link_rows += [owns(parent, child, str(pct)) for parent, child, pct in links]
        share = {(a, b): effective(links, a, b) for a, b in pairs}
        controllers = {name for name in names if name != operator and share[name, operator] > Fraction(1, 2)}
        top = {operator} | controllers
        holders = top | {b for a in top for b in names if a != b and share[a, b] > Fraction(1, 2)}
        threshold = Fraction(1, 5)
        expected |= {name for name in names[1:] if share[name, operator] >= threshold}
        expected |= {b for a in holders for b in names[1:] if a != b and share[a, b] >= threshold}
    assert affiliates(tmp_path, entity_rows, link_rows) == expected
