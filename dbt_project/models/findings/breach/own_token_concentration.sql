with settings as (
    select {{ policy('own_token.concentration_pct') }} * 0.01 as concentration
),

concentrated as (
    select
        own_tokens.as_of_date,
        own_tokens.asset,
        own_tokens.circulating,
        own_tokens.group_holding,
        own_tokens.group_share_pct,
        own_tokens.mark_value_usd
    from {{ ref('fct_own_token_daily') }} as own_tokens
    cross join settings
    where
        own_tokens.group_holding > {{ exact_product('own_tokens.circulating', 'settings.concentration') }}
)

select
    as_of_date,
    'asset' as subject_type,
    asset as subject_id,
    asset,
    coalesce({{ amount_text('group_share_pct') }} || ' %', {{ amount_text('group_holding') }} || ' of none')
        as observed,
    'at most ' || {{ amount_text(policy('own_token.concentration_pct')) }} || ' % of circulating supply' as expected,
    cast(mark_value_usd as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the operator and its affiliates hold ' || {{ amount_text('group_holding') }} || ' of '
    || {{ amount_text('circulating') }} || ' ' || asset || ' in circulation.' as message,
    {{ mart_evidence('fct_own_token_daily', {'as_of_date': 'as_of_date', 'asset': 'asset'}) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from concentrated
