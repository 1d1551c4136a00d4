with run_context as (
    select
        landing_first_date,
        calendar_last_date
    from {{ source('policy', 'run_context') }}
),

fund_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'insurance_fund'
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__daily_price') }}
),

balance_intervals as (
    select
        balance_change.account_id,
        balance_change.asset,
        balance_change.balance,
        greatest(balance_change.effective_date, run_context.landing_first_date) as from_date,
        least(balance_change.next_effective_date, run_context.calendar_last_date + 1) as to_date
    from {{ ref('int_liabilities__balance_change') }} as balance_change
    semi join fund_accounts on balance_change.account_id = fund_accounts.account_id
    cross join run_context
    where balance_change.balance <> 0
),

daily as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        account_id,
        asset,
        balance
    from balance_intervals
    where from_date < to_date
)

select
    daily.as_of_date,
    daily.account_id,
    daily.asset,
    daily.balance,
    {{ value_usd('daily.balance', 'prices.price_usd') }} as value_usd
from daily
left join prices on daily.as_of_date = prices.as_of_date and daily.asset = prices.asset
