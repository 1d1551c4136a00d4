{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='transaction_id',
    )
}}

{%- set all_entries, touched_entries = ref('stg_landing__ledger_entries'), ref('int_plan__touched_entry') -%}
-- Read twice, each time for some of them: never kept as a whole.
with entries as {{ read_in_place() }} (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        effective_at,
        effective_date,
        partition_date,
        known_at,
        nullif(trim(reference), '') as reference
    from {{ touched_entries if is_continued() else all_entries }}
),

external_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'external'
),

account_relations as (
    select
        account_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
),

external_transactions as (
    select distinct entries.transaction_id
    from entries
    inner join external_accounts on entries.account_id = external_accounts.account_id
),

candidates as (
    select
        entries.entry_id,
        entries.transaction_id,
        entries.account_id,
        entries.asset,
        entries.amount,
        entries.entry_type,
        entries.reference,
        entries.effective_at,
        entries.effective_date,
        entries.partition_date,
        entries.known_at,
        external_transactions.transaction_id is not null as touches_outside,
        external_accounts.account_id is not null as is_external
    from entries
    left join external_transactions on entries.transaction_id = external_transactions.transaction_id
    left join external_accounts on entries.account_id = external_accounts.account_id
    where
        (external_transactions.transaction_id is not null or entries.entry_type in ('deposit', 'withdrawal'))
        -- What an opening books inside the exchange is many rows that nothing is asked of.
        and (entries.entry_type <> 'opening' or external_accounts.account_id is not null)
),

fee_transactions as (
    select distinct transaction_id
    from candidates
    where entry_type = 'fee'
),

-- Only transactions with one are looked at leg by leg.
legs_around_fees as (
    select
        candidates.transaction_id,
        candidates.asset,
        bool_or(
            not candidates.is_external and candidates.entry_type in ('deposit', 'withdrawal')
        ) as has_deposit_or_withdrawal,
        bool_or(candidates.is_external) as touches_outside,
        case
            when min(candidates.reference) = max(candidates.reference) then min(candidates.reference)
        end as only_reference
    from candidates
    inner join fee_transactions on candidates.transaction_id = fee_transactions.transaction_id
    group by candidates.transaction_id, candidates.asset
),

-- A fee is paid out of what moved, or in an asset of which nothing moved.
payable_fees as (
    select
        transaction_id,
        asset,
        only_reference,
        has_deposit_or_withdrawal
        or (not touches_outside and bool_or(has_deposit_or_withdrawal) over (partition by transaction_id))
            as is_payable
    from legs_around_fees
),

-- A fee kept back from a deposit or withdrawal, as a leg of it, belongs to that deposit or withdrawal.
withheld as (
    select
        candidates.entry_id,
        candidates.transaction_id,
        candidates.account_id,
        candidates.asset,
        candidates.amount,
        candidates.entry_type,
        candidates.effective_at,
        candidates.effective_date,
        candidates.partition_date,
        candidates.known_at,
        candidates.touches_outside,
        candidates.is_external,
        not candidates.is_external and coalesce(payable_fees.is_payable, false) as is_withheld_fee,
        coalesce(candidates.reference, payable_fees.only_reference) as reference
    from candidates
    left join payable_fees
        on
            case when candidates.entry_type = 'fee' then candidates.transaction_id end = payable_fees.transaction_id
            and candidates.asset = payable_fees.asset
),

described as (
    select
        withheld.entry_id,
        withheld.transaction_id,
        withheld.account_id,
        withheld.asset,
        withheld.amount,
        withheld.entry_type,
        withheld.reference,
        withheld.effective_at,
        withheld.effective_date,
        withheld.partition_date,
        withheld.known_at,
        withheld.touches_outside,
        withheld.is_external,
        withheld.entry_type in ('opening', 'deposit', 'withdrawal') or withheld.is_withheld_fee as is_permitted,
        case
            when account_relations.account_class = 'suspense' then 'customer'
            else account_relations.relation
        end as relation
    from withheld
    left join account_relations
        on
            withheld.account_id = account_relations.account_id
            and greatest(withheld.effective_date, {{ run_value('landing_first_date') }}) >= account_relations.from_date
            and greatest(withheld.effective_date, {{ run_value('landing_first_date') }}) < account_relations.to_date
)

select
    entry_id,
    transaction_id,
    account_id,
    asset,
    amount,
    entry_type,
    reference,
    effective_at,
    effective_date,
    partition_date,
    known_at,
    touches_outside,
    is_external,
    is_permitted,
    relation
from described
