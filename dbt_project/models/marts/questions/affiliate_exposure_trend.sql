{#- A table: an exact ratio takes lambdas, and a view with them can't be copied from one published file to the next. -#}
{{ config(materialized='table') }}

with exposures as (
    select
        as_of_date,
        entity_id,
        gross_borrowing_usd,
        collateral_mark_usd,
        collateral_haircut_usd,
        collateral_liquidation_usd,
        own_token_collateral_usd,
        uncollateralised_usd,
        share_of_customer_liabilities,
        active_privileges,
        credit_line_usd,
        credit_line_used_pct
    from {{ published(ref('fct_affiliate_exposure_daily')) }}
),

entities as (
    select
        entity_id,
        name
    from {{ published(ref('dim_entity')) }}
),

relations as (
    select
        entity_id,
        from_date,
        to_date,
        reason,
        evidence_path
    from {{ published(ref('dim_entity_relation')) }}
)

select
    exposures.as_of_date,
    exposures.entity_id,
    entities.name as entity_name,
    exposures.gross_borrowing_usd,
    cast(
        exposures.gross_borrowing_usd
        - lag(exposures.gross_borrowing_usd) over (partition by exposures.entity_id order by exposures.as_of_date)
        as decimal(38, 8)
    ) as gross_borrowing_change_usd,
    exposures.collateral_mark_usd,
    exposures.collateral_haircut_usd,
    exposures.collateral_liquidation_usd,
    exposures.own_token_collateral_usd,
    {{ exact_ratio('exposures.own_token_collateral_usd', 'exposures.collateral_mark_usd') }} as own_token_share,
    exposures.uncollateralised_usd,
    exposures.share_of_customer_liabilities,
    exposures.active_privileges,
    exposures.credit_line_usd,
    exposures.credit_line_used_pct,
    relations.reason as relation_reason,
    relations.evidence_path
from exposures
left join entities on exposures.entity_id = entities.entity_id
left join relations
    on
        exposures.entity_id = relations.entity_id
        and exposures.as_of_date >= relations.from_date
        and exposures.as_of_date < relations.to_date
order by exposures.as_of_date asc, exposures.entity_id asc
