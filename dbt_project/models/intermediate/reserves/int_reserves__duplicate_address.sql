with versions as (
    select
        wallet_id,
        network,
        normalised_address,
        valid_from,
        coalesce(valid_to, timestamp '9999-12-31') as valid_to
    from {{ ref('int_reserves__wallet_version') }}
),

shared_addresses as (
    select
        network,
        normalised_address
    from versions
    group by network, normalised_address
    having count(distinct wallet_id) > 1
),

candidates as (
    select
        versions.wallet_id,
        versions.network,
        versions.normalised_address,
        versions.valid_from,
        versions.valid_to,
        max(versions.valid_to) over (
            partition by versions.network, versions.normalised_address, versions.wallet_id
            order by versions.valid_from
            rows between unbounded preceding and 1 preceding
        ) as reached
    from versions
    inner join shared_addresses
        on
            versions.network = shared_addresses.network
            and versions.normalised_address = shared_addresses.normalised_address
),

numbered as (
    select
        wallet_id,
        network,
        normalised_address,
        valid_from,
        valid_to,
        count(*) filter (where reached is null or valid_from > reached) over (
            partition by network, normalised_address, wallet_id
            order by valid_from
            rows between unbounded preceding and current row
        ) as period
    from candidates
),

-- Overlapping versions of one wallet are one listing, not two.
listings as (
    select
        wallet_id,
        network,
        normalised_address,
        min(valid_from) as valid_from,
        max(valid_to) as valid_to
    from numbered
    group by wallet_id, network, normalised_address, period
),

changes as (
    select
        network,
        normalised_address,
        valid_from as changed_at,
        1 as step
    from listings
    union all
    select
        network,
        normalised_address,
        valid_to as changed_at,
        -1 as step
    from listings
),

moments as (
    select
        network,
        normalised_address,
        changed_at,
        sum(step) as step
    from changes
    group by network, normalised_address, changed_at
),

counted as (
    select
        network,
        normalised_address,
        changed_at,
        sum(step) over (partition by network, normalised_address order by changed_at) as wallets,
        lead(changed_at) over (partition by network, normalised_address order by changed_at) as next_changed_at
    from moments
)

select
    listings.wallet_id,
    listings.network,
    listings.normalised_address,
    cast(counted.wallets as bigint) as wallets,
    greatest(listings.valid_from, counted.changed_at) as shared_from,
    least(listings.valid_to, counted.next_changed_at) as shared_to
from listings
inner join counted
    on
        listings.network = counted.network
        and listings.normalised_address = counted.normalised_address
        and listings.valid_from < counted.next_changed_at
        and listings.valid_to > counted.changed_at
where counted.wallets > 1
