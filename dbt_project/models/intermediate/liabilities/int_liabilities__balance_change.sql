{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['account_id', 'asset', 'effective_date'],
    )
}}

{%- set all_entries, new_entries = ref('stg_landing__ledger_entries'), ref('int_plan__new_entry') -%}
{%- set columns = {
    'account_id': 'varchar',
    'asset': 'varchar',
    'effective_date': 'date',
    'change': 'decimal(38, 18)',
    'balance': 'decimal(38, 18)',
    'next_effective_date': 'date',
} -%}

with external_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'external'
),

-- Of a balance with new entries, the rows from the last one before them on are counted again; earlier ones stand.
built as (
    select
        built.account_id,
        built.asset,
        built.effective_date,
        built.change,
        built.balance
    from {{ built_rows(columns) }} as built
    inner join {{ ref('int_plan__touched_balance') }} as touched
        on
            built.account_id = touched.account_id
            and built.asset = touched.asset
            and (built.next_effective_date is null or built.next_effective_date >= touched.from_date)
),

brought_forward as (
    select
        account_id,
        asset,
        min_by(balance - change, effective_date) as balance
    from built
    group by account_id, asset
),

postings as (
    select
        entries.account_id,
        entries.asset,
        entries.effective_date,
        entries.amount
    from {{ new_entries if is_continued() else all_entries }} as entries
    anti join external_accounts on entries.account_id = external_accounts.account_id
    union all
    select
        account_id,
        asset,
        effective_date,
        change as amount
    from built
),

daily_change as (
    select
        account_id,
        asset,
        effective_date,
        sum(amount) as change
    from postings
    group by account_id, asset, effective_date
)

select
    daily_change.account_id,
    daily_change.asset,
    daily_change.effective_date,
    cast(daily_change.change as decimal(38, 18)) as change,
    cast(
        coalesce(brought_forward.balance, 0) + sum(daily_change.change) over account_history as decimal(38, 18)
    ) as balance,
    lead(daily_change.effective_date) over account_history as next_effective_date
from daily_change
left join brought_forward
    on daily_change.account_id = brought_forward.account_id and daily_change.asset = brought_forward.asset
window
    account_history as (
        partition by daily_change.account_id, daily_change.asset
        order by daily_change.effective_date
    )
