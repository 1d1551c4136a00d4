"""The contract's reference tables, derived from the world's plan.

What belongs here: entities, links, attributes, accounts, privileges, tokens, wallets. What doesn't: dated tables
(tables.py) and files (writer.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from orchestration import contract
from orchestration.simulate import columns as c
from orchestration.simulate.assets import ASSETS, OWN_TOKEN_INDEX
from orchestration.simulate.clock import DAY
from orchestration.simulate.prices import Integers
from orchestration.simulate.world import World, customer_account_id, customer_entity_id, wallet_rows


def reference_tables(world: World) -> dict[str, pa.Table]:
    """All reference tables of the contract."""
    rows: dict[str, list[dict[str, Any]]] = {
        "entity_links": world.links,
        "account_privileges": world.privileges,
        "tokens": _token_rows(world),
        "wallets": wallet_rows(world),
    }
    tables = {name: c.rows_to_table(contract.table(name), content) for name, content in rows.items()}
    tables["entities"] = _entities(world)
    tables["entity_attributes"] = _attributes(world)
    tables["accounts"] = _accounts(world)
    return tables


def _token_rows(world: World) -> list[dict[str, Any]]:
    operator = next(row["entity_id"] for row in world.entities if row["entity_type"] == "operator")
    return [
        {
            "asset": asset.symbol,
            "asset_class": asset.asset_class,
            "issuer_entity_id": operator if number == OWN_TOKEN_INDEX else None,
            "decimals": asset.decimals,
            "in_kind_group": asset.in_kind_group,
        }
        for number, asset in enumerate(ASSETS)
    ]


def _known_since(world: World) -> Integers:
    """When customers' accounts were recorded: long ago, or on the day they were opened."""
    opened = world.customers.opened_day
    return world.clock.midnight(0) + np.where(opened == 0, -40 + np.arange(len(opened)) % 30, opened) * DAY


def _entities(world: World) -> pa.Table:
    table, spots = contract.table("entities"), world.customers.spot_count
    countries = pa.array(["US", "GB", "DE", "JP", "SG", "CH"])
    ordinary = c.typed_table(
        "entities",
        {
            "entity_id": pa.array([customer_entity_id(number) for number in range(spots)]),
            "entity_type": pa.array(["customer"] * spots),
            "name": pa.nulls(spots, pa.string()),
            "country": c.looked_up(countries, np.arange(spots) * 7 % len(countries)),
            "recorded_at": c.times(_known_since(world)[:spots]),
        },
    )
    return pa.concat_tables([c.rows_to_table(table, world.entities), ordinary])


def _attributes(world: World) -> pa.Table:
    """Customers have hard attributes of their own; mail domains and some household addresses are shared."""
    table, spots = contract.table("entity_attributes"), world.customers.spot_count
    number = np.arange(spots)
    parts = [
        ("email_domain", [f"h-mail-free-{value}" for value in number % 5]),
        ("address", [f"h-home-{value // 2 if value % 10 < 2 else value}" for value in number]),
        ("device", [f"h-phone-{value}" for value in number]),
        ("bank_account", [f"h-iban-{value}" for value in number]),
    ]
    ordinary = [
        c.typed_table(
            "entity_attributes",
            {
                "entity_id": pa.array([customer_entity_id(value) for value in range(spots)]),
                "attribute_type": pa.array([kind] * spots),
                "attribute_hash": pa.array(hashes),
                "recorded_at": c.times(_known_since(world)[:spots]),
            },
        )
        for kind, hashes in parts
    ]
    return pa.concat_tables([c.rows_to_table(table, world.attributes), *ordinary])


def _accounts(world: World) -> pa.Table:
    customers, clock = world.customers, world.clock
    special = [
        {
            "account_id": account.account_id,
            "entity_id": account.entity_id,
            "account_class": account.account_class,
            "label": account.label,
            "opened_at": clock.midnight(-50 if account.first_day is None else account.first_day),
            "closed_at": None,
            "recorded_at": clock.midnight(-50 if account.first_day is None else account.first_day),
        }
        for account in world.accounts
    ]
    count = customers.count
    known = _known_since(world)
    ordinary = c.typed_table(
        "accounts",
        {
            "account_id": pa.array([customer_account_id(customers, number) for number in range(count)]),
            "entity_id": pa.array([customer_entity_id(int(owner)) for owner in customers.owner.tolist()]),
            "account_class": pa.array(["spot"] * customers.spot_count + ["margin"] * (count - customers.spot_count)),
            "label": pa.nulls(count, pa.string()),
            "opened_at": c.times(known),
            "closed_at": pa.nulls(count, c.TIME_TYPE),
            "recorded_at": c.times(known),
        },
    )
    return pa.concat_tables([c.rows_to_table(contract.table("accounts"), special), ordinary])
