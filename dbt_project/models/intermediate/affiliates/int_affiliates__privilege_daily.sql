with accounts as (
    select
        account_id,
        entity_id,
        account_class
    from {{ ref('stg_landing__accounts') }}
),

entity_relations as (
    select
        entity_id,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
),

privileges as (
    select
        account_id,
        privilege,
        limit_usd,
        valid_from,
        coalesce(valid_to, {{ day_end(run_value('calendar_last_date')) }}) as valid_to,
        recorded_at
    from {{ ref('stg_landing__account_privileges') }}
),

-- On and off at the same moment still was on: the row's day is its last.
spans as (
    select
        privileges.account_id,
        accounts.entity_id,
        accounts.account_class,
        privileges.privilege,
        privileges.limit_usd,
        privileges.valid_from,
        privileges.valid_to,
        privileges.recorded_at,
        -- External accounts belong to the operator whatever their rows say.
        case when accounts.account_class = 'external' then 'operator' else entity_relations.relation end as relation,
        greatest(cast(privileges.valid_from as date), entity_relations.from_date) as from_date,
        least(
            cast(
                greatest(privileges.valid_from, privileges.valid_to - interval 1 microsecond) as date
            ) + 1,
            entity_relations.to_date
        ) as to_date
    from privileges
    inner join accounts on privileges.account_id = accounts.account_id
    inner join entity_relations on accounts.entity_id = entity_relations.entity_id
    where privileges.valid_from <= privileges.valid_to
),

-- A customer's fee exemption matters to no check, and there may be as many as customers.
daily as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        account_id,
        entity_id,
        account_class,
        relation,
        privilege,
        limit_usd,
        valid_from,
        valid_to,
        recorded_at
    from spans
    where
        from_date < to_date
        and not (relation = 'customer' and account_class <> 'suspense' and privilege = 'fee_exempt')
),

credit_lines as (
    select
        as_of_date,
        account_id,
        limit_usd,
        greatest(valid_from, {{ day_start('as_of_date') }}) as opened_at,
        valid_from,
        valid_to
    from daily
    where privilege = 'credit_line' and limit_usd is not null
),

-- A line that replaces another during the day isn't added to it: what counts is the most available at one moment.
available_credit as (
    select
        moments.as_of_date,
        moments.account_id,
        moments.opened_at,
        sum(lines.limit_usd) as limit_usd
    from (
        select distinct
            as_of_date,
            account_id,
            opened_at
        from credit_lines
    ) as moments
    inner join credit_lines as lines
        on
            moments.as_of_date = lines.as_of_date
            and moments.account_id = lines.account_id
            and moments.opened_at >= lines.valid_from
            and (moments.opened_at < lines.valid_to or moments.opened_at = lines.valid_from)
    group by moments.as_of_date, moments.account_id, moments.opened_at
),

most_credit as (
    select
        as_of_date,
        account_id,
        max(limit_usd) as credit_line_usd
    from available_credit
    group by as_of_date, account_id
),

per_account as (
    select
        as_of_date,
        account_id,
        entity_id,
        account_class,
        relation,
        {{ joined_text('privilege', ', ', 'privilege', is_distinct=true) }} as privileges,
        bool_or(privilege not in ('fee_exempt', 'credit_line')) as has_exception,
        bool_or(privilege = 'credit_line' and limit_usd is null) as has_unlimited_credit,
        max(recorded_at) as known_at
    from daily
    group by as_of_date, account_id, entity_id, account_class, relation
)

select
    per_account.as_of_date,
    per_account.account_id,
    per_account.entity_id,
    per_account.account_class,
    per_account.relation,
    per_account.privileges,
    per_account.has_exception,
    per_account.has_unlimited_credit,
    cast(coalesce(most_credit.credit_line_usd, 0) as decimal(38, 8)) as credit_line_usd,
    per_account.known_at
from per_account
left join most_credit
    on per_account.as_of_date = most_credit.as_of_date and per_account.account_id = most_credit.account_id
