with periods as (
    select
        entity_id,
        relation,
        from_date,
        lag(relation) over (partition by entity_id order by from_date) as previous_relation,
        lag(evidence_path) over (partition by entity_id order by from_date) as previous_path
    from {{ ref('dim_entity_relation') }}
),

exposures as (
    select
        as_of_date,
        entity_id,
        gross_borrowing_usd
    from {{ ref('fct_affiliate_exposure_daily') }}
),

removed as (
    select
        entity_id,
        from_date,
        previous_path
    from periods
    where relation = 'customer' and previous_relation = 'affiliate'
)

select
    removed.from_date as as_of_date,
    'entity' as subject_type,
    removed.entity_id as subject_id,
    cast(null as varchar) as asset,
    'customer' as observed,
    'affiliate' as expected,
    coalesce(exposures.gross_borrowing_usd, 0) as impact_usd,
    'On ' || removed.from_date || ' ' || removed.entity_id
    || ' is no longer an affiliate; until the day before it was by ' || removed.previous_path || ', and it owed '
    || coalesce({{ amount_text('exposures.gross_borrowing_usd') }}, '0')
    || ' USD.' as message,
    {{ mart_evidence('dim_entity_relation', {'entity_id': 'removed.entity_id'}) }} as evidence,
    {{ day_end('removed.from_date') }} as known_since,
    cast(null as varchar) as severity
from removed
left join exposures on removed.from_date - 1 = exposures.as_of_date and removed.entity_id = exposures.entity_id
