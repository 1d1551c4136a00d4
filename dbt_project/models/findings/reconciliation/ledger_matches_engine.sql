with drifts as (
    select
        as_of_date,
        account_id,
        asset,
        as_of,
        has_snapshot,
        engine_balance,
        ledger_balance,
        drift,
        drift_usd
    from {{ ref('fct_engine_drift_daily') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__daily_price') }}
),

customer_liabilities as (
    select
        as_of_date,
        asset,
        liability
    from {{ ref('int_liabilities__daily_total') }}
    where relation = 'customer'
),

tolerances as (
    {{ stated_tolerances('reconciliation.engine_drift_units_by_asset') }}
),

accounts_apart as (
    select
        drifts.as_of_date,
        drifts.account_id,
        drifts.asset,
        drifts.as_of,
        drifts.has_snapshot,
        drifts.engine_balance,
        drifts.ledger_balance,
        drifts.drift,
        drifts.drift_usd
    from drifts
    left join tolerances on drifts.asset = tolerances.asset
    where
        {{ exceeds_tolerance(
            'drifts.drift', 'drifts.drift_usd', 'tolerances.units', 'reconciliation.engine_drift_usd'
        ) }}
),

asset_sums as (
    select
        as_of_date,
        asset,
        cast(sum(drift) as decimal(38, 18)) as drift,
        count(*) as accounts
    from drifts
    group by as_of_date, asset
),

valued_sums as (
    select
        asset_sums.as_of_date,
        asset_sums.asset,
        asset_sums.drift,
        asset_sums.accounts,
        coalesce(customer_liabilities.liability, 0) as liability,
        {{ value_usd('asset_sums.drift', 'prices.price_usd') }} as drift_usd
    from asset_sums
    left join prices on asset_sums.as_of_date = prices.as_of_date and asset_sums.asset = prices.asset
    left join customer_liabilities
        on
            asset_sums.as_of_date = customer_liabilities.as_of_date
            and asset_sums.asset = customer_liabilities.asset
),

settings as (
    select {{ policy('reconciliation.engine_drift_pct_of_liability') }} * 0.01 as share_of_liability
),

-- A sum that a single account might drift by is not a finding, however little of the asset is owed.
assets_apart as (
    select
        valued_sums.as_of_date,
        valued_sums.asset,
        valued_sums.drift,
        valued_sums.accounts,
        valued_sums.liability,
        valued_sums.drift_usd
    from valued_sums
    cross join settings
    left join tolerances on valued_sums.asset = tolerances.asset
    where
        abs(valued_sums.drift) > {{ exact_product('valued_sums.liability', 'settings.share_of_liability') }}
        and {{ exceeds_tolerance(
            'valued_sums.drift', 'valued_sums.drift_usd', 'tolerances.units', 'reconciliation.engine_drift_usd'
        ) }}
)

select
    as_of_date,
    'account' as subject_type,
    account_id as subject_id,
    asset,
    case when has_snapshot then {{ amount_text('engine_balance') }} else 'no snapshot' end as observed,
    {{ amount_text('ledger_balance') }} as expected,
    cast(abs(drift_usd) as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the engine shows '
    || case when has_snapshot then {{ amount_text('engine_balance') }} else 'no balance' end || ' ' || asset
    || ' for account ' || account_id || ', the ledger ' || {{ amount_text('ledger_balance') }} || ' at '
    || {{ second_text('as_of') }} || '.' as message,
    {{ mart_evidence(
        'fct_engine_drift_daily',
        {'as_of_date': 'as_of_date', 'account_id': 'account_id', 'asset': 'asset'}
    ) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from accounts_apart
union all
select
    as_of_date,
    'asset' as subject_type,
    asset as subject_id,
    asset,
    {{ amount_text('drift') }} as observed,
    'at most ' || {{ amount_text(policy('reconciliation.engine_drift_pct_of_liability')) }} || ' % of '
    || {{ amount_text('liability') }} as expected,
    cast(abs(drift_usd) as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the engine''s ' || asset || ' balances differ from the ledger''s by '
    || {{ amount_text('drift') }} || ' in sum, over ' || accounts || ' accounts.' as message,
    {{ mart_evidence('fct_engine_drift_daily', {'as_of_date': 'as_of_date', 'asset': 'asset'}) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from assets_apart
