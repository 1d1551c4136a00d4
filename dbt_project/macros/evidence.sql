{#- Evidence: the query that a finding carries, as text, which returns the rows behind it. -#}

{% macro sql_text(value) -%}
    {#- A value as a quoted SQL literal; null if the value is. -#}
    ('''' || replace(cast({{ value }} as string), '''', '''''') || '''')
{%- endmacro %}


{% macro mart_evidence(mart, columns) -%}
    {#- `select * from marts.<mart> where ...`; `columns` maps a column of the mart to the expression in the finding
        model whose value it must equal. Dates and text are compared as literals, which the database casts. A null
        value leaves its condition out. -#}
    (
        'select * from marts.{{ mart }} where true'
        {%- for column, value in columns.items() %}
        || coalesce(' and {{ column }} = ' || {{ sql_text(value) }}, '')
        {%- endfor %}
    )
{%- endmacro %}


{% macro published_checks() -%}
    {#- Checks whose findings are about rows that were accepted. Integrity findings name their rows themselves. -#}
    {{ return([
        'affiliate_collateral_quality', 'affiliate_exposure_within_limit', 'affiliate_privileges',
        'affiliation_removed', 'customer_funds_segregated', 'deposits_withdrawals_match', 'insurance_fund_matches',
        'ledger_matches_engine', 'liquidity_covers_withdrawals', 'no_negative_balance', 'no_negative_equity',
        'own_token_concentration', 'prices_agree', 'prices_complete', 'prices_fresh', 'reported_liabilities_match',
        'reported_reserves_match', 'reported_revenue_supported', 'reserve_not_drained', 'reserves_cover_liabilities',
        'reserves_not_window_dressed', 'revenue_not_affiliate', 'revenue_not_backdated', 'revenue_not_own_token',
        'total_reserves_cover_liabilities', 'transfers_to_affiliates_explained', 'undeclared_affiliates',
        'wallet_rolls_forward', 'wallets_counted_once'
    ]) }}
{%- endmacro %}


{% macro findings_traced() -%}
    {#- Findings of one check and day whose accepted rows are kept, the largest by impact. -#}
    1000
{%- endmacro %}


{% macro evidence_rows_shown() -%}
    {#- Rows of one landing table that are kept behind one finding, the largest first; how many there are is kept too. -#}
    10
{%- endmacro %}


{% macro largest_entries() -%}
    {#- Aggregates that keep the largest rows of a group and count all of them. Ties are broken by the entry, so that
        nothing depends on the order of rows. -#}
    {{ largest_items(
        record({
            'size': 'abs(entries.amount)',
            'entry_id': 'entries.entry_id',
            'source_file': 'entries.source_file',
            'source_row': 'entries.source_row',
        }),
        evidence_rows_shown()
    ) }} as largest,
    count(*) as entries
{%- endmacro %}
