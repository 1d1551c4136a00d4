-- Prevents: a balance without a price that is valued at zero or one, or a priced one that has no value. Fails with the
-- liability rows whose value is missing or present against the price.
select
    liabilities.as_of_date,
    liabilities.asset,
    liabilities.relation,
    liabilities.liability_usd,
    prices.price_usd
from {{ ref('fct_customer_liability_daily') }} as liabilities
left join {{ ref('fct_price_daily') }} as prices
    on liabilities.as_of_date = prices.as_of_date and liabilities.asset = prices.asset
where
    (prices.price_usd is null) <> (liabilities.liability_usd is null)
    or (prices.price_usd is null) <> (liabilities.receivable_usd is null)
