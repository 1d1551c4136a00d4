with tokens as (
    select
        asset,
        asset_class,
        issuer_entity_id,
        decimals,
        in_kind_group
    from {{ ref('stg_landing__tokens') }}
),

last_day as (
    select
        asset,
        in_kind_group,
        is_own_token,
        own_token_reason,
        price_usd,
        haircut_pct
    from {{ ref('int_tokens__asset_daily') }}
    where as_of_date = {{ run_value('calendar_last_date') }}
)

select
    tokens.asset,
    tokens.asset_class,
    tokens.issuer_entity_id,
    tokens.decimals,
    tokens.in_kind_group as stated_in_kind_group,
    last_day.in_kind_group,
    last_day.is_own_token,
    last_day.own_token_reason,
    last_day.haircut_pct,
    last_day.price_usd
from tokens
inner join last_day on tokens.asset = last_day.asset
