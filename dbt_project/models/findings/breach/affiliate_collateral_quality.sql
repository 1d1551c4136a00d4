with settings as (
    select {{ policy('affiliates.own_token_collateral_pct') }} as limit_pct
),

exposures as (
    select
        exposure.as_of_date,
        exposure.entity_id,
        exposure.gross_borrowing_usd,
        exposure.collateral_mark_usd,
        exposure.collateral_liquidation_usd,
        exposure.own_token_collateral_usd,
        settings.limit_pct,
        {{ exact_ratio(
            exact_product('exposure.own_token_collateral_usd', '100', 8), 'exposure.collateral_mark_usd', 2
        ) }} as own_token_pct
    from {{ ref('fct_affiliate_exposure_daily') }} as exposure
    cross join settings
    where
        exposure.has_borrowing_beyond_dust
        and {{ exact_product('exposure.own_token_collateral_usd', '100') }}
        > {{ exact_product('exposure.collateral_mark_usd', 'settings.limit_pct') }}
)

select
    as_of_date,
    'affiliate' as subject_type,
    entity_id as subject_id,
    cast(null as string) as asset,
    {{ amount_text('own_token_pct') }} || ' % of collateral is own tokens' as observed,
    'at most ' || {{ amount_text('limit_pct') }} || ' %' as expected,
    own_token_collateral_usd as impact_usd,
    'On ' || as_of_date || ' affiliate ' || entity_id || ' owed ' || {{ amount_text('gross_borrowing_usd') }}
    || ' USD, and own tokens made up ' || {{ amount_text('own_token_pct') }} || ' % of its collateral of '
    || {{ amount_text('collateral_mark_usd') }} || ' USD, which would sell for '
    || {{ amount_text('collateral_liquidation_usd') }} || ' USD.' as message,
    {{ mart_evidence(
        'fct_affiliate_exposure_daily', {'as_of_date': 'as_of_date', 'entity_id': 'entity_id'}
    ) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from exposures
