"""One day of the bulk generator's exchange, set-based: what happens, what is booked for it, what is held at its end.

What belongs here: the SQL of a day. What doesn't: the loop over days and files (``generator``), constants and
reference tables (``bulk_market``).

A day's transactions are drawn by number. Nobody spends more of an asset in a day than half of what was held when the
day began, shared among all that may be spent of it, so that no order of the day's transactions leaves a balance below
zero. What can't be afforded becomes a deposit. All amounts are whole numbers until they are written as decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from orchestration.bench.speed.bulk_market import CENT, FEES, FIRST_DATE, HOUSE, INSURANCE_FUND, SCALE

LEAST_SPENT_CENTS = 100
_TAIL_UNIT = "0.000000000000000001"


@dataclass(frozen=True, slots=True)
class Day:
    """One day to draw: ``entries`` it may hold at most, and the numbers that are taken before it."""

    number: int
    seed: int
    accounts: int
    entries: int
    transactions_before: int
    entries_before: int

    @property
    def date(self) -> date:
        """The day's date."""
        return FIRST_DATE + timedelta(days=self.number)


def open_books(connection: duckdb.DuckDBPyConnection, seed: int, funded: int) -> None:
    """Opening balances: two assets an account, the more active accounts first, and the operator's own money.

    A margin account opens with a debt in USD of a tenth of what its other asset is worth.
    """
    connection.execute(
        f"""
        create table opening as
        with drawn as (
            select
                account,
                own_asset(account) as asset_number,
                {CENT} * (50000 + cast(draw($seed, -1, account, 'usd') % 1950000 as bigint)) as usd,
                {CENT} * (50000 + cast(draw($seed, -1, account, 'own') % 1950000 as bigint)) as worth
            from range($funded) as customer (account)
        )

        select account, 0 as asset_number,
            case when is_margin(account) then -(worth // {10 * CENT} * {CENT}) else usd end as units
        from drawn
        union all
        select account, asset_number, cast(cast(worth as hugeint) * {SCALE} // price // step * step as bigint)
        from drawn inner join asset using (asset_number) inner join price using (asset_number)
        where day = 0
        union all values
            ({FEES}, 0, {1000 * SCALE}), ({HOUSE}, 0, {2_000_000 * SCALE}), ({INSURANCE_FUND}, 0, {500_000 * SCALE})
        """,
        {"seed": seed, "funded": funded},
    )
    connection.execute(
        "create table holding as select account, asset_number, decimal_of(units) as balance from opening"
        " order by account, asset_number"
    )
    connection.execute(
        f"""
        create table wallet_holding as
        with owed as (
            select asset_number, sum(greatest(units, 0)) as units from opening where account <> {HOUSE} group by all
        )

        select asset_number, lower(asset) || side as wallet_id,
            decimal_of((coalesce(units, 0) * 105 // 100 + {1000 * SCALE}) * share // 10 // step * step) as balance
        from asset left join owed using (asset_number)
        cross join (values ('-hot', 6), ('-cold', 4)) as kind (side, share)
        union all values (0, 'house-bank', decimal_of({2_000_000 * SCALE}))
        """
    )


def draw_transactions(connection: duckdb.DuckDBPyConnection, day: Day) -> int:
    """Fill table ``happened`` with the day's transactions, in order; return how many."""
    _draw_wishes(connection, day)
    connection.execute(
        """
        create or replace temp table budget as
        with spending as (
            select account, asset_number from wish where kind = 'withdrawal'
            union all
            select account, 0 from wish where kind = 'trade'
            union all
            select seller, asset_number from wish where kind = 'trade'
        ),

        counted as (
            select account, asset_number, count(*) as times from spending group by account, asset_number
        )

        select account, asset_number, cast(floor(balance * 100000000) as bigint) // (2 * times) as units
        from counted inner join holding using (account, asset_number)
        where balance > 0
        """
    )
    connection.execute(_AFFORDED, {"entries": day.entries})
    return int(connection.execute("select count(*) from happened").fetchall()[0][0])


def _draw_wishes(connection: duckdb.DuckDBPyConnection, day: Day) -> None:
    """One wish a possible transaction: of 20, 5 deposit, 4 withdraw, 11 buy of another customer; 10 to 2,000 USD."""
    connection.execute(
        """
        create or replace temp table wish as
        with drawn as (
            select
                number,
                active_account(draw($seed, $day, number, 'account'), $accounts) as account,
                active_account(draw($seed, $day, number, 'seller'), $accounts) as seller,
                draw($seed, $day, number, 'kind') % 20 as kind,
                draw($seed, $day, number, 'asset') % 2 = 0 as is_in_usd,
                1000 + cast(draw($seed, $day, number, 'cents') % 199000 as bigint) as cents,
                cast(draw($seed, $day, number, 'tail') % 10000000000 as bigint) as tail
            from range($wishes) as wishes (number)
        ),

        kinds as (
            select *, case
                when kind < 5 then 'deposit'
                when kind < 9 then case when is_margin(account) then 'deposit' else 'withdrawal' end
                when account = seller then 'deposit'
                else 'trade'
            end as wanted
            from drawn
        )

        select number, account, seller, wanted as kind, cents, tail, case
            when wanted = 'trade' then own_asset(seller)
            when is_in_usd then 0
            else own_asset(account)
        end as asset_number
        from kinds
        """,
        {"seed": day.seed, "day": day.number, "accounts": day.accounts, "wishes": day.entries // 2},
    )
    connection.execute("create or replace temp table day_price as select * from price where day = ?", [day.number])


_AFFORDED = f"""
    create or replace temp table happened as
    with priced as (
        select wish.*, step, has_tail, price,
            cast(cast(cents as hugeint) * {CENT} * {SCALE} // price // step * step as bigint) as wished,
            spent.units as own_budget, sold.units as seller_budget
        from wish
        inner join asset on wish.asset_number = asset.asset_number
        inner join day_price on wish.asset_number = day_price.asset_number
        left join budget as spent
            on wish.account = spent.account
            and spent.asset_number = case wish.kind when 'trade' then 0 else wish.asset_number end
        left join budget as sold
            on wish.kind = 'trade' and wish.seller = sold.account and wish.asset_number = sold.asset_number
    ),

    limited as (
        select *, case kind
            when 'deposit' then wished
            when 'withdrawal' then least(wished, coalesce(own_budget, 0)) // step * step
            else cast(least(
                wished,
                coalesce(seller_budget, 0),
                cast(coalesce(own_budget, 0) as hugeint) * {SCALE} // price * 98 // 100
            ) // step * step as bigint)
        end as units
        from priced
    ),

    valued as (
        select *, cast(cast(units as hugeint) * price // {SCALE} // {CENT} * {CENT} as bigint) as value,
            value >= {LEAST_SPENT_CENTS * CENT} as is_afforded
        from limited
    ),

    decided as (
        select
            number,
            account,
            seller,
            case when is_afforded then kind else 'deposit' end as kind,
            case when is_afforded then asset_number else 0 end as asset_number,
            decimal_of(case when is_afforded then units else cents * {CENT} end)
            + case
                when is_afforded and has_tail then cast(cast(tail as decimal(18,0)) * {_TAIL_UNIT} as decimal(38,18))
                else 0
            end as quantity,
            decimal_of(value) as value_usd,
            decimal_of(greatest(value // {1000 * CENT} * {CENT}, {CENT})) as fee_usd,
            case when is_afforded and kind = 'trade' then 6 else 2 end as legs
        from valued
    ),

    counted as (
        select *, sum(legs) over (order by number rows unbounded preceding) as legs_until from decided
    )

    select * exclude (legs_until), cast(legs_until - legs as bigint) as legs_before
    from counted
    where legs_until <= $entries
    order by number
"""


def book_entries(connection: duckdb.DuckDBPyConnection, day: Day) -> None:
    """Fill table ``entry`` with the day's ledger entries, opening balances on the first day included.

    Transactions are spread evenly over the day until half a minute before its end: they are recorded within five
    seconds, their transfers within twenty, and what is recorded past midnight is not known to the day's run.
    """
    connection.execute(
        f"""
        create or replace temp table entry as
        with numbered as (
            select *, number + {day.transactions_before} as transaction_number,
                timestamp '{day.date}' + to_microseconds(
                    cast((number + 1) * 86370000000 // (max(number) over () + 2) as bigint)
                ) as effective_at
            from happened
        ),

        leg as (
            select *, unnest(range(legs)) as leg from numbered
        )

        select
            {day.entries_before} + legs_before + leg as entry_number,
            transaction_number,
            case
                when kind = 'deposit' then case leg when 0 then null else account end
                when kind = 'withdrawal' then case leg when 0 then account end
                when leg in (1, 2) then seller
                when leg = 5 then {FEES}
                else account
            end as account,
            cast(case when kind = 'trade' and leg not in (2, 3) then 0 else asset_number end as integer)
                as asset_number,
            cast(case
                when kind <> 'trade' or leg in (2, 3) then quantity
                when leg < 2 then value_usd
                else fee_usd
            end * case leg % 2 when 0 then -1 else 1 end as decimal(38,18)) as amount,
            case when leg >= 4 then 'fee' else kind end as entry_type,
            effective_at
        from leg
        """
    )
    if day.number == 0:
        _book_openings(connection)


def _book_openings(connection: duckdb.DuckDBPyConnection) -> None:
    """Number the opening entries after the day's others; a transaction an account, external legs in pairs."""
    connection.execute(
        f"""
        insert into entry
        with last as (
            select coalesce(max(entry_number), -1) as entries, coalesce(max(transaction_number), -1) as transactions
            from entry
        ),

        side as (
            select *, row_number() over (order by account, asset_number) - 1 as position,
                dense_rank() over (order by account) as position_of_account
            from opening
        )

        select
            last.entries + 1 + 2 * position + leg,
            last.transactions + position_of_account,
            case leg when 0 then null else account end,
            asset_number,
            decimal_of(units) * case leg when 0 then -1 else 1 end,
            'opening',
            timestamp '{FIRST_DATE}'
        from side cross join last cross join (values (0), (1)) as legs (leg)
        """
    )


def close_day(connection: duckdb.DuckDBPyConnection) -> None:
    """Carry what accounts and wallets hold to the end of the day. Openings are held already."""
    connection.execute(
        """
        create or replace table holding as
        select account, asset_number, cast(sum(balance) as decimal(38,18)) as balance
        from (
            select account, asset_number, balance from holding
            union all
            select account, asset_number, amount from entry where account is not null and entry_type <> 'opening'
        )
        group by account, asset_number
        having sum(balance) <> 0
        order by account, asset_number
        """
    )
    connection.execute(
        """
        update wallet_holding set balance = balance + moved.amount
        from (
            select asset_number, cast(-sum(amount) as decimal(38,18)) as amount
            from entry
            where account is null and entry_type <> 'opening'
            group by asset_number
        ) as moved
        where wallet_holding.asset_number = moved.asset_number and wallet_holding.wallet_id like '%-hot'
        """
    )


def dated_tables(day: Day) -> dict[str, str]:
    """The query of each dated table's partition."""
    as_of = f"timestamp '{day.date} 23:59:59'"
    return {
        "ledger_entries": """
            select format('e{:012d}', entry_number) as entry_id, format('x{:012d}', transaction_number)
                as transaction_id, coalesce(account_id(account), 'external-' || asset) as account_id, asset, amount,
                entry_type, effective_at,
                effective_at + to_microseconds(cast(hash(transaction_number) % 5000000 as bigint)) as recorded_at,
                case when entry_type in ('deposit', 'withdrawal') then format('t{:012d}', transaction_number) end
                    as reference,
                cast(null as varchar) as memo
            from entry inner join asset using (asset_number)
            order by entry_number""",
        "balance_snapshots": f"""
            select account_id(account) as account_id, asset, balance, {as_of} as as_of
            from holding inner join asset using (asset_number)
            order by account, asset_number""",
        "wallet_balances": f"""
            select wallet_id, asset, balance, {as_of} as as_of,
                case when network <> 'bank' then cast({700_000 + 144 * day.number} as bigint) end as block_height
            from wallet_holding inner join asset using (asset_number)
            order by wallet_id""",
        "wallet_transfers": """
            select format('t{:012d}', transaction_number) as transfer_id, lower(asset) || '-hot' as wallet_id,
                md5(cast(transaction_number as varchar)) as counterparty_address,
                cast(null as varchar) as counterparty_wallet_id, asset, -amount as amount,
                entry_type as transfer_type, effective_at as block_time,
                effective_at + interval 20 second as recorded_at
            from entry inner join asset using (asset_number)
            where account is null and entry_type <> 'opening'
            order by transaction_number""",
        **_market_tables(day, as_of),
    }


def _market_tables(day: Day, as_of: str) -> dict[str, str]:
    return {
        "token_prices": f"""
            select asset, decimal_of(price + price * shift // 10000) as price_usd,
                cast(volume as decimal(38,18)) as volume_usd, {as_of} - interval 20 minute as as_of, source
            from day_price inner join asset using (asset_number) cross join (
                values ('alpine-index', 0, 3000000), ('oracle-north', 4, 2000000)
            ) as quote (source, shift, volume)
            order by asset, source""",
        "market_depth": f"""
            select asset, {as_of} as as_of, cast(500000 as decimal(38,18)) as bid_depth_2pct_usd,
                cast(25000000 as decimal(38,18)) as volume_30d_avg_usd, cast(0.045 as decimal(38,18)) as volatility_30d,
                'alpine-index' as source
            from asset where asset_class <> 'fiat' order by asset""",
        "token_supply": f"""
            select asset, {as_of} as as_of, cast(90000000000 as decimal(38,18)) as circulating,
                cast(100000000000 as decimal(38,18)) as total
            from asset where asset_class in ('crypto', 'exchange_token') order by asset""",
        "open_positions": f"""
            select account_id(account) as account_id, 'BTC-PERP' as instrument, cast(1 as decimal(38,18)) as quantity,
                cast(null as decimal(38,18)) as entry_price, cast(null as decimal(38,18)) as mark_price,
                cast(cast(floor(balance * price / {CENT}) as decimal(20,0))
                    * (cast(hash({day.seed}, {day.number}, account) % 41 as integer) - 20) * 0.00001 as decimal(38,18))
                    as unrealised_pnl_usd,
                {as_of} as as_of
            from holding inner join day_price using (asset_number)
            where is_margin(account) and asset_number = own_asset(account)
            order by account""",
    }
