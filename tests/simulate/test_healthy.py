"""A healthy exchange leads to no finding: by the independent oracle on small ones, by plain SQL on more of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.oracle.exchange import read_exchange
from tests.oracle.findings import findings
from tests.simulate.landings import books, landing, truth

Case = tuple[str, int, int, int]
MANY = [("healthy", 12, 20, seed) for seed in range(4)] + [("healthy", 10, 100, 8), ("healthy", 35, 120, 3)]
many_exchanges = pytest.mark.parametrize("case", MANY)


def test_the_oracle_finds_nothing() -> None:
    summary = landing("healthy", 36, 24, 2)
    assert findings(read_exchange(summary.folder, summary.last_date)) == set()


@many_exchanges
def test_the_truth_is_empty(case: Case) -> None:
    summary = landing(*case)
    assert truth(summary) == {
        "scenario": "healthy",
        "seed": case[3],
        "first_date": summary.first_date.isoformat(),
        "last_date": summary.last_date.isoformat(),
        "first_fault_date": None,
        "later_after": None,
        "planted": [],
        "faults": [],
    }


def customers(column: str) -> str:
    """Balances of customers and of suspense accounts, by day and in-kind group, aggregated by an expression."""
    return f"""
        select as_of::date as day, coalesce(in_kind_group, asset) as in_kind_group, {column} as amount
        from balance_snapshots
        inner join accounts using (account_id)
        inner join tokens using (asset)
        where account_class in ('spot', 'margin', 'suspense') and accounts.entity_id <> 'cardinal-research'
        group by all
    """


def reserves(custody: str) -> str:
    """Holdings of the operator's customer wallets of a custody, by day and in-kind group."""
    return f"""
        select as_of::date as day, coalesce(in_kind_group, asset) as in_kind_group, sum(balance) as amount
        from wallet_balances
        inner join (
            select distinct wallet_id from wallets
            where purpose = 'customer' and owner_entity_id = 'meridian-exchange' and custody in ({custody})
        ) using (wallet_id)
        inner join tokens using (asset)
        group by all
    """


@many_exchanges
def test_reserves_cover_what_is_owed_with_room_to_spare(case: Case) -> None:
    query = f"""
        select min(held.amount - owed.amount * 1.02), count(*)
        from ({reserves("'hot', 'cold', 'custodian', 'bank'")}) as held
        inner join ({customers("sum(greatest(balance, 0))")}) as owed using (day, in_kind_group)
    """
    margin, compared = books(*case).rows(query)[0]
    assert compared >= 6 * case[1]
    assert margin > 0


@many_exchanges
def test_liquid_reserves_could_pay_the_largest_day_twice(case: Case) -> None:
    query = f"""
        with withdrawn as (
            select effective_at::date as day, coalesce(in_kind_group, asset) as in_kind_group, -sum(amount) as amount
            from ledger_entries inner join accounts using (account_id) inner join tokens using (asset)
            where entry_type = 'withdrawal' and account_class <> 'external'
            group by all
        )
        select count(*) from ({reserves("'hot', 'bank'")}) as held
        inner join withdrawn using (in_kind_group)
        where withdrawn.day between held.day - 6 and held.day and held.amount < 2 * withdrawn.amount
    """
    assert books(*case).rows(query) == [(0,)]


@many_exchanges
def test_negative_balances_are_dust_or_covered_loans(case: Case) -> None:
    views = books(*case)
    beyond_dust = """
        select count(*) from balance_snapshots inner join accounts using (account_id)
        where balance < 0 and (asset <> 'USD' or balance <= -1) and (account_class <> 'margin' or asset <> 'USD')
    """
    assert views.rows(beyond_dust) == [(0,)]
    thin = """
        with prices as (select asset, as_of::date as day, min(price_usd)::double as usd from token_prices group by all)
        select account_id, as_of
        from balance_snapshots inner join prices on prices.asset = balance_snapshots.asset and day = as_of::date
        group by all
        having min(balance) <= -1 and sum(
            balance::double * usd * case when balance < 0 then 1 when prices.asset = 'MRX' then 0 else 0.9 end
        ) < 0.25 * sum(-least(balance, 0)::double * usd)
    """
    assert views.rows(thin) == []


@many_exchanges
def test_positions_never_threaten_an_account(case: Case) -> None:
    query = """
        select count(*) from open_positions
        inner join balance_snapshots using (account_id, as_of)
        where balance_snapshots.asset = 'USD' and balance_snapshots.balance + unrealised_pnl_usd <= 0
    """
    assert books(*case).rows(query) == [(0,)]


@many_exchanges
def test_every_proof_is_fresh_on_every_day(case: Case) -> None:
    query = """
        with versions as (
            select *, row_number() over (partition by wallet_id, valid_from order by recorded_at desc) as age
            from wallets where ownership_proof <> 'none'
        ),
        days as (select distinct as_of::date + 1 as day_end from balance_snapshots)
        select
            count(*) filter (where day_end - proven_at > interval 60 day),
            count(*), count(distinct (wallet_id, day_end))
        from versions inner join days on valid_from < day_end and coalesce(valid_to, '9999-01-01') >= day_end
        where age = 1
    """
    stale, rows, distinct = books(*case).rows(query)[0]
    assert stale == 0
    assert rows == distinct > 0, "exactly one row of a wallet holds on a day"


@many_exchanges
def test_nobody_related_holds_a_privilege_or_shares_a_hard_attribute(case: Case) -> None:
    views = books(*case)
    privileged = views.rows("select distinct privilege from account_privileges order by 1")
    assert privileged == [("credit_line",), ("fee_exempt",)]
    shared = """
        select attribute_hash from entity_attributes
        where attribute_type in ('bank_account', 'device', 'withdrawal_address')
        group by all having count(distinct entity_id) > 1
    """
    assert views.rows(shared) == []


def test_quotes_stay_close_and_stablecoins_at_par() -> None:
    views = books("healthy", 35, 120, 3)
    spread = "select max(price_usd)::double / min(price_usd)::double from token_prices group by asset, as_of::date"
    assert max(row[0] for row in views.rows(spread)) < 1.01
    par = "select min(price_usd), max(price_usd) from token_prices where asset in ('USDC', 'USDT')"
    low, high = views.rows(par)[0]
    assert Decimal("0.995") < low < high < Decimal("1.005")


def test_the_exchange_is_lively() -> None:
    views = books("healthy", 35, 120, 3)
    present = {row[0] for row in views.rows("select distinct entry_type from ledger_entries")}
    expected = "opening deposit withdrawal trade fee funding interest transfer rebate reward borrow"
    assert set(expected.split()) <= present
    moved = {row[0] for row in views.rows("select distinct transfer_type from wallet_transfers")}
    assert moved == {"deposit", "withdrawal", "internal", "network_fee", "other"}
    dust = "select count(*) > 0 from balance_snapshots where balance < 0 and balance > -1 and asset = 'USD'"
    assert views.rows(dust) == [(True,)]


def revenue_usd(case: Case, month: str) -> Any:
    """Revenue of a month by the ledger, at each day's lowest quote."""
    query = f"""
        with prices as (select asset, as_of::date as day, min(price_usd) as usd from token_prices group by all)
        select sum(amount::double * usd::double)
        from ledger_entries as entry inner join accounts using (account_id)
        inner join prices on prices.asset = entry.asset and prices.day = entry.effective_at::date
        where account_class in ('fee', 'house') and strftime(effective_at, '%Y-%m') = '{month}'
            and entry_type in ('fee', 'interest', 'funding', 'liquidation', 'revenue', 'rebate', 'reward')
    """
    return books(*case).rows(query)[0][0]


def test_reported_revenue_is_what_the_ledger_shows() -> None:
    case = ("healthy", 35, 120, 3)
    reported = books(*case).rows("select sum(amount)::double from reported_figures where figure = 'revenue'")[0][0]
    assert reported == pytest.approx(revenue_usd(case, "2021-11"), rel=0.002)
