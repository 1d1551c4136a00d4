with drifts as (
    select
        as_of_date,
        account_id,
        asset,
        as_of,
        has_snapshot,
        engine_balance,
        ledger_balance,
        drift
    from {{ ref('int_liabilities__engine_drift_daily') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__daily_price') }}
)

select
    drifts.as_of_date,
    drifts.account_id,
    drifts.asset,
    drifts.as_of,
    drifts.has_snapshot,
    drifts.engine_balance,
    drifts.ledger_balance,
    drifts.drift,
    {{ value_usd('drifts.drift', 'prices.price_usd') }} as drift_usd
from drifts
left join prices on drifts.as_of_date = prices.as_of_date and drifts.asset = prices.asset
