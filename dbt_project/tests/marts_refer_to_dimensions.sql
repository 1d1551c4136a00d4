-- A mart that names an account, asset, wallet or entity without a row in its dimension loses money in every join.
-- One query for all of them: a test of its own for each would cost a small run more than building the marts.
{% set references = [
    ('dim_entity_link', 'child_entity_id', 'dim_entity', 'entity_id'),
    ('dim_entity_link', 'parent_entity_id', 'dim_entity', 'entity_id'),
    ('dim_wallet', 'owner_entity_id', 'dim_entity', 'entity_id'),
    ('fct_account_equity_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_account_privilege_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_affiliate_balance_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_affiliate_balance_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_affiliate_balance_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_affiliate_exposure_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_customer_liability_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_engine_drift_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_engine_drift_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_negative_balance_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_negative_balance_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_negative_balance_period', 'account_id', 'dim_account', 'account_id'),
    ('fct_negative_balance_period', 'asset', 'dim_asset', 'asset'),
    ('fct_own_token_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_price_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_reserve_balance_daily', 'wallet_id', 'dim_wallet', 'wallet_id'),
    ('fct_reserve_exclusion_daily', 'wallet_id', 'dim_wallet', 'wallet_id'),
    ('fct_revenue_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_wallet_roll_forward', 'wallet_id', 'dim_wallet', 'wallet_id')
] %}

{% for mart, mart_column, dimension, key in references %}
    select
        '{{ mart }}.{{ mart_column }}' as reference,
        referring.{{ mart_column }} as missing
    from {{ ref(mart) }} as referring
    left join {{ ref(dimension) }} as referred on referring.{{ mart_column }} = referred.{{ key }}
    where referring.{{ mart_column }} is not null and referred.{{ key }} is null
    {% if not loop.last %}union all{% endif %}
{% endfor %}
