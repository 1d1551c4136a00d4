-- A mart that names an account, asset, wallet or entity without a row in its dimension loses money in every join.
-- One query for all of them: a test of its own for each would cost a small run more than building the marts. The
-- diagram of the tables (ENTITIES.md) is drawn from this list.
{% set references = [
    ('dim_account', 'entity_id', 'dim_entity', 'entity_id'),
    ('dim_affiliation_end', 'entity_id', 'dim_entity', 'entity_id'),
    ('dim_asset', 'issuer_entity_id', 'dim_entity', 'entity_id'),
    ('dim_entity_link', 'child_entity_id', 'dim_entity', 'entity_id'),
    ('dim_entity_link', 'parent_entity_id', 'dim_entity', 'entity_id'),
    ('dim_entity_relation', 'entity_id', 'dim_entity', 'entity_id'),
    ('dim_wallet', 'owner_entity_id', 'dim_entity', 'entity_id'),
    ('fct_account_equity_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_account_equity_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_account_privilege_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_account_privilege_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_affiliate_balance_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_affiliate_balance_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_affiliate_balance_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_affiliate_exposure_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_affiliate_suspicion_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_customer_liability_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_engine_drift_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_engine_drift_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_misdirected_deposit', 'asset', 'dim_asset', 'asset'),
    ('fct_misdirected_deposit', 'customer_entity_id', 'dim_entity', 'entity_id'),
    ('fct_misdirected_deposit', 'owner_entity_id', 'dim_entity', 'entity_id'),
    ('fct_misdirected_deposit', 'wallet_id', 'dim_wallet', 'wallet_id'),
    ('fct_negative_balance_daily', 'account_id', 'dim_account', 'account_id'),
    ('fct_negative_balance_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_negative_balance_daily', 'entity_id', 'dim_entity', 'entity_id'),
    ('fct_negative_balance_period', 'account_id', 'dim_account', 'account_id'),
    ('fct_negative_balance_period', 'asset', 'dim_asset', 'asset'),
    ('fct_outside_flow', 'asset', 'dim_asset', 'asset'),
    ('fct_outside_flow', 'wallet_id', 'dim_wallet', 'wallet_id'),
    ('fct_own_token_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_price_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_reserve_balance_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_reserve_balance_daily', 'wallet_id', 'dim_wallet', 'wallet_id'),
    ('fct_reserve_exclusion_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_reserve_exclusion_daily', 'wallet_id', 'dim_wallet', 'wallet_id'),
    ('fct_revenue_daily', 'asset', 'dim_asset', 'asset'),
    ('fct_wallet_roll_forward', 'asset', 'dim_asset', 'asset'),
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
