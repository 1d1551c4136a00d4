"""The collapse: its truth is what the independent oracle finds in its files, both ways, and nothing before its time."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from orchestration.checks import Kind, Severity, checks_by_name
from tests.oracle.exchange import read_exchange
from tests.oracle.findings import findings, keys_unique, ledger_balances, references_resolve, times_plausible
from tests.simulate.landings import books, landing, truth

SMALL = ("collapse", 60, 20, 1)
CASES = [SMALL, ("collapse", 60, 20, 2), ("collapse", 75, 90, 9), ("collapse", 62, 400, 0)]
Case = tuple[str, int, int, int]
every_case = pytest.mark.parametrize("case", CASES)

STORY = {
    "affiliate_privileges",
    "no_negative_balance",
    "no_negative_equity",
    "customer_funds_segregated",
    "undeclared_affiliates",
    "affiliate_exposure_within_limit",
    "affiliate_collateral_quality",
    "own_token_concentration",
    "reserves_cover_liabilities",
    "total_reserves_cover_liabilities",
    "liquidity_covers_withdrawals",
    "reserve_not_drained",
    "transfers_to_affiliates_explained",
    "insurance_fund_matches",
    "reported_liabilities_match",
    "reported_revenue_supported",
    "revenue_not_backdated",
    "revenue_not_affiliate",
}


def test_the_truth_is_exactly_what_an_independent_re_computation_finds() -> None:
    summary = landing(*SMALL)
    exchange = read_exchange(summary.folder, summary.last_date)
    found = {(f.check, f.as_of_date.isoformat(), f.subject_id, f.asset or None) for f in findings(exchange)}
    told = {(f["check"], f["date"], f["subject"], f["asset"]) for f in truth(summary)["faults"]}
    assert found - told == set(), "found but not in the truth"
    assert told - found == set(), "in the truth but not found"


def test_there_is_nothing_wrong_with_the_load() -> None:
    summary = landing(*SMALL)
    exchange = read_exchange(summary.folder, summary.last_date)
    assert ledger_balances(exchange) == set()
    assert times_plausible(exchange) == set()
    assert references_resolve(exchange) == set()
    assert keys_unique(exchange.books) == set()


@every_case
def test_the_whole_story_is_told(case: Case) -> None:
    assert {fault["check"] for fault in truth(landing(*case))["faults"]} == STORY


@every_case
def test_the_truth_keeps_its_form(case: Case) -> None:
    summary = landing(*case)
    content = truth(summary)
    assert list(content) == [
        "scenario",
        "seed",
        "first_date",
        "last_date",
        "first_fault_date",
        "later_after",
        "planted",
        "faults",
    ]
    assert (content["scenario"], content["seed"]) == ("collapse", case[3])
    keys = [(fault["check"], fault["date"], fault["subject"], fault["asset"]) for fault in content["faults"]]
    assert len(keys) == len(set(keys)), "one entry per subject and day"
    assert all(
        set(fault) == {"check", "date", "subject", "asset", "fault", "form", "note"} for fault in content["faults"]
    )
    assert content["faults"] == sorted(content["faults"], key=lambda fault: fault["date"])
    assert content["first_fault_date"] == "2021-12-08" == content["faults"][0]["date"]


@every_case
def test_every_day_from_the_first_fault_on_fails_the_run(case: Case) -> None:
    summary = landing(*case)
    catalogue = checks_by_name()
    critical = set()
    for fault in truth(summary)["faults"]:
        check = catalogue[fault["check"]]
        assert check.kind in (Kind.RECONCILIATION, Kind.BREACH), "no integrity finding in the story"
        if check.severity is Severity.CRITICAL:
            critical.add(date.fromisoformat(fault["date"]))
    first = date(2021, 12, 8)
    assert critical == {first + timedelta(days=n) for n in range((summary.last_date - first).days + 1)}


@every_case
def test_the_forged_entry_arrives_weeks_later_and_moves_no_balance(case: Case) -> None:
    folder = landing(*case).folder
    query = f"""
        select date::date, min(recorded_at)::date, max(effective_at)::date, count(*), sum(abs(net))
        from (
            select
                date, transaction_id, account_id, asset, min(recorded_at) as recorded_at,
                max(effective_at) as effective_at, sum(amount) as net
            from read_parquet('{folder}/ledger_entries/*/*.parquet', hive_partitioning = true)
            where memo = 'platform fee true-up'
            group by all
        )
        group by 1
    """
    assert books(*case).rows(query)[0] == (date(2022, 1, 17), date(2021, 12, 31), date(2021, 12, 31), 2, 0)


@every_case
def test_the_token_crashes_alike_everywhere(case: Case) -> None:
    views = books(*case)
    path = dict(
        views.rows("select as_of::date, min(price_usd)::double from token_prices where asset = 'MRX' group by 1")
    )
    assert path[date(2022, 1, 25)] < 0.2 * path[date(2022, 1, 20)]
    spread = """
        select max(price_usd)::double / min(price_usd)::double from token_prices
        where asset = 'MRX' group by as_of::date
    """
    assert max(row[0] for row in views.rows(spread)) < 1.01


@every_case
def test_customers_can_withdraw_nothing_once_the_halt_is_on(case: Case) -> None:
    query = """
        select
            count(*) filter (where effective_at >= '2022-01-28 01:00'),
            count(*) filter (where effective_at >= '2022-01-23')
        from ledger_entries where entry_type in ('deposit', 'withdrawal')
    """
    after_halt, since_run = books(*case).rows(query)[0]
    assert after_halt == 0
    assert since_run > 0


@every_case
def test_shapes_follow_the_facts(case: Case) -> None:
    """F1: a credit line of 65 billion against B4's 8.9 billion owed; B4: hardly any bitcoin left before the run."""
    views = books(*case)
    limit = views.rows(
        "select limit_usd from account_privileges where account_id = 'acct-cardinal-credit' and limit_usd > 0"
    )
    owed = case[2] * 8900
    assert float(limit[0][0]) == pytest.approx(owed * 65 / 8.9, rel=0.01)
    gone = """
        select
            sum(balance) filter (where as_of::date = '2022-01-20')
            / sum(balance) filter (where as_of::date = '2021-12-01')
        from wallet_balances where asset = 'BTC' and wallet_id in ('btc-cold', 'granite-vault')
    """
    assert float(views.rows(gone)[0][0]) < 0.15
