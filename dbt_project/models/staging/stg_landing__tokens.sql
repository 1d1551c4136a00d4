with known as (
    select
        asset,
        asset_class,
        issuer_entity_id,
        decimals,
        in_kind_group,
        source_file,
        source_row
    from {{ source('landing', 'tokens') }}
)

select
    asset,
    asset_class,
    issuer_entity_id,
    decimals,
    in_kind_group,
    source_file,
    source_row
from known
