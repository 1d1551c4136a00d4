-- Prevents: own tokens that cover more than what customers are owed in them, and so something else. Fails with the own
-- tokens of which more counts than customers are owed.
with reserves as (
    select
        as_of_date,
        asset,
        sum(eligible_quantity) as eligible_quantity
    from {{ ref('int_reserves__eligibility_daily') }}
    where is_own_token
    group by as_of_date, asset
),

liabilities as (
    select
        as_of_date,
        asset,
        liability
    from {{ ref('fct_customer_liability_daily') }}
    where relation = 'customer'
)

select
    reserves.as_of_date,
    reserves.asset,
    reserves.eligible_quantity,
    liabilities.liability
from reserves
left join liabilities on reserves.as_of_date = liabilities.as_of_date and reserves.asset = liabilities.asset
where reserves.eligible_quantity > coalesce(liabilities.liability, 0)
