-- What affiliates owe must be the same in the list of negative balances and in their exposure: a loan missing from the
-- second is collateral for the first.
with negative_balances as (
    select
        as_of_date,
        entity_id,
        -sum(value_usd) as borrowing_usd
    from {{ ref('fct_negative_balance_daily') }}
    where relation = 'affiliate'
    group by as_of_date, entity_id
),

exposures as (
    select
        as_of_date,
        entity_id,
        gross_borrowing_usd
    from {{ ref('fct_affiliate_exposure_daily') }}
)

select
    coalesce(negative_balances.as_of_date, exposures.as_of_date) as as_of_date,
    coalesce(negative_balances.entity_id, exposures.entity_id) as entity_id,
    negative_balances.borrowing_usd,
    exposures.gross_borrowing_usd
from negative_balances
full outer join exposures
    on negative_balances.as_of_date = exposures.as_of_date and negative_balances.entity_id = exposures.entity_id
where coalesce(negative_balances.borrowing_usd, 0) is distinct from coalesce(exposures.gross_borrowing_usd, 0)
