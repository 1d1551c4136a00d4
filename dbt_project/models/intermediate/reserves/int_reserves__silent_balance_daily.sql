with balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        balance_as_of
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

calendar as (
    select
        as_of_date,
        day_start,
        day_end
    from {{ ref('int_time__day') }}
),

versions as (
    select
        wallet_id,
        valid_from,
        valid_to
    from {{ ref('int_reserves__wallet_version') }}
),

followed as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        balance_as_of,
        lead(as_of_date) over (partition by wallet_id, asset order by as_of_date) as next_date
    from balances
),

silent_days as (
    select
        calendar.as_of_date,
        calendar.day_end,
        followed.wallet_id,
        followed.asset,
        followed.balance as last_balance,
        followed.as_of_date as last_date,
        followed.balance_as_of as last_as_of
    from followed
    inner join calendar
        on
            followed.as_of_date < calendar.as_of_date
            and (followed.next_date is null or followed.next_date > calendar.as_of_date)
    where followed.balance <> 0 and (followed.next_date is null or followed.next_date > followed.as_of_date + 1)
),

standing as (
    select distinct
        silent_days.as_of_date,
        silent_days.wallet_id
    from silent_days
    inner join versions
        on
            silent_days.wallet_id = versions.wallet_id
            and silent_days.day_end > versions.valid_from
            and (versions.valid_to is null or silent_days.day_end <= versions.valid_to)
)

select
    silent_days.as_of_date,
    silent_days.wallet_id,
    silent_days.asset,
    silent_days.last_balance,
    silent_days.last_date,
    silent_days.last_as_of,
    standing.wallet_id is not null as is_registered
from silent_days
left join standing
    on silent_days.as_of_date = standing.as_of_date and silent_days.wallet_id = standing.wallet_id
