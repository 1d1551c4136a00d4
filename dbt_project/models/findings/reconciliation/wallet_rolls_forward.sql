with roll_forwards as (
    select
        as_of_date,
        wallet_id,
        asset,
        as_of,
        previous_as_of,
        previous_balance,
        balance,
        unexplained,
        unexplained_usd
    from {{ ref('fct_wallet_roll_forward') }}
    where not is_within_tolerance
),

arrivals as (
    select
        wallet_id,
        asset,
        as_of,
        known_at
    from {{ ref('stg_landing__wallet_balances') }}
),

worst_of_day as (
    select
        as_of_date,
        wallet_id,
        asset,
        as_of,
        previous_as_of,
        previous_balance,
        balance,
        unexplained,
        unexplained_usd
    from roll_forwards
    qualify
        row_number() over (
            partition by as_of_date, wallet_id, asset
            order by abs(unexplained) desc, as_of desc
        ) = 1
)

select
    worst_of_day.as_of_date,
    'wallet' as subject_type,
    worst_of_day.wallet_id as subject_id,
    worst_of_day.asset,
    {{ amount_text('worst_of_day.balance') }} || ' ' || worst_of_day.asset as observed,
    {{ amount_text('(worst_of_day.balance - worst_of_day.unexplained)') }} || ' ' || worst_of_day.asset as expected,
    cast(abs(worst_of_day.unexplained_usd) as decimal(38, 8)) as impact_usd,
    'On ' || worst_of_day.as_of_date || ' wallet ' || worst_of_day.wallet_id || ' held '
    || {{ amount_text('abs(worst_of_day.unexplained)') }} || ' ' || worst_of_day.asset
    || case when worst_of_day.unexplained > 0 then ' more' else ' less' end || ' than '
    || case
        when worst_of_day.previous_as_of is null then 'all its transfers explain; there is no earlier balance.'
        else
            'its balance of ' || {{ amount_text('worst_of_day.previous_balance') }} || ' at '
            || worst_of_day.previous_as_of || ' and the transfers since explain.'
    end as message,
    {{ mart_evidence('fct_wallet_roll_forward', {
        'as_of_date': 'worst_of_day.as_of_date', 'wallet_id': 'worst_of_day.wallet_id', 'asset': 'worst_of_day.asset'
    }) }} as evidence,
    greatest({{ day_end('worst_of_day.as_of_date') }}, arrivals.known_at) as known_since,
    cast(null as string) as severity
from worst_of_day
inner join arrivals
    on
        worst_of_day.wallet_id = arrivals.wallet_id
        and worst_of_day.asset = arrivals.asset
        and worst_of_day.as_of = arrivals.as_of
