-- The steps must lead from what was reported to what is left exactly, and the ledger's figure must be the daily mart's:
-- a step that misses an entry hides it from the board.
with months as (
    select
        month,
        reported_usd,
        ledger_usd,
        unsupported_usd,
        backdated_usd,
        affiliate_usd,
        own_token_haircut_usd,
        token_adjusted_revenue_usd
    from {{ ref('fct_token_adjusted_revenue_monthly') }}
),

revenue as (
    select
        cast(date_trunc('month', revenue_date) as date) as month,
        coalesce(sum(value_usd), 0) as value_usd
    from {{ ref('fct_revenue_daily') }}
    group by cast(date_trunc('month', revenue_date) as date)
)

select
    coalesce(months.month, revenue.month) as month,
    months.ledger_usd,
    revenue.value_usd
from months
full outer join revenue on months.month = revenue.month
where
    months.month is null
    or months.ledger_usd <> coalesce(revenue.value_usd, 0)
    or (
        months.reported_usd is not null
        and months.reported_usd
        - months.unsupported_usd
        - months.backdated_usd
        - months.affiliate_usd
        - months.own_token_haircut_usd is distinct from months.token_adjusted_revenue_usd
    )
