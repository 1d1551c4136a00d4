{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_from',
        meta={'recomputed_from': {'scope': 'int_plan__flow_scope', 'column': 'first_roll_forward_at', 'key': 'as_of'}},
    )
}}

with all_balances as (
    select
        wallet_id,
        asset,
        balance,
        as_of,
        as_of_date
    from {{ ref('stg_landing__wallet_balances') }}
),

-- The balance from which on each wallet is compared again: the last one before anything is new.
{%- set from_time = scope_value('first_roll_forward_at', 'int_plan__flow_scope') %}
beginnings as (
    select
        wallet_id,
        asset,
        max(as_of) as from_time
    from all_balances
    where {{ 'as_of < ' ~ from_time if is_continued() else 'false' }}
    group by wallet_id, asset
),

balances as (
    select
        all_balances.wallet_id,
        all_balances.asset,
        all_balances.balance,
        all_balances.as_of,
        all_balances.as_of_date
    from all_balances
    left join beginnings on all_balances.wallet_id = beginnings.wallet_id and all_balances.asset = beginnings.asset
    where beginnings.from_time is null or all_balances.as_of >= beginnings.from_time
),

transfers as (
    select
        transfers.wallet_id,
        transfers.asset,
        transfers.amount,
        transfers.block_time
    from {{ ref('stg_landing__wallet_transfers') }} as transfers
    left join beginnings on transfers.wallet_id = beginnings.wallet_id and transfers.asset = beginnings.asset
    where beginnings.from_time is null or transfers.block_time >= beginnings.from_time
),

-- Transfers before each balance, in one pass over both: those strictly before its moment, and those up to it.
events as (
    select
        wallet_id,
        asset,
        as_of as happened_at,
        1 as place,
        cast(null as decimal(38, 18)) as amount,
        balance,
        as_of_date
    from balances
    union all
    select
        wallet_id,
        asset,
        block_time as happened_at,
        2 as place,
        sum(amount) as amount,
        null as balance,
        null as as_of_date
    from transfers
    group by wallet_id, asset, block_time
),

accumulated as (
    select
        wallet_id,
        asset,
        happened_at,
        balance,
        as_of_date,
        coalesce(sum(amount) over before_balance, 0) as moved_before,
        coalesce(sum(amount) over through_moment, 0) as moved_through
    from events
    window
        before_balance as (
            partition by wallet_id, asset order by happened_at, place
            rows between unbounded preceding and current row
        ),
        through_moment as (
            partition by wallet_id, asset order by happened_at
            range between unbounded preceding and current row
        )
),

consecutive as (
    select
        wallet_id,
        asset,
        as_of_date,
        happened_at as as_of,
        balance,
        moved_before,
        moved_through,
        lag(happened_at) over previous as previous_as_of,
        lag(balance) over previous as previous_balance,
        lag(moved_before) over previous as previous_moved_before,
        lag(moved_through) over previous as previous_moved_through
    from accumulated
    where balance is not null
    window previous as (partition by wallet_id, asset order by happened_at)
),

compared as (
    select
        wallet_id,
        asset,
        as_of_date,
        as_of,
        previous_as_of,
        balance,
        coalesce(previous_balance, 0) as previous_balance,
        moved_before - coalesce(previous_moved_before, 0) as moved,
        moved_through - coalesce(previous_moved_through, 0) as moved_if_inclusive
    from consecutive
    where
        (previous_as_of is not null or as_of_date > {{ run_value('landing_first_date') }})
        and {{ 'as_of >= ' ~ from_time if is_continued() else 'true' }}
)

select
    wallet_id,
    asset,
    as_of_date,
    as_of,
    previous_as_of,
    balance,
    previous_balance,
    cast(moved as decimal(38, 18)) as moved,
    cast(
        case
            when abs(balance - previous_balance - moved_if_inclusive) < abs(balance - previous_balance - moved)
                then balance - previous_balance - moved_if_inclusive
            else balance - previous_balance - moved
        end as decimal(38, 18)
    ) as unexplained
from compared
