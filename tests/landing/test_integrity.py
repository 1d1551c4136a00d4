"""Each integrity check finds its fault, on the right subject and day, and nothing else; healthy deliveries pass."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal

import pytest

from orchestration.landing import collect_source_rows
from orchestration.landing.schemas import show_accepted
from tests.landing.integrity import DAYS, Books, pair, price, snapshot
from tests.landing.zone import account, entry, query

FIRST, SECOND, THIRD = DAYS


def test_healthy_deliveries_have_no_finding_in_one_run_or_day_by_day(books: Books) -> None:
    for day in DAYS:
        assert books.run(day) == set()
    assert len(books.raw("ledger_entries")) == 6
    assert books.run(THIRD) == set(), "nothing new"


def test_a_range_accepts_the_same_rows_as_its_days(books: Books) -> None:
    assert books.run(THIRD) == set()
    at_once = {name: books.raw(name) for name in ("ledger_entries", "accounts", "token_prices")}
    for name in at_once:
        books.connection.execute(f"delete from delivered.{name}")
    books.connection.execute("delete from audit.load")
    show_accepted(books.connection)
    for day in DAYS:
        books.run(day)
    assert {name: books.raw(name) for name in at_once} == at_once


def test_a_bad_value_refuses_everything_and_is_the_only_finding(books: Books) -> None:
    books.run(FIRST)
    bad = [*pair("t1", SECOND), entry("odd", "much", SECOND, account_id="alice")]
    file = books.zone.rows("ledger_entries", bad, SECOND)
    assert books.run(SECOND) == {("schema_conforms", SECOND, file, None)}
    row = books.found[0]
    assert row["message"] == (
        f"{file}, line 4, column amount: not a decimal number: 'much'; expected a decimal number with at most 20"
        " digits before and 18 after the point."
    )
    assert len(books.raw("ledger_entries")) == 2, "nothing of the day was accepted"
    assert query(books.connection, "select count(*) as rows from incoming.ledger_entries") == [{"rows": 0}]
    outcomes = query(
        books.connection, "select distinct outcome from audit.load where run_id = 'run-2' order by outcome"
    )
    assert outcomes == [{"outcome": "discarded"}]
    books.zone.rows("ledger_entries", pair("t1", SECOND), SECOND)
    assert books.run(SECOND) == set()
    assert len(books.raw("ledger_entries")) == 4


@pytest.mark.parametrize("damage", ["reference", "ledger", "reference row"])
def test_a_damaged_file_has_no_findings_in_its_wake(books: Books, damage: str) -> None:
    """A leg in a file that can't be read, an account in one: what isn't known isn't reported."""
    books.run(FIRST)
    if damage == "reference":
        books.zone.rows("ledger_entries", pair("new", SECOND), SECOND, file="b.csv")
        file = "accounts/a.csv"
        books.zone.write(file, b"\xff\xfe")
    elif damage == "reference row":
        file = books.zone.rows("accounts", [account("alice"), account("bob"), account("carl", account_class="x")])
        books.zone.rows("ledger_entries", [entry("c", "0", SECOND, account_id="carl")], SECOND, file="b.csv")
        # carl's entity is unknown too, but that is for the next run to say if it's still so
        books.zone.rows("entities", [person("alice"), person("bob"), person("carl")], file="a.jsonl")
    else:
        legs = pair("t1", SECOND)
        books.zone.rows("ledger_entries", legs[:1], SECOND)
        file = f"ledger_entries/date={SECOND}/b.csv"
        books.zone.write(file, "entry_id,transaction_id\nt1-b,t1,oops\n")
    found = books.run(SECOND)
    assert {(check, subject) for check, _, subject, _ in found} == {("schema_conforms", file)}


def person(name: str) -> dict[str, str | None]:
    return {
        "entity_id": f"e-{name}",
        "entity_type": "customer",
        "name": name,
        "country": "XX",
        "recorded_at": "2026-01-01T00:00:00Z",
    }


def test_the_same_rows_delivered_again_count_once(books: Books) -> None:
    books.zone.rows("ledger_entries", [*pair("t0", FIRST), *pair("t0", FIRST)], FIRST)
    books.zone.rows("ledger_entries", pair("t0", FIRST), FIRST, file="copy.jsonl")
    books.zone.rows("ledger_entries", [*pair("t1", SECOND), *pair("t0", FIRST)], SECOND)
    assert books.run(THIRD) == set()
    rows = {row["entry_id"]: str(row["partition_date"]) for row in books.raw("ledger_entries")}
    assert rows["t0-a"] == FIRST
    assert len(rows) == len(books.raw("ledger_entries")) == 6


def test_a_row_delivered_for_an_earlier_day_later_on_is_that_days(books: Books) -> None:
    books.zone.rows("ledger_entries", [*pair("t1", SECOND), *pair("late", FIRST)], SECOND)
    books.run(SECOND)
    books.zone.rows("ledger_entries", pair("late", FIRST), FIRST, file="b.csv")
    assert books.run(SECOND) == set()
    late = [row for row in books.raw("ledger_entries") if row["transaction_id"] == "late"]
    assert {(str(row["partition_date"]), row["source_file"]) for row in late} == {
        (FIRST, f"ledger_entries/date={FIRST}/b.csv")
    }
    assert books.run(SECOND) == set()


def test_days_out_of_order(books: Books) -> None:
    hidden = books.zone.path / "hidden"
    for name in ("ledger_entries", "balance_snapshots", "wallet_balances", "token_prices"):
        shutil.move(books.zone.path / name / f"date={SECOND}", hidden / name)
    assert {check for check, *_ in books.run(THIRD)} == {"arrivals_complete"}
    for name in ("ledger_entries", "balance_snapshots", "wallet_balances", "token_prices"):
        shutil.move(hidden / name, books.zone.path / name / f"date={SECOND}")
    hidden.rmdir()
    assert books.run(THIRD) == set()
    assert len(books.raw("ledger_entries")) == 6


def test_one_key_with_two_contents_in_one_delivery(books: Books) -> None:
    rows = pair("t1", SECOND)
    books.zone.rows("ledger_entries", [*rows, rows[0] | {"memo": "other"}], SECOND)
    assert books.run(SECOND) == {("keys_unique", SECOND, "t1-a", "BTC")}
    assert books.found[0]["observed"] == "2 contents: memo null / other"


def test_one_key_with_two_contents_is_dated_by_the_later_delivery(books: Books) -> None:
    books.run(FIRST)
    books.zone.rows("token_prices", [price(SECOND), price(FIRST, "101")], SECOND)
    found = books.run(SECOND)
    assert found == {("keys_unique", SECOND, f"BTC|{FIRST}T12:00:00Z|market", "BTC")}
    assert books.found[0]["observed"] == "2 contents: price_usd 100 / 101"


def test_two_contents_in_two_partitions_of_one_run(books: Books) -> None:
    changed = [row | {"memo": "x"} for row in pair("t0", FIRST)]
    books.zone.rows("ledger_entries", [*pair("t2", THIRD), *changed, *changed], THIRD, file="a.csv")
    assert books.run(THIRD) == {("keys_unique", THIRD, "t0-a", "BTC"), ("keys_unique", THIRD, "t0-b", "BTC")}


def test_versions_of_a_reference_row_are_no_conflict_but_one_version_with_two_contents_is(books: Books) -> None:
    later = account("bob", "2026-01-02T00:00:00Z", account_class="margin")
    books.zone.rows("accounts", [account("alice"), account("bob"), later])
    assert books.run(SECOND) == set()
    assert len(books.raw("accounts")) == 3
    books.zone.rows("accounts", [account("alice"), account("bob"), later, later | {"label": "x"}])
    assert books.run(THIRD) == {("keys_unique", THIRD, "bob", None)}


def test_keys_with_null_parts_are_compared_as_keys(books: Books) -> None:
    figure: dict[str, str | None] = {
        "figure": "revenue",
        "line": None,
        "asset": None,
        "amount": "10",
        "period_start": "2026-01-01",
        "period_end": "2026-01-02",
        "published_at": "2026-01-02",
    }
    books.zone.rows("reported_figures", [figure, figure], SECOND)
    assert books.run(SECOND) == set()
    books.zone.rows("reported_figures", [figure], THIRD)
    assert books.run(THIRD) == set()
    assert len(books.raw("reported_figures")) == 1
    books.zone.rows("reported_figures", [figure | {"amount": "11"}], THIRD)
    key = "revenue|||2026-01-01 00:00:00Z|2026-01-02 00:00:00Z|2026-01-02 00:00:00Z".replace(" ", "T")
    assert books.run(THIRD) == {("keys_unique", THIRD, key, None)}


@pytest.mark.parametrize(("column", "value", "asset"), [("account_id", "nobody", "BTC"), ("asset", "DOGE", "DOGE")])
def test_a_reference_to_nothing(books: Books, column: str, value: str, asset: str) -> None:
    legs = [row | {column: value} for row in pair("t1", SECOND)]
    books.zone.rows("ledger_entries", legs, SECOND)
    found = books.run(SECOND)
    assert found == {("references_resolve", SECOND, "t1-a", asset), ("references_resolve", SECOND, "t1-b", asset)}
    assert {row["observed"] for row in books.found} == {f"{column} {value}"}


def test_a_reference_between_reference_tables(books: Books) -> None:
    books.zone.rows("accounts", [account("alice"), account("bob"), account("carl")])
    assert books.run(SECOND) == {("references_resolve", SECOND, "carl", None)}


def test_a_null_reference_refers_to_nothing_and_needs_nothing(books: Books) -> None:
    transfer: dict[str, str | None] = {
        "transfer_id": "x",
        "wallet_id": "w",
        "asset": "BTC",
        "amount": "1",
        "transfer_type": "other",
        "block_time": f"{SECOND}T01:00:00Z",
        "recorded_at": f"{SECOND}T01:10:00Z",
    }
    books.zone.rows("wallet_transfers", [transfer], SECOND)
    assert books.run(SECOND) == set()
    books.zone.rows("wallet_transfers", [transfer | {"transfer_id": "y", "counterparty_wallet_id": "?"}], THIRD)
    assert books.run(THIRD) == {("references_resolve", THIRD, "y", "BTC")}


def test_what_is_known_later_is_checked_when_it_is_known(books: Books) -> None:
    """An entry recorded after the run's knowledge isn't there yet; a row recorded too late can't be referred to."""
    early = [row | {"recorded_at": f"{SECOND}T00:10:00Z", "account_id": "carl"} for row in pair("night", FIRST)]
    books.zone.rows("ledger_entries", [*pair("t0", FIRST), *early], FIRST)
    assert books.run(FIRST) == set()
    assert len(books.raw("ledger_entries")) == 4
    expected = {("references_resolve", FIRST, "night-a", "BTC"), ("references_resolve", FIRST, "night-b", "BTC")}
    assert books.run(SECOND) == expected
    assert books.run(SECOND) == expected, "until the account is delivered"
    people = [person("alice"), person("bob"), person("carl")]
    books.zone.rows("entities", people, file="a.jsonl")
    carl = account("carl", f"{THIRD}T00:00:00Z")
    books.zone.rows("accounts", [account("alice"), account("bob"), carl])
    assert books.run(SECOND) == expected, "recorded on the third day: not known on the second"
    books.zone.rows("accounts", [account("alice"), account("bob"), carl | {"recorded_at": f"{SECOND}T00:00:00Z"}])
    assert books.run(SECOND) == set()


def test_legs_recorded_on_both_sides_of_midnight_balance(books: Books) -> None:
    first, second = pair("midnight", FIRST)
    second["recorded_at"] = f"{SECOND}T00:00:01Z"
    books.zone.rows("ledger_entries", [*pair("t0", FIRST), first, second], FIRST)
    assert books.run(FIRST) == set()


def test_missing_days_and_empty_days(books: Books) -> None:
    shutil.rmtree(books.zone.path / "balance_snapshots" / f"date={SECOND}")
    books.zone.rows("token_prices", [], SECOND)
    books.zone.rows("ledger_entries", [], THIRD, file="a.csv")
    assert books.run(THIRD) == {("arrivals_complete", SECOND, "balance_snapshots", None)}


def test_a_folder_without_a_data_file_is_no_arrival(books: Books) -> None:
    for path in (books.zone.path / "wallet_balances" / f"date={SECOND}").iterdir():
        path.rename(path.with_suffix(".txt"))
    assert books.run(SECOND) == {("arrivals_complete", SECOND, "wallet_balances", None)}


@pytest.mark.parametrize("amount", ["1.000000000000000001", "0.999999999999999999", "99999999999999999999"])
def test_a_transaction_out_of_balance_by_whatever(books: Books, amount: str) -> None:
    first, second = pair("t1", SECOND)
    books.zone.rows("ledger_entries", [first | {"amount": amount}, second], SECOND)
    assert books.run(SECOND) == {("ledger_balances", SECOND, "t1", "BTC")}
    assert Decimal(books.found[0]["observed"]) == Decimal(amount) - 1


def test_balance_is_per_asset_and_sums_beyond_the_type_are_sums_all_the_same(books: Books) -> None:
    huge = "99999999999999999999.999999999999999999"
    books.zone.rows("tokens", [{"asset": "BTC", "asset_class": "crypto"}, {"asset": "USD", "asset_class": "fiat"}])
    legs = [entry(f"h{n}", sign + huge, SECOND, transaction_id="huge") for n, sign in enumerate(["", "", "-", "-"])]
    mixed = [
        entry("m1", "5", SECOND, transaction_id="mixed"),
        entry("m2", "-5", SECOND, transaction_id="mixed", asset="USD"),
    ]
    books.zone.rows("ledger_entries", [*legs, *mixed], SECOND)
    assert books.run(SECOND) == {
        ("ledger_balances", SECOND, "mixed", "BTC"),
        ("ledger_balances", SECOND, "mixed", "USD"),
    }
    books.zone.rows("ledger_entries", legs[:2], SECOND)
    assert books.run(SECOND) == {("ledger_balances", SECOND, "huge", "BTC")}


def test_a_leg_that_comes_a_day_late_completes_the_transaction(books: Books) -> None:
    first, second = pair("split", FIRST)
    books.zone.rows("ledger_entries", [*pair("t0", FIRST), first], FIRST)
    assert books.run(FIRST) == {("ledger_balances", FIRST, "split", "BTC")}
    books.zone.rows("ledger_entries", [*pair("t1", SECOND), second], SECOND)
    assert books.run(SECOND) == set()


def test_a_leg_added_to_an_accepted_transaction_unbalances_it(books: Books) -> None:
    books.run(FIRST)
    books.zone.rows("ledger_entries", [*pair("t1", SECOND), entry("more", "1", SECOND, transaction_id="t0")], SECOND)
    assert books.run(SECOND) == {("ledger_balances", SECOND, "t0", "BTC")}


def test_a_partition_that_grew_is_read_again(books: Books) -> None:
    books.run(FIRST)
    books.zone.rows("ledger_entries", [*pair("t0", FIRST), *pair("late", FIRST)], FIRST)
    assert books.run(FIRST) == set()
    assert len(books.raw("ledger_entries")) == 4


def test_an_edited_row(books: Books) -> None:
    books.run(FIRST)
    before = books.raw("balance_snapshots")
    books.zone.rows("balance_snapshots", [snapshot("alice", FIRST, "2"), snapshot("bob", FIRST)], FIRST)
    expected = {("history_unchanged", FIRST, f"alice|BTC|{FIRST}T23:59:59Z", "BTC")}
    assert books.run(FIRST) == expected
    assert books.found[0]["observed"] == "balance is 2, was 1"
    assert books.run(SECOND) == expected, "until the file is restored"
    assert books.raw("balance_snapshots") == before
    books.zone.rows("balance_snapshots", [snapshot("alice", FIRST), snapshot("bob", FIRST)], FIRST)
    assert books.run(SECOND) == set()


def test_a_removed_row(books: Books) -> None:
    books.run(FIRST)
    books.zone.rows("ledger_entries", pair("t0", FIRST)[:1], FIRST)
    assert books.run(SECOND) == {("history_unchanged", FIRST, "t0-b", "BTC")}
    assert books.found[0]["observed"] == "the row is gone"


@pytest.mark.parametrize("what", ["file", "partition"])
def test_a_vanished_file_or_partition(books: Books, what: str) -> None:
    extra = books.zone.rows("ledger_entries", pair("extra", FIRST), FIRST, file="b.csv")
    books.run(SECOND)
    if what == "file":
        (books.zone.path / extra).unlink()
        gone = {"extra-a", "extra-b"}
    else:
        shutil.rmtree(books.zone.path / "ledger_entries" / f"date={FIRST}")
        gone = {"extra-a", "extra-b", "t0-a", "t0-b"}
    expected = {("history_unchanged", FIRST, key, "BTC") for key in gone}
    assert books.run(SECOND) == expected
    assert books.run(THIRD) == expected


def test_rows_may_move_between_the_files_of_their_partition(books: Books) -> None:
    extra = books.zone.rows("ledger_entries", pair("extra", FIRST), FIRST, file="b.csv")
    books.run(FIRST)
    (books.zone.path / extra).unlink()
    books.zone.rows("ledger_entries", [*pair("t0", FIRST), *pair("extra", FIRST)], FIRST)
    assert books.run(FIRST) == set()
    outcome = query(
        books.connection, f"select outcome from audit.load where source_file = '{extra}' order by load_number"
    )
    assert [row["outcome"] for row in outcome] == ["accepted", "gone"]
    assert books.run(SECOND) == set()


def test_a_reference_row_edited_in_place_or_removed(books: Books) -> None:
    books.run(FIRST)
    books.zone.rows("tokens", [{"asset": "BTC", "asset_class": "other"}])
    assert books.run(SECOND) == {("history_unchanged", SECOND, "BTC", "BTC")}
    books.zone.rows("tokens", [{"asset": "BTC", "asset_class": "crypto"}, {"asset": "USD", "asset_class": "fiat"}])
    assert books.run(SECOND) == set()
    books.zone.rows("accounts", [account("alice")])
    assert books.run(THIRD) == {("history_unchanged", THIRD, "bob", None)}


IMPLAUSIBLE = [
    ({"effective_at": f"{FIRST}T23:59:59Z", "recorded_at": f"{THIRD}T00:00:00Z"}, 0),
    ({"effective_at": f"{FIRST}T23:59:59Z", "recorded_at": f"{THIRD}T00:00:00.000001Z"}, 1),
    ({"effective_at": f"{SECOND}T00:00:00Z"}, 1),
    ({"effective_at": f"{FIRST}T23:59:59.999999Z"}, 0),
    ({"effective_at": f"{FIRST}T12:00:00Z", "recorded_at": "2025-12-31T12:00:00Z"}, 0),
    ({"effective_at": f"{FIRST}T12:00:00Z", "recorded_at": "2025-12-31T11:59:59Z"}, 1),
    ({"effective_at": f"{SECOND}T12:00:00Z", "recorded_at": "2025-12-31T11:59:59Z"}, 2),
]


@pytest.mark.parametrize(("times", "findings"), IMPLAUSIBLE)
def test_times(books: Books, times: dict[str, str | None], findings: int) -> None:
    books.zone.rows("ledger_entries", [row | times for row in pair("t0", FIRST)], FIRST)
    expected = {("times_plausible", FIRST, f"t0-{leg}", "BTC") for leg in "ab"} if findings else set()
    assert books.run(FIRST) == expected
    assert len(books.found) == 2 * findings


def test_transfers_are_timed_too(books: Books) -> None:
    transfer: dict[str, str | None] = {
        "transfer_id": "x",
        "wallet_id": "w",
        "asset": "BTC",
        "amount": "1",
        "transfer_type": "other",
        "block_time": f"{THIRD}T01:00:00Z",
        "recorded_at": f"{THIRD}T01:10:00Z",
    }
    books.zone.rows("wallet_transfers", [transfer], SECOND)
    assert books.run(THIRD) == {("times_plausible", SECOND, "x", "BTC")}
    assert books.found[0]["subject_type"] == "transfer"


def test_a_file_that_is_wrong_from_end_to_end_gives_a_thousand_findings(books: Books) -> None:
    rows = [entry(f"n{n}", "0", SECOND, account_id="nobody") for n in range(1_200)]
    books.zone.rows("ledger_entries", rows, SECOND)
    books.run(SECOND)
    assert len(books.found) == 1_000
    last = max(books.found, key=lambda row: row["subject_id"])
    assert last["message"].endswith("(1200 like this in ledger_entries that day; 1000 are listed)")


def test_evidence_returns_the_rows_behind_every_finding(books: Books) -> None:
    books.run(FIRST)
    o_brien = account("o'brien", account_class="none")
    books.zone.rows("accounts", [account("alice"), account("bob"), o_brien])
    books.zone.rows("balance_snapshots", [snapshot("alice", FIRST, "2"), snapshot("bob", FIRST)], FIRST)
    legs = [row | {"account_id": "no'body"} for row in pair("t'1", SECOND)]
    books.zone.rows("ledger_entries", [*legs, entry("t1-c", "0.5", SECOND, transaction_id="t'1")], SECOND)
    write_found(books)
    checks = {row["check_name"]: row for row in sorted(books.found, key=lambda row: row["subject_id"], reverse=True)}
    assert set(checks) == {"schema_conforms", "references_resolve", "ledger_balances", "history_unchanged"}
    collected = query(books.connection, "select count(*) as rows from audit.source_row")
    assert collect_source_rows(books.connection) == 0, "once is enough"
    evidence = {
        name: [json.loads(hit["content"]) for hit in query(books.connection, row["evidence"])]
        for name, row in checks.items()
    }
    assert [row["account_class"] for row in evidence["schema_conforms"]] == ["none"]
    assert sorted(row["balance"] for row in evidence["history_unchanged"]) == [
        "1.000000000000000000",
        "2.000000000000000000",
    ]
    assert len(evidence["ledger_balances"]) == 3
    assert [row["account_id"] for row in evidence["references_resolve"]] == ["o'brien"]
    assert collected == [{"rows": 6}], "three legs, a snapshot as it was and as it is, an account"


def write_found(books: Books) -> None:
    """Run without the end of a run: record the findings, then collect their rows."""
    books.look("evidence", SECOND)
    names = ("as_of_date", "check_name", "subject_type", "subject_id", "message", "evidence")
    for row in books.found:
        books.connection.execute(
            "insert into audit.finding (run_id, kind, severity, as_of_date, check_name, subject_type, subject_id,"
            " message, evidence, first_seen_on) values ('evidence', 'integrity', 'critical', ?, ?, ?, ?, ?, ?, ?)",
            [*(row[name] for name in names), row["as_of_date"]],
        )
    collect_source_rows(books.connection)


def test_a_landing_zone_without_any_day(books: Books) -> None:
    for name in ("ledger_entries", "balance_snapshots", "wallet_balances", "token_prices"):
        shutil.rmtree(books.zone.path / name)
    assert {(check, day) for check, day, _, _ in books.run(SECOND)} == {("arrivals_complete", SECOND)}
