{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='transaction_id',
    )
}}

{%- set all_entries, touched_entries = ref('stg_landing__ledger_entries'), ref('int_plan__touched_entry') -%}

-- Read several times, each time for few entries: never kept as a whole.
with entries as {{ read_in_place() }} (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        effective_date,
        known_at
    from {{ touched_entries if is_continued() else all_entries }}
    where amount <> 0
),

account_relations as (
    select
        account_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
),

revenue_accounts as (
    select
        account_id,
        from_date,
        to_date
    from account_relations
    where relation = 'operator' and account_class in ('fee', 'house')
),

revenue_entries as (
    select
        entries.entry_id,
        entries.transaction_id,
        entries.account_id,
        entries.asset,
        entries.amount,
        entries.entry_type,
        entries.effective_date,
        entries.known_at,
        entries.amount > 0 as is_income
    from entries
    inner join revenue_accounts
        on
            entries.account_id = revenue_accounts.account_id
            and entries.effective_date >= revenue_accounts.from_date
            and entries.effective_date < revenue_accounts.to_date
    where entries.entry_type in {{ revenue_types() }}
),

-- The outside world pays nothing: what it brings in belongs to the account it is brought in for.
typed_legs as (
    select
        entries.transaction_id,
        entries.asset,
        entries.entry_type,
        entries.amount,
        account_relations.relation
    from entries
    inner join account_relations
        on
            entries.account_id = account_relations.account_id
            and entries.effective_date >= account_relations.from_date
            and entries.effective_date < account_relations.to_date
    where entries.entry_type in {{ revenue_types() }}
),

typed_weights as (
    select
        transaction_id,
        asset,
        entry_type,
        amount < 0 as is_income,
        sum(abs(amount)) filter (where relation = 'customer') as customer_weight,
        sum(abs(amount)) filter (where relation = 'affiliate') as affiliate_weight,
        sum(abs(amount)) filter (where relation = 'operator') as operator_weight
    from typed_legs
    group by transaction_id, asset, entry_type, amount < 0
),

matched as (
    select
        revenue_entries.entry_id,
        revenue_entries.transaction_id,
        revenue_entries.account_id,
        revenue_entries.asset,
        revenue_entries.amount,
        revenue_entries.entry_type,
        revenue_entries.effective_date,
        revenue_entries.known_at,
        revenue_entries.is_income,
        typed_weights.transaction_id is not null as has_typed_payer,
        typed_weights.customer_weight,
        typed_weights.affiliate_weight,
        typed_weights.operator_weight
    from revenue_entries
    left join typed_weights
        on
            revenue_entries.transaction_id = typed_weights.transaction_id
            and revenue_entries.asset = typed_weights.asset
            and revenue_entries.entry_type = typed_weights.entry_type
            and revenue_entries.is_income = typed_weights.is_income
),

unpaid as (
    select distinct
        transaction_id,
        asset,
        is_income
    from matched
    where not has_typed_payer
),

account_nets as (
    select
        entries.transaction_id,
        entries.asset,
        entries.account_id,
        max(entries.effective_date) as effective_date,
        sum(entries.amount) as amount
    from entries
    semi join unpaid on entries.transaction_id = unpaid.transaction_id and entries.asset = unpaid.asset
    group by entries.transaction_id, entries.asset, entries.account_id
),

related_nets as (
    select
        unpaid.transaction_id,
        unpaid.asset,
        unpaid.is_income,
        account_nets.amount,
        account_relations.relation,
        (account_nets.amount < 0) = unpaid.is_income as is_payer,
        account_relations.relation = 'operator' as is_operator
    from unpaid
    inner join account_nets
        on unpaid.transaction_id = account_nets.transaction_id and unpaid.asset = account_nets.asset
    inner join account_relations
        on
            account_nets.account_id = account_relations.account_id
            and account_nets.effective_date >= account_relations.from_date
            and account_nets.effective_date < account_relations.to_date
    where account_nets.amount <> 0
),

-- A fee kept back from a deposit has no payer but the outside world: then whoever was credited has paid it.
paying_nets as (
    select
        transaction_id,
        asset,
        is_income,
        amount,
        relation,
        is_payer,
        is_operator,
        coalesce(bool_or(is_payer) over (partition by transaction_id, asset, is_income), false) as has_payer
    from related_nets
),

net_weights as (
    select
        transaction_id,
        asset,
        is_income,
        sum(abs(amount)) filter (where relation = 'customer') as customer_weight,
        sum(abs(amount)) filter (where relation = 'affiliate') as affiliate_weight,
        sum(abs(amount)) filter (where relation = 'operator') as operator_weight
    from paying_nets
    where is_payer or (not has_payer and not is_operator)
    group by transaction_id, asset, is_income
),

weighted as (
    select
        matched.entry_id,
        matched.transaction_id,
        matched.account_id,
        matched.asset,
        matched.amount,
        matched.entry_type,
        matched.effective_date,
        matched.known_at,
        coalesce(matched.customer_weight, net_weights.customer_weight, 0) as customer_weight,
        coalesce(matched.affiliate_weight, net_weights.affiliate_weight, 0) as affiliate_weight,
        coalesce(matched.operator_weight, net_weights.operator_weight, 0) as operator_weight
    from matched
    left join net_weights
        on
            matched.transaction_id = net_weights.transaction_id
            and matched.asset = net_weights.asset
            and matched.is_income = net_weights.is_income
            and not matched.has_typed_payer
),

shares as (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        effective_date,
        known_at,
        customer_weight,
        affiliate_weight,
        operator_weight,
        customer_weight + affiliate_weight + operator_weight as weight,
        case
            when affiliate_weight > 0 and affiliate_weight < customer_weight + affiliate_weight + operator_weight
                then {{ exact_ratio('affiliate_weight', '(customer_weight + affiliate_weight + operator_weight)', 18) }}
        end as affiliate_share,
        case
            when customer_weight > 0 and operator_weight > 0
                then {{ exact_ratio('customer_weight', '(customer_weight + affiliate_weight + operator_weight)', 18) }}
        end as customer_share
    from weighted
),

-- Mixed payers are rare: only then is a proportion applied, and only if they didn't pay just this entry. What is left
-- after it is the remaining payer's, so that the parts add up to the entry exactly.
split as (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        effective_date,
        known_at,
        case
            when affiliate_weight = 0 then 0
            when affiliate_weight = weight then amount
            when weight = abs(amount) then {{ direction('amount') }} * affiliate_weight
            else {{ exact_product('amount', 'affiliate_share') }}
        end as affiliate_amount,
        case
            when customer_weight = 0 then 0
            when customer_weight = weight then amount
            when operator_weight = 0 then null
            when weight = abs(amount) then {{ direction('amount') }} * customer_weight
            else {{ exact_product('amount', 'customer_share') }}
        end as customer_amount
    from shares
),

parts as (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        entry_type,
        effective_date,
        known_at,
        {{ each_item(list_of([
            record({
                'payer_relation': "'customer'",
                'quantity': 'cast(coalesce(customer_amount, amount - affiliate_amount) as decimal(38, 18))',
            }),
            record({
                'payer_relation': "'affiliate'",
                'quantity': 'cast(affiliate_amount as decimal(38, 18))',
            }),
            record({
                'payer_relation': "'operator'",
                'quantity': 'cast(amount - affiliate_amount - coalesce(customer_amount, amount - affiliate_amount)'
                ~ ' as decimal(38, 18))',
            }),
        ])) }} as part
    from split
)

select
    entry_id,
    transaction_id,
    account_id,
    effective_date as revenue_date,
    entry_type as revenue_type,
    asset,
    part['payer_relation'] as payer_relation,
    part['quantity'] as quantity,
    known_at,
    known_at > cast(date_trunc('month', effective_date) + interval 1 month as timestamp)
    + {{ length_of_days('cast(' ~ policy('revenue.backdating_grace_days') ~ ' as integer)') }} as is_backdated
from parts
where part['quantity'] <> 0
