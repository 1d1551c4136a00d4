{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_from',
        meta={'recomputed_from': {'scope': 'int_plan__valuation_scope', 'column': 'first_valued_date', 'key': 'as_of_date'}},
    )
}}

with scope as (
    select
        valuation_scope.first_valued_date,
        run_context.calendar_last_date
    from {{ ref('int_plan__valuation_scope') }} as valuation_scope
    cross join {{ source('policy', 'run_context') }} as run_context
),

assets as (
    select
        as_of_date,
        asset,
        price_usd,
        collateral_unit_usd
    from {{ ref('int_tokens__asset_daily') }}
),

position_totals as (
    select
        as_of_date,
        account_id,
        sum(counted_usd) as unrealised_usd
    from {{ ref('int_liabilities__position_daily') }}
    where as_of_date >= (select scope.first_valued_date from scope)
    group by as_of_date, account_id
),

-- Only an account that borrows or holds a position can have an equity below zero.
subjects as (
    select
        as_of_date,
        account_id
    from {{ ref('int_liabilities__negative_balance') }}
    where as_of_date >= (select scope.first_valued_date from scope)
    union
    select
        as_of_date,
        account_id
    from position_totals
),

subject_accounts as (
    select distinct account_id
    from subjects
),

balance_intervals as (
    select
        balance_change.account_id,
        balance_change.asset,
        balance_change.balance,
        greatest(balance_change.effective_date, scope.first_valued_date) as from_date,
        least(balance_change.next_effective_date, scope.calendar_last_date + 1) as to_date
    from {{ ref('int_liabilities__balance_change') }} as balance_change
    semi join subject_accounts on balance_change.account_id = subject_accounts.account_id
    cross join scope
    where balance_change.balance <> 0
),

daily_balances as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        account_id,
        asset,
        balance
    from balance_intervals
    where from_date < to_date
),

valued as (
    select
        daily_balances.as_of_date,
        daily_balances.account_id,
        daily_balances.balance,
        case
            when daily_balances.balance > 0
                then {{ value_usd('daily_balances.balance', 'assets.collateral_unit_usd') }}
            else {{ value_usd('daily_balances.balance', 'assets.price_usd') }}
        end as counted_usd
    from daily_balances
    semi join subjects
        on daily_balances.as_of_date = subjects.as_of_date and daily_balances.account_id = subjects.account_id
    left join assets on daily_balances.as_of_date = assets.as_of_date and daily_balances.asset = assets.asset
),

balance_totals as (
    select
        as_of_date,
        account_id,
        coalesce(sum(counted_usd) filter (where balance > 0), 0) as collateral_usd,
        coalesce(-sum(counted_usd) filter (where balance < 0), 0) as borrowing_usd,
        bool_or(balance < 0 and counted_usd is null) as has_unpriced_borrowing,
        bool_or(balance > 0 and counted_usd is null) as has_unpriced_collateral
    from valued
    group by as_of_date, account_id
)

select
    subjects.as_of_date,
    subjects.account_id,
    cast(coalesce(balance_totals.collateral_usd, 0) as decimal(38, 8)) as collateral_usd,
    cast(coalesce(balance_totals.borrowing_usd, 0) as decimal(38, 8)) as borrowing_usd,
    cast(coalesce(position_totals.unrealised_usd, 0) as decimal(38, 8)) as unrealised_usd,
    cast(
        coalesce(balance_totals.collateral_usd, 0)
        - coalesce(balance_totals.borrowing_usd, 0)
        + coalesce(position_totals.unrealised_usd, 0) as decimal(38, 8)
    ) as equity_usd,
    coalesce(balance_totals.has_unpriced_borrowing, false) as has_unpriced_borrowing,
    coalesce(balance_totals.has_unpriced_collateral, false) as has_unpriced_collateral,
    coalesce(balance_totals.has_unpriced_borrowing or balance_totals.has_unpriced_collateral, false) as has_unpriced
from subjects
left join balance_totals
    on subjects.as_of_date = balance_totals.as_of_date and subjects.account_id = balance_totals.account_id
left join position_totals
    on subjects.as_of_date = position_totals.as_of_date and subjects.account_id = position_totals.account_id
