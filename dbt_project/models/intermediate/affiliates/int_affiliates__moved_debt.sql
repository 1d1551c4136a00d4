with account_relations as (
    select
        account_id,
        entity_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
    where relation <> 'operator'
),

affiliate_accounts as (
    select
        account_id,
        entity_id,
        from_date,
        to_date
    from account_relations
    where relation = 'affiliate'
),

-- A correction that moves a debt is a transfer by another name.
transfer_entries as (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        effective_at,
        effective_date,
        known_at
    from {{ ref('stg_landing__ledger_entries') }}
    where entry_type in ('transfer', 'adjustment')
),

relieved as (
    select
        transfer_entries.transaction_id,
        transfer_entries.account_id,
        affiliate_accounts.entity_id,
        transfer_entries.asset,
        transfer_entries.effective_at,
        transfer_entries.effective_date,
        sum(transfer_entries.amount) as amount,
        max(transfer_entries.known_at) as known_at
    from transfer_entries
    inner join affiliate_accounts
        on
            transfer_entries.account_id = affiliate_accounts.account_id
            and transfer_entries.effective_date >= affiliate_accounts.from_date
            and transfer_entries.effective_date < affiliate_accounts.to_date
    group by
        transfer_entries.transaction_id,
        transfer_entries.account_id,
        affiliate_accounts.entity_id,
        transfer_entries.asset,
        transfer_entries.effective_at,
        transfer_entries.effective_date
    having sum(transfer_entries.amount) > 0
),

taken as (
    select
        transfer_entries.transaction_id,
        account_relations.entity_id,
        transfer_entries.account_id,
        transfer_entries.asset,
        transfer_entries.effective_at,
        -sum(transfer_entries.amount) as amount,
        max(transfer_entries.known_at) as known_at
    from transfer_entries
    semi join relieved
        on transfer_entries.transaction_id = relieved.transaction_id and transfer_entries.asset = relieved.asset
    inner join account_relations
        on
            transfer_entries.account_id = account_relations.account_id
            and transfer_entries.effective_date >= account_relations.from_date
            and transfer_entries.effective_date < account_relations.to_date
    where account_relations.relation = 'customer' and account_relations.account_class <> 'suspense'
    group by
        transfer_entries.transaction_id,
        account_relations.entity_id,
        transfer_entries.account_id,
        transfer_entries.asset,
        transfer_entries.effective_at
    having sum(transfer_entries.amount) < 0
),

candidates as (
    select
        relieved.transaction_id,
        relieved.account_id as from_account_id,
        relieved.entity_id as from_entity_id,
        taken.account_id as to_account_id,
        taken.entity_id as to_entity_id,
        relieved.asset,
        relieved.effective_at,
        relieved.effective_date,
        relieved.amount as relieved_amount,
        taken.effective_at as taken_at,
        taken.amount as taken_amount,
        greatest(relieved.known_at, taken.known_at) as known_at
    from relieved
    inner join taken on relieved.transaction_id = taken.transaction_id and relieved.asset = taken.asset
),

parties as (
    select
        from_account_id as account_id,
        asset
    from candidates
    union
    select
        to_account_id as account_id,
        asset
    from candidates
),

moments as (
    select
        entries.account_id,
        entries.asset,
        entries.effective_at,
        sum(entries.amount) as change
    from {{ ref('stg_landing__ledger_entries') }} as entries
    semi join parties on entries.account_id = parties.account_id and entries.asset = parties.asset
    group by entries.account_id, entries.asset, entries.effective_at
),

balances_after as (
    select
        account_id,
        asset,
        effective_at,
        sum(change) over (partition by account_id, asset order by effective_at) as balance
    from moments
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

-- A debt has moved as far as the affiliate owed it and the recipient owes it now: who pays an affiliate's debt with
-- money of its own took none over. What else happened at the very moment counts as before it.
moved as (
    select
        candidates.transaction_id,
        candidates.from_account_id,
        candidates.from_entity_id,
        candidates.to_account_id,
        candidates.to_entity_id,
        candidates.asset,
        candidates.effective_date,
        cast(
            least(
                candidates.relieved_amount,
                candidates.taken_amount,
                candidates.relieved_amount - givers.balance,
                -takers.balance
            ) as decimal(38, 18)
        ) as amount,
        candidates.known_at
    from candidates
    inner join balances_after as givers
        on
            candidates.from_account_id = givers.account_id
            and candidates.asset = givers.asset
            and candidates.effective_at = givers.effective_at
    inner join balances_after as takers
        on
            candidates.to_account_id = takers.account_id
            and candidates.asset = takers.asset
            and candidates.taken_at = takers.effective_at
    where givers.balance < candidates.relieved_amount and takers.balance < 0
),

valued as (
    select
        moved.transaction_id,
        moved.from_account_id,
        moved.from_entity_id,
        moved.to_account_id,
        moved.to_entity_id,
        moved.asset,
        moved.effective_date,
        moved.amount,
        moved.known_at,
        {{ value_usd('moved.amount', 'prices.price_usd') }} as value_usd
    from moved
    left join prices on moved.effective_date = prices.as_of_date and moved.asset = prices.asset
)

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
from valued
where not {{ is_dust('amount', 'value_usd') }}
