with coverage as (
    select
        as_of_date,
        in_kind_group,
        liability,
        eligible_reserves,
        excluded_reserves,
        gap,
        gap_usd,
        min_coverage
    from {{ ref('fct_reserve_coverage_daily') }}
    where gap < 0
)

select
    as_of_date,
    'in_kind_group' as subject_type,
    in_kind_group as subject_id,
    in_kind_group as asset,
    {{ amount_text('eligible_reserves') }} || ' ' || in_kind_group as observed,
    {{ amount_text('(eligible_reserves - gap)') }} || ' ' || in_kind_group as expected,
    cast(-gap_usd as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' ' || {{ amount_text('-gap') }} || ' ' || in_kind_group
    || ' were missing: customers were owed ' || {{ amount_text('liability') }}
    || case when min_coverage <> 1 then ' (times ' || {{ amount_text('min_coverage') }} || ')' else '' end
    || ', eligible reserves were ' || {{ amount_text('eligible_reserves') }}
    || case
        when excluded_reserves <> 0 then ' and ' || {{ amount_text('excluded_reserves') }} || ' didn''t count'
        else ''
    end || '.' as message,
    {{ mart_evidence('fct_reserve_coverage_daily', {'as_of_date': 'as_of_date', 'in_kind_group': 'in_kind_group'}) }}
        as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from coverage
