with vanished as (
    select
        as_of_date,
        wallet_id,
        asset,
        problem,
        held_on,
        held_balance,
        unexplained,
        unexplained_usd,
        known_at
    from {{ ref('int_reserves__vanished_balance') }}
)

select
    as_of_date,
    'wallet' as subject_type,
    wallet_id as subject_id,
    asset,
    case problem when 'silent' then 'no balance' else 'nothing left' end as observed,
    {{ amount_text('held_balance') }} || ' ' || asset
    || ', or transfers of it to customers or other eligible wallets' as expected,
    cast(unexplained_usd as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' wallet ' || wallet_id
    || case problem when 'silent' then ' reported no balance of ' else ' held nothing any more of ' end
    || asset || '; on ' || held_on || ' it held ' || {{ amount_text('held_balance') }} || ', of which '
    || {{ amount_text('unexplained') }} || ' went to no customer and no other eligible wallet.' as message,
    {{ mart_evidence('fct_reserve_balance_daily', {'wallet_id': 'wallet_id', 'asset': 'asset'}) }}
    || ' and as_of_date between ' || {{ sql_text('held_on') }} || ' and ' || {{ sql_text('as_of_date') }} as evidence,
    greatest({{ day_end('as_of_date') }}, known_at) as known_since,
    cast(null as string) as severity
from vanished
