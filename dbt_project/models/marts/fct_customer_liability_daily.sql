with daily_totals as (
    select
        as_of_date,
        asset,
        relation,
        liability,
        receivable,
        accounts
    from {{ ref('int_liabilities__daily_total') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__daily_price') }}
)

select
    daily_totals.as_of_date,
    daily_totals.asset,
    daily_totals.relation,
    daily_totals.liability,
    daily_totals.receivable,
    daily_totals.accounts,
    {{ value_usd('daily_totals.liability', 'prices.price_usd') }} as liability_usd,
    {{ value_usd('daily_totals.receivable', 'prices.price_usd') }} as receivable_usd
from daily_totals
left join prices on daily_totals.as_of_date = prices.as_of_date and daily_totals.asset = prices.asset
