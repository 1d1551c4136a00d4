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
)

select
    as_of_date,
    'account' as subject_type,
    account_id as subject_id,
    cast(null as varchar) as asset,
    privileges as observed,
    'no privilege' as expected,
    case when not has_unlimited_credit then credit_line_usd end as impact_usd,
    'On ' || as_of_date || ' account ' || account_id || ' (' || account_class || ') of ' || relation || ' ' || entity_id
    || ' had ' || privileges
    || case
        when has_unlimited_credit then ', without a limit'
        when credit_line_usd > 0 then ', up to ' || {{ amount_text('credit_line_usd') }} || ' USD'
        else ''
    end || '.' as message,
    {{ mart_evidence(
        'fct_account_privilege_daily', {'as_of_date': 'as_of_date', 'account_id': 'account_id'}
    ) }} as evidence,
    greatest({{ day_end('as_of_date') }}, known_at) as known_since,
    cast(null as varchar) as severity
from privileged
