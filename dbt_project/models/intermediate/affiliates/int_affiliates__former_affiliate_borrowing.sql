with periods as (
    select
        entity_id,
        relation,
        from_date,
        to_date,
        lag(relation) over (partition by entity_id order by from_date) as previous_relation,
        lag(evidence_path) over (partition by entity_id order by from_date) as previous_path
    from {{ ref('int_affiliates__entity_relation') }}
),

released as (
    select
        entity_id,
        from_date,
        to_date,
        previous_path
    from periods
    where relation = 'customer' and previous_relation = 'affiliate'
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
        released.from_date,
        released.previous_path,
        row_number() over (
            partition by released.entity_id, released.from_date
            order by borrowing_days.as_of_date
        ) as days_counted
    from released
    inner join borrowing_days
        on
            released.entity_id = borrowing_days.entity_id
            and borrowing_days.as_of_date >= released.from_date - 1
            and released.to_date > borrowing_days.as_of_date
)

select
    as_of_date,
    entity_id,
    from_date as released_on,
    previous_path,
    cast(value_usd as decimal(38, 8)) as value_usd
from numbered
where as_of_date >= from_date and as_of_date - from_date + 2 = days_counted
