{#- The largest entries up to a day are among those that were the largest of all so far on their own day, so only
    these are joined with findings: cost follows findings and days, not entries. -#}
-- Read for few rows or none: never kept as a whole.
with entries as {{ read_in_place() }} (
    select
        entry_id,
        account_id,
        asset,
        amount,
        effective_date,
        source_file,
        source_row
    from {{ ref('stg_landing__ledger_entries') }}
),

accounts as (
    select
        finding_number,
        account_id,
        asset,
        described_date
    from {{ ref('evidence__account') }}
),

customer_assets as (
    select
        finding_number,
        asset,
        described_date,
        price_usd
    from {{ ref('evidence__customer_asset') }}
),

assets as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

customers as (
    select
        account_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
    where relation = 'customer' or account_class = 'suspense'
),

-- Entries of one account, or of all accounts that were customers over the same days, by asset and day.
days_of_accounts as (
    select
        entries.account_id as holder,
        entries.asset,
        cast(null as date) as from_date,
        cast(null as date) as to_date,
        entries.effective_date,
        {{ largest_entries() }}
    from entries
    semi join accounts on entries.account_id = accounts.account_id and entries.asset = accounts.asset
    group by entries.account_id, entries.asset, entries.effective_date
),

days_of_customers as (
    select
        'customers' as holder,
        entries.asset,
        customers.from_date,
        customers.to_date,
        entries.effective_date,
        {{ largest_entries() }}
    from entries
    inner join customers on entries.account_id = customers.account_id
    where entries.asset in (select customer_assets.asset from customer_assets)
    group by entries.asset, customers.from_date, customers.to_date, entries.effective_date
),

wanted as (
    select
        finding_number,
        account_id as holder,
        asset,
        described_date,
        false as is_customers
    from accounts
    union all
    select
        finding_number,
        'customers' as holder,
        asset,
        described_date,
        true as is_customers
    from customer_assets
),

days as (
    select
        false as is_customers,
        *
    from days_of_accounts
    union all
    select
        true as is_customers,
        *
    from days_of_customers
),

counted as (
    select
        wanted.finding_number,
        cast(sum(days.entries) as bigint) as rows_in_all
    from wanted
    inner join days
        on
            wanted.is_customers = days.is_customers
            and wanted.holder = days.holder
            and wanted.asset = days.asset
            and days.effective_date <= wanted.described_date
            and (
                days.from_date is null
                or (days.from_date <= wanted.described_date and days.to_date > wanted.described_date)
            )
    group by wanted.finding_number
),

largest_of_days as (
    select
        is_customers,
        holder,
        asset,
        from_date,
        to_date,
        effective_date,
        {{ each_item('largest') }} as entry
    from days
),

compared as (
    select
        *,
        {{ largest_items(
            'entry',
            evidence_rows_shown(),
            over='partition by is_customers, holder, asset, from_date, to_date order by effective_date'
        ) }} as largest_so_far
    from largest_of_days
),

records as (
    select
        is_customers,
        holder,
        asset,
        from_date,
        to_date,
        effective_date,
        entry
    from compared
    where entry >= {{ last_item('largest_so_far') }}
),

behind as (
    select
        wanted.finding_number,
        wanted.asset,
        wanted.described_date,
        records.entry['entry_id'] as entry_id,
        records.entry['source_file'] as source_file,
        records.entry['source_row'] as source_row,
        records.entry['size'] as size
    from wanted
    inner join records
        on
            wanted.is_customers = records.is_customers
            and wanted.holder = records.holder
            and wanted.asset = records.asset
            and records.effective_date <= wanted.described_date
            and (
                records.from_date is null
                or (records.from_date <= wanted.described_date and records.to_date > wanted.described_date)
            )
)

select
    behind.finding_number,
    behind.source_file,
    behind.source_row,
    behind.size,
    {{ value_usd('behind.size', 'assets.price_usd') }} as size_usd,
    counted.rows_in_all
from behind
inner join counted on behind.finding_number = counted.finding_number
left join assets on behind.described_date = assets.as_of_date and behind.asset = assets.asset
qualify
    row_number() over (
        partition by behind.finding_number
        order by size_usd desc nulls last, behind.size desc, behind.entry_id desc
    ) <= {{ evidence_rows_shown() }}
