with assets as (
    select
        as_of_date,
        asset,
        price_usd,
        collateral_unit_usd
    from {{ ref('int_tokens__asset_daily') }}
),

built_assets as (
    select
        as_of_date,
        asset,
        price_usd,
        collateral_unit_usd
    from {{ source('policy', 'built_asset_day') }}
),

-- A price that came late or an asset that became an own token changes what balances are worth without touching them.
changed_assets as (
    select min(coalesce(assets.as_of_date, built_assets.as_of_date)) as first_date
    from assets
    full join built_assets on assets.as_of_date = built_assets.as_of_date and assets.asset = built_assets.asset
    where
        assets.price_usd is distinct from built_assets.price_usd
        or assets.collateral_unit_usd is distinct from built_assets.collateral_unit_usd
),

new_positions as (
    select min(positions.as_of_date) as first_date
    from {{ ref('stg_landing__open_positions') }} as positions
    where
        not {{ plan_value('is_whole') }}
        and positions.accepted_load_number > {{ plan_value('built_load_number') }}
)

select least(scope.first_balance_date, changed_assets.first_date, new_positions.first_date) as first_valued_date
from {{ ref('int_plan__scope') }} as scope
cross join changed_assets
cross join new_positions
