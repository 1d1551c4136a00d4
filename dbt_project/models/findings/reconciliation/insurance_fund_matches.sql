with figures as (
    select
        figure,
        as_of_date as described_date,
        known_date,
        known_at,
        asset,
        period_end,
        reported,
        computed,
        difference_usd,
        unpriced_assets,
        coalesce(asset, 'USD') as unit
    from {{ ref('fct_reported_balance') }}
    where figure = 'insurance_fund' and not is_within_tolerance
)

select
    known_date as as_of_date,
    'figure' as subject_type,
    figure as subject_id,
    asset,
    {{ amount_text('reported') }} || ' ' || unit as observed,
    {{ amount_text('computed') }} || ' ' || unit as expected,
    cast(abs(difference_usd) as decimal(38, 8)) as impact_usd,
    'Management reported an insurance fund of '
    || {{ amount_text('reported') }} || ' ' || unit || ' for ' || described_date
    || '; the fund''s accounts hold ' || {{ amount_text('computed') }} || ' ' || unit
    || case when unpriced_assets > 0 then ' and ' || unpriced_assets || ' assets without a price' else '' end || '.'
        as message,
    {{ mart_evidence('fct_reported_balance', {
        'figure': 'figure', 'as_of_date': 'described_date', 'asset': 'asset'
    }) }} as evidence,
    greatest({{ day_end('known_date') }}, known_at) as known_since,
    cast(null as string) as severity
from figures
