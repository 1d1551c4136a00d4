with suspicions as (
    select
        as_of_date,
        entity_id,
        reason,
        evidence_path,
        value_usd,
        known_at
    from {{ ref('fct_affiliate_suspicion_daily') }}
),

suspects as (
    select
        as_of_date,
        entity_id,
        {{ joined_text('reason', ', ', 'reason') }} as reasons,
        {{ joined_text('evidence_path', '; ', 'reason') }} as evidence_path,
        max(value_usd) as value_usd,
        max(known_at) as known_at
    from suspicions
    group by as_of_date, entity_id
)

select
    as_of_date,
    'entity' as subject_type,
    entity_id as subject_id,
    cast(null as string) as asset,
    reasons as observed,
    'a customer at arm''s length, or a declared affiliate' as expected,
    cast(value_usd as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' customer ' || entity_id || ' may be an undeclared affiliate: ' || evidence_path || '.'
        as message,
    {{ mart_evidence(
        'fct_affiliate_suspicion_daily', {'as_of_date': 'as_of_date', 'entity_id': 'entity_id'}
    ) }} as evidence,
    greatest({{ day_end('as_of_date') }}, known_at) as known_since,
    cast(null as string) as severity
from suspects
