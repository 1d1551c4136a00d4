{% macro revenue_types() -%}
    {#- Entry types by which value enters or leaves the operator's fee and house accounts as revenue: DOMAIN.md
        section 6. Rebates and rewards paid out count against it. -#}
    ('fee', 'interest', 'funding', 'liquidation', 'revenue', 'rebate', 'reward')
{%- endmacro %}
