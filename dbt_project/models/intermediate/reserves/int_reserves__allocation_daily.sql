with balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        custody
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

rules as (
    select
        as_of_date,
        wallet_id,
        reason,
        encumbered_pct
    from {{ ref('int_reserves__wallet_rule_daily') }}
),

parities as (
    select
        as_of_date,
        asset,
        in_kind_group,
        is_own_token,
        price_usd,
        parity_ratio,
        parity_ratio_rest
    from {{ ref('int_reserves__parity_daily') }}
),

customer_liabilities as (
    select
        as_of_date,
        asset,
        liability
    from {{ ref('int_liabilities__daily_total') }}
    where relation = 'customer'
),

ruled as (
    select
        balances.as_of_date,
        balances.wallet_id,
        balances.asset,
        balances.balance,
        balances.custody,
        coalesce(balances.custody in {{ policy_items('liquidity.liquid_custody') }}, false) as is_liquid,
        rules.encumbered_pct,
        parities.price_usd,
        coalesce(parities.in_kind_group, balances.asset) as in_kind_group,
        coalesce(parities.is_own_token, false) as is_own_token,
        coalesce(parities.parity_ratio, 1) as parity_ratio,
        coalesce(parities.parity_ratio_rest, 0) as parity_ratio_rest,
        coalesce(customer_liabilities.liability, 0) as customer_liability,
        -- Leaving out an overdraft of the operator would raise reserves: how it is kept or proven doesn't matter.
        case
            when balances.balance >= 0 or rules.reason not in ('custody', 'unproven') then rules.reason
        end as reason
    from balances
    inner join rules on balances.as_of_date = rules.as_of_date and balances.wallet_id = rules.wallet_id
    left join parities on balances.as_of_date = parities.as_of_date and balances.asset = parities.asset
    left join customer_liabilities
        on balances.as_of_date = customer_liabilities.as_of_date and balances.asset = customer_liabilities.asset
),

-- Own tokens count wallet by wallet until what customers are owed in them is reached: what is at hand first, so that
-- tokens in a vault don't make those in a hot wallet count for nothing, then in the order of names. An overdraft takes
-- nothing of that and lowers the sum.
claimed as (
    select
        *,
        reason is null and is_own_token and balance > 0 as is_capped,
        coalesce(
            sum(case when reason is null and is_own_token and balance > 0 then balance else 0 end) over (
                partition by as_of_date, asset
                order by is_liquid desc, wallet_id asc
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as claimed_before
    from ruled
),

capped as (
    select
        *,
        cast(
            case
                when reason is not null then 0
                when is_capped then greatest(least(balance, customer_liability - claimed_before), 0)
                else balance
            end as decimal(38, 18)
        ) as allowed
    from claimed
),

split as (
    select
        *,
        case
            when allowed > 0 then {{ exact_product('allowed', '((100 - encumbered_pct) * 0.01)') }}
            else allowed
        end as eligible_quantity
    from capped
)

select
    as_of_date,
    wallet_id,
    asset,
    in_kind_group,
    is_own_token,
    custody,
    price_usd,
    parity_ratio,
    parity_ratio_rest,
    balance,
    cast(eligible_quantity as decimal(38, 18)) as eligible_quantity,
    cast(case when reason is null then balance - allowed else 0 end as decimal(38, 18)) as own_token_quantity,
    cast(allowed - eligible_quantity as decimal(38, 18)) as encumbered_quantity,
    reason
from split
