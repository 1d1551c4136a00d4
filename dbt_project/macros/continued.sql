{#- Models that are kept from run to run: what is new is added to what was built, see int_plan__scope. -#}

{% macro is_continued() -%}
    {#- Whether the model continues what was built before. A project that is only compiled has no relations to ask. -#}
    {%- if flags.WHICH == 'compile' -%}
        {{ return(var('is_continued', false)) }}
    {%- endif -%}
    {{ return(adapter.dispatch('is_continued_by_engine')()) }}
{%- endmacro %}

{% macro default__is_continued_by_engine() -%}
    {{ return(is_incremental()) }}
{%- endmacro %}

{% macro spark__is_continued_by_engine() -%}
    {#- Everything is built anew on Spark. -#}
    {{ return(false) }}
{%- endmacro %}


{% macro built_rows(columns) -%}
    {#- What the model holds of the build before, as a relation; without rows if everything is built anew. `columns` maps
        its columns to their types. -#}
    {%- if is_continued() -%}
        {{ this }}
    {%- else -%}
        (
            select
            {%- for name, type in columns.items() %}
                cast(null as {{ engine_type(type) }}) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}


{% macro get_incremental_recompute_from_sql(arguments) -%}
    {#- The strategy of models kept by time: what was built from the beginning of the scope on makes way for what was
        computed now, also where nothing takes its place. `meta.recomputed_from` names the scope, its column, and the
        model's own column that it limits. -#}
    {%- set from = model.config.meta.recomputed_from -%}
    {{ replaced_rows(arguments, from.key ~ ' >= ' ~ scope_value(from.column, from.scope)) }}
{%- endmacro %}


{% macro is_touched(column, touched) -%}
    {#- Whether a row is of a subject that this run computes again; all are in a whole build. -#}
    {%- if is_continued() -%}
        {{ column }} in (select touched.reference from {{ touched }} as touched)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}


{% macro get_incremental_recompute_touched_sql(arguments) -%}
    {#- The strategy of models kept by subject: what was built of the touched subjects makes way for what was computed
        now, also where nothing takes its place. `meta.recomputed_for` names the model of touched subjects, its column,
        and the model's own column. -#}
    {%- set touched = model.config.meta.recomputed_for -%}
    {{ replaced_rows(arguments, touched.key ~ ' in (select ' ~ touched.column ~ ' from ' ~ ref(touched.model) ~ ')') }}
{%- endmacro %}


{% macro replaced_rows(arguments, condition) -%}
    {%- set columns = arguments.dest_columns | map(attribute='quoted') | join(', ') -%}
    delete from {{ arguments.target_relation }}
    where {{ condition }};
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments.temp_relation }}
{%- endmacro %}


{% macro new_rows(relation, columns, recorded_at=none) -%}
    {#- Rows of a dated landing table that the marts don't hold yet: loaded since they were last built, or loaded before
        and known since. None in a whole build. Each branch limits one stored column by a constant, so that the database
        skips the blocks of history. `recorded_at` is the column by which a row may become known after its day. -#}
    {%- set load_number, known_before = plan_value('built_load_number'), plan_value('built_knowledge_at') -%}
    {%- set known_later = ['partition_date >= cast(' ~ known_before ~ ' as date)'] -%}
    {%- if recorded_at -%}
        {%- set known_later = [
            recorded_at ~ ' >= ' ~ known_before,
            recorded_at ~ ' < ' ~ known_before ~ ' and ' ~ known_later[0],
        ] -%}
    {%- endif -%}
    select {{ columns | join(', ') }}
    from {{ relation }}
    where not {{ plan_value('is_whole') }} and accepted_load_number > {{ load_number }}
    {%- for condition in known_later %}
    union all
    select {{ columns | join(', ') }}
    from {{ relation }}
    where
        not {{ plan_value('is_whole') }}
        and accepted_load_number <= {{ load_number }}
        and known_at >= {{ known_before }}
        and {{ condition }}
    {%- endfor -%}
{%- endmacro %}
