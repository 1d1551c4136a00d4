-- Prevents: a transfer that falls between two balances and is in neither roll-forward. Fails with the wallets whose
-- roll-forwards together don't explain their last balance by their first one, their transfers and what they left open.
with first_and_last as (
    select
        wallet_id,
        asset,
        min_by(previous_balance, as_of) as first_balance,
        min(previous_as_of) as first_as_of,
        min_by(previous_as_of is null, as_of) as starts_from_zero,
        max_by(balance, as_of) as last_balance,
        max(as_of) as last_as_of,
        sum(moved) as moved
    from {{ ref('fct_wallet_roll_forward') }}
    group by wallet_id, asset
),

transferred as (
    select
        first_and_last.wallet_id,
        first_and_last.asset,
        sum(transfers.amount) as amount
    from first_and_last
    inner join {{ ref('stg_landing__wallet_transfers') }} as transfers
        on
            first_and_last.wallet_id = transfers.wallet_id
            and first_and_last.asset = transfers.asset
            and first_and_last.last_as_of > transfers.block_time
            and (first_and_last.starts_from_zero or first_and_last.first_as_of <= transfers.block_time)
    group by first_and_last.wallet_id, first_and_last.asset
)

select
    first_and_last.wallet_id,
    first_and_last.asset,
    first_and_last.first_balance,
    first_and_last.moved,
    transferred.amount as transferred_amount,
    first_and_last.last_balance
from first_and_last
left join transferred
    on first_and_last.wallet_id = transferred.wallet_id and first_and_last.asset = transferred.asset
where first_and_last.moved <> coalesce(transferred.amount, 0)
