with prices as (
    select
        as_of_date,
        asset,
        price_usd,
        only_own_venue
    from {{ ref('int_tokens__daily_price') }}
),

tokens as (
    select
        asset,
        asset_class,
        issuer_entity_id
    from {{ ref('stg_landing__tokens') }}
    where asset_class <> 'fiat' and asset <> 'USD'
),

related_issuers as (
    select
        entity_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
    where relation in ('operator', 'affiliate')
),

holdings as (
    select
        as_of_date,
        asset,
        group_holding
    from {{ ref('int_tokens__group_holding_daily') }}
),

supply as (
    select
        as_of_date,
        asset,
        circulating
    from {{ ref('int_tokens__supply_daily') }}
),

depth as (
    select
        as_of_date,
        asset,
        average_daily_volume_usd,
        volatility
    from {{ ref('int_tokens__market_depth_daily') }}
),

settings as (
    select
        {{ policy('own_token.concentration_pct') }} * 0.01 as concentration,
        -- How many days' volume is sold.
        cast(
            cast({{ policy('own_token.liquidation_horizon_days') }} as integer)
            * {{ policy('own_token.liquidation_participation_pct') }} * 0.01 as decimal(38, 18)
        ) as days_sold,
        {{ policy('own_token.liquidation_impact_factor') }} as impact_factor
),

candidates as (
    select
        prices.as_of_date,
        prices.asset,
        prices.price_usd,
        supply.circulating,
        coalesce(holdings.group_holding, 0) as group_holding,
        related_issuers.entity_id is not null as is_issued_by_group,
        coalesce(
            holdings.group_holding > {{ exact_product('supply.circulating', 'settings.concentration') }},
            false
        ) as is_concentrated,
        prices.only_own_venue
    from prices
    cross join settings
    inner join tokens on prices.asset = tokens.asset
    left join related_issuers
        on
            tokens.issuer_entity_id = related_issuers.entity_id
            and prices.as_of_date >= related_issuers.from_date
            and prices.as_of_date < related_issuers.to_date
    left join holdings on prices.as_of_date = holdings.as_of_date and prices.asset = holdings.asset
    left join supply on prices.as_of_date = supply.as_of_date and prices.asset = supply.asset
),

own_tokens as (
    select
        as_of_date,
        asset,
        price_usd,
        circulating,
        group_holding,
        case
            when is_issued_by_group then 'issuer'
            when is_concentrated then 'concentration'
            else 'own_venue_price'
        end as reason,
        {{ value_usd('group_holding', 'price_usd') }} as mark_value_usd
    from candidates
    where is_issued_by_group or is_concentrated or only_own_venue
),

-- What can be sold over the horizon: no more than is held, nor than the market takes.
sellable as (
    select
        own_tokens.as_of_date,
        own_tokens.asset,
        own_tokens.reason,
        own_tokens.price_usd,
        own_tokens.circulating,
        own_tokens.group_holding,
        own_tokens.mark_value_usd,
        depth.average_daily_volume_usd,
        depth.volatility,
        case
            when own_tokens.price_usd is null then null
            when depth.average_daily_volume_usd is null then 0
            else least(
                own_tokens.mark_value_usd,
                {{ exact_product('depth.average_daily_volume_usd', 'settings.days_sold', 8) }}
            )
        end as sold_usd
    from own_tokens
    cross join settings
    left join depth on own_tokens.as_of_date = depth.as_of_date and own_tokens.asset = depth.asset
),

-- The square root and its factor are the only binary floats on the way to an amount.
impacts as (
    select
        sellable.as_of_date,
        sellable.asset,
        sellable.reason,
        sellable.price_usd,
        sellable.circulating,
        sellable.group_holding,
        sellable.mark_value_usd,
        sellable.average_daily_volume_usd,
        sellable.volatility,
        cast(sellable.sold_usd as decimal(38, 8)) as sold_usd,
        cast(
            case
                when sellable.average_daily_volume_usd > 0 and sellable.volatility is not null
                    then round(
                        least(
                            1,
                            cast(settings.impact_factor as double)
                            * cast(sellable.volatility as double)
                            * sqrt(
                                cast(sellable.sold_usd as double)
                                / cast(sellable.average_daily_volume_usd as double)
                            )
                        ),
                        12
                    )
                else 1
            end as decimal(13, 12)
        ) as impact
    from sellable
    cross join settings
)

select
    as_of_date,
    asset,
    reason,
    price_usd,
    circulating,
    group_holding,
    cast({{ exact_ratio('group_holding', 'circulating', scale=14) }} * 100 as decimal(38, 12)) as group_share_pct,
    group_holding as pool_quantity,
    average_daily_volume_usd,
    volatility,
    sold_usd,
    impact,
    {{ proceeds_after_impact('sold_usd', 'impact') }} as liquidation_value_usd,
    mark_value_usd
from impacts
