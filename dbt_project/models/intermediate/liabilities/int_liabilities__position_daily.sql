with positions as (
    select
        as_of_date,
        account_id,
        instrument,
        as_of,
        quantity,
        unrealised_pnl_usd
    from {{ ref('stg_landing__open_positions') }}
),

account_relations as (
    select
        account_id,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
),

last_of_day as (
    select
        as_of_date,
        account_id,
        instrument,
        quantity,
        unrealised_pnl_usd
    from positions
    qualify row_number() over (partition by as_of_date, account_id, instrument order by as_of desc) = 1
)

select
    last_of_day.as_of_date,
    last_of_day.account_id,
    last_of_day.instrument,
    account_relations.relation,
    last_of_day.quantity,
    cast(round(last_of_day.unrealised_pnl_usd, 8) as decimal(38, 8)) as unrealised_usd,
    cast(
        case
            when account_relations.relation = 'affiliate' then round(least(last_of_day.unrealised_pnl_usd, 0), 8)
            else round(last_of_day.unrealised_pnl_usd, 8)
        end as decimal(38, 8)
    ) as counted_usd
from last_of_day
inner join account_relations
    on
        last_of_day.account_id = account_relations.account_id
        and last_of_day.as_of_date >= account_relations.from_date
        and last_of_day.as_of_date < account_relations.to_date
