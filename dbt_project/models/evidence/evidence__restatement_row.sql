{#- What moved the figures that this run restates. Rows that became known and restated subjects both name their reaches:
    the kinds of row that a figure is worked out from, with the asset or entity where only rows of that one count. Rows
    are summed up by reach and day before they meet the days they reach. -#}
{%- set reaches_of_subjects -%}
    case source_table
        when 'fct_solvency_daily'
            then {{ list_of(["'entry'", "'balance'", "'price'", "'market'", "'register'", "'wallet'"]) }}
        when 'fct_token_adjusted_revenue_monthly'
            then {{ list_of(["'revenue'", "'report'", "'price'", "'market'", "'register'"]) }}
        when 'fct_affiliate_exposure_daily'
            then {{ lists_joined(
                list_of(["'balance'", "'price'", "'market'", "'register'", "'wallet'"]),
                'case when is_more_than_a_share then ' ~ list_of(["'entity|' || subject"])
                ~ ' else ' ~ list_of(["'entry'"]) ~ ' end'
            ) }}
        when 'fct_price_daily' then {{ empty_text_list() }}
        when 'fct_customer_liability_daily' then {{ list_of(["'register'"]) }}
        else {{ list_of(["'register'", "'wallet'"]) }}
    end
{%- endset -%}
{%- set reaches_of_assets -%}
    case source_table
        when 'fct_price_daily' then {{ list_of(["'price|' || asset"]) }}
        when 'fct_customer_liability_daily'
            then {{ list_of(["'price|' || asset", "'entry|' || subject", "'entry|' || asset || '|suspense'"]) }}
        else {{ list_of([
            "'price|' || asset",
            "'balance|' || asset",
            "'market|' || asset",
            "'entry|' || asset || '|customer'",
            "'entry|' || asset || '|affiliate'",
            "'entry|' || asset || '|suspense'",
        ]) }}
    end
{%- endset -%}
{%- set reach_of_relation = "'entry|' || asset || '|' || relation" -%}
{%- set reaches_of_entries -%}
    case relation
        when 'operator' then {{ list_of([reach_of_relation]) }}
        when 'affiliate' then {{ list_of(["'entry'", reach_of_relation, "'entity|' || entity_id"]) }}
        else {{ list_of(["'entry'", reach_of_relation]) }}
    end
{%- endset -%}

with changes as (
    select
        as_of_date,
        last_date,
        source_table,
        figure,
        subject
    from {{ ref('int_restatement__figure_change') }}
    where is_restatement
),

publications as (
    {{ publications() }}
),

reached as (
    select max(last_date) as reached_date
    from changes
    having count(*) > 0
),

earlier_loads as (
    select
        publications.previous_knowledge_at as knowledge_at,
        coalesce(max(loads.load_number), 0) as last_load_number
    from publications
    left join {{ source('audit', 'run') }} as runs on publications.previous_started_at >= runs.started_at
    left join {{ source('audit', 'load') }} as loads on runs.run_id = loads.run_id
    where publications.run_id = {{ run_value('run_id') }} and publications.previous_run_id is not null
    group by publications.previous_knowledge_at
),

since as (
    select
        reached.reached_date,
        earlier_loads.knowledge_at,
        earlier_loads.last_load_number
    from reached
    cross join earlier_loads
),

later_loads as (
    select loads.load_number
    from {{ source('audit', 'load') }} as loads
    inner join since on loads.load_number > since.last_load_number
),

-- A row is recorded at most a day after the day it was delivered for.
later_days as (
    select
        days.as_of_date as partition_date,
        since.last_load_number,
        since.knowledge_at
    from {{ ref('int_time__day') }} as days
    inner join since on days.as_of_date >= cast(since.knowledge_at as date) - 2
),

-- Large tables are read only when something is restated.
assets as (
    select
        daily.as_of_date,
        daily.asset,
        daily.in_kind_group,
        daily.price_usd
    from {{ ref('int_tokens__asset_daily') }} as daily
    cross join since
),

-- Subjects restated, and for shares of customers' liabilities whether anything else of the affiliate moved.
restated as (
    select
        as_of_date,
        last_date,
        source_table,
        subject,
        split_part(subject, '|', 1) as asset,
        max(case when figure <> 'share_of_customer_liabilities' then 1 else 0 end) = 1 as is_more_than_a_share
    from changes
    group by as_of_date, last_date, source_table, subject
),

restated_assets as (
    select
        restated.as_of_date,
        restated.last_date,
        restated.source_table,
        restated.subject,
        coalesce(assets.asset, restated.asset) as asset
    from restated
    left join assets
        on
            restated.source_table = 'fct_reserve_coverage_daily'
            and restated.as_of_date = assets.as_of_date
            and restated.subject = assets.in_kind_group
    where restated.source_table not in (
        'fct_solvency_daily', 'fct_affiliate_exposure_daily', 'fct_token_adjusted_revenue_monthly'
    )
),

reaches as (
    select
        as_of_date,
        last_date,
        source_table,
        subject,
        {{ each_item(reaches_of_subjects) }} as reach
    from restated
    union
    select
        as_of_date,
        last_date,
        source_table,
        subject,
        {{ each_item(reaches_of_assets) }} as reach
    from restated_assets
),

account_relations as (
    select
        relations.account_id,
        relations.entity_id,
        relations.account_class,
        case when relations.account_class = 'suspense' then 'suspense' else relations.relation end as relation,
        relations.from_date,
        relations.to_date,
        since.reached_date
    from {{ ref('int_affiliates__account_relation') }} as relations
    cross join since
),

new_ledger_entries as (
    {{ newly_known('ledger_entries') }}
),

new_wallet_balances as (
    {{ newly_known('wallet_balances') }}
),

new_token_prices as (
    {{ newly_known('token_prices') }}
),

new_market_depth as (
    {{ newly_known('market_depth') }}
),

new_token_supply as (
    {{ newly_known('token_supply') }}
),

new_reported_figures as (
    {{ newly_known('reported_figures') }}
),

new_wallets as (
    {{ newly_known('wallets') }}
),

new_entity_links as (
    {{ newly_known('entity_links') }}
),

new_entities as (
    {{ newly_known('entities') }}
),

new_accounts as (
    {{ newly_known('accounts') }}
),

new_account_privileges as (
    {{ newly_known('account_privileges') }}
),

entities_versions as (
    select
        versions.entity_id,
        versions.recorded_at
    from {{ source('landing', 'entities') }} as versions
    cross join since
),

accounts_versions as (
    select
        versions.account_id,
        versions.recorded_at
    from {{ source('landing', 'accounts') }} as versions
    cross join since
),

holders as (
    select distinct
        account_id,
        entity_id
    from account_relations
),

-- An entry counts from its day on, for whoever owns the account on the day it is counted.
entries as (
    select
        landed.asset,
        abs(landed.amount) as size,
        landed.row_key,
        landed.source_file,
        landed.source_row,
        cast(landed.effective_at as date) as effective_date,
        account_relations.entity_id,
        account_relations.relation,
        greatest(cast(landed.effective_at as date), account_relations.from_date) as first_date,
        account_relations.to_date - 1 as last_date,
        account_relations.relation = 'operator'
        and account_relations.account_class in ('fee', 'house')
        and cast(landed.effective_at as date) >= account_relations.from_date
        and landed.entry_type in {{ revenue_types() }} as is_revenue
    from new_ledger_entries as landed
    inner join account_relations
        on
            landed.account_id = account_relations.account_id
            and cast(landed.effective_at as date) < account_relations.to_date
            and landed.effective_at < {{ day_end('account_relations.reached_date') }}
    where landed.amount <> 0
),

entry_rows as (
    select
        'ledger_entries' as source_table,
        {{ each_item(reaches_of_entries) }} as reach,
        asset,
        first_date,
        last_date,
        size,
        row_key,
        source_file,
        source_row
    from entries
    union all
    select
        'ledger_entries' as source_table,
        'revenue' as reach,
        asset,
        effective_date as first_date,
        effective_date as last_date,
        size,
        row_key,
        source_file,
        source_row
    from entries
    where is_revenue
),

balance_rows as (
    select
        'wallet_balances' as source_table,
        {{ each_item(list_of(["'balance'", "'balance|' || landed.asset"])) }} as reach,
        landed.asset,
        least(cast(landed.as_of as date), landed.partition_date) as first_date,
        least(cast(landed.as_of as date), landed.partition_date) as last_date,
        abs(landed.balance) as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_wallet_balances as landed
),

-- The days whose price moved, each with the newest row of every source that became known.
moved_prices as (
    select
        as_of_date,
        asset
    from restated
    where source_table = 'fct_price_daily'
),

price_rows as (
    select
        'token_prices' as source_table,
        {{ each_item(list_of(["'price'", "'price|' || moved_prices.asset"])) }} as reach,
        moved_prices.asset,
        moved_prices.as_of_date as first_date,
        moved_prices.as_of_date as last_date,
        cast(null as decimal(38, 18)) as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_token_prices as landed
    inner join moved_prices
        on landed.asset = moved_prices.asset and cast(landed.as_of as date) <= moved_prices.as_of_date
    qualify
        row_number() over (
            partition by moved_prices.as_of_date, moved_prices.asset, landed.source
            order by landed.as_of desc, landed.source_file, landed.source_row
        ) = 1
),

market_rows as (
    select
        'market_depth' as source_table,
        {{ each_item(list_of(["'market'", "'market|' || landed.asset"])) }} as reach,
        landed.asset,
        cast(landed.as_of as date) as first_date,
        cast(null as date) as last_date,
        landed.volume_30d_avg_usd as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_market_depth as landed
    union all
    select
        'token_supply' as source_table,
        {{ each_item(list_of(["'market'", "'market|' || landed.asset"])) }} as reach,
        landed.asset,
        cast(landed.as_of as date) as first_date,
        cast(null as date) as last_date,
        landed.circulating as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_token_supply as landed
),

report_rows as (
    select
        'reported_figures' as source_table,
        'report' as reach,
        landed.asset,
        cast(coalesce(landed.period_start, date_trunc('month', landed.period_end)) as date) as first_date,
        cast(landed.period_end as date) as last_date,
        abs(landed.amount) as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_reported_figures as landed
    where landed.figure = 'revenue'
),

-- Of registers without a time from which a row holds, only rows that correct another one move what is past.
register_rows as (
    select
        'wallets' as source_table,
        'wallet' as reach,
        cast(null as string) as asset,
        cast(landed.valid_from as date) as first_date,
        cast(null as date) as last_date,
        cast(null as decimal(38, 18)) as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_wallets as landed
    union all
    select
        'entity_links' as source_table,
        'register' as reach,
        null as asset,
        cast(landed.valid_from as date) as first_date,
        null as last_date,
        null as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_entity_links as landed
    union all
    select
        'entities' as source_table,
        'register' as reach,
        null as asset,
        date '1970-01-01' as first_date,
        null as last_date,
        null as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_entities as landed
    semi join entities_versions as corrected
        on landed.entity_id = corrected.entity_id and landed.recorded_at > corrected.recorded_at
    union all
    select
        'accounts' as source_table,
        'register' as reach,
        null as asset,
        date '1970-01-01' as first_date,
        null as last_date,
        null as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_accounts as landed
    semi join accounts_versions as corrected
        on landed.account_id = corrected.account_id and landed.recorded_at > corrected.recorded_at
    union all
    select
        'account_privileges' as source_table,
        'entity|' || holders.entity_id as reach,
        null as asset,
        cast(landed.valid_from as date) as first_date,
        null as last_date,
        landed.limit_usd as size,
        landed.row_key,
        landed.source_file,
        landed.source_row
    from new_account_privileges as landed
    inner join holders on landed.account_id = holders.account_id
),

all_rows as (
    {%- for name in ['entry_rows', 'balance_rows', 'price_rows', 'market_rows', 'report_rows', 'register_rows'] %}
        select
            source_table,
            reach,
            asset,
            first_date,
            last_date,
            size,
            row_key,
            source_file,
            source_row
        from {{ name }}
        {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

grouped as (
    select
        source_table,
        reach,
        asset,
        first_date,
        last_date,
        {{ largest_items(
            record({
                'size': 'coalesce(size, 0)',
                'row_key': 'row_key',
                'source_file': 'source_file',
                'source_row': 'source_row',
                'known_size': 'size',
            }),
            evidence_rows_shown()
        ) }} as largest,
        count(*) as row_count
    from all_rows
    group by source_table, reach, asset, first_date, last_date
),

met as (
    select
        reaches.as_of_date,
        reaches.source_table as restated_table,
        reaches.subject,
        grouped.source_table,
        grouped.asset,
        grouped.largest,
        sum(grouped.row_count) over (
            partition by reaches.as_of_date, reaches.source_table, reaches.subject, grouped.source_table
        ) as rows_in_all
    from reaches
    inner join grouped
        on
            reaches.reach = grouped.reach
            and reaches.last_date >= grouped.first_date
            and (grouped.last_date is null or reaches.as_of_date <= grouped.last_date)
),

single_rows as (
    select
        as_of_date,
        restated_table,
        subject,
        source_table,
        asset,
        rows_in_all,
        {{ each_item('largest') }} as landed
    from met
),

ranked as (
    select
        single_rows.as_of_date,
        single_rows.restated_table,
        single_rows.subject,
        single_rows.source_table,
        single_rows.rows_in_all,
        single_rows.landed,
        row_number() over (
            partition by
                single_rows.as_of_date, single_rows.restated_table, single_rows.subject, single_rows.source_table
            order by
                {{ value_usd("single_rows.landed['size']", 'assets.price_usd') }} desc nulls last,
                single_rows.landed['size'] desc,
                single_rows.landed['row_key'],
                single_rows.landed['source_file'],
                single_rows.landed['source_row']
        ) as position
    from single_rows
    left join assets on single_rows.as_of_date = assets.as_of_date and single_rows.asset = assets.asset
)

select
    as_of_date,
    restated_table,
    subject,
    source_table,
    cast(position as bigint) as position,
    landed['row_key'] as row_key,
    landed['source_file'] as source_file,
    landed['source_row'] as source_row,
    cast(landed['known_size'] as decimal(38, 18)) as size,
    cast(rows_in_all as bigint) as rows_in_all
from ranked
where position <= {{ evidence_rows_shown() }}
