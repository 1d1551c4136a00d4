{%- set billion = wide_integer(1000000000) -%}
with assets as (
    select
        as_of_date,
        asset,
        in_kind_group,
        is_own_token,
        price_usd,
        reference_price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

parity as (
    select cast(1 - {{ policy('coverage.parity_tolerance_pct') }} * 0.01 as decimal(38, 18)) as lowest_ratio
),

compared as (
    select
        assets.as_of_date,
        assets.asset,
        assets.in_kind_group,
        assets.is_own_token,
        assets.price_usd,
        assets.reference_price_usd,
        coalesce(
            assets.asset <> assets.in_kind_group
            and assets.price_usd < {{ exact_product('assets.reference_price_usd', 'parity.lowest_ratio') }},
            false
        ) as is_below_parity
    from assets
    cross join parity
),

-- Long division of the two prices, nine digits at a time, to 36 places: no engine's own `/` is exact.
whole_units as (
    select
        as_of_date,
        asset,
        in_kind_group,
        is_own_token,
        price_usd,
        reference_price_usd,
        is_below_parity,
        case
            when is_below_parity then {{ in_smallest_units('price_usd') }} else 0
        end as numerator,
        case
            when is_below_parity then {{ in_smallest_units('reference_price_usd') }} else 1
        end as denominator
    from compared
),

first_digits as (
    select
        *,
        {{ wide_quotient('(numerator * ' ~ billion ~ ')', 'denominator') }} as digits_1,
        (numerator * {{ billion }}) % denominator as remainder_1
    from whole_units
),

second_digits as (
    select
        *,
        {{ wide_quotient('(remainder_1 * ' ~ billion ~ ')', 'denominator') }} as digits_2,
        (remainder_1 * {{ billion }}) % denominator as remainder_2
    from first_digits
),

third_digits as (
    select
        *,
        {{ wide_quotient('(remainder_2 * ' ~ billion ~ ')', 'denominator') }} as digits_3,
        (remainder_2 * {{ billion }}) % denominator as remainder_3
    from second_digits
),

fourth_digits as (
    select
        *,
        {{ wide_quotient('(remainder_3 * ' ~ billion ~ ')', 'denominator') }} as digits_4
    from third_digits
)

select
    as_of_date,
    asset,
    in_kind_group,
    is_own_token,
    price_usd,
    reference_price_usd,
    is_below_parity,
    cast(
        case
            when is_below_parity
                then
                    cast(digits_1 as decimal(9, 0)) * cast(0.000000001 as decimal(9, 9))
                    + cast(digits_2 as decimal(9, 0)) * cast(0.000000000000000001 as decimal(18, 18))
            else 1
        end as decimal(38, 18)
    ) as parity_ratio,
    cast(
        case
            when is_below_parity
                then
                    cast(digits_3 as decimal(9, 0)) * cast(0.000000001 as decimal(9, 9))
                    + cast(digits_4 as decimal(9, 0)) * cast(0.000000000000000001 as decimal(18, 18))
            else 0
        end as decimal(38, 18)
    ) as parity_ratio_rest
from fourth_digits
