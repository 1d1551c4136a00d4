with daily_totals as (
    select
        as_of_date,
        asset,
        relation,
        liability,
        receivable
    from {{ ref('int_liabilities__daily_total') }}
),

wallet_balances as (
    select
        as_of_date,
        asset,
        balance
    from {{ ref('int_reserves__wallet_balance_daily') }}
    where purpose = 'customer'
),

prices as (
    select
        as_of_date,
        asset,
        price_usd,
        priced_at,
        price_basis
    from {{ ref('int_tokens__daily_price') }}
),

-- What the operator owes to others, and what anybody owes to it.
owed as (
    select
        as_of_date,
        asset,
        sum(receivable) + coalesce(sum(liability) filter (where relation <> 'operator'), 0) as quantity
    from daily_totals
    group by as_of_date, asset
),

reserves as (
    select
        as_of_date,
        asset,
        sum(balance) filter (where balance > 0) as quantity
    from wallet_balances
    group by as_of_date, asset
),

used as (
    select
        prices.as_of_date,
        prices.asset,
        prices.price_usd,
        prices.priced_at,
        prices.price_basis,
        cast(coalesce(owed.quantity, 0) as decimal(38, 18)) as owed_quantity,
        cast(coalesce(reserves.quantity, 0) as decimal(38, 18)) as reserve_quantity
    from prices
    left join owed on prices.as_of_date = owed.as_of_date and prices.asset = owed.asset
    left join reserves on prices.as_of_date = reserves.as_of_date and prices.asset = reserves.asset
),

valued as (
    select
        as_of_date,
        asset,
        price_usd,
        priced_at,
        price_basis,
        owed_quantity,
        reserve_quantity,
        {{ value_usd('owed_quantity', 'price_usd') }} as owed_usd,
        {{ value_usd('reserve_quantity', 'price_usd') }} as reserve_usd
    from used
)

select
    as_of_date,
    asset,
    price_usd,
    priced_at,
    price_basis,
    owed_quantity,
    reserve_quantity,
    owed_usd,
    reserve_usd,
    case
        when not {{ is_dust('owed_quantity', 'owed_usd') }} then 'owed'
        when not {{ is_dust('reserve_quantity', 'reserve_usd') }} then 'reserve'
    end as held_as
from valued
