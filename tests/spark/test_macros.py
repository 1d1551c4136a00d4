"""Single expressions on both engines: exact arithmetic, addresses, texts, times and lists."""

from __future__ import annotations

import random
from decimal import ROUND_DOWN, Decimal
from typing import Any

import duckdb
import pytest
from pyspark.sql import SparkSession

from tests.support.macros import expression
from tests.support.money import LIMIT, TIES, Pair, amount, exactly, expected_ratio, places

EDGES: list[Pair] = [
    *TIES,
    (Decimal("9999999999999999999.999999999999999999"), Decimal("1.000000000000000001")),
    (Decimal("0.00000001"), -(LIMIT - 1)),
    (Decimal("-1000000000000000"), Decimal("99999.999999999999999999")),
    (Decimal("1"), Decimal("3")),
    (Decimal("-2"), Decimal("3")),
    (Decimal("1"), Decimal("0")),
    (Decimal("99999999999999999999"), Decimal("0.000000001")),
    (Decimal("170000000000"), Decimal("7")),
    (Decimal("169999999999.999999999999999999"), Decimal("-169999999999.999999999999999998")),
    (Decimal("0.000000000000000001"), Decimal("-99999999999999999999.999999999999999999")),
]


def operands(number: int) -> list[Pair]:
    """Amounts of every length, the same on every run, after the edges."""
    draw = random.Random(number)

    def one() -> Decimal:
        digits = draw.choice((8, 18, 28, 38))
        return amount(draw.randrange(10**digits), draw.randrange(38), draw.random() < 0.5)

    return EDGES + [(one(), one()) for _ in range(number)]


def on_spark(session: SparkSession, calls: list[str], rows: list[Pair]) -> list[tuple[Any, ...]]:
    values = ", ".join(
        f"({number}, cast('{left:f}' as decimal(38, 18)), cast('{right:f}' as decimal(38, 18)))"
        for number, (left, right) in enumerate(rows)
    )
    items = ", ".join(expression(call, "spark") for call in calls)
    return [
        tuple(row)
        for row in session.sql(f"select {items} from values {values} as t (number, l, r) order by number").collect()
    ]


@exactly
def test_products_are_exact_on_spark(spark: SparkSession) -> None:
    rows = [(left, right) for left, right in operands(200) if abs(left * right) < LIMIT - 1]
    expected = [(places(left * right, 8), places(left * right, 18, ROUND_DOWN)) for left, right in rows]
    assert on_spark(spark, ["value_usd('l', 'r')", "exact_product('l', 'r')"], rows) == expected


@exactly
def test_ratios_are_exact_on_spark(spark: SparkSession) -> None:
    rows = [
        (left, right)
        for left, right in operands(200)
        if right == 0 or not Decimal("1e19") <= abs(left / right) <= LIMIT * 10
    ]
    expected = [tuple(expected_ratio(left, right, scale) for scale in (2, 12, 18)) for left, right in rows]
    assert on_spark(spark, [f"exact_ratio('l', 'r', {scale})" for scale in (2, 12, 18)], rows) == expected


@exactly
def test_proceeds_are_exact_on_spark(spark: SparkSession) -> None:
    draw = random.Random(1)
    rows = [(Decimal(10) ** 15, Decimal(1)), (Decimal("0.00000001"), Decimal("0.75")), (Decimal(0), Decimal(1))]
    rows += [
        (Decimal(draw.randrange(10**23)).scaleb(-8), Decimal(draw.randrange(10**12)).scaleb(-12)) for _ in range(99)
    ]
    expected = [(places(sold * (3 - 2 * impact) / 3, 8),) for sold, impact in rows]
    assert on_spark(spark, ["proceeds_after_impact('l', 'r')"], rows) == expected


def test_amounts_are_written_alike(spark: SparkSession) -> None:
    rows = operands(200)
    values = ", ".join(f"({number}, '{left:f}'::decimal(38,18))" for number, (left, _) in enumerate(rows))
    text = expression("amount_text('l')")
    on_duckdb = duckdb.sql(f"select {text} from (values {values}) as t (number, l) order by number").fetchall()
    assert on_spark(spark, ["amount_text('l')"], rows) == on_duckdb


def assert_alike(session: SparkSession, calls: list[str], rows: str) -> None:
    """Both engines make the same of the rows, in any order; nothing isn't enough."""

    def sql(engine: str) -> str:
        return f"select {', '.join(expression(call, engine) for call in calls)} from {rows}"

    def key(row: tuple[Any, ...]) -> str:
        return repr(row)

    found = [tuple(row) for row in session.sql(sql("spark")).collect()]
    assert found
    assert sorted(found, key=key) == sorted(duckdb.sql(sql("duckdb")).fetchall(), key=key)


def test_shares_are_cut_alike(spark: SparkSession) -> None:
    percentages = ["100", "19.999999999999999999", "33.3", "0.000000000000000001", "66.666666666666666667"]
    rows = ", ".join(f"('{percentage}'::decimal(38, 18))" for percentage in percentages)
    wide = "cast(share as ' ~ wide_integer_type() ~ ')"
    stake = "cast(stake as ' ~ wide_integer_type() ~ ')"
    assert_alike(spark, ["as_text(stake_from_pct('p'))", "as_text(share_from_pct('p'))"], f"(values {rows}) as t(p)")
    shares = ["10000000000000000000000000000", "1999999999999999999900000000", "1", "33333333333333333333333333"]
    stakes = ["100000000000000000000", "33300000000000000000", "1", "19999999999999999999"]
    rows = ", ".join(f"('{share}', '{stake}')" for share in shares for stake in stakes)
    calls = [f"share_as_pct('{wide}')", f"as_text(share_through('{wide}', '{stake}'))"]
    assert_alike(spark, calls, f"(values {rows}) as t(share, stake)")


def test_reference_quantities_are_rounded_alike(spark: SparkSession) -> None:
    quantities = ["1000.123456789012345678", "-0.000000000000000001", "123456789012.5", "0"]
    rows = ", ".join(
        f"('{quantity}'::decimal(38, 18), '0.987654321098765432'::decimal(38, 18))" for quantity in quantities
    )
    assert_alike(spark, ["reference_quantity('p', 'q', 'q')"], f"(values {rows}) as t(p, q)")


def test_addresses_have_one_spelling_on_both(spark: SparkSession) -> None:
    addresses = [
        " GB29 NWBK-6016 1331 9268 19", "IBAN DE89 3704", "0xAbCd", "ABCDEF0123456789abcdef0123456789ABCDEF01",
        "BC1QXY", "tb1qAb", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "abc", "ABC", "a\u200bb c", "a\tb\nc", "",
    ]  # fmt: skip
    rows = ", ".join(
        f"('{network}', '{address}')" for network in ("bank", "custodian", " Bitcoin ") for address in addresses
    )
    assert_alike(spark, ["normalised_network('n')", "normalised_address('n', 'a')"], f"(values {rows}) as t(n, a)")


@pytest.mark.parametrize(
    "calls",
    [
        ["stock_date('s', 'e')", "month_text('e')", "second_text('e')", "microseconds_between('s', 'e')"],
        ["day_start('cast(s as date)')", "day_end('cast(e as date)')"],
        ["days_between('cast(s as date)', 'cast(e as date)')", "each_day('cast(s as date)', 'cast(s as date) + 40')"],
    ],
)
def test_days_and_moments_are_alike(spark: SparkSession, calls: list[str]) -> None:
    moments = [
        ("2022-01-01 00:00:00", "2022-01-31 00:00:00"),
        ("2022-01-01 00:00:00", "2022-02-01 00:00:00"),
        ("2024-02-29 23:59:59.999999", "2024-02-29 23:59:59.999999"),
        ("2021-12-31 12:00:00", "2022-01-01 00:00:00.5"),
    ]
    rows = ", ".join(f"(timestamp '{start}', timestamp '{end}')" for start, end in moments)
    assert_alike(spark, calls, f"(values {rows}) as t(s, e)")


def test_lists_are_alike(spark: SparkSession) -> None:
    grouped = [
        "first_items_text(sorted_list('name', ['-number', 'name']), 3, '; ')",
        "list_length(sorted_list('name', ['name'], 'number > 1'))",
        "joined_text('name', ', ', 'number desc, name')",
        "joined_text('name', ', ', 'name', is_distinct=true)",
        "last_item(largest_items('number', 2))",
    ]
    assert_alike(spark, grouped, "(values ('a', 1), ('b', 3), ('b', 2), ('c', 2)) as t(name, number)")
