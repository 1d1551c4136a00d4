"""Which part of a wallet's balance counts for customers, and the first reason of the part that doesn't.

What belongs here: DOMAIN.md section 4 up to the split of balances. What doesn't: coverage (``test_solvency.py``).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.reserve_books import ReserveBooks, day, moment
from tests.support.warehouse import Warehouse

MODELS = "fct_reserve_balance_daily fct_reserve_exclusion_daily dim_wallet"
Split = dict[tuple[str, int], tuple[Decimal, dict[str, Decimal]]]


def splits(warehouse: Warehouse, asset: str = "BTC") -> Split:
    """Eligible and excluded quantities by wallet and day; checks that they add up to the balance."""
    result: Split = {}
    for row in warehouse.query("select * from marts.fct_reserve_balance_daily where asset = ?", asset):
        excluded = {
            exclusion["reason"]: exclusion["quantity"]
            for exclusion in warehouse.query(
                "select * from marts.fct_reserve_exclusion_daily where wallet_id = ? and asset = ? and as_of_date = ?",
                row["wallet_id"],
                asset,
                row["as_of_date"],
            )
        }
        assert row["balance"] == row["eligible_quantity"] + sum(excluded.values())
        result[row["wallet_id"], (row["as_of_date"] - day(1)).days + 1] = (row["eligible_quantity"], excluded)
    return result


def reasons(split: Split) -> dict[str, list[str | None]]:
    """The first reason of each wallet, day by day; None if all counts."""
    by_wallet: dict[str, list[str | None]] = {}
    for (wallet, _), (_, excluded) in sorted(split.items()):
        by_wallet.setdefault(wallet, []).append(next(iter(excluded), None))
    return by_wallet


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Wallets that fail one rule each, at some moment of day 2 or on all days."""
    books = ReserveBooks()
    noon, midnight = moment(2), moment(2, "00:00:00")
    books.wallet("good")
    books.wallet("third-party", owner_entity_id="c1")
    books.wallet("affiliate", owner_entity_id="aff")
    books.wallet("stranger", owner_entity_id="nobody")
    books.wallet("house", purpose="house")
    books.wallet("collateral", purpose="collateral")
    books.wallet("unclear", purpose="unknown")
    books.wallet("venue", custody="venue")
    books.wallet("staked", custody="staked")
    books.wallet("never proven", ownership_proof="none")
    books.wallet("no date", proven_at=None)
    books.wallet("proven later", proven_at=moment(3, "00:00:00"))
    books.wallet("everything wrong", owner_entity_id="aff", purpose="house", custody="venue", ownership_proof="none")
    books.wallet("two wrong", custody="venue", ownership_proof="none")
    # 92 days before the end of day 2 to the microsecond, and one less.
    books.wallet("proof ends", proven_at="2021-12-01T00:00:00")
    books.wallet("proof just ended", proven_at="2021-11-30T23:59:59.999999")
    books.wallet("sold at noon", valid_to=noon)
    books.wallet("sold at noon", owner_entity_id="aff", valid_from=noon)
    books.wallet("house from noon", valid_to=noon)
    books.wallet("house from noon", purpose="house", valid_from=noon)
    books.wallet("moved at midnight", valid_to=midnight)
    books.wallet("moved at midnight", custody="venue", valid_from=midnight)
    books.wallet("opened at noon", valid_from=noon)
    books.wallet("closed at noon", valid_to=noon)
    books.wallet("gap", valid_to=moment(2, "10:00:00"))
    books.wallet("gap", valid_from=noon)
    books.wallet("proof renewed", proven_at="2021-11-30T13:00:00", valid_to=noon)
    books.wallet("proof renewed", proven_at=noon, valid_from=noon)
    books.wallet("proof renewed late", proven_at="2021-11-30T11:00:00", valid_to=noon)
    books.wallet("proof renewed late", proven_at=noon, valid_from=noon)
    books.wallet("never closed", purpose="house")
    books.wallet("never closed", valid_from=midnight)
    books.wallet("interlude")
    books.wallet("interlude", purpose="house", valid_from=midnight, valid_to=moment(3, "00:00:00"))
    books.wallet("corrected", purpose="house")
    books.wallet("corrected", recorded_at="2000-01-02T00:00:00")
    books.wallet("moment", valid_from=noon, valid_to=noon)
    for wallet in {row["wallet_id"] for row in books.rows["wallets"]}:
        books.balance(wallet, "BTC", "3")
    return books.build(tmp_path_factory.mktemp("rules"), MODELS)


def test_every_rule_excludes_with_its_name(rules: Warehouse) -> None:
    expected: dict[str, list[str | None]] = {
        "good": [None, None, None],
        "third-party": ["not_operator"] * 3,
        "affiliate": ["not_operator"] * 3,
        "stranger": ["not_operator"] * 3,
        "house": ["not_customer_purpose"] * 3,
        "collateral": ["not_customer_purpose"] * 3,
        "unclear": ["not_customer_purpose"] * 3,
        "venue": ["custody"] * 3,
        "staked": ["custody"] * 3,
        "never proven": ["unproven"] * 3,
        "no date": ["unproven"] * 3,
        "proven later": ["unproven", "unproven", None],
        "everything wrong": ["not_operator"] * 3,
        "two wrong": ["custody"] * 3,
        "proof ends": [None, None, "unproven"],
        "proof just ended": [None, "unproven", "unproven"],
        "sold at noon": [None, "not_operator", "not_operator"],
        "house from noon": [None, "not_customer_purpose", "not_customer_purpose"],
        "moved at midnight": [None, "custody", "custody"],
        "opened at noon": ["not_operator", None, None],
        "closed at noon": [None, "not_operator", "not_operator"],
        "gap": [None, "not_operator", None],
        "proof renewed": [None, None, None],
        "proof renewed late": [None, "unproven", None],
        "never closed": ["not_customer_purpose", None, None],
        "interlude": [None, "not_customer_purpose", None],
        "corrected": [None, None, None],
        "moment": ["not_operator"] * 3,
    }
    assert reasons(splits(rules)) == expected


def test_wallets_have_one_row_each_as_they_are_in_the_end(rules: Warehouse) -> None:
    rows = {row["wallet_id"]: row for row in rules.query("select * from marts.dim_wallet")}
    assert rows["sold at noon"]["owner_relation"] == "affiliate"
    assert rows["closed at noon"]["owner_relation"] == "operator"
    assert rows["stranger"]["owner_relation"] == "customer"
    assert rows["interlude"]["purpose"] == "customer"
    assert (rows["gap"]["versions"], rows["good"]["versions"]) == (2, 1)


def test_policy_decides_on_custody_proof_and_subsidiaries(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.wallet("staked", custody="staked")
    books.wallet("cold", custody="cold")
    books.wallet("letter", custody="staked", ownership_proof="custodian_letter", proven_at="2020-01-01T00:00:00")
    books.wallet("subsidiary", custody="staked", owner_entity_id="aff")
    for wallet in ("staked", "cold", "letter", "subsidiary"):
        books.balance(wallet, "BTC", "1")
    policy = """
operator: {custodial_subsidiaries: [aff]}
reserves: {eligible_custody: [staked], proof_days: {custodian_letter: 1000}}
"""
    warehouse = books.build(tmp_path, MODELS, policy)
    assert reasons(splits(warehouse)) == {
        "staked": [None],
        "cold": ["custody"],
        "letter": [None],
        "subsidiary": [None],
    }


def test_an_address_listed_twice_counts_for_neither_wallet(tmp_path: Path) -> None:
    books = ReserveBooks()
    hexadecimal = "0x" + "aB" * 20
    pairs = {
        "hex": ("ethereum", hexadecimal, " " + hexadecimal.upper().replace("X", "x")),
        "bech32": (
            "bitcoin",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        ),
        "made up": ("bitcoin", "bc1qColdStore", " BC1QCOLDSTORE"),
        "one case": ("solana", "vault no 1", "VAULT NO 1"),
        "iban": ("bank", "DE89 3704 0044 0532 0130 00", "de89-370400440532013000"),
        "custodian": ("Custodian", "vault-1", "VAULT-1 "),
    }
    for name, (network, one, other) in pairs.items():
        books.wallet(f"{name} 1", network=network, address=one)
        books.wallet(f"{name} 2", network=network.upper(), address=other, purpose="house", owner_entity_id="aff")
    books.wallet("base58 1", address="1BoatSLRHtKNngkdXEeobR76b53LETtpyT")
    books.wallet("base58 2", address="1BoatSLRHtKNngkdXEeobR76b53LETtpYT")
    books.wallet("chain 1", network="ethereum", address="0x" + "1" * 40)
    books.wallet("chain 2", network="polygon", address="0x" + "1" * 40)
    books.wallet("old name", address="renamed", valid_to=moment(2))
    books.wallet("new name", address="renamed", valid_from=moment(2))
    books.wallet("for a day", address="shared")
    books.wallet("only day 2", address="shared", valid_from=moment(2, "23:00:00"), valid_to=moment(3, "00:00:00"))
    books.wallet("nowhere 1", network="custodian", address=None)
    books.wallet("nowhere 2", network="custodian", address=None)
    books.wallet("refreshed", address="mine", valid_to=moment(2))
    books.wallet("refreshed", address="mine", valid_from=moment(2))
    for wallet in sorted({row["wallet_id"] for row in books.rows["wallets"]} - {"new name", "old name"}):
        books.balance(wallet, "BTC", "1")
    books.balance("old name", "BTC", "1", 1)
    books.balance("new name", "BTC", "1", 2, 3)
    warehouse = books.build(tmp_path, f"{MODELS} wallets_counted_once")
    first = reasons(splits(warehouse))
    for name in pairs:
        assert first[f"{name} 1"] == first[f"{name} 2"] == ["duplicate_address"] * 3
    for name in ("base58 1", "base58 2", "chain 1", "chain 2", "nowhere 1", "nowhere 2", "refreshed"):
        assert first[name] == [None] * 3
    assert (first["old name"], first["new name"]) == ([None], [None, None])
    assert first["for a day"] == [None, "duplicate_address", None]
    findings = warehouse.query("select as_of_date, subject_id, message from findings.wallets_counted_once")
    expected = {(day(n), f"{name} {k}") for name in pairs for k in (1, 2) for n in (1, 2, 3)}
    expected |= {(day(2), "for a day"), (day(2), "only day 2")}
    assert {(row["as_of_date"], row["subject_id"]) for row in findings} == expected
    assert len(findings) == len(expected)


def test_the_pledged_share_is_deducted_and_an_unknown_one_is_all_of_it(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    for name, share in {"none": "0", "third": "33.3", "all": "100", "unknown": None, "tiny": "50"}.items():
        books.wallet(name, encumbered_pct=share)
        books.balance(name, "BTC", "0.000000000000000003" if name == "tiny" else "10")
    books.wallet("more at noon", encumbered_pct="10", valid_to=moment(1))
    books.wallet("more at noon", encumbered_pct="40", valid_from=moment(1))
    books.balance("more at noon", "BTC", "10")
    split = splits(books.build(tmp_path, MODELS))
    assert split["none", 1] == (Decimal(10), {})
    assert split["third", 1] == (Decimal("6.67"), {"encumbered": Decimal("3.33")})
    assert split["all", 1] == (Decimal(0), {"encumbered": Decimal(10)})
    assert split["unknown", 1] == (Decimal(0), {"encumbered": Decimal(10)})
    assert split["more at noon", 1] == (Decimal(6), {"encumbered": Decimal(4)})
    # Half of three of the smallest units: the odd one doesn't count.
    assert split["tiny", 1] == (Decimal("1e-18"), {"encumbered": Decimal("2e-18")})


def test_own_tokens_count_up_to_what_customers_are_owed_in_them(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.owed("c1", "XT", "100")
    books.owed("parked", "XT", "20")
    books.owed("aff", "XT", "1000")
    for name, share in {"a": "0", "b": "50", "c": "0", "overdrawn": "0"}.items():
        books.wallet(name, encumbered_pct=share)
    books.balance("c", "XT", "500")
    books.balance("b", "XT", "80")
    books.balance("a", "XT", "70")
    books.balance("overdrawn", "XT", "-5")
    split = splits(books.build(tmp_path, MODELS), "XT")
    assert split["a", 1] == (Decimal(70), {})
    assert split["b", 1] == (Decimal(25), {"own_token": Decimal(30), "encumbered": Decimal(25)})
    assert split["c", 1] == (Decimal(0), {"own_token": Decimal(500)})
    assert split["overdrawn", 1] == (Decimal(-5), {})


def test_own_tokens_at_hand_count_before_those_in_a_vault(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.owed("c1", "XT", "100")
    books.wallet("a vault")
    books.wallet("hot", custody="hot")
    books.balance("a vault", "XT", "500")
    books.balance("hot", "XT", "60")
    split = splits(books.build(tmp_path, MODELS), "XT")
    assert split["hot", 1] == (Decimal(60), {})
    assert split["a vault", 1] == (Decimal(40), {"own_token": Decimal(460)})


def test_an_overdraft_of_the_operator_always_counts(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.wallet("plain")
    books.wallet("unproven", ownership_proof="none", custody="venue")
    books.wallet("pledged", encumbered_pct="100")
    books.wallet("house", purpose="house")
    for name in ("plain", "unproven", "pledged", "house"):
        books.balance(name, "USD", "-10")
    split = splits(books.build(tmp_path, MODELS), "USD")
    for name in ("plain", "unproven", "pledged"):
        assert split[name, 1] == (Decimal(-10), {})
    assert split["house", 1] == (Decimal(0), {"not_customer_purpose": Decimal(-10)})


def test_the_last_balance_of_a_day_counts_for_the_day_it_was_delivered_for(tmp_path: Path) -> None:
    books = ReserveBooks()
    books.wallet("w")
    books.balance("w", "BTC", "1", 1, time="06:00:00")
    books.balance("w", "BTC", "2", 1, time="18:00:00")
    midnight = {"wallet_id": "w", "asset": "BTC", "as_of": moment(3, "00:00:00"), "balance": "5"}
    books.rows["wallet_balances"].append(midnight | {"partition_date": day(2)})
    late = {"wallet_id": "w", "asset": "BTC", "as_of": moment(1, "21:00:00"), "balance": "3"}
    books.rows["wallet_balances"].append(late | {"partition_date": day(3)})
    split = splits(books.build(tmp_path, MODELS))
    assert {key: eligible for key, (eligible, _) in split.items()} == {("w", 1): 3, ("w", 2): 5}


def test_a_silent_wallet_is_excluded_with_what_it_last_held(tmp_path: Path) -> None:
    books = ReserveBooks(days=5)
    books.wallet("silent")
    books.wallet("empty")
    books.wallet("gone", valid_to=moment(3))
    books.wallet("never heard of")
    books.balance("silent", "BTC", "7", 1, 4)
    books.balance("silent", "USD", "9")
    books.balance("empty", "BTC", "0", 1)
    books.balance("gone", "BTC", "8", 1)
    warehouse = books.build(tmp_path, MODELS)
    rows = warehouse.query("select * from marts.fct_reserve_exclusion_daily order by wallet_id, as_of_date")
    assert [(row["wallet_id"], row["asset"], row["as_of_date"], row["quantity"], row["value_usd"]) for row in rows] == [
        ("gone", "BTC", day(2), 8, 320000),
        ("silent", "BTC", day(2), 7, 280000),
        ("silent", "BTC", day(3), 7, 280000),
        ("silent", "BTC", day(5), 7, 280000),
    ]
    assert {row["reason"] for row in rows} == {"no_balance"}


def test_what_the_run_does_not_know_yet_does_not_exist(tmp_path: Path) -> None:
    books = ReserveBooks(days=2)
    books.wallet("w")
    books.wallet("w", purpose="house", recorded_at=moment(3, "00:00:00"))
    books.balance("w", "BTC", "1")
    row = {"wallet_id": "w", "asset": "BTC", "as_of": moment(2, "23:59:59.5"), "balance": "9"}
    books.rows["wallet_balances"].append(row | {"partition_date": day(3)})
    split = splits(books.build(tmp_path, MODELS))
    assert split == {("w", 1): (Decimal(1), {}), ("w", 2): (Decimal(1), {})}
