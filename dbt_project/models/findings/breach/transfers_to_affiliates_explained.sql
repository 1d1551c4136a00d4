with transfers as (
    select
        transfer_id,
        wallet_id,
        counterparty_wallet_id,
        counterparty_address,
        asset,
        -amount as amount,
        block_time,
        block_date,
        known_at
    from {{ ref('stg_landing__wallet_transfers') }}
    where amount < 0
),

wallet_versions as (
    select
        wallet_id,
        network,
        normalised_address,
        owner_entity_id,
        purpose,
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
    where relation in ('operator', 'affiliate')
),

patience as (
    select cast({{ policy('reconciliation.unmatched_transfer_days') }} as integer) as allowed_days
),

-- A withdrawal that is booked when the money has been gone for days is an excuse.
explained as (
    select matched.transfer_id
    from {{ ref('int_reserves__matched_transfer') }} as matched
    cross join patience
    where
        matched.is_amount_equal
        and cast(matched.last_effective_at as date) <= matched.block_date + patience.allowed_days
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

owned_wallets as (
    select
        wallet_versions.wallet_id,
        wallet_versions.network,
        wallet_versions.normalised_address,
        wallet_versions.owner_entity_id,
        wallet_versions.purpose,
        wallet_versions.valid_from,
        wallet_versions.valid_to,
        relations.relation,
        relations.from_date,
        relations.to_date
    from wallet_versions
    inner join relations on wallet_versions.owner_entity_id = relations.entity_id
),

unexplained as (
    select
        transfers.transfer_id,
        transfers.wallet_id,
        transfers.counterparty_wallet_id,
        {{ normalised_address('owned_wallets.network', 'transfers.counterparty_address') }} as counterparty_address,
        owned_wallets.network,
        transfers.asset,
        transfers.amount,
        transfers.block_time,
        transfers.block_date,
        transfers.known_at
    from transfers
    anti join explained on transfers.transfer_id = explained.transfer_id
    inner join owned_wallets
        on
            transfers.wallet_id = owned_wallets.wallet_id
            and owned_wallets.purpose = 'customer'
            and owned_wallets.relation = 'operator'
            and transfers.block_date >= owned_wallets.from_date
            and transfers.block_date < owned_wallets.to_date
            and transfers.block_time >= owned_wallets.valid_from
            and (owned_wallets.valid_to is null or transfers.block_time < owned_wallets.valid_to)
),

affiliate_wallets as (
    select
        wallet_id,
        network,
        normalised_address,
        owner_entity_id,
        valid_from,
        valid_to,
        from_date,
        to_date
    from owned_wallets
    where relation = 'affiliate'
),

received_by_wallet as (
    select
        unexplained.transfer_id,
        unexplained.wallet_id,
        unexplained.asset,
        unexplained.amount,
        unexplained.block_time,
        unexplained.block_date,
        unexplained.known_at,
        affiliate_wallets.wallet_id as to_wallet_id,
        affiliate_wallets.owner_entity_id,
        affiliate_wallets.valid_from,
        affiliate_wallets.valid_to,
        affiliate_wallets.from_date,
        affiliate_wallets.to_date
    from unexplained
    inner join affiliate_wallets on unexplained.counterparty_wallet_id = affiliate_wallets.wallet_id
    union all
    select
        unexplained.transfer_id,
        unexplained.wallet_id,
        unexplained.asset,
        unexplained.amount,
        unexplained.block_time,
        unexplained.block_date,
        unexplained.known_at,
        affiliate_wallets.wallet_id as to_wallet_id,
        affiliate_wallets.owner_entity_id,
        affiliate_wallets.valid_from,
        affiliate_wallets.valid_to,
        affiliate_wallets.from_date,
        affiliate_wallets.to_date
    from unexplained
    inner join affiliate_wallets
        on
            unexplained.network = affiliate_wallets.network
            and unexplained.counterparty_address = affiliate_wallets.normalised_address
),

-- Owned by an affiliate at any moment of the day: a wallet handed over hours after the transfer doesn't hide it.
received as (
    select
        transfer_id,
        wallet_id,
        asset,
        amount,
        block_date,
        known_at,
        min(to_wallet_id) as to_wallet_id,
        min_by(owner_entity_id, (to_wallet_id, owner_entity_id)) as owner_entity_id
    from received_by_wallet
    where
        block_date >= from_date
        and block_date < to_date
        and valid_from < {{ day_end('block_date') }}
        and (valid_to is null or valid_to > {{ day_start('block_date') }})
    group by transfer_id, wallet_id, asset, amount, block_date, known_at
),

valued as (
    select
        received.transfer_id,
        received.wallet_id,
        received.asset,
        received.amount,
        received.block_date,
        received.known_at,
        received.to_wallet_id,
        received.owner_entity_id,
        {{ value_usd('received.amount', 'prices.price_usd') }} as value_usd
    from received
    left join prices on received.block_date = prices.as_of_date and received.asset = prices.asset
)

select
    block_date as as_of_date,
    'transfer' as subject_type,
    transfer_id as subject_id,
    asset,
    {{ amount_text('amount') }} || ' ' || asset || ' to wallet ' || to_wallet_id || ' of affiliate ' || owner_entity_id
        as observed,
    'a withdrawal of ' || {{ amount_text('amount') }} || ' ' || asset || ' that refers to the transfer' as expected,
    cast(value_usd as decimal(38, 8)) as impact_usd,
    'On ' || block_date || ' transfer ' || transfer_id || ' sent ' || {{ amount_text('amount') }} || ' ' || asset
    || ' from customer wallet ' || wallet_id || ' to wallet ' || to_wallet_id || ' of affiliate ' || owner_entity_id
    || ', and no withdrawal booked in time explains it.' as message,
    'select * from audit.source_row where source_table = ''wallet_transfers'' and row_key = '
    || {{ sql_text('transfer_id') }} as evidence,
    greatest({{ day_end('block_date') }}, known_at) as known_since,
    cast(null as string) as severity
from valued
