with reported as (
    select
        figure,
        asset,
        period_start,
        period_end,
        as_of_date,
        known_date,
        known_at,
        published_at,
        amount
    from {{ ref('int_liabilities__reported_stock') }}
),

customer_liabilities as (
    select
        as_of_date,
        asset,
        liability,
        liability_usd
    from {{ ref('fct_customer_liability_daily') }}
    where relation = 'customer'
),

insurance_fund as (
    select
        as_of_date,
        asset,
        balance,
        value_usd
    from {{ ref('int_liabilities__insurance_fund_daily') }}
),

eligible_reserves as (
    select
        as_of_date,
        asset,
        eligible_quantity,
        eligible_usd
    from {{ ref('fct_reserve_balance_daily') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__daily_price') }}
),

held as (
    select
        'customer_liabilities' as figure,
        as_of_date,
        asset,
        liability as quantity,
        liability_usd as value_usd
    from customer_liabilities
    union all
    select
        'insurance_fund' as figure,
        as_of_date,
        asset,
        balance as quantity,
        value_usd
    from insurance_fund
    union all
    select
        'reserves' as figure,
        as_of_date,
        asset,
        eligible_quantity as quantity,
        eligible_usd as value_usd
    from eligible_reserves
),

-- Per asset in units, and over all assets in USD.
computed as (
    select
        figure,
        as_of_date,
        asset,
        sum(quantity) as amount,
        0 as unpriced_assets
    from held
    group by figure, as_of_date, asset
    union all
    select
        figure,
        as_of_date,
        null as asset,
        coalesce(sum(value_usd), 0) as amount,
        count(distinct asset) filter (where value_usd is null and quantity <> 0) as unpriced_assets
    from held
    group by figure, as_of_date
),

settings as (
    select {{ policy('reconciliation.reported_difference_pct') }} * 0.01 as tolerated_share
),

compared as (
    select
        reported.figure,
        reported.asset,
        reported.period_start,
        reported.period_end,
        reported.as_of_date,
        reported.known_date,
        reported.known_at,
        reported.published_at,
        cast(reported.amount as decimal(38, 18)) as reported,
        cast(coalesce(computed.amount, 0) as decimal(38, 18)) as computed,
        coalesce(computed.unpriced_assets, 0) as unpriced_assets,
        case when reported.asset is null then 1 else prices.price_usd end as price_usd,
        settings.tolerated_share
    from reported
    cross join settings
    left join computed
        on
            reported.figure = computed.figure
            and reported.as_of_date = computed.as_of_date
            and reported.asset is not distinct from computed.asset
    left join prices on reported.as_of_date = prices.as_of_date and reported.asset = prices.asset
)

select
    figure,
    as_of_date,
    asset,
    period_start,
    period_end,
    published_at,
    known_at,
    known_date,
    reported,
    computed,
    cast(reported - computed as decimal(38, 18)) as difference,
    {{ value_usd('(reported - computed)', 'price_usd') }} as difference_usd,
    cast(unpriced_assets as bigint) as unpriced_assets,
    abs(reported - computed) <= {{ exact_product('abs(computed)', 'tolerated_share') }} as is_within_tolerance
from compared
