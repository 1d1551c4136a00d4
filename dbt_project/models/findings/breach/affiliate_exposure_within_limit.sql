with exposures as (
    select
        as_of_date,
        entity_id,
        uncollateralised_usd,
        customer_liabilities_usd
    from {{ ref('fct_affiliate_exposure_daily') }}
),

subjects as (
    select
        as_of_date,
        'affiliate' as subject_type,
        entity_id as subject_id,
        uncollateralised_usd,
        customer_liabilities_usd
    from exposures
    union all
    select
        as_of_date,
        'group' as subject_type,
        'group' as subject_id,
        sum(uncollateralised_usd) as uncollateralised_usd,
        max(customer_liabilities_usd) as customer_liabilities_usd
    from exposures
    group by as_of_date
),

settings as (
    select {{ policy('affiliates.uncollateralised_pct_of_liabilities') }} as limit_pct
),

over_limit as (
    select
        subjects.as_of_date,
        subjects.subject_type,
        subjects.subject_id,
        cast(subjects.uncollateralised_usd as decimal(38, 8)) as uncollateralised_usd,
        subjects.customer_liabilities_usd,
        settings.limit_pct,
        {{ exact_product(
            exact_product('subjects.customer_liabilities_usd', 'settings.limit_pct'), '0.01', 8
        ) }} as limit_usd
    from subjects
    cross join settings
    where
        {{ exact_product('subjects.uncollateralised_usd', '100') }}
        > {{ exact_product('subjects.customer_liabilities_usd', 'settings.limit_pct') }}
        and subjects.uncollateralised_usd >= {{ policy('dust.usd') }}
)

select
    as_of_date,
    subject_type,
    subject_id,
    cast(null as string) as asset,
    {{ amount_text('uncollateralised_usd') }} || ' USD uncollateralised' as observed,
    'at most ' || {{ amount_text('limit_usd') }} || ' USD, '
    || {{ amount_text('limit_pct') }} || ' % of customer liabilities'
        as expected,
    uncollateralised_usd as impact_usd,
    'On ' || as_of_date
    || case when subject_type = 'group' then ' all affiliates together' else ' affiliate ' || subject_id end
    || ' owed ' || {{ amount_text('uncollateralised_usd') }} || ' USD beyond collateral; the limit is '
    || {{ amount_text('limit_usd') }} || ' USD.' as message,
    case
        when subject_type = 'group'
            then {{ mart_evidence('fct_affiliate_exposure_daily', {'as_of_date': 'as_of_date'}) }}
        else {{ mart_evidence(
            'fct_affiliate_exposure_daily', {'as_of_date': 'as_of_date', 'entity_id': 'subject_id'}
        ) }}
    end as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from over_limit
