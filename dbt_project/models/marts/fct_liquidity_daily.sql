with withdrawals as (
    select
        effective_date,
        asset,
        amount
    from {{ ref('int_reserves__outside_entry') }}
    where entry_type = 'withdrawal' and relation = 'customer'
),

calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

parities as (
    select
        as_of_date,
        asset,
        in_kind_group,
        reference_price_usd
    from {{ ref('int_reserves__parity_daily') }}
),

eligibility as (
    select
        as_of_date,
        in_kind_group,
        custody,
        eligible_reference_quantity
    from {{ ref('int_reserves__eligibility_daily') }}
),

withdrawn as (
    select
        effective_date,
        asset,
        -sum(amount) as quantity
    from withdrawals
    group by effective_date, asset
),

-- By the groups of the day that is judged: a token that was a group of its own last week may not be one today.
withdrawn_by_group as (
    select
        calendar.as_of_date,
        withdrawn.effective_date,
        coalesce(parities.in_kind_group, withdrawn.asset) as in_kind_group,
        sum(withdrawn.quantity) as quantity
    from calendar
    inner join withdrawn
        on
            calendar.as_of_date >= withdrawn.effective_date
            and withdrawn.effective_date
            > calendar.as_of_date - cast({{ policy('liquidity.window_days') }} as integer)
    left join parities
        on calendar.as_of_date = parities.as_of_date and withdrawn.asset = parities.asset
    group by all
),

largest as (
    select
        as_of_date,
        in_kind_group,
        max(quantity) as quantity,
        min_by(effective_date, (-quantity, effective_date)) as withdrawn_on
    from withdrawn_by_group
    group by as_of_date, in_kind_group
),

liquid as (
    select
        as_of_date,
        in_kind_group,
        sum(eligible_reference_quantity) as quantity
    from eligibility
    where custody in {{ policy_items('liquidity.liquid_custody') }}
    group by as_of_date, in_kind_group
),

reference_prices as (
    select
        as_of_date,
        in_kind_group,
        max(reference_price_usd) as price_usd
    from parities
    group by as_of_date, in_kind_group
),

compared as (
    select
        largest.as_of_date,
        largest.in_kind_group,
        cast(coalesce(liquid.quantity, 0) as decimal(38, 18)) as liquid_reserves,
        cast(largest.quantity as decimal(38, 18)) as largest_withdrawals,
        largest.withdrawn_on,
        reference_prices.price_usd
    from largest
    left join liquid on largest.as_of_date = liquid.as_of_date and largest.in_kind_group = liquid.in_kind_group
    left join reference_prices
        on
            largest.as_of_date = reference_prices.as_of_date
            and largest.in_kind_group = reference_prices.in_kind_group
    where largest.quantity > 0
)

select
    as_of_date,
    in_kind_group,
    liquid_reserves,
    largest_withdrawals,
    withdrawn_on,
    {{ value_usd('(liquid_reserves - largest_withdrawals)', 'price_usd') }} as surplus_usd,
    liquid_reserves >= largest_withdrawals as is_covered
from compared
