-- Read many times, each time for few of them: neither entries nor flows are kept as a whole.
with entries as {{ read_in_place() }} (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        reference,
        effective_date,
        partition_date,
        known_at,
        touches_outside,
        is_external,
        is_permitted
    from {{ ref('int_reserves__outside_entry') }}
),

flows as {{ read_in_place() }} (
    select
        reference,
        asset,
        wallet_id,
        transfer_type,
        transfer_amount,
        entry_amount,
        block_date,
        first_effective_date,
        last_effective_date,
        transfer_known_at,
        entries_known_at
    from {{ ref('int_reserves__outside_flow') }}
),

-- What another's wallet records of a movement out of or into the operator's: its other half, booked there.
other_halves as (
    select transfer_id
    from {{ ref('int_reserves__transfer_party') }}
    where owner_relation in ('affiliate', 'customer') and party_relation = 'operator'
),

run_context as (
    select
        landing_first_date,
        calendar_last_date
    from {{ source('policy', 'run_context') }}
),

patience as (
    select cast({{ policy('reconciliation.unmatched_transfer_days') }} as integer) as allowed_days
),

-- Few of all flows: where the transfer came in time for the first entry, it did for all of them.
flows_without_timely_transfer as (
    select
        flows.reference,
        flows.asset,
        flows.block_date,
        flows.entry_amount,
        flows.last_effective_date
    from flows
    cross join patience
    where flows.block_date is null or flows.block_date > flows.first_effective_date + patience.allowed_days
),

-- An entry that names a transfer is part of a flow; one that names none has no transfer.
entries_to_follow as (
    select
        entries.entry_id,
        entries.asset,
        entries.account_id,
        entries.entry_type,
        entries.reference,
        entries.amount,
        entries.effective_date,
        entries.known_at,
        flows.block_date,
        flows.entry_amount,
        flows.last_effective_date
    from entries
    inner join flows_without_timely_transfer as flows
        on entries.reference = flows.reference and entries.asset = flows.asset
    where not entries.is_external and entries.entry_type in ('deposit', 'withdrawal')
    union all
    select
        entries.entry_id,
        entries.asset,
        entries.account_id,
        entries.entry_type,
        entries.reference,
        entries.amount,
        entries.effective_date,
        entries.known_at,
        cast(null as date) as block_date,
        cast(null as decimal(38, 18)) as entry_amount,
        cast(null as date) as last_effective_date
    from entries
    where entries.reference is null and not entries.is_external and entries.entry_type in ('deposit', 'withdrawal')
),

-- A deposit or withdrawal in the books that no transfer followed in time. One that was booked back in time needs none.
entries_without_transfer as (
    select
        'entry' as subject_type,
        entries.entry_id as subject_id,
        entries.asset,
        'no_transfer' as problem,
        entries.account_id,
        entries.entry_type,
        entries.reference,
        entries.amount,
        cast(null as decimal(38, 18)) as other_amount,
        entries.effective_date as happened_on,
        entries.known_at,
        entries.effective_date + patience.allowed_days as as_of_date
    from entries_to_follow as entries
    cross join patience
    where
        (entries.block_date is null or entries.block_date > entries.effective_date + patience.allowed_days)
        and not coalesce(
            entries.block_date is null
            and entries.entry_amount = 0
            and entries.last_effective_date <= entries.effective_date + patience.allowed_days,
            false
        )
),

-- A deposit or withdrawal on the chain or at the bank that nobody was credited or charged with in time.
transfers_without_entry as (
    select
        'transfer' as subject_type,
        flows.reference as subject_id,
        flows.asset,
        'no_entry' as problem,
        flows.wallet_id as account_id,
        flows.transfer_type as entry_type,
        flows.reference,
        flows.transfer_amount as amount,
        cast(null as decimal(38, 18)) as other_amount,
        flows.block_date as happened_on,
        flows.transfer_known_at as known_at,
        flows.block_date + patience.allowed_days as as_of_date
    from flows
    cross join patience
    anti join other_halves on flows.reference = other_halves.transfer_id
    where
        flows.transfer_type in ('deposit', 'withdrawal')
        and (
            flows.first_effective_date is null or flows.first_effective_date > flows.block_date + patience.allowed_days
        )
),

different_amounts as (
    select
        'transfer' as subject_type,
        flows.reference as subject_id,
        flows.asset,
        'different_amount' as problem,
        flows.wallet_id as account_id,
        flows.transfer_type as entry_type,
        flows.reference,
        flows.entry_amount as amount,
        flows.transfer_amount as other_amount,
        greatest(flows.block_date, flows.last_effective_date) as as_of_date,
        greatest(flows.block_date, flows.last_effective_date) as happened_on,
        greatest(flows.transfer_known_at, flows.entries_known_at) as known_at
    from flows
    where flows.entry_amount <> flows.transfer_amount
),

-- Both sides are there and agree in the end, but some of the entries were booked too late.
late_parts as (
    select
        flows.reference,
        flows.asset,
        flows.wallet_id,
        flows.transfer_type,
        flows.transfer_amount,
        flows.transfer_known_at,
        greatest(flows.block_date, flows.first_effective_date) + patience.allowed_days as due_date
    from flows
    cross join patience
    where
        flows.entry_amount = flows.transfer_amount
        and flows.last_effective_date > greatest(flows.block_date, flows.first_effective_date) + patience.allowed_days
),

incomplete_when_due as (
    select
        'transfer' as subject_type,
        late_parts.reference as subject_id,
        late_parts.asset,
        'different_amount' as problem,
        late_parts.wallet_id as account_id,
        late_parts.transfer_type as entry_type,
        late_parts.reference,
        sum(entries.amount) as amount,
        late_parts.transfer_amount as other_amount,
        late_parts.due_date as happened_on,
        max(greatest(late_parts.transfer_known_at, entries.known_at)) as known_at,
        late_parts.due_date as as_of_date
    from late_parts
    inner join entries
        on
            late_parts.reference = entries.reference
            and late_parts.asset = entries.asset
            and late_parts.due_date >= entries.effective_date
    where not entries.is_external and entries.entry_type <> 'opening'
    group by all
    having sum(entries.amount) <> late_parts.transfer_amount
),

-- What touches the outside is the subject: a transaction's legs outside, unless they are in order and one inside isn't.
forbidden as (
    select
        entries.effective_date as as_of_date,
        'entry' as subject_type,
        entries.entry_id as subject_id,
        entries.asset,
        'forbidden_type' as problem,
        entries.account_id,
        entries.entry_type,
        entries.reference,
        entries.amount,
        cast(null as decimal(38, 18)) as other_amount,
        entries.effective_date as happened_on,
        entries.known_at
    from entries
    where entries.touches_outside and not entries.is_permitted
    qualify
        entries.is_external
        or not bool_or(entries.is_external) over (partition by entries.transaction_id, entries.asset)
),

-- An opening entry that arrives within the same patience is late, one that arrives after it is invented.
late_openings as (
    select
        'entry' as subject_type,
        entries.entry_id as subject_id,
        entries.asset,
        'late_opening' as problem,
        entries.account_id,
        entries.entry_type,
        entries.reference,
        entries.amount,
        cast(null as decimal(38, 18)) as other_amount,
        entries.effective_date as happened_on,
        entries.known_at,
        case
            when entries.effective_date > run_context.landing_first_date then entries.effective_date
            else entries.partition_date
        end as as_of_date
    from entries
    cross join run_context
    cross join patience
    where
        entries.entry_type = 'opening'
        and entries.is_external
        and (
            entries.effective_date > run_context.landing_first_date
            or entries.partition_date > run_context.landing_first_date + patience.allowed_days
        )
),

unmatched as (
    select
        as_of_date,
        subject_type,
        subject_id,
        asset,
        problem,
        account_id,
        entry_type,
        reference,
        amount,
        other_amount,
        happened_on,
        known_at
    from entries_without_transfer
    union all
    select
        as_of_date,
        subject_type,
        subject_id,
        asset,
        problem,
        account_id,
        entry_type,
        reference,
        amount,
        other_amount,
        happened_on,
        known_at
    from transfers_without_entry
    union all
    select
        as_of_date,
        subject_type,
        subject_id,
        asset,
        problem,
        account_id,
        entry_type,
        reference,
        amount,
        other_amount,
        happened_on,
        known_at
    from different_amounts
    union all
    select
        as_of_date,
        subject_type,
        subject_id,
        asset,
        problem,
        account_id,
        entry_type,
        reference,
        amount,
        other_amount,
        happened_on,
        known_at
    from incomplete_when_due
    union all
    select
        as_of_date,
        subject_type,
        subject_id,
        asset,
        problem,
        account_id,
        entry_type,
        reference,
        amount,
        other_amount,
        happened_on,
        known_at
    from forbidden
    union all
    select
        as_of_date,
        subject_type,
        subject_id,
        asset,
        problem,
        account_id,
        entry_type,
        reference,
        amount,
        other_amount,
        happened_on,
        known_at
    from late_openings
)

select
    unmatched.subject_type,
    unmatched.subject_id,
    unmatched.asset,
    unmatched.problem,
    unmatched.account_id,
    unmatched.entry_type,
    unmatched.reference,
    cast(unmatched.amount as decimal(38, 18)) as amount,
    unmatched.other_amount,
    unmatched.happened_on,
    unmatched.known_at,
    greatest(unmatched.as_of_date, run_context.landing_first_date) as as_of_date
from unmatched
cross join run_context
where unmatched.as_of_date <= run_context.calendar_last_date
