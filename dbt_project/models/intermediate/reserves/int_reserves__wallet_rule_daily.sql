with delivered as (
    select distinct
        as_of_date,
        wallet_id
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

calendar as (
    select
        as_of_date,
        day_start,
        day_end
    from {{ ref('int_time__day') }}
),

versions as (
    select
        wallet_id,
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
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
),

duplicates as (
    select
        wallet_id,
        shared_from,
        shared_to
    from {{ ref('int_reserves__duplicate_address') }}
),

proof_days as (
    select
        list_item.item as ownership_proof,
        cast(list_item.value as integer) as holds_days
    from {{ source('policy', 'list_item') }} as list_item
    where list_item.name = 'reserves.proof_days'
),

wallet_days as (
    select
        delivered.as_of_date,
        delivered.wallet_id,
        calendar.day_start,
        calendar.day_end
    from delivered
    inner join calendar on delivered.as_of_date = calendar.as_of_date
),

-- Every version that is valid at a moment of the day, cut to the day.
parts as (
    select
        wallet_days.as_of_date,
        wallet_days.wallet_id,
        wallet_days.day_start,
        wallet_days.day_end,
        versions.valid_from,
        versions.owner_entity_id,
        versions.purpose,
        versions.custody,
        versions.encumbered_pct,
        versions.ownership_proof,
        versions.proven_at,
        least(coalesce(versions.valid_to, wallet_days.day_end), wallet_days.day_end) as part_end
    from wallet_days
    inner join versions
        on
            wallet_days.wallet_id = versions.wallet_id
            and wallet_days.day_end > versions.valid_from
            and (versions.valid_to is null or wallet_days.day_start < versions.valid_to)
),

ordered_parts as (
    select
        as_of_date,
        wallet_id,
        day_start,
        day_end,
        valid_from,
        owner_entity_id,
        purpose,
        custody,
        encumbered_pct,
        ownership_proof,
        proven_at,
        part_end,
        -- A later version's proof takes over from an earlier one's.
        least(part_end, lead(valid_from) over day_of_wallet) as proof_needed_until,
        max(part_end) over (
            partition by as_of_date, wallet_id
            order by valid_from
            rows between unbounded preceding and 1 preceding
        ) as reached
    from parts
    window day_of_wallet as (partition by as_of_date, wallet_id order by valid_from)
),

judged_parts as (
    select
        ordered_parts.as_of_date,
        ordered_parts.wallet_id,
        ordered_parts.part_end,
        ordered_parts.day_end,
        ordered_parts.part_end < ordered_parts.day_end as ends_early,
        ordered_parts.reached is not null and ordered_parts.valid_from > ordered_parts.reached as is_after_gap,
        coalesce(relations.relation = 'operator', false) as is_operator,
        ordered_parts.purpose = 'customer' as is_customer_purpose,
        ordered_parts.custody in {{ policy_items('reserves.eligible_custody') }} as is_custody_eligible,
        ordered_parts.proof_needed_until <= ordered_parts.day_start
        or coalesce(
            proof_days.holds_days > 0
            and ordered_parts.proven_at < ordered_parts.day_end
            and ordered_parts.proven_at
            >= ordered_parts.proof_needed_until - {{ length_of_days('proof_days.holds_days') }},
            false
        ) as is_proven,
        coalesce(ordered_parts.encumbered_pct, 100) as encumbered_pct
    from ordered_parts
    left join relations
        on
            ordered_parts.owner_entity_id = relations.entity_id
            and ordered_parts.as_of_date >= relations.from_date
            and ordered_parts.as_of_date < relations.to_date
    left join proof_days on ordered_parts.ownership_proof = proof_days.ownership_proof
),

judged as (
    select
        as_of_date,
        wallet_id,
        bool_and(is_operator) and not bool_or(is_after_gap) and max(part_end) = max(day_end) as is_operator,
        bool_and(is_customer_purpose) as is_customer_purpose,
        bool_and(is_custody_eligible) as is_custody_eligible,
        bool_and(is_proven) as is_proven,
        max(encumbered_pct) as encumbered_pct
    from judged_parts
    group by as_of_date, wallet_id
),

duplicate_days as (
    select distinct
        wallet_days.as_of_date,
        wallet_days.wallet_id
    from wallet_days
    inner join duplicates
        on
            wallet_days.wallet_id = duplicates.wallet_id
            and wallet_days.day_end > duplicates.shared_from
            and wallet_days.day_start < duplicates.shared_to
),

ruled as (
    select
        wallet_days.as_of_date,
        wallet_days.wallet_id,
        duplicate_days.wallet_id is not null as is_duplicate_address,
        coalesce(judged.is_operator, false) as is_operator,
        coalesce(judged.is_customer_purpose, false) as is_customer_purpose,
        coalesce(judged.is_custody_eligible, false) as is_custody_eligible,
        coalesce(judged.is_proven, false) as is_proven,
        coalesce(judged.encumbered_pct, 100) as encumbered_pct
    from wallet_days
    left join judged
        on wallet_days.as_of_date = judged.as_of_date and wallet_days.wallet_id = judged.wallet_id
    left join duplicate_days
        on wallet_days.as_of_date = duplicate_days.as_of_date and wallet_days.wallet_id = duplicate_days.wallet_id
)

select
    as_of_date,
    wallet_id,
    cast(encumbered_pct as decimal(38, 18)) as encumbered_pct,
    case
        when is_duplicate_address then 'duplicate_address'
        when not is_operator then 'not_operator'
        when not is_customer_purpose then 'not_customer_purpose'
        when not is_custody_eligible then 'custody'
        when not is_proven then 'unproven'
    end as reason
from ruled
