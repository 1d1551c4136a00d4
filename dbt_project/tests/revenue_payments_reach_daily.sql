-- No payment is lost or counted twice on the way from entries to the daily mart.
with payments as (
    select
        asset,
        sum(quantity) as quantity
    from {{ ref('int_revenue__payment') }}
    group by asset
),

revenue as (
    select
        asset,
        sum(quantity) as quantity
    from {{ ref('fct_revenue_daily') }}
    group by asset
)

select
    coalesce(payments.asset, revenue.asset) as asset,
    payments.quantity as paid,
    revenue.quantity as booked
from payments
full outer join revenue on payments.asset = revenue.asset
where payments.quantity is distinct from revenue.quantity
