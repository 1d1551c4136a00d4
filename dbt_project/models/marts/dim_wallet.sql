with versions as (
    select
        wallet_id,
        network,
        address,
        normalised_address,
        owner_entity_id,
        purpose,
        custody,
        encumbered_pct,
        ownership_proof,
        proven_at,
        valid_from,
        valid_to
    from {{ ref('int_reserves__wallet_version') }}
),

relations as (
    select
        entity_id,
        relation
    from {{ ref('int_affiliates__entity_relation') }}
    where {{ run_value('calendar_last_date') }} >= from_date and {{ run_value('calendar_last_date') }} < to_date
),

-- The version in force at the end of the calendar or, for a wallet that is gone or yet to come, the nearest one.
ranked as (
    select
        *,
        min(valid_from) over (partition by wallet_id) as first_valid_from,
        count(*) over (partition by wallet_id) as versions,
        row_number() over (
            partition by wallet_id
            order by
                (
                    valid_from < {{ day_end(run_value('calendar_last_date')) }}
                    and (valid_to is null or valid_to >= {{ day_end(run_value('calendar_last_date')) }})
                ) desc,
                (valid_from < {{ day_end(run_value('calendar_last_date')) }}) desc,
                case
                    when valid_from < {{ day_end(run_value('calendar_last_date')) }} then valid_from
                end desc,
                valid_from asc
        ) as place
    from versions
)

select
    ranked.wallet_id,
    ranked.network,
    ranked.address,
    ranked.normalised_address,
    ranked.owner_entity_id,
    relations.relation as owner_relation,
    ranked.purpose,
    ranked.custody,
    ranked.encumbered_pct,
    ranked.ownership_proof,
    ranked.proven_at,
    ranked.first_valid_from,
    ranked.valid_from,
    ranked.valid_to,
    ranked.versions
from ranked
left join relations on ranked.owner_entity_id = relations.entity_id
where ranked.place = 1
