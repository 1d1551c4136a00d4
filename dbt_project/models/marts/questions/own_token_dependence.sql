{#- A table: an exact ratio takes lambdas, and a view with them can't be copied from one published file to the next. -#}
{{ config(materialized='table') }}

with solvency as (
    select
        as_of_date,
        own_token_assets_usd,
        group_assets_usd,
        own_token_share
    from {{ published(ref('fct_solvency_daily')) }}
),

own_tokens as (
    select
        as_of_date,
        count(*) as own_tokens,
        sum(mark_value_usd) as holdings_mark_usd,
        sum(liquidation_value_usd) as holdings_liquidation_usd
    from {{ published(ref('fct_own_token_daily')) }}
    group by as_of_date
),

affiliates as (
    select
        as_of_date,
        sum(collateral_mark_usd) as affiliate_collateral_usd,
        sum(own_token_collateral_usd) as affiliate_own_token_collateral_usd
    from {{ published(ref('fct_affiliate_exposure_daily')) }}
    group by as_of_date
),

revenue as (
    select
        revenue_date as as_of_date,
        sum(value_usd) as revenue_usd,
        sum(value_usd) filter (where is_own_token) as own_token_revenue_usd
    from {{ published(ref('fct_revenue_daily')) }}
    group by revenue_date
),

daily as (
    select
        solvency.as_of_date,
        solvency.own_token_assets_usd,
        solvency.group_assets_usd,
        solvency.own_token_share as own_token_share_of_assets,
        coalesce(own_tokens.own_tokens, 0) as own_tokens,
        coalesce(own_tokens.holdings_mark_usd, 0) as holdings_mark_usd,
        coalesce(own_tokens.holdings_liquidation_usd, 0) as holdings_liquidation_usd,
        coalesce(affiliates.affiliate_collateral_usd, 0) as affiliate_collateral_usd,
        coalesce(affiliates.affiliate_own_token_collateral_usd, 0) as affiliate_own_token_collateral_usd,
        coalesce(revenue.revenue_usd, 0) as revenue_usd,
        coalesce(revenue.own_token_revenue_usd, 0) as own_token_revenue_usd
    from solvency
    left join own_tokens on solvency.as_of_date = own_tokens.as_of_date
    left join affiliates on solvency.as_of_date = affiliates.as_of_date
    left join revenue on solvency.as_of_date = revenue.as_of_date
)

select
    as_of_date,
    own_tokens,
    own_token_assets_usd,
    group_assets_usd,
    own_token_share_of_assets,
    cast(holdings_mark_usd as decimal(38, 8)) as holdings_mark_usd,
    cast(holdings_liquidation_usd as decimal(38, 8)) as holdings_liquidation_usd,
    {{ exact_ratio('holdings_liquidation_usd', 'holdings_mark_usd') }} as liquidation_share_of_mark,
    cast(affiliate_collateral_usd as decimal(38, 8)) as affiliate_collateral_usd,
    cast(affiliate_own_token_collateral_usd as decimal(38, 8)) as affiliate_own_token_collateral_usd,
    {{ exact_ratio('affiliate_own_token_collateral_usd', 'affiliate_collateral_usd') }}
        as own_token_share_of_affiliate_collateral,
    cast(revenue_usd as decimal(38, 8)) as revenue_usd,
    cast(own_token_revenue_usd as decimal(38, 8)) as own_token_revenue_usd
from daily
order by as_of_date asc
