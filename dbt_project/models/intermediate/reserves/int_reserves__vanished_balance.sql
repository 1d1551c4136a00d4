with eligibility as (
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        eligible_reference_quantity
    from {{ ref('int_reserves__eligibility_daily') }}
),

balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        balance_as_of
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

silent_balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        last_date,
        is_registered
    from {{ ref('int_reserves__silent_balance_daily') }}
),

transfers as (
    select
        wallet_id,
        asset,
        amount,
        customer_amount,
        transfer_type,
        block_time,
        known_at,
        party_wallet_id,
        is_party_eligible
    from {{ ref('int_reserves__transfer_party') }}
),

versions as (
    select
        wallet_id,
        network,
        normalised_address,
        valid_from,
        valid_to
    from {{ ref('int_reserves__wallet_version') }}
),

rules as (
    select
        as_of_date,
        wallet_id
    from {{ ref('int_reserves__wallet_rule_daily') }}
    where reason is null
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_reserves__parity_daily') }}
),

group_reserves as (
    select
        as_of_date,
        in_kind_group,
        sum(eligible_reference_quantity) as eligible_reserves
    from eligibility
    group by as_of_date, in_kind_group
),

followed as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        balance_as_of,
        lead(as_of_date) over later as next_date,
        lead(balance) over later as next_balance,
        lead(balance_as_of) over later as next_as_of
    from balances
    window later as (partition by wallet_id, asset order by as_of_date)
),

limits as (
    select cast({{ policy('drained.held_pct_of_reserves') }} * 0.01 as decimal(38, 18)) as share_of_reserves
),

significant as (
    select
        eligibility.as_of_date,
        eligibility.wallet_id,
        eligibility.asset,
        eligibility.in_kind_group
    from eligibility
    inner join group_reserves
        on
            eligibility.as_of_date = group_reserves.as_of_date
            and eligibility.in_kind_group = group_reserves.in_kind_group
    cross join limits
    where
        eligibility.eligible_reference_quantity > 0
        and eligibility.eligible_reference_quantity
        >= {{ exact_product('group_reserves.eligible_reserves', 'limits.share_of_reserves') }}
),

held as (
    select
        followed.as_of_date,
        followed.wallet_id,
        followed.asset,
        significant.in_kind_group,
        followed.balance,
        followed.balance_as_of,
        followed.next_date,
        followed.next_balance,
        followed.next_as_of
    from followed
    inner join significant
        on
            followed.as_of_date = significant.as_of_date
            and followed.wallet_id = significant.wallet_id
            and followed.asset = significant.asset
),

drained as (
    select
        held.next_date as as_of_date,
        held.wallet_id,
        held.asset,
        held.in_kind_group,
        'drained' as problem,
        held.as_of_date as held_on,
        held.balance as held_balance,
        held.balance_as_of as held_as_of,
        held.next_as_of as gone_by
    from held
    left join prices on held.next_date = prices.as_of_date and held.asset = prices.asset
    where
        held.next_balance <= 0
        or {{ is_dust('held.next_balance', value_usd('held.next_balance', 'prices.price_usd')) }}
),

-- A wallet that left the register but whose address is still there, and counts, has only changed its name.
renamed as (
    select distinct
        silent_balances.as_of_date,
        silent_balances.wallet_id
    from silent_balances
    inner join versions on silent_balances.wallet_id = versions.wallet_id
    inner join versions as namesakes
        on
            versions.network = namesakes.network
            and versions.normalised_address = namesakes.normalised_address
            and versions.wallet_id <> namesakes.wallet_id
            and namesakes.valid_from < {{ day_end('silent_balances.as_of_date') }}
            and (namesakes.valid_to is null or namesakes.valid_to >= {{ day_end('silent_balances.as_of_date') }})
    inner join rules on silent_balances.as_of_date = rules.as_of_date and namesakes.wallet_id = rules.wallet_id
    where not silent_balances.is_registered
),

silent as (
    select
        silent_balances.as_of_date,
        held.wallet_id,
        held.asset,
        held.in_kind_group,
        'silent' as problem,
        held.as_of_date as held_on,
        held.balance as held_balance,
        held.balance_as_of as held_as_of,
        {{ day_end('silent_balances.as_of_date') }} as gone_by
    from silent_balances
    inner join held
        on
            silent_balances.last_date = held.as_of_date
            and silent_balances.wallet_id = held.wallet_id
            and silent_balances.asset = held.asset
    left join renamed
        on silent_balances.as_of_date = renamed.as_of_date and silent_balances.wallet_id = renamed.wallet_id
    where renamed.wallet_id is null
),

candidates as (
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        problem,
        held_on,
        held_balance,
        held_as_of,
        gone_by
    from drained
    union all
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        problem,
        held_on,
        held_balance,
        held_as_of,
        gone_by
    from silent
),

-- To customers, to eligible wallets, and to the network for its service.
explained as (
    select
        candidates.as_of_date,
        candidates.wallet_id,
        candidates.asset,
        sum(
            case
                when transfers.is_party_eligible and transfers.party_wallet_id <> transfers.wallet_id
                    then transfers.amount
                when transfers.transfer_type = 'network_fee' then transfers.amount
                else transfers.customer_amount
            end
        ) as moved,
        max(transfers.known_at) as known_at
    from candidates
    inner join transfers
        on
            candidates.wallet_id = transfers.wallet_id
            and candidates.asset = transfers.asset
            and candidates.held_as_of <= transfers.block_time
            and candidates.gone_by >= transfers.block_time
    group by candidates.as_of_date, candidates.wallet_id, candidates.asset
),

valued as (
    select
        candidates.as_of_date,
        candidates.wallet_id,
        candidates.asset,
        candidates.in_kind_group,
        candidates.problem,
        candidates.held_on,
        candidates.held_balance,
        cast(candidates.held_balance + coalesce(explained.moved, 0) as decimal(38, 18)) as unexplained,
        prices.price_usd,
        explained.known_at
    from candidates
    left join explained
        on
            candidates.as_of_date = explained.as_of_date
            and candidates.wallet_id = explained.wallet_id
            and candidates.asset = explained.asset
    left join prices on candidates.as_of_date = prices.as_of_date and candidates.asset = prices.asset
)

select
    as_of_date,
    wallet_id,
    asset,
    in_kind_group,
    problem,
    held_on,
    held_balance,
    unexplained,
    {{ value_usd('unexplained', 'price_usd') }} as unexplained_usd,
    known_at
from valued
where unexplained > 0 and not {{ is_dust('unexplained', value_usd('unexplained', 'price_usd')) }}
