with privileged as (
    select
        as_of_date,
        account_id,
        entity_id,
        account_class,
        relation,
        privileges,
        credit_line_usd,
        has_unlimited_credit,
        known_at
    from {{ ref('fct_account_privilege_daily') }}
    where relation in ('affiliate', 'operator') or account_class = 'suspense'
),

equities as (
    select
        as_of_date,
        account_id,
        borrowing_usd
    from {{ ref('fct_account_equity_daily') }}
),

-- At stake is what the account owes already, or what its line lets it owe.
weighed as (
    select
        privileged.as_of_date,
        privileged.account_id,
        privileged.entity_id,
        privileged.account_class,
        privileged.relation,
        privileged.privileges,
        privileged.credit_line_usd,
        privileged.has_unlimited_credit,
        privileged.known_at,
        coalesce(equities.borrowing_usd, 0) as borrowing_usd
    from privileged
    left join equities
        on privileged.as_of_date = equities.as_of_date and privileged.account_id = equities.account_id
)

select
    as_of_date,
    'account' as subject_type,
    account_id as subject_id,
    cast(null as string) as asset,
    privileges as observed,
    'no privilege' as expected,
    case
        when not has_unlimited_credit or borrowing_usd > 0
            then cast(greatest(credit_line_usd, borrowing_usd) as decimal(38, 8))
    end as impact_usd,
    'On ' || as_of_date || ' account ' || account_id || ' (' || account_class || ') of ' || relation || ' ' || entity_id
    || ' had ' || privileges
    || case
        when has_unlimited_credit then ', without a limit'
        when credit_line_usd > 0 then ', up to ' || {{ amount_text('credit_line_usd') }} || ' USD'
        else ''
    end
    || case when borrowing_usd > 0 then ' and owed ' || {{ amount_text('borrowing_usd') }} || ' USD' else '' end
    || '.' as message,
    {{ mart_evidence(
        'fct_account_privilege_daily', {'as_of_date': 'as_of_date', 'account_id': 'account_id'}
    ) }} as evidence,
    greatest({{ day_end('as_of_date') }}, known_at) as known_since,
    cast(null as string) as severity
from weighed
