with unmatched as (
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
        known_at,
        case
            when problem = 'different_amount' then amount - other_amount
            else amount
        end as at_stake
    from {{ ref('int_reserves__unmatched_flow') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

described as (
    select
        unmatched.as_of_date,
        unmatched.subject_type,
        unmatched.subject_id,
        unmatched.asset,
        unmatched.problem,
        unmatched.account_id,
        unmatched.entry_type,
        unmatched.happened_on,
        unmatched.known_at,
        {{ amount_text('unmatched.amount') }} || ' ' || unmatched.asset as amount,
        {{ amount_text('unmatched.other_amount') }} || ' ' || unmatched.asset as other_amount,
        coalesce('transfer ' || unmatched.reference, 'no transfer at all') as named_transfer,
        {{ value_usd('abs(unmatched.at_stake)', 'prices.price_usd') }} as impact_usd
    from unmatched
    left join prices on unmatched.as_of_date = prices.as_of_date and unmatched.asset = prices.asset
)

select
    as_of_date,
    subject_type,
    subject_id,
    asset,
    case problem
        when 'no_transfer' then entry_type || ' of ' || amount || ' that names ' || named_transfer
        when 'no_entry' then entry_type || ' transfer of ' || amount || ' without an entry'
        when 'different_amount' then 'entries of ' || amount
        when 'forbidden_type' then entry_type || ' entry of ' || amount || ' against the outside world'
        else 'opening entry of ' || amount || ' after the first day'
    end as observed,
    case problem
        when 'no_transfer' then 'a transfer of the same amount'
        when 'no_entry' then 'entries of ' || amount
        when 'different_amount' then 'a sum of ' || other_amount || ', as the transfer moved'
        when 'forbidden_type' then 'opening, deposit or withdrawal'
        else 'opening entries on the first day only'
    end as expected,
    impact_usd,
    case problem
        when 'no_transfer'
            then
                'The ' || entry_type || ' of ' || amount || ' on account ' || account_id || ', entry ' || subject_id
                || ', counts on ' || happened_on || ' and names ' || named_transfer || '; by ' || as_of_date
                || ' no such transfer of ' || asset || ' had happened.'
        when 'no_entry'
            then
                'The ' || entry_type || ' transfer ' || subject_id || ' moved ' || amount || ' of wallet ' || account_id
                || ' on ' || happened_on || '; by ' || as_of_date || ' no entry named it.'
        when 'different_amount'
            then
                'Transfer ' || subject_id || ' moved ' || other_amount || ' of wallet ' || account_id
                || ', but the entries that name it sum to ' || amount || ' by ' || happened_on || '.'
        when 'forbidden_type'
            then
                'On ' || happened_on || ' entry ' || subject_id || ' of type ' || entry_type || ' booked ' || amount
                || ' on account ' || account_id || ' in a transaction with the outside world.'
        else
            'Opening entry ' || subject_id || ' booked ' || amount || ' on account ' || account_id || ' as of '
            || happened_on || ', but came after the landing zone''s first day.'
    end as message,
    case
        when problem = 'different_amount'
            then {{ mart_evidence('fct_outside_flow', {'reference': 'subject_id', 'asset': 'asset'}) }}
        else
            'select * from audit.source_row where source_table = '
            || case subject_type when 'entry' then '''ledger_entries''' else '''wallet_transfers''' end
            || ' and row_key = ' || {{ sql_text('subject_id') }}
    end as evidence,
    greatest({{ day_end('as_of_date') }}, known_at) as known_since,
    cast(null as string) as severity
from described
