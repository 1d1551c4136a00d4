"""Keys declared beside the models: each declaration is read, and what doesn't hold is named."""

from __future__ import annotations

import duckdb
import pytest

from orchestration.warehouse.dbt import KEY_TESTS, DbtError, manifest, manifest_as_json
from orchestration.warehouse.keys import Key, declared_keys, require_keys

PAIR = Key("model.p.balance", "marts", "balance", ("as of", "asset"), counts_nulls=True)
SINGLE = Key("model.p.balance", "marts", "balance", ("row_id",), counts_nulls=False)


def key_tests() -> list[dict]:
    nodes = manifest_as_json()["nodes"].values()
    return [node for node in nodes if (node.get("test_metadata") or {}).get("name") in KEY_TESTS]


@pytest.fixture
def balances() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute('create schema marts; create table marts.balance ("as of" date, asset varchar, row_id integer)')
    connection.execute("insert into marts.balance values ('2022-01-01', 'BTC', 1), ('2022-01-02', 'BTC', null)")
    connection.execute("insert into marts.balance values ('2022-01-01', null, null)")
    return connection


def test_every_declaration_is_a_key() -> None:
    declared = declared_keys(manifest_as_json())
    assert len(declared) == len(key_tests()) > 100
    assert len({key.node for key in declared if key.schema == "marts"}) > 30
    coverage = next(key for key in declared if key.relation == "fct_reserve_coverage_daily")
    assert (coverage.columns, coverage.counts_nulls) == (("as_of_date", "in_kind_group"), True)
    (seed,) = [key for key in declared if key.schema == "seeds"]
    assert (seed.relation, seed.columns, seed.counts_nulls) == ("dead_asset_price", ("asset",), False)


def test_no_declaration_says_more_than_its_columns() -> None:
    """A condition or a milder severity would be lost on the way."""
    for test in key_tests():
        config = test["config"]
        said = [config[name] for name in ("where", "limit", "warn_if", "error_if", "severity", "enabled")]
        assert said == [None, None, "!= 0", "!= 0", "ERROR", True], test["name"]


def test_dbt_is_asked_for_the_tests_that_no_key_stands_for() -> None:
    asked = {node.name for node in manifest().nodes.values() if node.resource_type == "test"}
    assert {"balances_reach_liabilities", "not_null_dead_asset_price_reason"} <= asked
    assert not asked & {node["name"] for node in key_tests()}


def test_keys_that_hold_pass(balances: duckdb.DuckDBPyConnection) -> None:
    require_keys(balances, [PAIR, SINGLE])


def test_rows_of_one_key_are_counted_and_the_table_and_columns_named(balances: duckdb.DuckDBPyConnection) -> None:
    balances.execute("insert into marts.balance values ('2022-01-02', 'BTC', 1), ('2022-01-02', 'BTC', 7)")
    with pytest.raises(DbtError) as raised:
        require_keys(balances, [PAIR, SINGLE])
    assert str(raised.value) == (
        "2 of 2 keys don't hold: marts.balance (as of, asset): 1 values occur more than once;"
        " marts.balance (row_id): 1 values occur more than once"
    )


def test_nulls_are_values_of_a_combination_but_not_of_a_single_column(balances: duckdb.DuckDBPyConnection) -> None:
    balances.execute("insert into marts.balance values ('2022-01-01', null, null)")
    require_keys(balances, [SINGLE])
    with pytest.raises(DbtError, match=r"1 of 1 keys don't hold: marts\.balance \(as of, asset\)"):
        require_keys(balances, [PAIR])
