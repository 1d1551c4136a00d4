{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['account_id', 'asset', 'effective_date'],
    )
}}

{%- set all_entries, new_entries = ref('stg_landing__ledger_entries'), ref('int_plan__new_entry') -%}
{%- set touched_balances = ref('int_plan__touched_balance') -%}

with external_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'external'
),

daily_change as (
    select
        entries.account_id,
        entries.asset,
        entries.effective_date,
        sum(entries.amount) as change
    from {{ new_entries if is_continued() else all_entries }} as entries
    anti join external_accounts on entries.account_id = external_accounts.account_id
    group by entries.account_id, entries.asset, entries.effective_date
),

{% if is_continued() -%}
-- Of a balance with new entries, the rows from the last one before them on are counted again; earlier ones stand.
built as (
    select
        built.account_id,
        built.asset,
        built.effective_date,
        built.change,
        built.balance
    from {{ this }} as built
    inner join {{ touched_balances }} as touched
        on
            built.account_id = touched.account_id
            and built.asset = touched.asset
            and (built.next_effective_date is null or built.next_effective_date >= touched.from_date)
),

brought_forward as (
    select
        account_id,
        asset,
        arg_min(balance - change, effective_date) as balance
    from built
    group by account_id, asset
),

changes as (
    select
        account_id,
        asset,
        effective_date,
        sum(change) as change
    from (
        select
            account_id,
            asset,
            effective_date,
            change
        from built
        union all
        select
            account_id,
            asset,
            effective_date,
            change
        from daily_change
    ) as parts
    group by account_id, asset, effective_date
)

select
    changes.account_id,
    changes.asset,
    changes.effective_date,
    cast(changes.change as decimal(38, 18)) as change,
    cast(
        coalesce(brought_forward.balance, 0) + sum(changes.change) over account_history as decimal(38, 18)
    ) as balance,
    lead(changes.effective_date) over account_history as next_effective_date
from changes
left join brought_forward
    on changes.account_id = brought_forward.account_id and changes.asset = brought_forward.asset
window account_history as (partition by changes.account_id, changes.asset order by changes.effective_date)
{%- else -%}
changes as (
    select
        account_id,
        asset,
        effective_date,
        change
    from daily_change
)

select
    account_id,
    asset,
    effective_date,
    cast(change as decimal(38, 18)) as change,
    cast(sum(change) over account_history as decimal(38, 18)) as balance,
    lead(effective_date) over account_history as next_effective_date
from changes
window account_history as (partition by account_id, asset order by effective_date)
{%- endif %}
