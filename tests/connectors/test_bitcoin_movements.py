"""Addresses, and what a transaction means for wallets: whatever it is, each wallet's rows add up to its change."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.connectors.bitcoin.addresses import NETWORKS, AddressError, address_of, normalised, script_of
from orchestration.connectors.bitcoin.chain import Part, State, Transaction
from orchestration.connectors.bitcoin.core import merkle_root, satoshi
from orchestration.connectors.bitcoin.movements import Movement, Register, movements
from orchestration.connectors.register import RegisteredWallet
from tests.connectors.regtest import REGTEST, address

MAINNET, TESTNET = NETWORKS["mainnet"], NETWORKS["testnet4"]

# From BIP 173, BIP 350 and the first blocks: address, script.
VALID = [
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac"),
    ("3P14159f73E4gFr7JterCCQh9QjiTjiZrG", "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87"),
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
    ("bc1sw50qgdz25j", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
]
INVALID = [
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "checksum"),
    ("1a1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "no Bitcoin address"),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0", "has a sign"),
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf", "length"),
    ("", "length"),
    ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "another chain"),
    ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "another of Bitcoin's chains"),
    ("bcrt1q0aw3vx8862xv00ej0zr890sycfy80kdgl60n9y", "another of Bitcoin's chains"),
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "checksum"),
    ("bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "mixes"),
    ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "program"),
    ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "signs"),
    ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "program"),
    ("bc1pw5dgrnzv", "program"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav", "program"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "last bits"),
    ("bc1gmk9yu", "signs"),
    ("bc1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "checksum"),
    ("zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1", "extended public key"),
]


@pytest.mark.parametrize(("where", "script"), VALID)
def test_addresses_are_the_scripts_that_the_standards_say(where: str, script: str) -> None:
    assert script_of(where, MAINNET) == script
    assert script_of(f" {where}\n", MAINNET) == script
    assert address_of(script, MAINNET) == normalised(where)


@pytest.mark.parametrize(("where", "says"), INVALID)
def test_what_is_no_address_of_the_chain_is_refused(where: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        script_of(where, MAINNET)


@given(
    content=st.binary(min_size=20, max_size=20), kind=st.sampled_from(["key", "script", "taproot", "legacy", "nested"])
)
@settings(max_examples=60, deadline=None)
def test_addresses_and_scripts_are_the_same_thing(content: bytes, kind: str) -> None:
    where = address(content.hex(), kind)
    script = script_of(where, REGTEST)
    assert address_of(script, REGTEST) == where
    assert script_of(str(address_of(script, TESTNET)), TESTNET) == script
    changed = where[:-1] + ("2" if where[-1] != "2" else "3")
    with pytest.raises(AddressError):
        script_of(changed, REGTEST)


@pytest.mark.parametrize("script", ["", "6a", "0014", "0013" + "ab" * 19, "51", "21" + "02" * 33 + "ac", "5101ab"])
def test_scripts_without_an_address_have_none(script: str) -> None:
    assert address_of(script, MAINNET) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("0.00000001", 1), ("1E-8", 1), ("20999999.97690000", 2_099_999_997_690_000), ("5", 500_000_000), ("0E-8", 0)],
)
def test_core_s_numbers_are_satoshi_to_the_last(written: str, expected: int) -> None:
    assert satoshi(Decimal(written)) == expected


@pytest.mark.parametrize("written", [Decimal("0.000000001"), "1", None, True, 0.5])
def test_what_is_no_amount_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        satoshi(written)


def test_the_merkle_root_is_bitcoin_s() -> None:
    """Block 170, the first with a payment in it."""
    txids = [
        "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082",
        "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
    ]
    assert merkle_root(txids) == "7dac2c5666815c17a3b36427de37bb9d2e2c5ccec3f8633eb91a4205cb4c10ff"
    assert merkle_root(txids[:1]) == txids[0]
    assert merkle_root([]) == ""


def test_a_state_survives_its_way_through_a_position() -> None:
    for state in (State(0, 0), State(5, None)):
        assert State.read(state.as_json()) == state


# Three wallets; the third has two addresses, one of which is listed under a fourth wallet too; three outsiders.
PLACES = [address(name) for name in ("a", "b", "c1", "c2")]
LISTED = [("a", PLACES[0]), ("b", PLACES[1]), ("c", PLACES[2]), ("c", PLACES[3]), ("d", PLACES[3])]
OUTSIDE = [script_of(address(name), REGTEST) for name in ("x", "y")] + ["6a01"]
SCRIPTS = [script_of(place, REGTEST) for place in PLACES] + OUTSIDE


def register(operator: Sequence[str] = ()) -> Register:
    return Register.of([RegisteredWallet(*listed) for listed in LISTED], REGTEST, frozenset(operator))


parts = st.builds(Part, st.sampled_from(SCRIPTS), st.one_of(st.integers(0, 5), st.integers(0, 10**15)))


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    """Any transaction: from whom to whom, with change or without, with outsiders' inputs, free of charge or not."""
    txid = hashlib.sha256(draw(st.binary(min_size=4, max_size=4))).hexdigest()
    outputs = draw(st.lists(parts, min_size=1, max_size=6))
    if draw(st.booleans()) and draw(st.booleans()):
        return Transaction(txid, 9, (), tuple(outputs), is_coinbase=True)
    inputs = draw(st.lists(parts, min_size=1, max_size=6))
    missing = sum(part.value for part in outputs) - sum(part.value for part in inputs)
    if missing > 0:  # who pays is drawn, that it's paid is not
        inputs.insert(draw(st.integers(0, len(inputs))), Part(draw(st.sampled_from(SCRIPTS)), missing))
    return Transaction(txid, 9, tuple(inputs), tuple(outputs), is_coinbase=False)


@given(transaction=transactions(), operator=st.sets(st.sampled_from("abcd")))
@settings(max_examples=400, deadline=None)
def test_each_wallet_s_rows_add_up_to_its_change(transaction: Transaction, operator: set[str]) -> None:
    known = register(sorted(operator))
    rows = movements(transaction, known)
    total: Counter[str] = Counter()
    for row in rows:
        total[row.wallet_id] += row.amount
    changes = transaction.changes(known.wallets)
    expected = known.balances({script: changes.get(script, 0) for script in known.wallets})
    assert {wallet: total[wallet] for wallet in expected} == expected
    assert set(total) <= set(expected)
    assert len({row.transfer_id for row in rows}) == len(rows)
    assert all(row.amount for row in rows)


@given(transaction=transactions())
@settings(max_examples=200, deadline=None)
def test_each_output_is_one_whole_row_and_the_fee_is_charged_once(transaction: Transaction) -> None:
    known = register()
    rows = {row.transfer_id: row for row in movements(transaction, known)}
    ours = {known.wallet(part.script) for part in transaction.inputs} - {None}
    for place, part in enumerate(transaction.outputs):
        row = rows.get(f"bitcoin:{transaction.txid}:{place}")
        wallet = known.wallet(part.script)
        if part.value == 0 or (wallet in ours) or (wallet is None and not ours):
            assert row is None
            continue
        assert row is not None
        if wallet is None:
            assert (row.amount, row.transfer_type) == (-part.value, "withdrawal")
        else:
            kind = "internal" if ours else "other" if transaction.is_coinbase else "deposit"
            assert (row.amount, row.transfer_type, row.wallet_id) == (part.value, kind, wallet)
    fees = [row.amount for row in rows.values() if row.transfer_type == "network_fee"]
    assert fees == ([-transaction.fee] if ours and transaction.fee else [])


def spend(inputs: list[tuple[str, int]], outputs: list[tuple[str, int]]) -> dict[str, tuple[str, int, str]]:
    """Rows by the end of their identifiers: wallet, satoshi, type. Places are letters."""
    return {
        row.transfer_id.split(":", 2)[2]: (row.wallet_id, row.amount, row.transfer_type)
        for row in paid(inputs, outputs)
    }


def paid(inputs: list[tuple[str, int]], outputs: list[tuple[str, int]], operator: Sequence[str] = ()) -> list[Movement]:
    scripts = {**dict(zip(("a", "b", "c1", "c2"), SCRIPTS, strict=False)), "x": OUTSIDE[0], "y": OUTSIDE[1]}
    sides = [tuple(Part(scripts[who], value) for who, value in side) for side in (inputs, outputs)]
    return movements(Transaction("f" * 64, 9, sides[0], sides[1], is_coinbase=False), register(operator))


def test_a_batch_of_withdrawals_is_a_row_each() -> None:
    assert spend([("a", 100)], [("x", 10), ("a", 60), ("y", 20), ("x", 5)]) == {
        "0": ("a", -10, "withdrawal"),
        "2": ("a", -20, "withdrawal"),
        "3": ("a", -5, "withdrawal"),
        "fee": ("a", -5, "network_fee"),
    }


def test_of_several_wallets_the_one_that_gives_most_pays_and_the_others_settle_with_it() -> None:
    assert spend([("a", 30), ("b", 70)], [("x", 90), ("a", 5)]) == {
        "0": ("b", -90, "withdrawal"),
        "settled:a:out": ("a", -25, "internal"),
        "settled:a:in": ("b", 25, "internal"),
        "fee": ("b", -5, "network_fee"),
    }
    assert spend([("b", 50), ("a", 50)], [("x", 100)])["0"] == ("b", -100, "withdrawal")


def test_outsiders_inputs_are_said_and_not_lost() -> None:
    assert spend([("a", 10), ("x", 100)], [("y", 50), ("x", 55)]) == {
        "0": ("a", -50, "withdrawal"),
        "1": ("a", -55, "withdrawal"),
        "inputs": ("a", 100, "other"),
        "fee": ("a", -5, "network_fee"),
    }


def test_the_operator_s_side_bears_the_identifier_that_the_ledger_knows() -> None:
    for operator, sent, received in (([], "0:out", "0"), (["a", "b"], "0:out", "0"), (["a"], "0", "0:in")):
        rows = {row.wallet_id: row for row in paid([("a", 10)], [("b", 10)], operator)}
        assert rows["a"].transfer_id.endswith(f"f:{sent}")
        assert rows["b"].transfer_id.endswith(f"f:{received}")
        assert (rows["a"].counterparty_wallet_id, rows["b"].counterparty_wallet_id) == ("b", "a")
        assert (rows["a"].counterparty_address, rows["b"].counterparty_address) == (PLACES[1], PLACES[0])
