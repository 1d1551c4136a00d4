-- A day below zero outside of every period, or in two, would be a debt that nobody can trace to the entry it came from.
with days as (
    select
        daily.as_of_date,
        daily.account_id,
        daily.asset,
        count(periods.account_id) as periods
    from {{ ref('fct_negative_balance_daily') }} as daily
    left join {{ ref('fct_negative_balance_period') }} as periods
        on
            daily.account_id = periods.account_id
            and daily.asset = periods.asset
            and daily.as_of_date >= periods.from_date
            and (periods.to_date is null or daily.as_of_date < periods.to_date)
    group by daily.as_of_date, daily.account_id, daily.asset
)

select
    as_of_date,
    account_id,
    asset,
    periods
from days
where periods <> 1
