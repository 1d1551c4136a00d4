"""What a source that is silent explains and quiets, and, more important, what it doesn't."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.alerts.explaining import Explaining
from orchestration.alerts.incidents import (
    Bearing,
    Category,
    Incident,
    Observation,
    Occasion,
    State,
    acknowledged,
    silenced,
)
from orchestration.alerts.observing import ROWS_ARRIVE
from orchestration.checks import CHECKS, Kind, Severity, checks_by_name
from orchestration.warehouse.lineage import Lineage, lineage
from tests.alerts.desk import HASHING, Desk, Heard, nights
from tests.alerts.looks import DAY, NIGHT, seen

EXPLAINS, MAY_EXPLAIN = Bearing.EXPLAINS, Bearing.MAY_EXPLAIN
OPENED, GREW, REMINDER, RESOLVED = Occasion.OPENED, Occasion.GREW, Occasion.REMINDER, Occasion.RESOLVED
NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def known_lineage() -> Lineage:
    return lineage()


@pytest.fixture
def rule(known_lineage: Lineage) -> Explaining:
    return Explaining(lambda: known_lineage)


def found(check: str, subject_type: str, subject: str, asset: str | None = None, **changes: Any) -> Observation:
    known = checks_by_name().get(check)
    return replace(
        seen(check_name=check, subject_type=subject_type, subject_id=subject, asset=asset),
        category=Category.BREACH if known and known.kind is Kind.BREACH else Category.BAD_DATA,
        severity=known.severity if known else Severity.CRITICAL,
        **changes,
    )


def missing(check: str, subject_type: str, subject: str, **changes: Any) -> Observation:
    asset = subject if subject_type == "asset" else None
    return replace(found(check, subject_type, subject, asset), category=Category.NO_DATA, impact_usd=None, **changes)


def silent(table: str, **changes: Any) -> Observation:
    return missing(ROWS_ARRIVE, "table", table, **changes)


def stale(asset: str, **changes: Any) -> Observation:
    return missing("prices_fresh", "asset", asset, **changes)


COVERAGE = found("reserves_cover_liabilities", "in_kind_group", "BTC", "BTC")
TOTAL = found("total_reserves_cover_liabilities", "exchange", "exchange")
DRAINED = found("reserve_not_drained", "wallet", "w1", "BTC")
NEGATIVE = found("no_negative_balance", "account", "a1", "BTC")
DRIFT = found("ledger_matches_engine", "account", "a1", "BTC")
LATE = missing("published_in_time", "job", "daily_close")
SPREAD = found("prices_agree", "asset", "BTC", "BTC")


def incident(observation: Observation) -> Incident:
    return Incident(1, observation, State.OPEN, NIGHT)


@pytest.mark.parametrize(
    ("cause", "effect", "bearing"),
    [
        # What a silent source's own rows are measured for.
        (silent("wallet_balances"), COVERAGE, EXPLAINS),
        (silent("wallet_balances"), TOTAL, EXPLAINS),
        (silent("wallet_balances"), DRAINED, EXPLAINS),
        (silent("wallet_balances"), found("liquidity_covers_withdrawals", "in_kind_group", "BTC", "BTC"), EXPLAINS),
        (silent("wallet_balances"), found("reported_reserves_match", "figure", "reserves"), EXPLAINS),
        (silent("wallet_balances"), found("wallet_rolls_forward", "wallet", "w1", "BTC"), EXPLAINS),
        (silent("balance_snapshots"), DRIFT, EXPLAINS),
        (silent("token_prices"), stale("BTC"), EXPLAINS),
        (silent("token_prices"), SPREAD, EXPLAINS),
        (stale("BTC"), SPREAD, EXPLAINS),
        # What may follow, and is told all the same.
        (silent("wallet_balances"), found("customer_funds_segregated", "wallet", "w1"), MAY_EXPLAIN),
        (silent("wallet_balances"), NEGATIVE, MAY_EXPLAIN),
        (silent("token_prices"), COVERAGE, MAY_EXPLAIN),
        (silent("token_prices"), NEGATIVE, MAY_EXPLAIN),
        (stale("BTC"), NEGATIVE, MAY_EXPLAIN),
        (stale("BTC"), TOTAL, MAY_EXPLAIN),
        (stale("BTC"), COVERAGE, MAY_EXPLAIN),
        (stale("BTC"), DRIFT, MAY_EXPLAIN),
        (stale("BTC"), found("no_negative_equity", "account", "a1"), MAY_EXPLAIN),
        (silent("wallet_balances", severity=Severity.WARNING), COVERAGE, MAY_EXPLAIN),
        # What has nothing to do with it.
        (silent("balance_snapshots"), NEGATIVE, None),
        (silent("balance_snapshots"), COVERAGE, None),
        (silent("wallet_balances"), DRIFT, None),
        (silent("reported_figures"), COVERAGE, None),
        (stale("ETH"), SPREAD, None),
        (stale("ETH"), NEGATIVE, None),
        (stale("BTC"), found("own_token_concentration", "asset", "FTT", "FTT"), None),
        (stale("BTC"), found("check_runs", "check", "prices_agree"), None),
        (missing("arrivals_complete", "table", "token_prices"), LATE, MAY_EXPLAIN),
        (silent("wallet_balances"), LATE, None),
        (silent("wallet_balances"), found("run_completes", "job", "daily_close"), None),
        (found("ledger_balances", "transaction", "t1", "BTC"), NEGATIVE, None),
        (LATE, COVERAGE, None),
    ],
)
def test_what_explains_what(rule: Explaining, cause: Observation, effect: Observation, bearing: Bearing | None) -> None:
    assert rule(incident(cause), incident(effect)) is bearing


def test_nothing_explains_what_stood_before_it(rule: Explaining) -> None:
    cause, effect = incident(silent("wallet_balances")), incident(COVERAGE)
    assert rule(cause, replace(effect, opened_at=NIGHT + timedelta(minutes=1))) is EXPLAINS
    assert rule(cause, replace(effect, opened_at=NIGHT - timedelta(minutes=1))) is None
    assert rule(cause, incident(replace(COVERAGE, since=DAY - timedelta(days=1)))) is None


def test_no_breach_about_somebody_is_ever_explained(rule: Explaining, known_lineage: Lineage) -> None:
    """Whatever source is silent: what an account, an entity, a wallet or a transfer did is told at once."""
    tables = {table for tables in known_lineage.whole.values() for table in tables}
    for check in CHECKS:
        if check.kind is not Kind.BREACH or check.severity is not Severity.CRITICAL:
            continue
        for subject_type in ("account", "affiliate", "entity", "wallet", "transfer", "month"):
            effect = incident(found(check.name, subject_type, "x1", "BTC"))
            bearings = [rule(incident(silent(table)), effect) for table in tables]
            assert EXPLAINS not in [*bearings, rule(incident(stale("BTC")), effect)]


def test_the_lineage_is_that_of_the_project(known_lineage: Lineage) -> None:
    measured = known_lineage.measured
    assert measured["ledger_matches_engine"] >= {"ledger_entries", "balance_snapshots"}
    assert "wallet_balances" not in measured["ledger_matches_engine"]
    assert "token_prices" in known_lineage.whole["reserves_cover_liabilities"] - measured["reserves_cover_liabilities"]
    assert measured["prices_agree"] >= {"token_prices"}
    assert set(known_lineage.whole) == {check.name for check in CHECKS}


@pytest.fixture
def desk(rule: Explaining, tmp_path: Path) -> Desk:
    routes = {
        "all": {},
        "breaches": {"when": {"categories": ["breach"]}},
        "data": {"when": {"categories": ["no_data"]}},
    }
    return Desk(tmp_path, routes, rule)


def by_route(said: list[Heard]) -> dict[str, set[Heard]]:
    assert len(said) == len(set(said))
    return {route: {heard for heard in said if heard.route == route} for route in {heard.route for heard in said}}


def test_a_silent_source_is_told_with_what_it_explains_where_both_are_heard(desk: Desk) -> None:
    said = desk.look(silent("wallet_balances"), COVERAGE, DRAINED, NEGATIVE)
    both = ("reserves_cover_liabilities", "reserve_not_drained")
    assert by_route(said) == {
        "all": {Heard("all", OPENED, ("no_negative_balance",)), Heard("all", OPENED, ("rows_arrive",), both)},
        # Whoever doesn't hear of the source hears of what follows from it.
        "breaches": {
            Heard("breaches", OPENED, (check,))
            for check in ("no_negative_balance", "reserves_cover_liabilities", "reserve_not_drained")
        },
        "data": {Heard("data", OPENED, ("rows_arrive",), both)},
    }


def test_what_still_stands_when_the_source_is_back_is_told_by_itself(desk: Desk) -> None:
    desk.look(silent("wallet_balances"), COVERAGE, DRAINED)
    later = {"day": NEXT_DAY, "at": nights(1)}
    said = desk.look(replace(COVERAGE, day=NEXT_DAY), **later)
    assert [heard for heard in said if heard.route == "all"] == [
        Heard("all", OPENED, ("reserves_cover_liabilities",)),
        Heard("all", RESOLVED, ("rows_arrive",)),
    ]
    assert desk.incident("reserves_cover_liabilities").explained_by is None
    # What went with the source had no message of its own there, so nobody is told that it is over.
    assert Heard("breaches", RESOLVED, ("reserve_not_drained",)) in said
    assert Heard("all", RESOLVED, ("reserve_not_drained",)) not in said


def test_what_comes_to_follow_later_is_told_at_once_by_what_explains_it(desk: Desk) -> None:
    desk.look(silent("wallet_balances"))
    desk.change(1, lambda one: acknowledged(one, "kim", NIGHT))
    said = desk.look(silent("wallet_balances"), COVERAGE, at=nights(0.01))
    assert Heard("all", GREW, ("rows_arrive",), ("reserves_cover_liabilities",)) in said
    body = desk.store.messages(1)[-1].body
    assert "it explains more than before" in body
    grown = replace(COVERAGE, impact_usd=COVERAGE.impact_usd and COVERAGE.impact_usd * 2)
    said = desk.look(silent("wallet_balances"), grown, at=nights(0.02))
    assert Heard("all", GREW, ("rows_arrive",), ("reserves_cover_liabilities",)) in said
    assert desk.look(silent("wallet_balances"), grown, at=nights(0.03)) == []


def test_of_what_is_silenced_nobody_hears_what_it_explains_so_that_speaks(desk: Desk) -> None:
    desk.look(silent("wallet_balances"), COVERAGE)
    desk.change(desk.incident("rows_arrive").number, lambda one: silenced(one, nights(9)))
    said = desk.look(silent("wallet_balances"), COVERAGE, at=nights(0.01))
    assert Heard("all", OPENED, ("reserves_cover_liabilities",)) in said


def test_what_is_itself_explained_explains_nothing(desk: Desk) -> None:
    said = desk.look(silent("token_prices"), stale("BTC"), SPREAD)
    assert Heard("all", OPENED, ("rows_arrive",), ("prices_fresh", "prices_agree")) in said
    table = desk.incident("rows_arrive").seen.fingerprint
    assert {desk.incident(check).explained_by for check in ("prices_fresh", "prices_agree")} == {table}


def test_a_breach_that_may_follow_says_so_and_names_nobody(desk: Desk) -> None:
    desk.look(stale("BTC"), NEGATIVE)
    number = desk.incident("no_negative_balance").number
    body = desk.store.messages(number)[0].body
    assert f"prices_fresh, asset BTC (incident {desk.incident('prices_fresh').number})" in body
    assert f"account {HASHING.of('a1')}" in body
    assert NEGATIVE.message not in body


def test_one_look_that_could_not_judge_the_source_leaves_nothing_untold(desk: Desk) -> None:
    desk.look(silent("wallet_balances"), COVERAGE)
    said = desk.look(COVERAGE, at=nights(0.01), checks=("reserves_cover_liabilities",))
    assert [heard for heard in said if heard.route == "all"] == []
    assert desk.incident("rows_arrive").state is State.OPEN
