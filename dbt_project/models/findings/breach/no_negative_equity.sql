with equities as (
    select
        as_of_date,
        account_id,
        relation,
        account_class,
        collateral_usd,
        borrowing_usd,
        unrealised_usd,
        equity_usd
    from {{ ref('fct_account_equity_daily') }}
    where equity_usd < 0 and abs(equity_usd) >= {{ policy('dust.usd') }}
)

select
    as_of_date,
    'account' as subject_type,
    account_id as subject_id,
    cast(null as string) as asset,
    {{ amount_text('equity_usd') }} || ' USD' as observed,
    'at least 0 USD' as expected,
    cast(abs(equity_usd) as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the ' || account_class || ' account ' || account_id || ' (' || relation || ') is worth '
    || {{ amount_text('equity_usd') }} || ' USD: collateral ' || {{ amount_text('collateral_usd') }} || ', borrowing '
    || {{ amount_text('borrowing_usd') }} || ', open positions ' || {{ amount_text('unrealised_usd') }} || '.'
        as message,
    {{ mart_evidence(
        'fct_account_equity_daily',
        {'as_of_date': 'as_of_date', 'account_id': 'account_id'}
    ) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from equities
