"""A claims schedule and prices become a landing zone: exact, balanced, every line accounted for."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orchestration.contract import DATED_TABLES, REFERENCE_TABLES
from orchestration.errors import ConfigurationError
from orchestration.imports.amounts import EXACT
from orchestration.imports.claims_schedule import ImportOptions, ImportSummary, import_claims_schedule
from tests.imports import small_schedule

DAY = date(2022, 11, 11)
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SHARED_SCHEDULE = SHARED_DATA / "ftx" / "customer_schedule_sample.csv"
SHARED_PRICES = SHARED_DATA / "prices" / "daily_close_2021_2022-10.csv"


def rows(landing: Path, table: str) -> list[dict[str, Any]]:
    """Rows of a table of a landing zone."""
    return [row for path in sorted((landing / table).rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def run_import(
    tmp_path: Path, schedule: str = small_schedule.SCHEDULE, prices: str = small_schedule.PRICES, **arguments: Any
) -> ImportSummary:
    """Import the texts into ``tmp_path``/landing."""
    (tmp_path / "schedule.csv").write_text(schedule, encoding="utf-8")
    (tmp_path / "prices.csv").write_text(prices, encoding="utf-8")
    return import_claims_schedule(
        tmp_path / "schedule.csv", tmp_path / "prices.csv", DAY, tmp_path / "landing", **arguments
    )


def test_the_filed_layout_with_all_its_oddities(tmp_path: Path) -> None:
    summary = run_import(tmp_path, options=ImportOptions(own_tokens=("FTT",)))
    landing = tmp_path / "landing"
    snapshots = {(row["account_id"], row["asset"]): row["balance"] for row in rows(landing, "balance_snapshots")}
    assert snapshots == small_schedule.BALANCES
    entries = rows(landing, "ledger_entries")
    moved = {(row["account_id"], row["asset"]): row["amount"] for row in entries if "external" not in row["account_id"]}
    assert moved == {key: amount for key, amount in small_schedule.BALANCES.items() if amount}
    assert [(reject.line, reject.text) for reject in summary.rejects] == small_schedule.REFUSED
    assert (summary.layout, summary.customers, summary.balances) == ("filed", 10, len(small_schedule.BALANCES))
    assert (summary.negative_balances, summary.zero_balances, summary.derivative_balances) == (6, 2, 1)
    assert summary.summed == (("00000102", "USD", 2),)


def test_every_line_is_counted_once_and_refused_ones_are_on_file(tmp_path: Path) -> None:
    summary = run_import(tmp_path)
    assert summary.lines_total == small_schedule.SCHEDULE.count("\n")
    counted = summary.lines_read + summary.lines_heading + summary.lines_furniture + summary.lines_blank
    assert counted + summary.lines_rejected == summary.lines_total
    assert (summary.lines_heading, summary.lines_furniture, summary.lines_blank) == (3, 2, 1)
    with summary.rejects_file.open(encoding="utf-8", newline="") as stream:
        listed = list(csv.DictReader(stream))
    assert summary.rejects_file == tmp_path / "landing" / "import_rejects.csv"
    assert [(int(row["line"]), row["text"]) for row in listed] == small_schedule.REFUSED
    assert all(row["file"] == "schedule.csv" and row["reason"] for row in listed)
    assert "REFUSED: 3" in "\n".join(summary.text_lines())


def test_rejects_of_schedule_and_prices_go_where_asked(tmp_path: Path) -> None:
    rejects = tmp_path / "refused.csv"
    summary = run_import(tmp_path, prices="asset,price\nBTC,17034.3\nETH,?\n", rejects=rejects)
    assert summary.rejects_file == rejects
    assert not (tmp_path / "landing" / "import_rejects.csv").exists()
    assert rejects.read_text(encoding="utf-8").splitlines()[-1] == "prices.csv,3,\"ETH,?\",''?' is not a number"


def test_double_entry_and_references(tmp_path: Path) -> None:
    run_import(tmp_path)
    landing = tmp_path / "landing"
    entries = rows(landing, "ledger_entries")
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in entries:
        sums[entry["transaction_id"], entry["asset"]] = EXACT.add(
            sums[entry["transaction_id"], entry["asset"]], entry["amount"]
        )
    assert set(sums.values()) == {Decimal(0)}
    assert {entry["entry_type"] for entry in entries} == {"opening"}
    assert len({entry["entry_id"] for entry in entries}) == len(entries)
    accounts = {row["account_id"]: row for row in rows(landing, "accounts")}
    entities = {row["entity_id"]: row["entity_type"] for row in rows(landing, "entities")}
    external = [row for row in accounts.values() if row["account_class"] == "external"]
    assert [entities[row["entity_id"]] for row in external] == ["operator"]
    assert all(
        entities[row["entity_id"]] == "customer" for row in accounts.values() if row["account_class"] != "external"
    )
    assert {entry["account_id"] for entry in entries} <= set(accounts)
    assert {row["asset"] for row in rows(landing, "tokens")} == {asset for _, asset in small_schedule.BALANCES}


def test_times_stay_within_the_day(tmp_path: Path) -> None:
    run_import(tmp_path)
    landing = tmp_path / "landing"
    for entry in rows(landing, "ledger_entries"):
        assert entry["effective_at"] == entry["recorded_at"] == datetime(2022, 11, 11)
    assert {row["as_of"] for row in rows(landing, "balance_snapshots")} == {datetime(2022, 11, 11, 23, 59, 59)}
    for table in ("entities", "accounts"):
        assert {row["recorded_at"] for row in rows(landing, table)} == {datetime(2022, 11, 11)}


def test_the_layout_of_the_landing_zone(tmp_path: Path) -> None:
    run_import(tmp_path)
    landing = tmp_path / "landing"
    expected = {f"{table.name}/{table.name}.parquet" for table in REFERENCE_TABLES}
    expected |= {f"{table.name}/date=2022-11-11/{table.name}.parquet" for table in DATED_TABLES if table.required_daily}
    found = {path.relative_to(landing).as_posix() for path in landing.rglob("*") if path.is_file()}
    assert found == expected | {"import_rejects.csv"}
    assert rows(landing, "wallets") == rows(landing, "wallet_balances") == []
    for table in REFERENCE_TABLES:
        path = landing / table.name / f"{table.name}.parquet"
        assert pq.read_schema(path).names == list(table.column_names)


def test_prices_are_the_last_known_and_none_is_made_up(tmp_path: Path) -> None:
    summary = run_import(tmp_path)
    prices = {row["asset"]: (row["price_usd"], row["as_of"]) for row in rows(tmp_path / "landing", "token_prices")}
    assert prices == {
        "BTC": (Decimal("17034.3"), datetime(2022, 11, 11, 23, 59, 59)),
        "ETH": (Decimal("1287.2"), datetime(2022, 11, 11, 23, 59, 59)),
        "FTT": (Decimal("2.5221"), datetime(2022, 11, 11, 23, 59, 59)),
        "USDT": (Decimal("0.99912345"), datetime(2022, 11, 11, 23, 59, 59)),
        "DOGE": (Decimal("0.1276"), datetime(2022, 10, 31, 23, 59, 59)),
    }
    assert summary.priced_assets == ("BTC", "DOGE", "ETH", "FTT", "USD", "USDT")
    assert "XRP" in summary.unpriced_assets
    assert summary.oldest_price == datetime(2022, 10, 31, 23, 59, 59)


def test_classes_of_assets_and_options(tmp_path: Path) -> None:
    options = ImportOptions(own_tokens=("FTT",), redeemable=("USDT",), operator="ftx-trading")
    run_import(tmp_path, options=options, cross_margined=False)
    landing = tmp_path / "landing"
    tokens = {row["asset"]: row for row in rows(landing, "tokens")}
    classes = {asset: row["asset_class"] for asset, row in tokens.items()}
    assert classes.pop("FTT") == "exchange_token"
    assert tokens["FTT"]["issuer_entity_id"] == "ftx-trading"
    assert {asset for asset, row in tokens.items() if row["issuer_entity_id"]} == {"FTT"}
    assert {asset: row["in_kind_group"] for asset, row in tokens.items() if row["in_kind_group"]} == {"USDT": "USD"}
    assert {asset for asset, class_ in classes.items() if class_ == "crypto"} == {
        "BTC",
        "ETH",
        "DOGE",
        "XRP",
        "BTT",
        "TRUMP2024",
    }
    assert (classes["USD"], classes["USDT"]) == ("fiat", "stablecoin")
    assert classes["BTC-PERP"] == classes["NFT (123)"] == classes["SRM_LOCKED"] == "other"
    account_classes = {row["account_class"] for row in rows(landing, "accounts")}
    assert account_classes == {"external", "spot"}


def test_accounts_are_cross_margined_by_default(tmp_path: Path) -> None:
    run_import(tmp_path)
    assert {row["account_class"] for row in rows(tmp_path / "landing", "accounts")} == {"external", "margin"}


@pytest.mark.parametrize(
    "text",
    [
        "account_ref,asset,balance\nA1,BTC,1.5000000000000000\nA1,BTC,-0.5\nA2,USD,-758.45209505027015980000000000\n",
        "Customer Code;Coin;Amount\nA1;BTC;1\n\nCustomer Code;Coin;Amount\nA2;USD;-758.4520950502701598\n",
        'Asset,Note,Account ID,Quantity\nBTC,"x, y",A1,1e0\nUSD,,A2,-7.584520950502701598E2\n',
        "\ufeffaccount\ttoken\tbalance\r\nA1\tBTC\t1\r\nA2\tUSD\t-758.4520950502701598\r\n",
    ],
)
def test_tables_with_tolerant_headers(tmp_path: Path, text: str) -> None:
    summary = run_import(tmp_path, text)
    found = {
        (row["account_id"], row["asset"]): row["balance"] for row in rows(tmp_path / "landing", "balance_snapshots")
    }
    assert found == {("A1", "BTC"): Decimal(1), ("A2", "USD"): Decimal("-758.4520950502701598")}
    assert (summary.layout, summary.rejects) == ("table", ())


def test_rows_of_a_table_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    text = "account,asset,balance\nA1,BTC\n,BTC,1\nA1,,1\nA1,BTC,x\nA1,BTC,\nA1,BTC,1\nA1,ETH,NaN\n"
    summary = run_import(tmp_path, text)
    assert [(reject.line, reject.reason.split(":")[0]) for reject in summary.rejects] == [
        (2, "the row has 2 cells and the header 3"),
        (3, "the account is missing"),
        (4, "the asset is missing"),
        (5, "'x' is not a number"),
        (6, "the amount is missing"),
        (8, "'NaN' is not a number"),
    ]


def test_a_stray_quote_costs_its_own_row_only(tmp_path: Path) -> None:
    summary = run_import(tmp_path, 'account,asset,balance\nA1,"BTC,1\nA2,ETH,2\n')
    assert [reject.line for reject in summary.rejects] == [2]
    assert summary.balances == 1


def test_a_gzip_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "schedule.csv.gz").write_bytes(gzip.compress(small_schedule.SCHEDULE.encode(), mtime=0))
    (tmp_path / "prices.csv").write_text(small_schedule.PRICES, encoding="utf-8")
    summary = import_claims_schedule(tmp_path / "schedule.csv.gz", tmp_path / "prices.csv", DAY, tmp_path / "landing")
    assert summary.balances == len(small_schedule.BALANCES)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "schedule.csv is empty"),
        (" \n\n", "schedule.csv is empty"),
        ("account_ref,balance\nA1,5\n", "line 1: the header has no column asset (or token, coin, currency, ticker)"),
        ("some,other,table\n1,2,3\n", "schedule.csv is no claims schedule"),
        ("account,asset,balance\n", "holds no balance that can be read; correct the file"),
        ("account,asset,balance\nA1,BTC,x\n", "holds no balance that can be read; line 2: 'x' is not a number"),
        ("account,asset,balance\noperator-external,BTC,1\n", "lists an account operator-external"),
        ("account,asset,balance\nA1,BTC,9e19\nA2,BTC,-9e19\n", "the balances in BTC add up to 180000000000000000000"),
    ],
)
def test_files_that_are_no_schedules(tmp_path: Path, schedule: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run_import(tmp_path, schedule)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "landing").exists()


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        import_claims_schedule(tmp_path / "none.csv", tmp_path / "prices.csv", DAY, tmp_path / "landing")
    (tmp_path / "wide.csv").write_bytes("account,asset,balance\n".encode("utf-16"))
    with pytest.raises(ConfigurationError, match="UTF-16"):
        import_claims_schedule(tmp_path / "wide.csv", tmp_path / "prices.csv", DAY, tmp_path / "landing")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "mine.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="isn't empty"):
        run_import(tmp_path)
    assert [path.name for path in (tmp_path / "landing").iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    run_import(tmp_path)
    assert (tmp_path / "landing" / "tokens" / "tokens.parquet").is_file()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        run_import(tmp_path / name)
        landing = tmp_path / name / "landing"
        files = sorted(path for path in landing.rglob("*") if path.is_file())
        digests.append(
            [(path.relative_to(landing).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
        )
    assert digests[0] == digests[1]


@pytest.mark.skipif(not SHARED_SCHEDULE.is_file(), reason="the shared data folder is absent")
def test_the_shared_sample_agrees_with_a_plain_re_computation(tmp_path: Path) -> None:
    summary = import_claims_schedule(SHARED_SCHEDULE, SHARED_PRICES, DAY, tmp_path / "landing")
    with SHARED_SCHEDULE.open(encoding="utf-8", newline="") as stream:
        listed = list(csv.DictReader(stream))
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in listed:
        expected[row["asset"]] = EXACT.add(expected[row["asset"]], Decimal(row["balance"]))
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows(tmp_path / "landing", "ledger_entries"):
        if row["account_id"] != "operator-external":
            found[row["asset"]] = EXACT.add(found[row["asset"]], row["amount"])
    assert found == expected
    assert (summary.customers, summary.balances, summary.assets, summary.negative_balances) == (1980, 4852, 193, 73)
    assert summary.rejects == ()
    assert len(rows(tmp_path / "landing", "balance_snapshots")) == 4852
    assert len(summary.priced_assets) == 19
