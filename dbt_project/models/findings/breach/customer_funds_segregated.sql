with wallet_versions as (
    select
        wallet_id,
        owner_entity_id,
        valid_from,
        valid_to
    from {{ ref('int_reserves__wallet_version') }}
    where purpose = 'customer'
),

affiliates as (
    select
        entity_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
    where relation = 'affiliate'
),

calendar as (
    select
        as_of_date,
        day_start,
        day_end
    from {{ ref('int_time__day') }}
),

balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

deposits as (
    select
        block_date,
        wallet_id,
        owner_entity_id,
        asset,
        amount,
        known_at
    from {{ ref('fct_misdirected_deposit') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

-- Declared for customers at any moment of a day on which its owner is an affiliate.
declared as (
    select distinct
        calendar.as_of_date,
        wallet_versions.wallet_id,
        wallet_versions.owner_entity_id
    from wallet_versions
    inner join affiliates on wallet_versions.owner_entity_id = affiliates.entity_id
    inner join calendar
        on
            affiliates.from_date <= calendar.as_of_date
            and affiliates.to_date > calendar.as_of_date
            and wallet_versions.valid_from < calendar.day_end
            and (wallet_versions.valid_to is null or wallet_versions.valid_to > calendar.day_start)
),

held as (
    select
        balances.as_of_date,
        balances.wallet_id,
        sum({{ value_usd('greatest(balances.balance, 0)', 'prices.price_usd') }}) as held_usd
    from balances
    semi join declared on balances.as_of_date = declared.as_of_date and balances.wallet_id = declared.wallet_id
    left join prices on balances.as_of_date = prices.as_of_date and balances.asset = prices.asset
    group by balances.as_of_date, balances.wallet_id
),

received_by_asset as (
    select
        block_date,
        wallet_id,
        owner_entity_id,
        asset,
        sum(amount) as amount,
        count(*) as deposits,
        max(known_at) as known_at
    from deposits
    group by block_date, wallet_id, owner_entity_id, asset
),

received as (
    select
        received_by_asset.block_date as as_of_date,
        received_by_asset.wallet_id,
        min(received_by_asset.owner_entity_id) as owner_entity_id,
        {{ joined_text(
            amount_text('received_by_asset.amount') ~ " || ' ' || received_by_asset.asset",
            ', ',
            'received_by_asset.asset'
        ) }} as received_text,
        sum({{ value_usd('received_by_asset.amount', 'prices.price_usd') }}) as received_usd,
        cast(sum(received_by_asset.deposits) as bigint) as deposits,
        max(received_by_asset.known_at) as known_at
    from received_by_asset
    left join prices on received_by_asset.block_date = prices.as_of_date and received_by_asset.asset = prices.asset
    group by received_by_asset.block_date, received_by_asset.wallet_id
),

declared_once as (
    select
        as_of_date,
        wallet_id,
        min(owner_entity_id) as owner_entity_id
    from declared
    group by as_of_date, wallet_id
),

found as (
    select
        coalesce(declared_once.as_of_date, received.as_of_date) as as_of_date,
        coalesce(declared_once.wallet_id, received.wallet_id) as wallet_id,
        coalesce(declared_once.owner_entity_id, received.owner_entity_id) as owner_entity_id,
        declared_once.wallet_id is not null as is_declared,
        received.received_text,
        received.deposits,
        received.received_usd,
        received.known_at
    from declared_once
    full outer join received
        on declared_once.as_of_date = received.as_of_date and declared_once.wallet_id = received.wallet_id
)

select
    found.as_of_date,
    'wallet' as subject_type,
    found.wallet_id as subject_id,
    cast(null as string) as asset,
    concat_ws(
        '; ',
        case when found.is_declared then 'customer wallet owned by affiliate ' || found.owner_entity_id end,
        case
            when found.deposits > 0 then 'received customer deposits of ' || found.received_text
        end
    ) as observed,
    'customers'' money in wallets of the operator only' as expected,
    cast(greatest(held.held_usd, found.received_usd) as decimal(38, 8)) as impact_usd,
    'On ' || found.as_of_date || ' wallet ' || found.wallet_id || ' of affiliate ' || found.owner_entity_id
    || case when found.is_declared then ' was declared to hold customers'' money' else '' end
    || case when found.is_declared and found.deposits > 0 then ' and' else '' end
    || case
        when found.deposits > 0
            then ' received customer deposits of ' || found.received_text
        else ''
    end || '.' as message,
    case
        when found.deposits > 0 then {{ mart_evidence(
            'fct_misdirected_deposit', {'block_date': 'found.as_of_date', 'wallet_id': 'found.wallet_id'}
        ) }}
        else {{ mart_evidence('dim_wallet', {'wallet_id': 'found.wallet_id'}) }}
    end as evidence,
    greatest({{ day_end('found.as_of_date') }}, found.known_at) as known_since,
    cast(null as string) as severity
from found
left join held on found.as_of_date = held.as_of_date and found.wallet_id = held.wallet_id
