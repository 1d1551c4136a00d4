"""The money macros against Python's Decimal: products, ratios, proceeds and amounts as text, to the last digit.

What belongs here: arithmetic of single expressions. What doesn't: what the models do with it.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.macros import expression
from tests.support.money import LIMIT, TIES, Pair, exactly, expected_ratio, pairs, places


def evaluate(calls: list[str], rows: list[Pair]) -> list[tuple[Decimal | None, ...]]:
    """Macro calls on columns l and r of type DECIMAL(38,18), row by row."""
    values = ", ".join(
        f"({number}, '{left:f}'::decimal(38,18), '{right:f}'::decimal(38,18))"
        for number, (left, right) in enumerate(rows)
    )
    columns = ", ".join(expression(call) for call in calls)
    return duckdb.execute(f"select {columns} from (values {values}) as t (number, l, r) order by number").fetchall()


@settings(max_examples=20, deadline=None)
@given(pairs())
@example(TIES)
@example([(Decimal("9999999999999999999.999999999999999999"), Decimal("1.000000000000000001"))])
@example([(Decimal("99999999999999999998"), Decimal("1")), (Decimal("0.00000001"), -(LIMIT - 1))])
@example([(Decimal("-1000000000000000"), Decimal("99999.999999999999999999"))])
@exactly
def test_a_product_is_rounded_half_away_from_zero(rows: list[Pair]) -> None:
    fit = [(left, right) for left, right in rows if abs(left * right) < LIMIT - 1]
    if not fit:
        return
    calls = [
        "exact_product('l', 'r', 8)",
        "value_usd('l', 'r')",
        "exact_product('l', 'r', 2)",
        "exact_product('l', 'r')",
    ]
    expected = [
        (
            places(left * right, 8),
            places(left * right, 8),
            places(left * right, 2),
            places(left * right, 18, ROUND_DOWN),
        )
        for left, right in fit
    ]
    assert evaluate(calls, fit) == expected


@settings(max_examples=20, deadline=None)
@given(pairs())
@example(TIES)
@example([(Decimal("1"), Decimal("3")), (Decimal("-2"), Decimal("3")), (Decimal("1"), Decimal("0"))])
@example([(Decimal("99999999999999999999"), Decimal("0.000000001")), (Decimal("170000000000"), Decimal("7"))])
@example([(Decimal("0.000000000000000001"), Decimal("-99999999999999999999.999999999999999999"))])
@exactly
def test_a_ratio_is_rounded_half_away_from_zero(rows: list[Pair]) -> None:
    rows = [
        (left, right) for left, right in rows if right == 0 or not Decimal("1e19") <= abs(left / right) <= LIMIT * 10
    ]
    if not rows:
        return
    scales = (2, 12, 17, 18)
    calls = [f"exact_ratio('l', 'r', {scale})" for scale in scales]
    assert evaluate(calls, rows) == [
        tuple(expected_ratio(left, right, scale) for scale in scales) for left, right in rows
    ]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=0, max_value=10**15, places=8), st.decimals(min_value=0, max_value=1, places=12)
        ),
        min_size=1,
        max_size=30,
    )
)
@example(
    [(Decimal("1000000000000000"), Decimal(1)), (Decimal("0.00000001"), Decimal("0.75")), (Decimal(0), Decimal(1))]
)
@exactly
def test_proceeds_are_what_the_square_root_law_leaves(rows: list[Pair]) -> None:
    expected = [(places(sold * (3 - 2 * impact) / 3, 8),) for sold, impact in rows]
    assert evaluate(["proceeds_after_impact('l', 'r')"], rows) == expected


@pytest.mark.parametrize("call", ["exact_product('x', '1')", "value_usd('1', 'x')", "exact_ratio('x', '1')"])
def test_nothing_known_gives_nothing(call: str) -> None:
    sql = f"select {expression(call)} from (select null::decimal(38,18) as x)"
    assert duckdb.execute(sql).fetchall() == [(None,)]


def test_proceeds_of_an_unpriced_pool_are_unknown() -> None:
    proceeds = expression("proceeds_after_impact('x', '0.5')")
    sql = f"select {proceeds} from (select null::decimal(38,8) as x)"
    assert duckdb.execute(sql).fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("call", "type_"),
    [
        ("exact_product('x', 'x')", "DECIMAL(38,18)"),
        ("value_usd('x', 'x')", "DECIMAL(38,8)"),
        ("exact_ratio('x', 'x', 12)", "DECIMAL(38,12)"),
        ("proceeds_after_impact('x', '0.5')", "DECIMAL(38,8)"),
    ],
)
def test_results_keep_their_scale(call: str, type_: str) -> None:
    sql = f"select typeof({expression(call)}) from (select 1.5::decimal(38,18) as x)"
    assert duckdb.execute(sql).fetchall() == [(type_,)]


@settings(max_examples=20, deadline=None)
@given(pairs())
@example(TIES)
@exactly
def test_amounts_are_written_without_trailing_zeros_or_exponent(rows: list[Pair]) -> None:
    texts = [text for (text,) in evaluate(["amount_text('l')"], rows)]
    assert [Decimal(str(text)) for text in texts] == [left for left, _ in rows]
    for text in map(str, texts):
        assert "E" not in text.upper()
        assert text == "0" or not (text.endswith((".", "0")) and "." in text)
