with ends as (
    select
        entity_id,
        ended_on,
        is_rewritten,
        affiliate_from_date,
        previous_path
    from {{ ref('dim_affiliation_end') }}
),

exposures as (
    select
        as_of_date,
        entity_id,
        gross_borrowing_usd
    from {{ ref('fct_affiliate_exposure_daily') }}
),

-- An end that is known of isn't told again on the day on which it was recorded.
denied as (
    select
        rewritten.entity_id,
        rewritten.ended_on,
        rewritten.affiliate_from_date,
        rewritten.previous_path
    from ends as rewritten
    left join ends as known
        on
            rewritten.entity_id = known.entity_id
            and not known.is_rewritten
            and known.ended_on between rewritten.affiliate_from_date and rewritten.ended_on
    where rewritten.is_rewritten and known.entity_id is null
),

owed_by_denied as (
    select
        as_of_date,
        entity_id,
        value_usd
    from {{ ref('fct_affiliate_suspicion_daily') }}
    where reason = 'exposure_after_link_ended'
),

removed as (
    select
        ends.entity_id,
        ends.ended_on,
        ends.previous_path,
        coalesce(exposures.gross_borrowing_usd, 0) as owed_usd,
        'is no longer an affiliate; until the day before it was by ' as change_text
    from ends
    left join exposures on ends.ended_on - 1 = exposures.as_of_date and ends.entity_id = exposures.entity_id
    where not ends.is_rewritten
    union all
    select
        denied.entity_id,
        denied.ended_on,
        denied.previous_path,
        coalesce(owed_by_denied.value_usd, 0) as owed_usd,
        'was said never to have been an affiliate; until the day before it was known as one by ' as change_text
    from denied
    left join owed_by_denied
        on denied.ended_on = owed_by_denied.as_of_date and denied.entity_id = owed_by_denied.entity_id
)

select
    ended_on as as_of_date,
    'entity' as subject_type,
    entity_id as subject_id,
    cast(null as string) as asset,
    'customer' as observed,
    'affiliate' as expected,
    cast(owed_usd as decimal(38, 8)) as impact_usd,
    'On ' || ended_on || ' ' || entity_id || ' ' || change_text || previous_path || ', and it owed '
    || {{ amount_text('owed_usd') }} || ' USD.' as message,
    {{ mart_evidence('dim_affiliation_end', {'entity_id': 'entity_id', 'ended_on': 'ended_on'}) }} as evidence,
    {{ day_end('ended_on') }} as known_since,
    cast(null as string) as severity
from removed
