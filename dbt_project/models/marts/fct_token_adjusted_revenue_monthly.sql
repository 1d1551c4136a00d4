with revenue as (
    select
        cast(date_trunc('month', revenue_date) as date) as month,
        waterfall_step,
        asset,
        value_usd,
        liquidation_value_usd
    from {{ ref('fct_revenue_daily') }}
),

reports as (
    select
        from_date as month,
        reported_usd,
        known_at,
        first_known_at
    from {{ ref('int_revenue__reported_period') }}
    where is_month
),

ledger as (
    select
        month,
        coalesce(sum(value_usd), 0) as ledger_usd,
        coalesce(sum(value_usd) filter (where waterfall_step = 'backdated'), 0) as backdated_usd,
        coalesce(sum(value_usd) filter (where waterfall_step = 'affiliate'), 0) as affiliate_usd,
        coalesce(sum(value_usd) filter (where waterfall_step = 'own_token'), 0) as own_token_usd,
        coalesce(sum(value_usd - liquidation_value_usd) filter (where waterfall_step = 'own_token'), 0)
            as own_token_haircut_usd,
        count(distinct asset) filter (where value_usd is null) as unpriced_assets
    from revenue
    group by month
),

months as (
    select month
    from ledger
    union
    select month
    from reports
),

joined as (
    select
        months.month,
        reports.reported_usd,
        reports.known_at,
        reports.first_known_at,
        coalesce(ledger.ledger_usd, 0) as ledger_usd,
        coalesce(ledger.backdated_usd, 0) as backdated_usd,
        coalesce(ledger.affiliate_usd, 0) as affiliate_usd,
        coalesce(ledger.own_token_usd, 0) as own_token_usd,
        coalesce(ledger.own_token_haircut_usd, 0) as own_token_haircut_usd,
        coalesce(ledger.unpriced_assets, 0) as unpriced_assets
    from months
    left join reports on months.month = reports.month
    left join ledger on months.month = ledger.month
)

select
    month,
    reported_usd,
    cast(ledger_usd as decimal(38, 8)) as ledger_usd,
    cast(reported_usd - ledger_usd as decimal(38, 8)) as unsupported_usd,
    cast(case when reported_usd is not null then backdated_usd end as decimal(38, 8)) as backdated_usd,
    cast(case when reported_usd is not null then affiliate_usd end as decimal(38, 8)) as affiliate_usd,
    cast(case when reported_usd is not null then own_token_haircut_usd end as decimal(38, 8)) as own_token_haircut_usd,
    cast(
        case
            when reported_usd is not null then ledger_usd - backdated_usd - affiliate_usd - own_token_haircut_usd
        end as decimal(38, 8)
    ) as token_adjusted_revenue_usd,
    cast(case when reported_usd is not null then own_token_usd end as decimal(38, 8)) as own_token_usd,
    cast(unpriced_assets as bigint) as unpriced_assets,
    known_at as reported_known_at,
    first_known_at as first_reported_known_at
from joined
