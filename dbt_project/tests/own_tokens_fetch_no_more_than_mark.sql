-- Prevents: collateral of own tokens worth more than the market says. Fails with the own tokens whose pooled
-- liquidation value is above the pool at market price, or below zero.
select
    as_of_date,
    asset,
    liquidation_value_usd,
    mark_value_usd
from {{ ref('fct_own_token_daily') }}
where liquidation_value_usd > mark_value_usd or liquidation_value_usd < 0
