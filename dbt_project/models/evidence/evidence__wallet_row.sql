{#- Balances of wallets on the days that findings speak of, and the register's rows of the wallets that they name. -#}
with findings as (
    select
        findings.finding_number,
        findings.check_name,
        findings.as_of_date,
        findings.subject_id,
        findings.asset,
        described.described_date
    from {{ ref('evidence__finding') }} as findings
    inner join {{ ref('evidence__described_day') }} as described on findings.finding_number = described.finding_number
),

reserves as (
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        custody,
        balance,
        eligible_quantity,
        balance_usd
    from {{ ref('fct_reserve_balance_daily') }}
),

balances as (
    select
        wallet_id,
        asset,
        balance,
        as_of,
        as_of_date,
        source_file,
        source_row
    from {{ ref('stg_landing__wallet_balances') }}
),

register as (
    select
        wallet_id,
        valid_from,
        source_file,
        source_row
    from {{ ref('stg_landing__wallets') }}
),

versions as (
    select
        wallet_id,
        network,
        normalised_address
    from {{ ref('int_reserves__wallet_version') }}
),

holdings as (
    select
        as_of_date,
        wallet_id,
        asset,
        owner_relation,
        purpose,
        balance
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

transfer_parties as (
    select
        transfer_id,
        wallet_id,
        party_wallet_id
    from {{ ref('int_reserves__transfer_party') }}
),

roll_forwards as (
    select
        as_of_date,
        wallet_id,
        asset,
        previous_as_of,
        as_of
    from {{ ref('fct_wallet_roll_forward') }}
    where not is_within_tolerance
),

vanished as (
    select
        as_of_date,
        wallet_id,
        asset,
        held_on
    from {{ ref('int_reserves__vanished_balance') }}
),

-- Which balances of a day stand behind a total of that day.
held as (
    select
        findings.finding_number,
        reserves.as_of_date,
        reserves.wallet_id,
        reserves.asset,
        reserves.balance,
        reserves.balance_usd
    from findings
    inner join reserves on findings.described_date = reserves.as_of_date
    where
        case findings.check_name
            when 'reserves_cover_liabilities' then findings.subject_id = reserves.in_kind_group
            when 'total_reserves_cover_liabilities' then true
            when 'reserves_not_window_dressed' then findings.subject_id = reserves.in_kind_group
            when 'reported_reserves_match' then findings.asset is null or findings.asset = reserves.asset
            when 'liquidity_covers_withdrawals'
                then
                    findings.subject_id = reserves.in_kind_group
                    and reserves.custody in {{ policy_items('liquidity.liquid_custody') }}
            when 'prices_complete' then findings.asset = reserves.asset
            when 'wallets_counted_once' then findings.subject_id = reserves.wallet_id
            when 'customer_funds_segregated' then findings.subject_id = reserves.wallet_id
        end
    union all
    select
        findings.finding_number,
        holdings.as_of_date,
        holdings.wallet_id,
        holdings.asset,
        holdings.balance,
        null as balance_usd
    from findings
    inner join holdings on findings.as_of_date = holdings.as_of_date and findings.asset = holdings.asset
    where
        findings.check_name = 'own_token_concentration'
        and (
            (holdings.owner_relation = 'operator' and holdings.purpose = 'house')
            or (holdings.owner_relation = 'affiliate' and holdings.purpose <> 'customer')
        )
),

largest_held as (
    select
        finding_number,
        as_of_date,
        wallet_id,
        asset,
        balance_usd,
        count(*) over (partition by finding_number) as rows_in_all
    from held
    qualify
        row_number() over (
            partition by finding_number
            order by abs(balance_usd) desc nulls last, abs(balance) desc, wallet_id, asset
        ) <= {{ evidence_rows_shown() }}
),

balance_rows as (
    select
        largest_held.finding_number,
        balances.source_file,
        balances.source_row,
        abs(balances.balance) as size,
        abs(largest_held.balance_usd) as size_usd,
        largest_held.rows_in_all
    from largest_held
    inner join balances
        on
            largest_held.as_of_date = balances.as_of_date
            and largest_held.wallet_id = balances.wallet_id
            and largest_held.asset = balances.asset
    union
    select
        findings.finding_number,
        balances.source_file,
        balances.source_row,
        abs(balances.balance) as size,
        null as size_usd,
        cast(null as bigint) as rows_in_all
    from findings
    inner join roll_forwards
        on
            findings.as_of_date = roll_forwards.as_of_date
            and findings.subject_id = roll_forwards.wallet_id
            and findings.asset = roll_forwards.asset
    inner join balances
        on
            roll_forwards.wallet_id = balances.wallet_id
            and roll_forwards.asset = balances.asset
            and balances.as_of in (roll_forwards.as_of, roll_forwards.previous_as_of)
    where findings.check_name = 'wallet_rolls_forward'
    union
    select
        findings.finding_number,
        balances.source_file,
        balances.source_row,
        abs(balances.balance) as size,
        null as size_usd,
        cast(null as bigint) as rows_in_all
    from findings
    inner join vanished
        on
            findings.as_of_date = vanished.as_of_date
            and findings.subject_id = vanished.wallet_id
            and findings.asset = vanished.asset
    inner join balances
        on
            vanished.wallet_id = balances.wallet_id
            and vanished.asset = balances.asset
            and balances.as_of_date in (vanished.held_on, vanished.as_of_date)
    where findings.check_name = 'reserve_not_drained'
),

named_wallets as (
    select
        finding_number,
        subject_id as wallet_id
    from findings
    where
        check_name in (
            'wallet_rolls_forward', 'reserve_not_drained', 'wallets_counted_once', 'customer_funds_segregated'
        )
    union
    select
        findings.finding_number,
        others.wallet_id
    from findings
    inner join versions on findings.subject_id = versions.wallet_id
    inner join versions as others
        on versions.network = others.network and versions.normalised_address = others.normalised_address
    where findings.check_name = 'wallets_counted_once'
    union
    select
        findings.finding_number,
        {{ each_item(list_of(['transfer_parties.wallet_id', 'transfer_parties.party_wallet_id'])) }} as wallet_id
    from findings
    inner join transfer_parties on findings.subject_id = transfer_parties.transfer_id
    where findings.check_name = 'transfers_to_affiliates_explained'
    union
    select
        finding_number,
        wallet_id
    from largest_held
),

register_rows as (
    select
        named_wallets.finding_number,
        register.source_file,
        register.source_row,
        max(largest_held.balance_usd) as size_usd
    from named_wallets
    inner join findings on named_wallets.finding_number = findings.finding_number
    inner join register
        on
            named_wallets.wallet_id = register.wallet_id
            and register.valid_from < {{ day_end('findings.described_date') }}
    left join largest_held
        on
            named_wallets.finding_number = largest_held.finding_number
            and named_wallets.wallet_id = largest_held.wallet_id
    group by named_wallets.finding_number, register.source_file, register.source_row
)

select
    finding_number,
    'wallet_balances' as source_table,
    source_file,
    source_row,
    size,
    size_usd,
    rows_in_all
from balance_rows
union all
select
    finding_number,
    'wallets' as source_table,
    source_file,
    source_row,
    null as size,
    size_usd,
    cast(null as bigint) as rows_in_all
from register_rows
