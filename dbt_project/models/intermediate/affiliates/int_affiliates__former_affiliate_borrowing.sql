with released as (
    select
        entity_id,
        ended_on,
        customer_to_date,
        previous_path
    from {{ ref('int_affiliates__affiliation_end') }}
),

accounts as (
    select
        account_id,
        entity_id
    from {{ ref('stg_landing__accounts') }}
),

negative_balances as (
    select
        as_of_date,
        account_id,
        asset,
        balance
    from {{ ref('int_liabilities__negative_balance') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

borrowed as (
    select
        negative_balances.as_of_date,
        accounts.entity_id,
        negative_balances.balance,
        {{ value_usd('-negative_balances.balance', 'prices.price_usd') }} as value_usd
    from negative_balances
    inner join accounts on negative_balances.account_id = accounts.account_id
    semi join released on accounts.entity_id = released.entity_id
    left join prices
        on negative_balances.as_of_date = prices.as_of_date and negative_balances.asset = prices.asset
),

borrowing_days as (
    select
        as_of_date,
        entity_id,
        sum(value_usd) as value_usd
    from borrowed
    where not {{ is_dust('balance', 'value_usd') }}
    group by as_of_date, entity_id
),

-- The exposure stayed as long as it was never gone since the affiliate's last day.
numbered as (
    select
        borrowing_days.as_of_date,
        borrowing_days.entity_id,
        borrowing_days.value_usd,
        released.ended_on,
        released.previous_path,
        row_number() over (
            partition by released.entity_id, released.ended_on
            order by borrowing_days.as_of_date
        ) as days_counted
    from released
    inner join borrowing_days
        on
            released.entity_id = borrowing_days.entity_id
            and borrowing_days.as_of_date >= released.ended_on - 1
            and released.customer_to_date > borrowing_days.as_of_date
)

select
    as_of_date,
    entity_id,
    ended_on as released_on,
    previous_path,
    cast(value_usd as decimal(38, 8)) as value_usd
from numbered
where as_of_date >= ended_on and {{ days_between('ended_on', 'as_of_date') }} + 2 = days_counted
qualify row_number() over (partition by entity_id, as_of_date order by ended_on, previous_path nulls last) = 1
