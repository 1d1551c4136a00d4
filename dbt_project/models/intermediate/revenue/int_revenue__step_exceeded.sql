with months as (
    select
        month,
        reported_usd,
        ledger_usd,
        backdated_usd,
        affiliate_usd,
        own_token_usd,
        reported_known_at,
        first_reported_known_at
    from {{ ref('fct_token_adjusted_revenue_monthly') }}
    where reported_usd is not null
),

payments as (
    select
        cast(date_trunc('month', revenue_date) as date) as month,
        known_date,
        is_backdated,
        payer_relation,
        is_own_token,
        {{ value_usd('quantity', 'price_usd') }} as value_usd
    from {{ ref('int_revenue__daily') }}
),

steps as (
    select
        month,
        'backdated' as step,
        backdated_usd as step_usd,
        ledger_usd as base_usd,
        {{ policy('revenue.backdated_pct_of_ledger') }} as limit_pct,
        -- How much was reported doesn't matter to it, only that the month was.
        first_reported_known_at as reported_known_at
    from months
    union all
    select
        month,
        'affiliate' as step,
        affiliate_usd as step_usd,
        reported_usd as base_usd,
        {{ policy('revenue.affiliate_pct_of_reported') }} as limit_pct,
        reported_known_at
    from months
    union all
    select
        month,
        'own_token' as step,
        own_token_usd as step_usd,
        reported_usd as base_usd,
        {{ policy('revenue.own_token_pct_of_reported') }} as limit_pct,
        reported_known_at
    from months
),

exceeded as (
    select
        month,
        step,
        step_usd,
        base_usd,
        limit_pct,
        reported_known_at,
        {{ exact_product(exact_product('abs(base_usd)', 'limit_pct'), '0.01', 8) }} as limit_usd
    from steps
    where step_usd > 0 and {{ exact_product('step_usd', '100') }} > {{ exact_product('abs(base_usd)', 'limit_pct') }}
),

known as (
    select
        month,
        case
            when is_backdated then 'backdated'
            when payer_relation <> 'customer' then 'affiliate'
            else 'own_token'
        end as step,
        known_date,
        sum(value_usd) as value_usd
    from payments
    where is_backdated or payer_relation <> 'customer' or is_own_token
    group by all
),

running as (
    select
        month,
        step,
        known_date,
        sum(value_usd) over (partition by month, step order by known_date) as known_usd
    from known
),

-- The day on which what was known by then was already too much.
first_days as (
    select
        running.month,
        running.step,
        min(running.known_date) as known_date
    from running
    inner join exceeded on running.month = exceeded.month and running.step = exceeded.step
    where
        {{ exact_product('running.known_usd', '100') }}
        > {{ exact_product('abs(exceeded.base_usd)', 'exceeded.limit_pct') }}
    group by running.month, running.step
),

last_days as (
    select
        month,
        step,
        max(known_date) as known_date
    from known
    group by month, step
)

select
    exceeded.month,
    exceeded.step,
    exceeded.step_usd,
    exceeded.base_usd,
    exceeded.limit_pct,
    exceeded.limit_usd,
    greatest(
        cast(exceeded.reported_known_at as date), coalesce(first_days.known_date, last_days.known_date)
    ) as known_date
from exceeded
left join first_days on exceeded.month = first_days.month and exceeded.step = first_days.step
left join last_days on exceeded.month = last_days.month and exceeded.step = last_days.step
