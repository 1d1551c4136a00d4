"""Bookkeeping that holds by construction, re-computed from the files with exact decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.simulate.landings import books

CASES = [("healthy", 35, 120, 3), ("healthy", 10, 900, 11), ("collapse", 62, 60, 5)]
every_case = pytest.mark.parametrize("case", CASES)
Case = tuple[str, int, int, int]


@every_case
def test_every_transaction_sums_to_zero_in_each_asset(case: Case) -> None:
    query = "select transaction_id from ledger_entries group by transaction_id, asset having sum(amount) <> 0"
    assert books(*case).rows(query) == []


@every_case
def test_the_engine_agrees_with_the_ledger_on_every_balance_of_every_day(case: Case) -> None:
    drifts = """
        with
        moments as (select distinct as_of from balance_snapshots),
        ledger as (
            select entry.account_id, entry.asset, moments.as_of, sum(entry.amount) as balance
            from ledger_entries as entry
            inner join accounts on entry.account_id = accounts.account_id and accounts.account_class <> 'external'
            inner join moments on entry.effective_at < moments.as_of
            group by all
            having sum(entry.amount) <> 0
        )
        select count(*), count(*) filter (where ledger.balance is distinct from engine.balance)
        from ledger full join balance_snapshots as engine using (account_id, asset, as_of)
    """
    compared, wrong = books(*case).rows(drifts)[0]
    assert compared > 1000
    assert wrong == 0


@every_case
def test_wallets_roll_forward_exactly(case: Case) -> None:
    breaks = """
        with
        steps as (
            select *, lag(balance) over span as before, lag(as_of) over span as since
            from wallet_balances
            window span as (partition by wallet_id, asset order by as_of)
        )
        select steps.wallet_id, steps.asset, steps.as_of
        from steps
        left join wallet_transfers as moved
            on moved.wallet_id = steps.wallet_id and moved.asset = steps.asset
            and moved.block_time >= steps.since and moved.block_time < steps.as_of
        where steps.since is not null
        group by steps.wallet_id, steps.asset, steps.as_of, steps.balance, steps.before
        having steps.balance - steps.before <> coalesce(sum(moved.amount), 0)
    """
    assert books(*case).rows(breaks) == []


@every_case
def test_a_wallet_once_listed_never_falls_silent_or_below_zero(case: Case) -> None:
    views = books(*case)
    silent = """
        select wallet_id, asset from wallet_balances group by 1, 2
        having count(*) <> (select count(distinct as_of) from wallet_balances) and min(as_of)::date <> (
            select min(valid_from)::date from wallets where wallets.wallet_id = wallet_balances.wallet_id
        )
    """
    assert views.rows(silent) == []
    assert views.rows("select count(*) from wallet_balances where balance < 0") == [(0,)]


@every_case
def test_deposits_and_withdrawals_are_their_transfers(case: Case) -> None:
    views = books(*case)
    unmatched = """
        with
        entries as (
            select reference, asset, sum(amount) as amount, min(effective_at) as at
            from ledger_entries inner join accounts using (account_id)
            where entry_type in ('deposit', 'withdrawal') and account_class <> 'external'
            group by all
        ),
        transfers as (
            select transfer_id as reference, asset, amount, block_time as at
            from wallet_transfers where transfer_type in ('deposit', 'withdrawal')
        )
        select reference from entries full join transfers using (reference, asset)
        where entries.amount is distinct from transfers.amount or abs(date_diff('day', entries.at, transfers.at)) > 1
    """
    assert views.rows(unmatched) == []
    batched = """
        select max(entries) from (
            select count(*) as entries from ledger_entries where entry_type = 'withdrawal' and amount < 0
            group by reference
        )
    """
    if case[2] > 500:
        assert views.rows(batched)[0][0] > 1, "bitcoin leaves in batches"


@every_case
def test_the_outside_world_is_touched_only_as_it_may_be(case: Case) -> None:
    wrong = """
        select entry_id from ledger_entries
        where transaction_id in (
            select transaction_id from ledger_entries inner join accounts using (account_id)
            where account_class = 'external'
        ) and (
            entry_type not in ('opening', 'deposit', 'withdrawal')
            or entry_type = 'opening' and effective_at::date <> (select min(effective_at)::date from ledger_entries)
        )
    """
    assert books(*case).rows(wrong) == []


@every_case
def test_amounts_have_the_places_of_their_asset(case: Case) -> None:
    places = {"USD": 2, "EUR": 2, "USDC": 6, "USDT": 6, "BTC": 8, "SOL": 9, "XRP": 6, "MRX": 6}
    views = books(*case)
    for asset, allowed in places.items():
        query = f"select count(*) from ledger_entries where asset = '{asset}' and amount <> round(amount, {allowed})"
        assert views.rows(query) == [(0,)], asset
    wei = "select count(*) > 0 from ledger_entries where asset = 'ETH' and amount <> round(amount, 17)"
    assert views.rows(wei) == [(True,)]


def test_balances_are_heavy_tailed() -> None:
    query = """
        with held as (
            select entity_id, sum(balance::double * price_usd::double) as usd
            from balance_snapshots inner join accounts using (account_id)
            inner join (select asset, min(price_usd) as price_usd from token_prices group by 1) using (asset)
            where account_class in ('spot', 'margin') and balance > 0
                and as_of = (select min(as_of) from balance_snapshots)
            group by 1
        )
        select sum(usd) filter (where usd >= (select quantile_cont(usd, 0.9) from held)) / sum(usd) from held
    """
    top_tenth = Decimal(str(books("healthy", 10, 900, 11).rows(query)[0][0]))
    assert top_tenth > Decimal("0.4")
