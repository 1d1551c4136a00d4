"""A decimal comes out of every format as it went in, digit for digit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contract import table
from orchestration.landing import create_schemas, load_table
from tests.landing.zone import DAY, Zone, entry, issues, load, query


def exact(units: int) -> Decimal:
    """A decimal from units of its eighteenth place; Decimal's own arithmetic would round."""
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -18))


LIMIT = 10**38 - 1
DECIMALS = (st.integers(-LIMIT, LIMIT) | st.integers(-(10**9), 10**9)).map(exact)


def write_csv(path: Path, values: list[Decimal]) -> None:
    Zone(path).rows("ledger_entries", [entry(str(n), amount=str(value)) for n, value in enumerate(values)])


def write_scientific_csv(path: Path, values: list[Decimal]) -> None:
    rows = [entry(str(n), amount=f"{value:.37E}") for n, value in enumerate(values)]
    Zone(path).rows("ledger_entries", rows)


def write_json_text(path: Path, values: list[Decimal]) -> None:
    rows = [entry(str(n), amount=str(value)) for n, value in enumerate(values)]
    Zone(path).rows("ledger_entries", rows, file="a.jsonl")


def write_json_numbers(path: Path, values: list[Decimal]) -> None:
    lines = []
    for n, value in enumerate(values):
        line = json.dumps(entry(str(n), amount="AMOUNT", memo='look: "amount": 7'))
        lines.append(line.replace('"AMOUNT"', str(value)) + "\n")
    Zone(path).write(f"ledger_entries/date={DAY}/a.jsonl", "".join(lines))


def write_parquet(path: Path, values: list[Decimal]) -> None:
    rows = [entry(str(n)) for n in range(len(values))]
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0] if name != "amount"}
    columns["amount"] = pa.array(values, pa.decimal128(38, 18))
    folder = path / "ledger_entries" / f"date={DAY}"
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "a.parquet")


@pytest.fixture(scope="module")
def build_file() -> Iterator[duckdb.DuckDBPyConnection]:
    """One build file for all examples; each load forgets the one before."""
    with duckdb.connect() as connection:
        create_schemas(connection)
        yield connection


@pytest.mark.parametrize("write", [write_csv, write_scientific_csv, write_json_text, write_json_numbers, write_parquet])
@settings(max_examples=6, deadline=None)
@given(values=st.lists(DECIMALS, min_size=10, max_size=60))
def test_decimals_survive_the_way_in(
    build_file: duckdb.DuckDBPyConnection, write: Callable[[Path, list[Decimal]], None], values: list[Decimal]
) -> None:
    with TemporaryDirectory() as folder:
        write(Path(folder), values)
        loaded = load_table(build_file, Path(folder), table("ledger_entries"), date(2026, 1, 9), "run")
    assert loaded.issues == 0, issues(build_file)
    arrived = build_file.execute("select amount from incoming.ledger_entries order by source_row").fetchall()
    assert [amount for (amount,) in arrived] == values


def test_json_numbers_keep_their_text_whatever_stands_around_them(
    connection: duckdb.DuckDBPyConnection, zone: Zone
) -> None:
    plain = json.dumps(entry("1", amount="AMOUNT"))
    lines = [
        plain.replace('"AMOUNT"', "0.123456789012345678"),
        plain.replace('"AMOUNT"', "1234567890123456789.5").replace('"1"', '"2"', 1),
        # A nested object with a key of the same name before the real one.
        plain.replace('"AMOUNT"', "0.100000000000000001")
        .replace('"1"', '"3"', 1)
        .replace("{", '{"extra": {"amount": 0.3, "x": [1, {"amount": 2}]}, ', 1),
        # A key written with an escape.
        plain.replace('"AMOUNT"', "0.100000000000000002")
        .replace('"1"', '"4"', 1)
        .replace('"amount"', '"\\u0061mount"'),
        plain.replace('"AMOUNT"', "1E-18").replace('"1"', '"5"', 1).replace('": ', '"  :\t'),
        plain.replace('"AMOUNT"', "123456789012345678901").replace('"1"', '"6"', 1),
    ]
    relative = f"ledger_entries/date={DAY}/a.jsonl"
    zone.write(relative, "\r\n".join(lines))
    loaded = load(connection, zone, "ledger_entries")
    assert issues(connection) == [
        (relative, 6, "amount", "123456789012345678901", "more than 20 digits before the point")
    ]
    arrived = query(
        connection, "select entry_id, amount from incoming.ledger_entries where amount is not null order by 1"
    )
    assert [row["amount"] for row in arrived] == [
        Decimal("0.123456789012345678"),
        Decimal("1234567890123456789.5"),
        Decimal("0.100000000000000001"),
        Decimal("0.100000000000000002"),
        Decimal("1e-18"),
    ]
    assert loaded.notices == (f"{relative}: unknown columns left out: extra",)


GOOD_PARQUET_AMOUNTS = {
    "1.5::decimal(4,1)": "1.5",
    "0.123456789012345678::decimal(18,18)": "0.123456789012345678",
    "0.1234567890123456780::decimal(20,19)": "0.123456789012345678",
    "7::tinyint": "7",
    "18446744073709551615::ubigint": "18446744073709551615",
    "'1e-18'": "1e-18",
}
BAD_PARQUET_AMOUNTS = {
    "0.1::double": "delivered as a binary float (DOUBLE), which isn't exact",
    "0.5::float": "delivered as a binary float (FLOAT), which isn't exact",
    "0.1234567890123456789::decimal(20,19)": "more than 18 decimal places",
    "100000000000000000000::decimal(38,0)": "more than 20 digits before the point",
    "'much'": "not a decimal number",
    "true": "delivered as BOOLEAN",
}


def parquet_entry(**columns: str) -> str:
    """A query for one ledger entry; columns are SQL."""
    expressions = {name: "null::varchar" if value is None else f"'{value}'" for name, value in entry("1").items()}
    return "select " + ", ".join(f"{value} as {name}" for name, value in (expressions | columns).items())


@pytest.mark.parametrize(("expression", "expected"), GOOD_PARQUET_AMOUNTS.items())
def test_parquet_amounts_of_exact_types(
    connection: duckdb.DuckDBPyConnection, zone: Zone, expression: str, expected: str
) -> None:
    zone.parquet("ledger_entries", parquet_entry(amount=expression))
    assert load(connection, zone, "ledger_entries").issues == 0
    assert query(connection, "select amount from incoming.ledger_entries") == [{"amount": Decimal(expected)}]


@pytest.mark.parametrize(("expression", "problem"), BAD_PARQUET_AMOUNTS.items())
def test_parquet_amounts_that_are_not_exact(
    connection: duckdb.DuckDBPyConnection, zone: Zone, expression: str, problem: str
) -> None:
    relative = zone.parquet("ledger_entries", parquet_entry(amount=expression))
    load(connection, zone, "ledger_entries")
    assert [(file, line, column, why) for file, line, column, _, why in issues(connection)] == [
        (relative, 1, "amount", problem)
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("33.3::double", "33.3"),
        ("0.1::float", "0.1"),
        ("1e-7::double", "0.0000001"),
        ("1.2e-20::double", "0"),
        ("'nan'::double", None),
    ],
)
def test_percentages_and_statistics_may_be_floats(
    connection: duckdb.DuckDBPyConnection, zone: Zone, expression: str, expected: str | None
) -> None:
    zone.parquet(
        "market_depth",
        f"select 'XT' as asset, timestamp '2026-01-05' as as_of, 1 as bid_depth_2pct_usd, 2 as volume_30d_avg_usd,"
        f" {expression} as volatility_30d, 'x' as source",
    )
    zone.parquet(
        "entity_links",
        f"select 'p' as parent_entity_id, 'c' as child_entity_id, 'ownership' as link_type, {expression} as"
        " ownership_pct, '2026-01-01' as valid_from, null::varchar as valid_to, '2026-01-01' as recorded_at",
    )
    issues_found = load(connection, zone, "market_depth").issues, load(connection, zone, "entity_links").issues
    assert issues_found == ((0, 0) if expected else (1, 1))
    wanted = None if expected is None else Decimal(expected)
    assert query(connection, "select volatility_30d from incoming.market_depth") == [{"volatility_30d": wanted}]
    assert query(connection, "select ownership_pct from incoming.entity_links") == [{"ownership_pct": wanted}]


def test_an_all_null_float_column_holds_nothing_inexact(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.parquet(
        "token_prices",
        "select 'BTC' as asset, 1::decimal(38,18) as price_usd, null::double as volume_usd,"
        " timestamp '2026-01-05' as as_of, 'x' as source",
    )
    assert load(connection, zone, "token_prices").issues == 0


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("timestamp '2026-01-05 10:00:00'", "2026-01-05 10:00:00"),
        ("timestamptz '2026-01-05 10:00:00+02'", "2026-01-05 08:00:00"),
        ("date '2026-01-05'", "2026-01-05 00:00:00"),
        ("timestamp_ms '2026-01-05 10:00:00.5'", "2026-01-05 10:00:00.5"),
        ("timestamp_ns '2026-01-05 23:59:59.999999999'", "2026-01-05 23:59:59.999999"),
        ("'2026-01-05T10:00:00+02:00'", "2026-01-05 08:00:00"),
    ],
)
def test_parquet_times(connection: duckdb.DuckDBPyConnection, zone: Zone, expression: str, expected: str) -> None:
    connection.execute("set TimeZone = 'Asia/Tokyo'")
    zone.parquet("ledger_entries", parquet_entry(effective_at=expression))
    assert load(connection, zone, "ledger_entries").issues == 0
    rows = query(connection, "select cast(effective_at as varchar) as effective_at from incoming.ledger_entries")
    assert rows == [{"effective_at": expected}]


def test_parquet_integers_for_times_are_refused(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    relative = zone.parquet("ledger_entries", parquet_entry(effective_at="1767571200000::bigint"))
    load(connection, zone, "ledger_entries")
    assert issues(connection) == [(relative, 1, "effective_at", "1767571200000", "delivered as BIGINT")]
