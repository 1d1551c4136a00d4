with uses as (
    select
        as_of_date,
        asset,
        owed_quantity,
        reserve_quantity,
        held_as
    from {{ ref('int_tokens__asset_use_daily') }}
    where price_basis is null and held_as is not null
)

select
    as_of_date,
    'asset' as subject_type,
    asset as subject_id,
    asset,
    'no price' as observed,
    'a price from at least one source' as expected,
    cast(null as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' ' || asset || ' has no price, although '
    || case
        when held_as = 'owed' then {{ amount_text('owed_quantity') }} || ' units are owed.'
        else {{ amount_text('reserve_quantity') }} || ' units are held in reserve.'
    end as message,
    {{ mart_evidence('fct_price_daily', {'as_of_date': 'as_of_date', 'asset': 'asset'}) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    case when held_as = 'reserve' then 'warning' end as severity
from uses
