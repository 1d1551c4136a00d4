{%- set columns = ['entry_id', 'transaction_id', 'account_id', 'asset', 'amount', 'effective_at', 'effective_date'] -%}
{{ new_rows(ref('stg_landing__ledger_entries'), columns, recorded_at='recorded_at') }}
