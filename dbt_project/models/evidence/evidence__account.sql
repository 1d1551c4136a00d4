with findings as (
    select
        findings.finding_number,
        findings.check_name,
        findings.subject_type,
        findings.subject_id,
        findings.asset,
        described.described_date
    from {{ ref('evidence__finding') }} as findings
    inner join {{ ref('evidence__described_day') }} as described on findings.finding_number = described.finding_number
),

balance_changes as (
    select
        account_id,
        asset,
        effective_date,
        balance,
        next_effective_date
    from {{ ref('int_liabilities__balance_change') }}
    where balance <> 0
),

negative_balances as (
    select
        as_of_date,
        account_id,
        entity_id,
        relation,
        asset
    from {{ ref('fct_negative_balance_daily') }}
),

drifts as (
    select
        as_of_date,
        account_id,
        asset,
        drift
    from {{ ref('fct_engine_drift_daily') }}
),

account_relations as (
    select
        account_id,
        entity_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
),

own_tokens as (
    select
        as_of_date,
        asset
    from {{ ref('fct_own_token_daily') }}
),

named as (
    select
        finding_number,
        subject_id as account_id,
        asset,
        described_date
    from findings
    where check_name in ('no_negative_balance', 'ledger_matches_engine') and subject_type = 'account'
),

largest_drifts as (
    select
        findings.finding_number,
        drifts.account_id,
        drifts.asset,
        findings.described_date
    from findings
    inner join drifts on findings.described_date = drifts.as_of_date and findings.asset = drifts.asset
    where findings.check_name = 'ledger_matches_engine' and findings.subject_type = 'asset'
    qualify
        row_number() over (
            partition by findings.finding_number
            order by abs(drifts.drift) desc, drifts.account_id
        ) <= {{ evidence_rows_shown() }}
),

-- What an affiliate, the whole group, a suspect, or an entity that was one until the day before, owed.
borrowed as (
    select
        findings.finding_number,
        negative_balances.account_id,
        negative_balances.asset,
        findings.described_date
    from findings
    inner join negative_balances
        on
            findings.described_date = negative_balances.as_of_date
            and (findings.subject_type = 'group' or findings.subject_id = negative_balances.entity_id)
    where
        findings.check_name in ('undeclared_affiliates', 'affiliation_removed')
        or (
            findings.check_name in ('affiliate_exposure_within_limit', 'affiliate_collateral_quality')
            and negative_balances.relation = 'affiliate'
        )
),

-- Accounts of which all balances, or those in some assets, stand behind the finding.
whole_accounts as (
    select
        finding_number,
        subject_id as account_id,
        described_date,
        cast(null as string) as asset
    from findings
    where check_name = 'no_negative_equity'
    union all
    select
        findings.finding_number,
        account_relations.account_id,
        findings.described_date,
        own_tokens.asset
    from findings
    inner join own_tokens on findings.described_date = own_tokens.as_of_date
    inner join account_relations
        on
            findings.subject_id = account_relations.entity_id
            and findings.described_date >= account_relations.from_date
            and findings.described_date < account_relations.to_date
    where findings.check_name = 'affiliate_collateral_quality'
    union all
    select
        findings.finding_number,
        account_relations.account_id,
        findings.described_date,
        findings.asset
    from findings
    inner join account_relations
        on
            findings.described_date >= account_relations.from_date
            and findings.described_date < account_relations.to_date
    where
        (findings.check_name = 'own_token_concentration' and account_relations.relation = 'affiliate')
        or (findings.check_name = 'insurance_fund_matches' and account_relations.account_class = 'insurance_fund')
),

held as (
    select
        whole_accounts.finding_number,
        whole_accounts.account_id,
        balance_changes.asset,
        whole_accounts.described_date
    from whole_accounts
    inner join balance_changes
        on
            whole_accounts.account_id = balance_changes.account_id
            and balance_changes.effective_date <= whole_accounts.described_date
            and (
                balance_changes.next_effective_date is null
                or balance_changes.next_effective_date > whole_accounts.described_date
            )
            and (whole_accounts.asset is null or whole_accounts.asset = balance_changes.asset)
)

select
    finding_number,
    account_id,
    asset,
    described_date
from named
union
select
    finding_number,
    account_id,
    asset,
    described_date
from largest_drifts
union
select
    finding_number,
    account_id,
    asset,
    described_date
from borrowed
union
select
    finding_number,
    account_id,
    asset,
    described_date
from held
