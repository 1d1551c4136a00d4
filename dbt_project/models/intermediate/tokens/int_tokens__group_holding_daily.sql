select
    as_of_date,
    asset,
    cast(sum(liability) as decimal(38, 18)) as group_holding
from {{ ref('int_liabilities__daily_total') }}
where relation = 'affiliate'
group by as_of_date, asset
