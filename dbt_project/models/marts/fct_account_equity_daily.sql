with equities as (
    select
        as_of_date,
        account_id,
        collateral_usd,
        borrowing_usd,
        unrealised_usd,
        equity_usd,
        has_unpriced_collateral,
        has_unpriced_borrowing
    from {{ ref('int_liabilities__account_equity_daily') }}
),

account_relations as (
    select
        account_id,
        entity_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
)

select
    equities.as_of_date,
    equities.account_id,
    account_relations.entity_id,
    account_relations.relation,
    account_relations.account_class,
    equities.collateral_usd,
    equities.borrowing_usd,
    equities.unrealised_usd,
    equities.equity_usd,
    equities.has_unpriced_collateral,
    equities.has_unpriced_borrowing
from equities
inner join account_relations
    on
        equities.account_id = account_relations.account_id
        and equities.as_of_date >= account_relations.from_date
        and equities.as_of_date < account_relations.to_date
