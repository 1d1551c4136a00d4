{#- Prices, markets, supplies, tokens and published figures that findings rest on. -#}
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

own_tokens as (
    select
        as_of_date,
        asset
    from {{ ref('fct_own_token_daily') }}
),

tokens as (
    select
        asset,
        source_file,
        source_row
    from {{ ref('stg_landing__tokens') }}
),

prices as (
    select
        asset,
        source,
        volume_usd,
        as_of,
        source_file,
        source_row
    from {{ ref('stg_landing__token_prices') }}
),

depths as (
    select
        asset,
        source,
        volume_30d_avg_usd,
        as_of,
        source_file,
        source_row
    from {{ ref('stg_landing__market_depth') }}
),

supplies as (
    select
        asset,
        circulating,
        as_of,
        source_file,
        source_row
    from {{ ref('stg_landing__token_supply') }}
),

reported_figures as (
    select
        figure,
        asset,
        amount,
        period_start,
        period_end,
        source_file,
        source_row
    from {{ ref('stg_landing__reported_figures') }}
),

-- Assets whose market the finding is about.
named_assets as (
    select
        finding_number,
        asset,
        {{ day_end('as_of_date') }} as before
    from findings
    where asset is not null
    union
    select
        findings.finding_number,
        own_tokens.asset,
        {{ day_end('findings.as_of_date') }} as before
    from findings
    inner join own_tokens on findings.as_of_date = own_tokens.as_of_date
    where findings.check_name in ('affiliate_collateral_quality', 'revenue_not_own_token')
),

priced_by as (
    select distinct
        named_assets.finding_number,
        named_assets.asset,
        named_assets.before,
        prices.source
    from named_assets
    inner join prices on named_assets.asset = prices.asset
),

traded_at as (
    select distinct
        named_assets.finding_number,
        named_assets.asset,
        named_assets.before,
        depths.source
    from named_assets
    semi join own_tokens on named_assets.asset = own_tokens.asset
    inner join depths on named_assets.asset = depths.asset
),

market_rows as (
    select
        named_assets.finding_number,
        'tokens' as source_table,
        tokens.source_file,
        tokens.source_row,
        cast(null as decimal(38, 18)) as size
    from named_assets
    inner join tokens on named_assets.asset = tokens.asset
    union all
    select
        priced_by.finding_number,
        'token_prices' as source_table,
        prices.source_file,
        prices.source_row,
        prices.volume_usd as size
    from priced_by
    {{ join_latest('priced_by', 'prices', ['asset', 'source'], ('before', 'as_of'), is_strict=true) }}
    union all
    select
        traded_at.finding_number,
        'market_depth' as source_table,
        depths.source_file,
        depths.source_row,
        depths.volume_30d_avg_usd as size
    from traded_at
    {{ join_latest('traded_at', 'depths', ['asset', 'source'], ('before', 'as_of')) }}
    union all
    select
        named_assets.finding_number,
        'token_supply' as source_table,
        supplies.source_file,
        supplies.source_row,
        supplies.circulating as size
    from named_assets
    semi join own_tokens on named_assets.asset = own_tokens.asset
    {{ join_latest('named_assets', 'supplies', ['asset'], ('before', 'as_of')) }}
),

-- Stocks by the day they describe; revenue by the month that its period touches.
published_rows as (
    select
        findings.finding_number,
        'reported_figures' as source_table,
        reported_figures.source_file,
        reported_figures.source_row,
        abs(reported_figures.amount) as size
    from findings
    inner join reported_figures
        on
            case findings.check_name
                when 'reserves_not_window_dressed' then reported_figures.figure = 'reserves'
                else findings.subject_id = reported_figures.figure
            end
            and findings.described_date
            = {{ stock_date('reported_figures.period_start', 'reported_figures.period_end') }}
    where
        findings.check_name in (
            'reported_liabilities_match', 'reported_reserves_match', 'insurance_fund_matches',
            'reserves_not_window_dressed'
        )
    union all
    select
        findings.finding_number,
        'reported_figures' as source_table,
        reported_figures.source_file,
        reported_figures.source_row,
        abs(reported_figures.amount) as size
    from findings
    inner join reported_figures
        on
            reported_figures.figure = 'revenue'
            and findings.subject_id >= {{ month_text(
                'coalesce(reported_figures.period_start, reported_figures.period_end - interval 1 day)'
            ) }}
            and findings.subject_id <= {{ month_text('reported_figures.period_end') }}
    where findings.subject_type = 'month'
)

select
    finding_number,
    source_table,
    source_file,
    source_row,
    size
from market_rows
union
select
    finding_number,
    source_table,
    source_file,
    source_row,
    size
from published_rows
