{#- Entries and transfers that a finding is about one by one: what happened, not what it added up to. -#}
with findings as (
    select
        findings.finding_number,
        findings.check_name,
        findings.as_of_date,
        findings.subject_type,
        findings.subject_id,
        findings.asset,
        described.described_date
    from {{ ref('evidence__finding') }} as findings
    inner join {{ ref('evidence__described_day') }} as described on findings.finding_number = described.finding_number
),

-- Read for few rows or none: never kept as a whole.
entries as {{ read_in_place() }} (
    select
        entry_id,
        transaction_id,
        asset,
        amount,
        reference,
        effective_date,
        source_file,
        source_row
    from {{ ref('stg_landing__ledger_entries') }}
),

transfers as {{ read_in_place() }} (
    select
        transfer_id,
        wallet_id,
        asset,
        amount,
        block_time,
        block_date,
        source_file,
        source_row
    from {{ ref('stg_landing__wallet_transfers') }}
),

assets as (
    select
        as_of_date,
        asset,
        in_kind_group,
        is_own_token,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

misdirected_deposits as (
    select
        transfer_id,
        wallet_id,
        block_date
    from {{ ref('fct_misdirected_deposit') }}
),

moved_debts as (
    select
        transaction_id,
        to_entity_id,
        effective_date
    from {{ ref('int_affiliates__moved_debt') }}
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

group_flows as (
    select
        transfer_id,
        asset,
        block_time,
        block_date,
        amount - customer_amount as amount
    from {{ ref('int_reserves__transfer_party') }}
    where owner_relation = 'operator' and party_relation is distinct from 'operator'
),

snapshots as (
    select
        as_of_date,
        in_kind_group,
        snapshot_at
    from {{ ref('fct_snapshot_flow_daily') }}
    where is_window_dressed
),

window_length as (
    select {{ length_of_days('cast(' ~ policy('window_dressing.days') ~ ' as integer)') }} as length
),

liquidity as (
    select
        as_of_date,
        in_kind_group,
        withdrawn_on
    from {{ ref('fct_liquidity_daily') }}
    where not is_covered
),

withdrawals as (
    select
        entry_id,
        asset,
        amount,
        effective_date
    from {{ ref('int_reserves__outside_entry') }}
    where entry_type = 'withdrawal' and relation = 'customer'
),

payments as (
    select
        entry_id,
        asset,
        payer_relation,
        revenue_date,
        is_backdated,
        quantity,
        {{ month_text('revenue_date') }} as month_text
    from {{ ref('int_revenue__payment') }}
),

-- Transfers by identifier: named by the finding, by an entry that it names, or received in customers' place.
named_transfers as (
    select
        finding_number,
        subject_id as transfer_id
    from findings
    where
        check_name in ('deposits_withdrawals_match', 'transfers_to_affiliates_explained') and subject_type = 'transfer'
    union
    select
        findings.finding_number,
        entries.reference as transfer_id
    from findings
    inner join entries on findings.subject_id = entries.entry_id
    where
        findings.check_name = 'deposits_withdrawals_match'
        and findings.subject_type = 'entry'
        and entries.reference is not null
    union
    select
        findings.finding_number,
        misdirected_deposits.transfer_id
    from findings
    inner join misdirected_deposits
        on
            findings.subject_id = misdirected_deposits.wallet_id
            and findings.as_of_date = misdirected_deposits.block_date
    where findings.check_name = 'customer_funds_segregated'
    union
    select
        findings.finding_number,
        group_flows.transfer_id
    from findings
    cross join window_length
    inner join snapshots
        on findings.as_of_date = snapshots.as_of_date and findings.subject_id = snapshots.in_kind_group
    inner join group_flows
        on
            group_flows.block_time >= snapshots.snapshot_at - window_length.length
            and group_flows.block_date <= findings.as_of_date
    left join assets on group_flows.block_date = assets.as_of_date and group_flows.asset = assets.asset
    where
        findings.check_name = 'reserves_not_window_dressed'
        and group_flows.amount <> 0
        and coalesce(assets.in_kind_group, group_flows.asset) = findings.subject_id
),

transfer_rows as (
    select
        named_transfers.finding_number,
        transfers.asset,
        transfers.amount,
        transfers.source_file,
        transfers.source_row
    from named_transfers
    inner join transfers on named_transfers.transfer_id = transfers.transfer_id
    union
    select
        findings.finding_number,
        transfers.asset,
        transfers.amount,
        transfers.source_file,
        transfers.source_row
    from findings
    inner join roll_forwards
        on
            findings.as_of_date = roll_forwards.as_of_date
            and findings.subject_id = roll_forwards.wallet_id
            and findings.asset = roll_forwards.asset
    inner join transfers
        on
            roll_forwards.wallet_id = transfers.wallet_id
            and roll_forwards.asset = transfers.asset
            and transfers.block_time <= roll_forwards.as_of
            and (roll_forwards.previous_as_of is null or transfers.block_time >= roll_forwards.previous_as_of)
    where findings.check_name = 'wallet_rolls_forward'
    union
    select
        findings.finding_number,
        transfers.asset,
        transfers.amount,
        transfers.source_file,
        transfers.source_row
    from findings
    inner join vanished
        on
            findings.as_of_date = vanished.as_of_date
            and findings.subject_id = vanished.wallet_id
            and findings.asset = vanished.asset
    inner join transfers
        on
            vanished.wallet_id = transfers.wallet_id
            and vanished.asset = transfers.asset
            and transfers.block_date between vanished.held_on and vanished.as_of_date
    where findings.check_name = 'reserve_not_drained'
),

-- The same for entries: by identifier, by the transfer they name, by the transaction that moved a debt, as the
-- withdrawals of the largest day, or as a month's revenue.
named_entries as (
    select
        finding_number,
        subject_id as entry_id
    from findings
    where check_name = 'deposits_withdrawals_match' and subject_type = 'entry'
    union
    select
        named_transfers.finding_number,
        entries.entry_id
    from named_transfers
    semi join findings
        on
            named_transfers.finding_number = findings.finding_number
            and findings.check_name <> 'reserves_not_window_dressed'
    inner join entries on named_transfers.transfer_id = entries.reference
    union
    select
        findings.finding_number,
        entries.entry_id
    from findings
    inner join moved_debts
        on findings.subject_id = moved_debts.to_entity_id and findings.as_of_date >= moved_debts.effective_date
    inner join entries on moved_debts.transaction_id = entries.transaction_id
    where findings.check_name = 'undeclared_affiliates'
    union
    select
        findings.finding_number,
        withdrawals.entry_id
    from findings
    inner join liquidity
        on findings.as_of_date = liquidity.as_of_date and findings.subject_id = liquidity.in_kind_group
    inner join assets on liquidity.as_of_date = assets.as_of_date and liquidity.in_kind_group = assets.in_kind_group
    inner join withdrawals
        on liquidity.withdrawn_on = withdrawals.effective_date and assets.asset = withdrawals.asset
    where findings.check_name = 'liquidity_covers_withdrawals'
    union
    select
        findings.finding_number,
        payments.entry_id
    from findings
    inner join payments on findings.subject_id = payments.month_text
    left join assets on payments.revenue_date = assets.as_of_date and payments.asset = assets.asset
    where
        case findings.check_name
            when 'reported_revenue_supported' then true
            when 'revenue_not_backdated' then payments.is_backdated
            when 'revenue_not_affiliate' then not payments.is_backdated and payments.payer_relation <> 'customer'
            when 'revenue_not_own_token'
                then not payments.is_backdated and payments.payer_relation = 'customer' and assets.is_own_token
        end
),

entry_rows as (
    select
        named_entries.finding_number,
        entries.asset,
        entries.amount,
        entries.source_file,
        entries.source_row
    from named_entries
    inner join entries on named_entries.entry_id = entries.entry_id
),

all_rows as (
    select
        'wallet_transfers' as source_table,
        *
    from transfer_rows
    union all
    select
        'ledger_entries' as source_table,
        *
    from entry_rows
)

select
    all_rows.finding_number,
    all_rows.source_table,
    all_rows.source_file,
    all_rows.source_row,
    abs(all_rows.amount) as size,
    {{ value_usd('abs(all_rows.amount)', 'assets.price_usd') }} as size_usd
from all_rows
inner join findings on all_rows.finding_number = findings.finding_number
left join assets on findings.described_date = assets.as_of_date and all_rows.asset = assets.asset
