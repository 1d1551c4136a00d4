with duplicates as (
    select
        wallet_id,
        network,
        normalised_address,
        shared_from,
        shared_to
    from {{ ref('int_reserves__duplicate_address') }}
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
        balance_usd
    from {{ ref('fct_reserve_balance_daily') }}
),

listed as (
    select distinct
        calendar.as_of_date,
        duplicates.wallet_id,
        duplicates.network,
        duplicates.normalised_address
    from duplicates
    inner join calendar
        on duplicates.shared_from < calendar.day_end and duplicates.shared_to > calendar.day_start
),

places as (
    select
        as_of_date,
        network,
        normalised_address,
        count(*) as wallets,
        {{ first_items_text(sorted_list('wallet_id', ['wallet_id']), 5, ', ') }} as first_wallets
    from listed
    group by as_of_date, network, normalised_address
),

wallets as (
    select
        listed.as_of_date,
        listed.wallet_id,
        listed.network,
        listed.normalised_address,
        places.wallets,
        places.first_wallets
    from listed
    inner join places
        on
            listed.as_of_date = places.as_of_date
            and listed.network = places.network
            and listed.normalised_address = places.normalised_address
    qualify
        row_number() over (
            partition by listed.as_of_date, listed.wallet_id
            order by listed.network, listed.normalised_address
        ) = 1
),

held as (
    select
        balances.as_of_date,
        balances.wallet_id,
        sum(balances.balance_usd) as held_usd
    from balances
    semi join wallets on balances.as_of_date = wallets.as_of_date and balances.wallet_id = wallets.wallet_id
    group by balances.as_of_date, balances.wallet_id
)

select
    wallets.as_of_date,
    'wallet' as subject_type,
    wallets.wallet_id as subject_id,
    cast(null as string) as asset,
    wallets.network || ' address ' || wallets.normalised_address || ' under ' || wallets.wallets || ' wallets'
        as observed,
    'one wallet for each address' as expected,
    cast(abs(held.held_usd) as decimal(38, 8)) as impact_usd,
    'On ' || wallets.as_of_date || ' wallet ' || wallets.wallet_id || ' shared ' || wallets.network || ' address '
    || wallets.normalised_address || ' with others: it is listed as ' || wallets.first_wallets
    || case when wallets.wallets > 5 then ' and ' || (wallets.wallets - 5) || ' more' else '' end || '.' as message,
    'select * from marts.dim_wallet where network = ' || {{ sql_text('wallets.network') }}
    || ' and normalised_address = ' || {{ sql_text('wallets.normalised_address') }} as evidence,
    {{ day_end('wallets.as_of_date') }} as known_since,
    cast(null as string) as severity
from wallets
left join held on wallets.as_of_date = held.as_of_date and wallets.wallet_id = held.wallet_id
