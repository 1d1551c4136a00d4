with shared as (
    select
        entity_id,
        related_entity_id,
        related_as,
        attribute_type,
        attribute_hash,
        from_date,
        to_date,
        known_at
    from {{ ref('int_affiliates__shared_attribute') }}
),

exceptions as (
    select
        as_of_date,
        entity_id,
        account_id,
        privileges,
        has_unlimited_credit,
        credit_line_usd,
        known_at
    from {{ ref('int_affiliates__customer_exception_daily') }}
),

borrowers as (
    select
        as_of_date,
        entity_id,
        released_on,
        previous_path,
        value_usd
    from {{ ref('int_affiliates__former_affiliate_borrowing') }}
),

moved_debts as (
    select
        transaction_id,
        from_account_id,
        from_entity_id,
        to_account_id,
        to_entity_id,
        asset,
        effective_date,
        amount,
        value_usd,
        known_at
    from {{ ref('int_affiliates__moved_debt') }}
),

customer_periods as (
    select
        entity_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
    where relation = 'customer'
),

sharing as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        entity_id,
        'shared_attribute' as reason,
        entity_id || ' seems to use the ' || replace(attribute_type, '_', ' ') || ' of ' || related_entity_id || ' ('
        || related_as || '; ' || attribute_type || ' ' || attribute_hash || ')' as evidence_path,
        cast(null as decimal(38, 8)) as value_usd,
        known_at
    from shared
),

privileged as (
    select
        as_of_date,
        entity_id,
        'privilege' as reason,
        entity_id || ' seems to be favoured: account ' || account_id || ' has ' || privileges
        || case
            when has_unlimited_credit then ' without a limit'
            when credit_line_usd > 0 then ' of ' || {{ amount_text('credit_line_usd') }} || ' USD'
            else ''
        end as evidence_path,
        case when credit_line_usd > 0 and not has_unlimited_credit then credit_line_usd end as value_usd,
        known_at
    from exceptions
),

released as (
    select
        as_of_date,
        entity_id,
        'exposure_after_link_ended' as reason,
        entity_id || ' seems to be related still: its link ended by ' || released_on || ' ('
        || coalesce(previous_path, 'unknown path') || ') but it kept owing '
        || coalesce({{ amount_text('value_usd') }} || ' USD', 'unpriced assets') as evidence_path,
        value_usd,
        cast(null as timestamp) as known_at
    from borrowers
),

-- Who took an affiliate's debt stays suspect while it is a customer, from the first debt on.
first_debts as (
    select
        to_entity_id as entity_id,
        effective_date,
        value_usd,
        known_at,
        to_entity_id || ' seems to stand in for ' || from_entity_id || ': account ' || to_account_id || ' took '
        || {{ amount_text('amount') }} || ' ' || asset || ' of the negative balance of account ' || from_account_id
        || ' by transaction ' || transaction_id || ' on ' || effective_date as evidence_path
    from moved_debts
    qualify
        row_number() over (
            partition by to_entity_id
            order by effective_date, transaction_id, asset, from_account_id, to_account_id
        ) = 1
),

indebted_spans as (
    select
        first_debts.entity_id,
        first_debts.evidence_path,
        first_debts.value_usd,
        first_debts.known_at,
        greatest(first_debts.effective_date, customer_periods.from_date) as from_date,
        customer_periods.to_date
    from first_debts
    inner join customer_periods
        on first_debts.entity_id = customer_periods.entity_id and first_debts.effective_date < customer_periods.to_date
),

indebted as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        entity_id,
        'received_debt' as reason,
        evidence_path,
        value_usd,
        known_at
    from indebted_spans
),

unioned as (
    select
        as_of_date,
        entity_id,
        reason,
        evidence_path,
        value_usd,
        known_at
    from sharing
    union all
    select
        as_of_date,
        entity_id,
        reason,
        evidence_path,
        value_usd,
        known_at
    from privileged
    union all
    select
        as_of_date,
        entity_id,
        reason,
        evidence_path,
        value_usd,
        known_at
    from released
    union all
    select
        as_of_date,
        entity_id,
        reason,
        evidence_path,
        value_usd,
        known_at
    from indebted
)

select
    as_of_date,
    entity_id,
    reason,
    {{ joined_text('evidence_path', '; ', 'evidence_path', is_distinct=true) }} as evidence_path,
    cast(sum(value_usd) as decimal(38, 8)) as value_usd,
    max(known_at) as known_at
from unioned
group by as_of_date, entity_id, reason
