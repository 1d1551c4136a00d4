"""What is asked of comments in the published file is missed where it is missing."""

from __future__ import annotations

import duckdb
import pytest

from tests.support.documented import contradicted_signs, undocumented

TABLE = "What is owed. Grain: one row per day. Additive: nothing over days."
NUMBER = "what is owed; USD, zero or more; null if unpriced"


@pytest.mark.parametrize(
    ("table", "number", "missing"),
    [
        (TABLE, NUMBER, []),
        (None, NUMBER, ["marts.owed doesn't say 'Grain: '", "marts.owed doesn't say 'Additive: '"]),
        ("Grain: one row per day.", NUMBER, ["marts.owed doesn't say 'Additive: '"]),
        (TABLE + "\n", NUMBER, ["the comment on marts.owed begins or ends with a blank"]),
        (TABLE, None, ["marts.owed.amount has no comment"]),
        (TABLE, "what is owed, zero or more", ["marts.owed.amount has no unit: what is owed, zero or more"]),
        (TABLE, "what is owed in USD", ["marts.owed.amount has no sign: what is owed in USD"]),
    ],
)
def test_what_is_missing_is_said(table: str | None, number: str | None, missing: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.owed (as_of_date date, amount decimal(38, 8))")
        connection.execute("comment on column marts.owed.as_of_date is 'the day'")
        for thing, comment in (("table marts.owed", table), ("column marts.owed.amount", number)):
            if comment is not None:
                connection.execute(f"comment on {thing} is '{comment}'")
        assert undocumented(connection) == missing


@pytest.mark.parametrize(("value", "contradicted"), [("0", []), (None, []), ("-0.01", ["marts.owed.amount"])])
def test_a_value_that_its_comment_rules_out_is_seen(value: str | None, contradicted: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.owed as select cast(? as decimal(38, 8)) as amount", [value])
        connection.execute(f"comment on column marts.owed.amount is '{NUMBER}'")
        assert contradicted_signs(connection) == contradicted
