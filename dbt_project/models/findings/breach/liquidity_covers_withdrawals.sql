with liquidity as (
    select
        as_of_date,
        in_kind_group,
        liquid_reserves,
        largest_withdrawals,
        withdrawn_on,
        surplus_usd
    from {{ ref('fct_liquidity_daily') }}
    where not is_covered
)

select
    as_of_date,
    'in_kind_group' as subject_type,
    in_kind_group as subject_id,
    in_kind_group as asset,
    {{ amount_text('liquid_reserves') }} || ' ' || in_kind_group as observed,
    {{ amount_text('largest_withdrawals') }} || ' ' || in_kind_group as expected,
    cast(-surplus_usd as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' hot wallets and banks held ' || {{ amount_text('liquid_reserves') }} || ' '
    || in_kind_group
    || ' for customers, less than the '
    || {{ amount_text('largest_withdrawals') }}
    || ' they withdrew on '
    || withdrawn_on || '.' as message,
    {{ mart_evidence('fct_liquidity_daily', {'as_of_date': 'as_of_date', 'in_kind_group': 'in_kind_group'}) }}
        as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from liquidity
