with negative_balances as (
    select
        as_of_date,
        account_id,
        relation,
        account_class,
        asset,
        balance,
        value_usd,
        equity_usd,
        borrowing_usd,
        reason
    from {{ ref('fct_negative_balance_daily') }}
    where not is_permitted and not is_dust
)

select
    as_of_date,
    'account' as subject_type,
    account_id as subject_id,
    asset,
    {{ amount_text('balance') }} || ' ' || asset as observed,
    case
        when reason = 'borrowing_unpriced' then 'borrowing that can be valued'
        when account_class = 'margin'
            then
                'equity of at least ' || {{ amount_text(policy('collateral.maintenance_margin_pct')) }}
                || ' % of ' || {{ amount_text('borrowing_usd') }} || ' USD borrowed'
        else 'no balance below zero'
    end as expected,
    cast(abs(value_usd) as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the ' || account_class || ' account ' || account_id || ' (' || relation || ') owes '
    || {{ amount_text('abs(balance)') }} || ' ' || asset
    || coalesce(', worth ' || {{ amount_text('abs(value_usd)') }} || ' USD', ', which has no price')
    || case reason
        when 'not_margin_account' then ', and only margin accounts may borrow.'
        when 'borrowing_unpriced' then ', and what it borrows can''t be valued.'
        else ', against an equity of ' || {{ amount_text('equity_usd') }} || ' USD.'
    end as message,
    {{ mart_evidence(
        'fct_negative_balance_daily',
        {'as_of_date': 'as_of_date', 'account_id': 'account_id', 'asset': 'asset'}
    ) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from negative_balances
