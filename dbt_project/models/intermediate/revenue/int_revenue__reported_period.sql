with reported as (
    select
        line,
        asset,
        amount,
        coalesce(period_start, date_trunc('month', period_end - interval 1 microsecond)) as period_start,
        period_end,
        published_at,
        known_at
    from {{ ref('stg_landing__reported_figures') }}
    where figure = 'revenue'
),

-- An end at midnight is the moment after the period, unless it is the start too, or begins the last day of a month
-- that the period would otherwise leave a day short of.
dated as (
    select
        line,
        asset,
        amount,
        cast(period_start as date) as from_date,
        case
            when period_end = period_start or period_end <> date_trunc('day', period_end)
                then cast(period_end as date) + 1
            when
                period_start = date_trunc('month', period_start) and cast(period_end as date) = last_day(period_end)
                then cast(period_end as date) + 1
            else cast(period_end as date)
        end as to_date,
        published_at,
        known_at
    from reported
),

-- A figure published again unchanged has been known since it was first published.
published as (
    select
        line,
        asset,
        amount,
        from_date,
        to_date,
        published_at,
        known_at,
        lag(amount) over (
            partition by from_date, to_date, asset, line order by published_at, known_at, amount
        ) as previous_amount
    from dated
    where from_date < to_date
),

latest as (
    select
        line,
        asset,
        amount,
        from_date,
        to_date,
        known_at
    from published
    where previous_amount is null or previous_amount <> amount
    qualify
        row_number() over (
            partition by from_date, to_date, asset, line
            order by published_at desc, known_at desc, amount desc
        ) = 1
),

counted as (
    select
        asset,
        amount,
        from_date,
        to_date,
        known_at
    from latest
    qualify line is null or not bool_or(line is null) over (partition by from_date, to_date, asset)
),

per_asset as (
    select
        asset,
        from_date,
        to_date,
        sum(amount) as amount,
        max(known_at) as known_at
    from counted
    group by asset, from_date, to_date
),

-- Figures by asset are parts of a total in USD, if there is one.
kept as (
    select
        asset,
        from_date,
        to_date,
        amount,
        known_at
    from per_asset
    qualify asset is null or not bool_or(asset is null) over (partition by from_date, to_date)
),

ledger as (
    select
        revenue_date,
        asset,
        sum(quantity) as quantity,
        sum(value_usd) as value_usd
    from {{ ref('fct_revenue_daily') }}
    group by revenue_date, asset
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

ledger_of_period as (
    select
        kept.from_date,
        kept.to_date,
        kept.asset,
        coalesce(sum(ledger.quantity), 0) as quantity,
        coalesce(sum(ledger.value_usd), 0) as value_usd
    from kept
    left join ledger
        on
            kept.asset = ledger.asset
            and kept.from_date <= ledger.revenue_date
            and kept.to_date > ledger.revenue_date
    where kept.asset is not null
    group by kept.from_date, kept.to_date, kept.asset
),

-- Units reported are worth what the ledger's units were worth when they came in; only the difference is valued at the
-- period's last price.
valued as (
    select
        kept.from_date,
        kept.to_date,
        kept.known_at,
        case
            when kept.asset is null then cast(kept.amount as decimal(38, 8))
            when kept.amount = ledger_of_period.quantity then ledger_of_period.value_usd
            else
                ledger_of_period.value_usd
                + {{ value_usd('(kept.amount - ledger_of_period.quantity)', 'prices.price_usd') }}
        end as amount_usd
    from kept
    left join ledger_of_period
        on
            kept.asset = ledger_of_period.asset
            and kept.from_date = ledger_of_period.from_date
            and kept.to_date = ledger_of_period.to_date
    left join prices
        on
            kept.asset = prices.asset
            and least(kept.to_date - 1, {{ run_value('calendar_last_date') }}) = prices.as_of_date
),

first_publications as (
    select
        from_date,
        to_date,
        min(known_at) as first_known_at
    from published
    group by from_date, to_date
)

select
    valued.from_date,
    valued.to_date,
    valued.from_date = date_trunc('month', valued.from_date)
    and valued.to_date = valued.from_date + interval 1 month as is_month,
    valued.from_date = date_trunc('month', valued.from_date)
    and valued.to_date = date_trunc('month', valued.to_date) as is_whole_months,
    cast(
        case when count(*) = count(valued.amount_usd) then sum(valued.amount_usd) end as decimal(38, 8)
    ) as reported_usd,
    max(valued.known_at) as known_at,
    min(first_publications.first_known_at) as first_known_at
from valued
inner join first_publications
    on valued.from_date = first_publications.from_date and valued.to_date = first_publications.to_date
where
    valued.to_date > {{ run_value('landing_first_date') }}
    and valued.from_date <= {{ run_value('calendar_last_date') }}
group by valued.from_date, valued.to_date
