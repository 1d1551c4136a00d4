with findings as (
    select
        findings.finding_number,
        findings.check_name,
        findings.subject_id,
        findings.asset,
        described.described_date
    from {{ ref('evidence__finding') }} as findings
    inner join {{ ref('evidence__described_day') }} as described on findings.finding_number = described.finding_number
    where
        findings.check_name in (
            'reserves_cover_liabilities', 'total_reserves_cover_liabilities', 'reported_liabilities_match',
            'prices_complete'
        )
),

liabilities as (
    select
        as_of_date,
        asset
    from {{ ref('fct_customer_liability_daily') }}
    where relation = 'customer' and liability > 0
),

assets as (
    select
        as_of_date,
        asset,
        in_kind_group,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
)

select
    findings.finding_number,
    findings.described_date,
    assets.asset,
    assets.price_usd
from findings
inner join liabilities on findings.described_date = liabilities.as_of_date
inner join assets on liabilities.as_of_date = assets.as_of_date and liabilities.asset = assets.asset
where
    case findings.check_name
        when 'reserves_cover_liabilities' then findings.subject_id = assets.in_kind_group
        else findings.asset is null or findings.asset = assets.asset
    end
