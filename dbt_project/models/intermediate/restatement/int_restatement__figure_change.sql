{#- Which figures are kept: the numbers of every mart that is about a day or a month as a whole. Rows about single
    accounts and wallets are too many to keep, and what moved them moves one of these. `subject` is the rest of the
    mart's key. -#}
{%- set kept = [
    {
        "mart": "fct_solvency_daily", "date": "as_of_date", "subject": "'exchange'",
        "figures": [
            "customer_liabilities_usd", "customer_receivables_usd", "eligible_reserves_usd", "excluded_reserves_usd",
            "coverage_ratio", "in_kind_shortfall_usd", "net_gap_usd", "affiliate_borrowing_usd",
            "affiliate_uncollateralised_usd", "own_token_assets_usd", "own_token_share", "unpriced_assets"
        ],
    },
    {
        "mart": "fct_reserve_coverage_daily", "date": "as_of_date", "subject": "in_kind_group",
        "figures": [
            "liability", "affiliate_claims", "eligible_reserves", "excluded_reserves", "gap", "gap_all_claims",
            "coverage_ratio", "price_usd", "gap_usd"
        ],
    },
    {
        "mart": "fct_customer_liability_daily", "date": "as_of_date", "subject": "asset || '|' || relation",
        "figures": ["liability", "receivable", "accounts", "liability_usd", "receivable_usd"],
    },
    {
        "mart": "fct_affiliate_exposure_daily", "date": "as_of_date", "subject": "entity_id",
        "figures": [
            "gross_claims_usd", "gross_borrowing_usd", "collateral_mark_usd", "collateral_haircut_usd",
            "collateral_liquidation_usd", "own_token_collateral_usd", "uncollateralised_usd",
            "share_of_customer_liabilities", "credit_line_usd", "credit_line_used_pct"
        ],
    },
    {
        "mart": "fct_token_adjusted_revenue_monthly", "date": "month", "subject": "'exchange'",
        "figures": [
            "reported_usd", "ledger_usd", "unsupported_usd", "backdated_usd", "affiliate_usd",
            "own_token_haircut_usd", "token_adjusted_revenue_usd"
        ],
    },
    {
        "mart": "fct_own_token_daily", "date": "as_of_date", "subject": "asset",
        "figures": [
            "circulating", "group_holding", "group_share_pct", "mark_value_usd", "liquidation_value_usd"
        ],
    },
    {
        "mart": "fct_price_daily", "date": "as_of_date", "subject": "asset",
        "figures": ["price_usd"],
    },
] -%}

with mart_figures as (
    {%- for table in kept %}
        {%- set figures = [] -%}
        {%- for figure in table.figures -%}
            {%- do figures.append(
                record({'figure': "'" ~ figure ~ "'", 'amount': 'cast(' ~ figure ~ ' as decimal(38, 18))'})
            ) -%}
        {%- endfor %}
        select
            cast({{ table.date }} as date) as as_of_date,
            '{{ table.mart }}' as source_table,
            {{ each_item(list_of(figures)) }} as stated,
            cast({{ table.subject }} as string) as subject
        from {{ ref(table.mart) }}
        {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

current_figures as (
    select
        as_of_date,
        source_table,
        stated['figure'] as figure,
        subject,
        stated['amount'] as amount
    from mart_figures
),

-- What this run itself recorded, if its end is being repeated, was said by nobody yet.
statements as (
    select
        entry_number,
        as_of_date,
        source_table,
        figure,
        subject,
        amount,
        previous_entry_number
    from {{ source('audit', 'published_figure') }}
    where run_id <> {{ run_value('run_id') }}
),

replaced as (
    select previous_entry_number
    from statements
    where previous_entry_number is not null
),

last_said as (
    select
        statements.entry_number,
        statements.as_of_date,
        statements.source_table,
        statements.figure,
        statements.subject,
        statements.amount
    from statements
    anti join replaced on statements.entry_number = replaced.previous_entry_number
),

-- The headline has a row for every day of the calendar.
published_days as (
    select distinct as_of_date
    from statements
    where source_table = 'fct_solvency_daily'
),

changed as (
    select
        coalesce(current_figures.as_of_date, last_said.as_of_date) as as_of_date,
        coalesce(current_figures.source_table, last_said.source_table) as source_table,
        coalesce(current_figures.figure, last_said.figure) as figure,
        coalesce(current_figures.subject, last_said.subject) as subject,
        current_figures.amount,
        last_said.entry_number as previous_entry_number,
        last_said.amount as amount_before
    from current_figures
    full outer join last_said
        on
            current_figures.as_of_date = last_said.as_of_date
            and current_figures.source_table = last_said.source_table
            and current_figures.figure = last_said.figure
            and current_figures.subject = last_said.subject
    where
        current_figures.amount is distinct from last_said.amount
        or last_said.entry_number is null
),

dated as (
    select
        as_of_date,
        case
            when source_table = 'fct_token_adjusted_revenue_monthly' then last_day(as_of_date) else as_of_date
        end as last_date,
        source_table,
        figure,
        subject,
        amount,
        previous_entry_number,
        amount_before
    from changed
)

select
    dated.as_of_date,
    dated.last_date,
    dated.source_table,
    dated.figure,
    dated.subject,
    dated.amount,
    dated.previous_entry_number,
    dated.amount_before,
    published_days.as_of_date is not null as is_restatement
from dated
left join published_days on dated.last_date = published_days.as_of_date
