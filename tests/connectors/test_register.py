"""Which wallets are registered on a day, and whose they are, as it was known then."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orchestration import contract
from orchestration.connectors.errors import EmptyAnswerError
from orchestration.connectors.register import RegisteredWallet, operator_wallets, registered_wallets
from orchestration.errors import ConfigurationError
from tests.support.hashes import with_hashes

DAY = date(2026, 3, 4)


def deliver(landing: Path, table: str, *rows: dict[str, str]) -> None:
    names = contract.table(table).column_names
    lines = [",".join(names)] + [",".join(row.get(name, "") for name in names) for row in rows]
    (landing / table).mkdir(exist_ok=True)
    (landing / table / "delivered.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def wallet(name: str, owner: str = "us", **more: str) -> dict[str, str]:
    common = {"network": "bitcoin", "address": f"at-{name}", "purpose": "customer", "custody": "hot"}
    times = {"ownership_proof": "none", "encumbered_pct": "0", "valid_from": "2026-01-01", "recorded_at": "2026-01-01"}
    return {"wallet_id": name, "owner_entity_id": owner, **common, **times, **more}


def entity(name: str, kind: str, recorded: str = "2026-01-01") -> dict[str, str]:
    return {"entity_id": name, "entity_type": kind, "name": name, "country": "BS", "recorded_at": recorded}


def test_wallets_are_those_valid_at_any_moment_of_the_day_as_known_at_its_end(tmp_path: Path) -> None:
    deliver(
        tmp_path,
        "wallets",
        wallet("ended", valid_to="2026-03-04"),
        wallet("ends", valid_to="2026-03-04T00:00:01"),
        wallet("begins", valid_from="2026-03-04T23:59:59", network=" Bitcoin"),
        wallet("later", valid_from="2026-03-05"),
        wallet("unknown", recorded_at="2026-03-05"),
        wallet("elsewhere", network="ethereum"),
        wallet("moved", address="before"),
        wallet("moved", address="after", recorded_at="2026-02-01"),
    )
    assert registered_wallets(tmp_path, "bitcoin", DAY) == (
        RegisteredWallet("begins", "at-begins"),
        RegisteredWallet("ends", "at-ends"),
        RegisteredWallet("moved", "after"),
    )
    with pytest.raises(EmptyAnswerError, match="no wallet of network solana"):
        registered_wallets(tmp_path, "solana", DAY)


def test_the_operator_s_wallets_are_those_of_entities_known_as_operators(tmp_path: Path) -> None:
    deliver(
        tmp_path, "wallets", wallet("ours"), wallet("theirs", "them"), wallet("nobody's", "?"), wallet("new", "late")
    )
    assert operator_wallets(tmp_path, "bitcoin", DAY) == frozenset()
    deliver(
        tmp_path,
        "entities",
        entity("us", "company"),
        entity("us", "operator", "2026-02-01"),
        entity("them", "operator"),
        entity("them", "company", "2026-02-01"),
        entity("late", "operator", "2026-03-05"),
    )
    assert operator_wallets(tmp_path, "bitcoin", DAY) == {"ours"}


@pytest.mark.parametrize(
    ("table", "row", "says"),
    [
        ("wallets", wallet("lost", recorded_at="never"), "delivered.csv: recorded_at: .*<never>"),
        ("wallets", wallet("lost", valid_to="some day"), "valid_to: .*<some day>"),
        ("wallets", wallet("lost", valid_from=""), "valid_from: nothing, and it is required"),
        ("entities", entity("us", "boss"), "entity_type: .*<boss>"),
    ],
)
def test_a_row_that_can_t_be_read_is_not_passed_by(table: str, row: dict[str, str], says: str, tmp_path: Path) -> None:
    deliver(tmp_path, "wallets", wallet("ours"))
    deliver(tmp_path, "entities", entity("us", "operator"))
    deliver(tmp_path, table, row)
    with pytest.raises(ConfigurationError, match=rf"{with_hashes(says)}.*correct table {table}"):
        operator_wallets(tmp_path, "bitcoin", DAY)


def test_a_wallet_without_an_address_is_named(tmp_path: Path) -> None:
    deliver(tmp_path, "wallets", wallet("ours", address=""))
    with pytest.raises(ConfigurationError, match=r"wallet ours .* has no address"):
        registered_wallets(tmp_path, "bitcoin", DAY)
