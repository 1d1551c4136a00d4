"""Books written by hand for the oracle's own tests: text in, rows out.

What belongs here: turning short notations into rows. What doesn't: expected figures.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.oracle.books import Books, Row, day_end, day_start, parse_value
from tests.oracle.exchange import Exchange
from tests.oracle.policy import Policy

LONG_AGO = "2025-01-01"
DAY = date(2026, 1, 1)
DEFAULTS: dict[str, dict[str, Any]] = {
    "entities": {"entity_type": "company", "name": None, "recorded_at": LONG_AGO},
    "entity_links": {"ownership_pct": None, "valid_from": LONG_AGO, "valid_to": None, "recorded_at": LONG_AGO},
    "accounts": {"account_class": "spot", "recorded_at": LONG_AGO},
    "account_privileges": {"limit_usd": None, "valid_from": LONG_AGO, "valid_to": None, "recorded_at": LONG_AGO},
    "tokens": {"asset_class": "crypto", "issuer_entity_id": None, "in_kind_group": None},
    "wallets": {
        "network": "bitcoin",
        "owner_entity_id": "operator",
        "purpose": "customer",
        "custody": "cold",
        "encumbered_pct": "0",
        "ownership_proof": "signature",
        "proven_at": "2025-12-31",
        "valid_from": LONG_AGO,
        "valid_to": None,
        "recorded_at": LONG_AGO,
    },
    "ledger_entries": {
        "transaction_id": "t",
        "entry_type": "trade",
        "effective_at": "2026-01-01 12:00",
        "recorded_at": "2026-01-01 12:00",
        "reference": None,
    },
    "wallet_transfers": {
        "counterparty_address": None,
        "counterparty_wallet_id": None,
        "transfer_type": "other",
        "recorded_at": "2026-01-01 12:00",
    },
    "token_prices": {"volume_usd": None, "as_of": "2026-01-01 12:00", "source": "market"},
    "market_depth": {"volume_30d_avg_usd": None, "volatility_30d": None, "as_of": "2026-01-01", "source": "market"},
    "wallet_balances": {"as_of": "2026-01-02"},
    "open_positions": {"instrument": "PERP", "as_of": "2026-01-02"},
    "reported_figures": {"line": None, "asset": None, "period_start": None},
}
DATED = frozenset(
    {
        "ledger_entries",
        "wallet_transfers",
        "token_prices",
        "market_depth",
        "token_supply",
        "wallet_balances",
        "open_positions",
        "reported_figures",
    }
)


def row(table: str, **values: Any) -> Row:
    """One parsed row with the table's defaults; dated rows arrive on the first day unless ``partition`` is given."""
    partition = date.fromisoformat(values.pop("partition", DAY.isoformat()))
    cells = {**DEFAULTS.get(table, {}), **values}
    parsed = {column: parse_value(column, value) for column, value in cells.items()}
    if table in DATED:
        arrived = day_start(partition)
        parsed["partition_date"] = partition
        parsed["known_at"] = max(parsed.get("recorded_at") or parsed.get("published_at") or arrived, arrived)
    return parsed


def exchange(policy: Policy | None = None, last: date = DAY, **tables: list[dict[str, Any]]) -> Exchange:
    """An exchange whose operator is ``operator``, over 2026-01-01 to ``last``; tables by name, rows as dicts."""
    tables.setdefault("entities", []).append({"entity_id": "operator", "entity_type": "operator"})
    rows = {table: [row(table, **values) for values in given] for table, given in tables.items()}
    for table, given in rows.items():
        rows[table] = [values for values in given if values.get("known_at", day_start(DAY)) < day_end(last)]
    return Exchange(Books(rows, DAY, last), policy)


def entry(account: str, asset: str, amount: str, **values: Any) -> dict[str, Any]:
    """A ledger entry."""
    return {
        "entry_id": f"{account}/{asset}/{amount}",
        "account_id": account,
        "asset": asset,
        "amount": amount,
        **values,
    }
