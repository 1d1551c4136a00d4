with balances as (
    select
        wallet_id,
        asset,
        as_of_date,
        as_of,
        balance
    from {{ ref('stg_landing__wallet_balances') }}
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
        network,
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
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
),

-- The last balance of the day counts.
closing_balances as (
    select
        balances.wallet_id,
        balances.asset,
        balances.as_of_date,
        balances.as_of,
        balances.balance,
        calendar.day_start,
        calendar.day_end
    from balances
    inner join calendar on balances.as_of_date = calendar.as_of_date
    qualify
        row_number() over (
            partition by balances.wallet_id, balances.asset, balances.as_of_date
            order by balances.as_of desc
        ) = 1
),

-- What a wallet is on a day is what it is by the day's last version; int_reserves__wallet_rule_daily judges them all.
described as (
    select
        closing_balances.as_of_date,
        closing_balances.wallet_id,
        closing_balances.asset,
        closing_balances.balance,
        closing_balances.as_of as balance_as_of,
        versions.network,
        versions.normalised_address,
        versions.owner_entity_id,
        versions.purpose,
        versions.custody,
        versions.encumbered_pct,
        versions.ownership_proof,
        versions.proven_at
    from closing_balances
    left join versions
        on
            closing_balances.wallet_id = versions.wallet_id
            and closing_balances.day_end > versions.valid_from
            and (versions.valid_to is null or closing_balances.day_start < versions.valid_to)
    qualify
        row_number() over (
            partition by closing_balances.wallet_id, closing_balances.asset, closing_balances.as_of_date
            order by versions.valid_from desc
        ) = 1
)

select
    described.as_of_date,
    described.wallet_id,
    described.asset,
    described.balance,
    described.balance_as_of,
    described.network,
    described.normalised_address,
    described.owner_entity_id,
    relations.relation as owner_relation,
    described.purpose,
    described.custody,
    described.encumbered_pct,
    described.ownership_proof,
    described.proven_at
from described
left join relations
    on
        described.owner_entity_id = relations.entity_id
        and described.as_of_date >= relations.from_date
        and described.as_of_date < relations.to_date
