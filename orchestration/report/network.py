"""The affiliate network of a day: who is linked to the operator how, and who owes it what.

What belongs here: entities and links out of the published rows, named as they may be outside the house. What doesn't:
where they stand in a picture (``network_chart``).

Links are those of the evidence paths of ``dim_entity_relation``, the ones that decide who is related: one that can't be
read beyond doubt (an identifier may look like anything) becomes a link to the operator by its rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.keyed_hashes import process_hashing
from orchestration.reading.published import fetch_rows

Row = dict[str, Any]

SHOWN_ENTITIES = 24
"""More boxes than these can't be read in one picture; the table and the count beside it tell of the others."""

NAMED_TYPES = frozenset({"operator", "company", "custodian", "bank"})
"""Types of entities that are no persons. A customer may be one."""

_AFFILIATES = """
    select relation.entity_id, relation.reason, relation.evidence_path, exposure.accounts, exposure.gross_claims_usd,
        exposure.gross_borrowing_usd, exposure.collateral_mark_usd, exposure.collateral_haircut_usd,
        exposure.own_token_collateral_usd, exposure.uncollateralised_usd, exposure.share_of_customer_liabilities,
        exposure.active_privileges, exposure.credit_line_usd, exposure.unpriced_balances
    from marts.dim_entity_relation as relation
    left join marts.fct_affiliate_exposure_daily as exposure
        on exposure.entity_id = relation.entity_id and exposure.as_of_date = $day
    where relation.relation = 'affiliate' and $day >= relation.from_date and $day < relation.to_date
    order by exposure.uncollateralised_usd desc nulls last, exposure.gross_borrowing_usd desc nulls last,
        exposure.gross_claims_usd desc nulls last, relation.entity_id
    limit $limit
"""

_TOTAL = """
    select count(*) as affiliates, count(exposure.entity_id) as with_accounts,
        sum(exposure.gross_claims_usd) as gross_claims_usd, sum(exposure.gross_borrowing_usd) as gross_borrowing_usd,
        sum(exposure.uncollateralised_usd) as uncollateralised_usd
    from marts.dim_entity_relation as relation
    left join marts.fct_affiliate_exposure_daily as exposure
        on exposure.entity_id = relation.entity_id and exposure.as_of_date = $day
    where relation.relation = 'affiliate' and $day >= relation.from_date and $day < relation.to_date
"""

_ENTITIES = """
    select entity.entity_id, entity.entity_type, entity.name, relation.relation
    from marts.dim_entity as entity
    inner join marts.dim_entity_relation as relation
        on relation.entity_id = entity.entity_id and $day >= relation.from_date and $day < relation.to_date
    where relation.relation = 'operator' or entity.entity_id in (select unnest($entities))
    order by entity.entity_id
"""

_NODE = re.compile(r"(?P<entity>.+) \((?P<kind>(?:ownership [^()]+|control|director|family))\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Network:
    """Entities by key (an identifier or a hash), links between them, and the exposures of the largest affiliates."""

    entities: list[Row]
    links: list[Row]
    exposures: list[Row]
    total: Row

    @property
    def left_out(self) -> int:
        """How many affiliates aren't shown."""
        return int(self.total["affiliates"]) - len(self.exposures)


def read_network(connection: duckdb.DuckDBPyConnection, day: date) -> Network:
    """The network of a day."""
    affiliates = fetch_rows(connection, _AFFILIATES, {"day": day, "limit": SHOWN_ENTITIES})
    mentioned = {row["entity_id"] for row in affiliates}
    mentioned |= {entity for row in affiliates for entity in _mentioned(row["evidence_path"] or "")}
    found = fetch_rows(connection, _ENTITIES, {"day": day, "entities": sorted(mentioned)})
    known = {row["entity_id"]: row for row in found}
    operator = min((row["entity_id"] for row in found if row["relation"] == "operator"), default=None)
    links = sorted({link for row in affiliates for link in _links_of(row, known, operator)})
    shown = {row["entity_id"] for row in affiliates} | {end for link in links for end in link[:2]}
    if operator is not None:
        shown.add(operator)
    name = _Naming(known, {row["entity_id"]: row["reason"] for row in affiliates})
    return Network(
        entities=sorted((name.entity(entity) for entity in shown), key=lambda entity: str(entity["entity"])),
        links=[{"parent": name.key(parent), "child": name.key(child), "kind": kind} for parent, child, kind in links],
        exposures=[name.exposure(row) for row in affiliates],
        total=fetch_rows(connection, _TOTAL, {"day": day})[0],
    )


def _mentioned(path: str) -> Iterator[str]:
    """Whatever could be an entity in an evidence path."""
    for part in path.split("; "):
        first, *others = part.split(" -> ")
        yield first
        yield from (node["entity"] for other in others if (node := _NODE.fullmatch(other)))


def _links_of(affiliate: Row, known: dict[str, Row], operator: str | None) -> list[tuple[str, str, str]]:
    """The links that make somebody an affiliate, as (parent, child, kind)."""
    links: list[tuple[str, str, str]] = []
    for part in (affiliate["evidence_path"] or "").split("; "):
        parent, *others = part.split(" -> ")
        for other in others:
            node = _NODE.fullmatch(other)
            if node is None or parent not in known or node["entity"] not in known:
                return _by_rule(affiliate, operator)
            links.append((parent, node["entity"], node["kind"]))
            parent = node["entity"]
    return links or _by_rule(affiliate, operator)


def _by_rule(affiliate: Row, operator: str | None) -> list[tuple[str, str, str]]:
    if operator is None:
        return []
    return [(affiliate["entity_id"], operator, str(affiliate["reason"] or "affiliate").replace("_", " "))]


class _Naming:
    """Names of entities: the exchange's own parts by name, persons and customers by a keyed hash."""

    def __init__(self, known: dict[str, Row], reasons: dict[str, str]) -> None:
        self._known = known
        self._reasons = reasons
        self._hashing = process_hashing()

    def _may_be_named(self, entity_id: str) -> bool:
        row = self._known.get(entity_id)
        return row is not None and row["relation"] != "customer" and row["entity_type"] in NAMED_TYPES

    def key(self, entity_id: str) -> str:
        """What stands for the entity."""
        return entity_id if self._may_be_named(entity_id) else self.hashed(entity_id)

    def hashed(self, entity_id: str) -> str:
        """As findings speak of it."""
        return f"entity {self._hashing.of(entity_id)}"

    def entity(self, entity_id: str) -> Row:
        """The entity as a report shows it: the hash lets it be found among the findings."""
        row = self._known.get(entity_id, {})
        is_named = self._may_be_named(entity_id)
        return {
            "entity": self.key(entity_id),
            "name": row.get("name") if is_named else None,
            "entity_type": row.get("entity_type"),
            "relation": row.get("relation"),
            "reason": self._reasons.get(entity_id),
            "entity_hash": self._hashing.of(entity_id),
        }

    def exposure(self, row: Row) -> Row:
        """An affiliate's exposure as a report shows it."""
        rest = {name: value for name, value in row.items() if name not in ("entity_id", "reason", "evidence_path")}
        return {"entity": self.key(row["entity_id"]), **rest}
