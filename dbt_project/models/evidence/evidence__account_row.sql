{#- The register's rows of accounts, privileges, entities and links that findings rest on, and what the engine says. -#}
with findings as (
    select
        findings.finding_number,
        findings.check_name,
        findings.as_of_date,
        findings.subject_type,
        findings.subject_id,
        findings.asset,
        described.described_date
    from {{ ref('evidence__finding') }} as findings
    inner join {{ ref('evidence__described_day') }} as described on findings.finding_number = described.finding_number
),

ledger_accounts as (
    select
        finding_number,
        account_id,
        asset,
        described_date
    from {{ ref('evidence__account') }}
),

-- Read for few rows or none: never kept as a whole.
accounts as {{ read_in_place() }} (
    select
        account_id,
        entity_id,
        source_file,
        source_row
    from {{ ref('stg_landing__accounts') }}
),

privileges as (
    select
        account_id,
        limit_usd,
        valid_from,
        valid_to,
        source_file,
        source_row
    from {{ ref('stg_landing__account_privileges') }}
),

entities as (
    select
        entity_id,
        source_file,
        source_row
    from {{ ref('stg_landing__entities') }}
),

links as (
    select
        parent_entity_id,
        child_entity_id,
        valid_from,
        source_file,
        source_row
    from {{ ref('stg_landing__entity_link_versions') }}
),

group_links as (
    select distinct
        parent_entity_id,
        child_entity_id
    from {{ ref('int_affiliates__group_link') }}
),

attributes as {{ read_in_place() }} (
    select
        entity_id,
        attribute_type,
        attribute_hash,
        source_file,
        source_row
    from {{ ref('stg_landing__entity_attributes') }}
),

shared_attributes as (
    select
        entity_id,
        related_entity_id,
        attribute_type,
        attribute_hash,
        from_date,
        to_date
    from {{ ref('int_affiliates__shared_attribute') }}
),

snapshots as {{ read_in_place() }} (
    select
        account_id,
        asset,
        balance,
        as_of,
        source_file,
        source_row
    from {{ ref('stg_landing__balance_snapshots') }}
),

drifts as (
    select
        as_of_date,
        account_id,
        asset,
        as_of,
        drift
    from {{ ref('fct_engine_drift_daily') }}
),

positions as (
    select
        account_id,
        unrealised_pnl_usd,
        as_of_date,
        source_file,
        source_row
    from {{ ref('stg_landing__open_positions') }}
),

named_accounts as (
    select
        finding_number,
        subject_id as account_id
    from findings
    where subject_type = 'account'
    union
    select
        finding_number,
        account_id
    from ledger_accounts
    union
    select
        findings.finding_number,
        accounts.account_id
    from findings
    inner join accounts on findings.subject_id = accounts.entity_id
    where findings.check_name in ('undeclared_affiliates', 'affiliation_removed', 'affiliate_exposure_within_limit')
),

-- Whose relation the finding is about. Those of a group's total are the owners of the accounts behind it.
named_entities as (
    select
        finding_number,
        subject_id as entity_id
    from findings
    where subject_type in ('affiliate', 'entity')
    union
    select
        named_accounts.finding_number,
        accounts.entity_id
    from named_accounts
    semi join findings
        on
            named_accounts.finding_number = findings.finding_number
            and findings.check_name in (
                'affiliate_exposure_within_limit', 'affiliate_privileges', 'affiliate_collateral_quality'
            )
    inner join accounts on named_accounts.account_id = accounts.account_id
    union
    select
        findings.finding_number,
        shared_attributes.related_entity_id as entity_id
    from findings
    inner join shared_attributes
        on
            findings.subject_id = shared_attributes.entity_id
            and findings.as_of_date >= shared_attributes.from_date
            and findings.as_of_date < shared_attributes.to_date
    where findings.check_name = 'undeclared_affiliates'
),

account_rows as (
    select
        named_accounts.finding_number,
        'accounts' as source_table,
        accounts.source_file,
        accounts.source_row,
        cast(null as decimal(38, 18)) as size
    from named_accounts
    inner join accounts on named_accounts.account_id = accounts.account_id
    union all
    select
        named_accounts.finding_number,
        'account_privileges' as source_table,
        privileges.source_file,
        privileges.source_row,
        privileges.limit_usd as size
    from named_accounts
    inner join findings on named_accounts.finding_number = findings.finding_number
    inner join privileges
        on
            named_accounts.account_id = privileges.account_id
            and privileges.valid_from < {{ day_end('findings.described_date') }}
            and (
                privileges.valid_to is null
                or privileges.valid_to > {{ day_start('findings.described_date') }}
                or privileges.valid_from >= {{ day_start('findings.described_date') }}
            )
),

entity_rows as (
    select
        named_entities.finding_number,
        'entities' as source_table,
        entities.source_file,
        entities.source_row,
        cast(null as decimal(38, 18)) as size
    from named_entities
    inner join entities on named_entities.entity_id = entities.entity_id
    union all
    -- Links of the entity itself come first, whatever they were rewritten to; the others are the rest of the path.
    select distinct
        named_entities.finding_number,
        'entity_links' as source_table,
        links.source_file,
        links.source_row,
        cast(
            max(
                case when named_entities.entity_id in (links.parent_entity_id, links.child_entity_id) then 1 else 0 end
            ) over (partition by named_entities.finding_number, links.source_file, links.source_row)
            as decimal(38, 18)
        ) as size
    from named_entities
    inner join findings on named_entities.finding_number = findings.finding_number
    inner join links on links.valid_from < {{ day_end('findings.described_date') }}
    left join group_links
        on
            links.parent_entity_id = group_links.parent_entity_id
            and links.child_entity_id = group_links.child_entity_id
    where
        group_links.parent_entity_id is not null
        or named_entities.entity_id in (links.parent_entity_id, links.child_entity_id)
    union all
    select
        findings.finding_number,
        'entity_attributes' as source_table,
        attributes.source_file,
        attributes.source_row,
        cast(null as decimal(38, 18)) as size
    from findings
    inner join shared_attributes
        on
            findings.subject_id = shared_attributes.entity_id
            and findings.as_of_date >= shared_attributes.from_date
            and findings.as_of_date < shared_attributes.to_date
    inner join attributes
        on
            shared_attributes.attribute_type = attributes.attribute_type
            and shared_attributes.attribute_hash = attributes.attribute_hash
            and attributes.entity_id in (shared_attributes.entity_id, shared_attributes.related_entity_id)
    where findings.check_name = 'undeclared_affiliates'
),

engine_rows as (
    select
        findings.finding_number,
        'balance_snapshots' as source_table,
        snapshots.source_file,
        snapshots.source_row,
        cast(abs(drifts.drift) as decimal(38, 18)) as size
    from findings
    inner join ledger_accounts on findings.finding_number = ledger_accounts.finding_number
    inner join drifts
        on
            findings.as_of_date = drifts.as_of_date
            and ledger_accounts.account_id = drifts.account_id
            and ledger_accounts.asset = drifts.asset
    inner join snapshots
        on
            drifts.account_id = snapshots.account_id
            and drifts.asset = snapshots.asset
            and drifts.as_of = snapshots.as_of
    where findings.check_name = 'ledger_matches_engine'
    union all
    select
        findings.finding_number,
        'open_positions' as source_table,
        positions.source_file,
        positions.source_row,
        abs(positions.unrealised_pnl_usd) as size
    from findings
    inner join positions on findings.subject_id = positions.account_id and findings.as_of_date = positions.as_of_date
    where findings.check_name = 'no_negative_equity'
)

select
    finding_number,
    source_table,
    source_file,
    source_row,
    size
from account_rows
union
select
    finding_number,
    source_table,
    source_file,
    source_row,
    size
from entity_rows
union
select
    finding_number,
    source_table,
    source_file,
    source_row,
    size
from engine_rows
