"""Who is related to the operator on a date: DOMAIN.md section 6, from the entity graph alone.

What belongs here: effective shares, control, directors, family, the relation of entities and accounts.
What doesn't: balances, or what related entities do.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from fractions import Fraction
from functools import cached_property

from tests.oracle.books import Books, Row, day_end, day_start
from tests.oracle.policy import Policy

Shares = dict[str, dict[str, Fraction]]
HALF = Fraction(1, 2)


def holds_at(row: Row, moment: datetime) -> bool:
    """Whether a row with half-open validity holds at the moment."""
    return bool(row["valid_from"] <= moment and (row["valid_to"] is None or moment < row["valid_to"]))


def holds_during(row: Row, day: date) -> bool:
    """Whether a row with half-open validity holds at any moment of the day."""
    starts, ends = row["valid_from"], row["valid_to"]
    if ends is not None and ends <= starts:
        return False
    return bool(starts < day_end(day) and (ends is None or ends > day_start(day)))


def direct_shares(links: list[Row]) -> Shares:
    """Ownership and control links as fractions; above one half, and every control link, counts as the whole."""
    shares: Shares = defaultdict(lambda: defaultdict(Fraction))
    for link in links:
        if link["link_type"] == "control":
            share = Fraction(1)
        elif link["link_type"] == "ownership" and link["ownership_pct"] is not None:
            share = Fraction(link["ownership_pct"]) / 100
            share = Fraction(1) if share > HALF else share
        else:
            continue
        shares[link["parent_entity_id"]][link["child_entity_id"]] += share
    return shares


def effective_share(shares: Shares, owner: str, owned: str) -> Fraction:
    """The sum over simple paths of the product of the links, at most one; zero of an entity in itself."""
    if owner == owned:
        return Fraction(0)

    def walk(here: str, visited: frozenset[str]) -> Fraction:
        found = Fraction(0)
        for child, share in shares.get(here, {}).items():
            if child == owned:
                found += share
            elif child not in visited:
                found += share * walk(child, visited | {child})
        return found

    return min(Fraction(1), walk(owner, frozenset({owner})))


class Graph:
    """The entity graph at one moment."""

    def __init__(self, links: list[Row], entity_types: dict[str, str], operators: set[str], threshold: Fraction):
        self.entity_types = entity_types
        self.operators = operators
        self.threshold = threshold
        self.shares = direct_shares(links)
        self.directors = [
            (link["parent_entity_id"], link["child_entity_id"]) for link in links if link["link_type"] == "director"
        ]
        self.families = [
            (link["parent_entity_id"], link["child_entity_id"]) for link in links if link["link_type"] == "family"
        ]

    def share(self, owner: str, owned: str) -> Fraction:
        """Effective share of ``owner`` in ``owned``."""
        return effective_share(self.shares, owner, owned)

    def controllers(self) -> set[str]:
        """Entities with an effective share above one half in an operator."""
        return {
            entity
            for entity in self.entity_types
            if entity not in self.operators and any(self.share(entity, op) > HALF for op in self.operators)
        }

    def related(self) -> set[str]:
        """Every entity related to the operator, the operator itself left out."""
        controllers = self.controllers()
        found = set()
        for entity in self.entity_types:
            in_operator = any(self.share(entity, op) >= self.threshold for op in self.operators)
            of_operator = any(self.share(op, entity) >= self.threshold for op in self.operators)
            of_controller = any(self.share(controller, entity) >= self.threshold for controller in controllers)
            if in_operator or of_operator or of_controller:
                found.add(entity)
        directors = {director for director, company in self.directors if company in self.operators | controllers}
        found |= directors
        persons = {entity for entity in found if self.entity_types.get(entity) == "person"} | directors
        family = set()
        for one, other in self.families:
            if one in persons:
                family.add(other)
            if other in persons:
                family.add(one)
        found |= family
        for entity in self.entity_types:
            if any(self.share(person, entity) > HALF for person in persons | family):
                found.add(entity)
        return found - self.operators


class Relations:
    """The relation of every entity and account on every date."""

    def __init__(self, books: Books, policy: Policy):
        self.books = books
        self.policy = policy
        self._related: dict[date, set[str]] = {}
        self._told: dict[date, set[str]] = {}
        self.entity_types = {row["entity_id"]: row["entity_type"] for row in books.rows("entities")}
        self.accounts = {row["account_id"]: row for row in books.rows("accounts")}

    @cached_property
    def operators(self) -> set[str]:
        """Entities of type operator and the custodial subsidiaries that policy names."""
        by_type = {entity for entity, entity_type in self.entity_types.items() if entity_type == "operator"}
        return by_type | set(self.policy.custodial_subsidiaries)

    def related_at(self, moment: datetime, links: list[Row]) -> set[str]:
        """Entities related to the operator at one moment by these links."""
        links = [link for link in links if holds_at(link, moment)]
        threshold = Fraction(self.policy.ownership_threshold_pct) / 100
        return Graph(links, self.entity_types, self.operators, threshold).related()

    def related_on(self, day: date) -> set[str]:
        """Entities related to the operator at any moment of the day."""
        if day not in self._related:
            self._related[day] = self._related_during(day, self.books.rows("entity_links"))
        return self._related[day]

    def told_on(self, day: date) -> set[str]:
        """Entities related to the operator at any moment of the day as that day itself knew it."""
        if day not in self._told:
            self._told[day] = self._related_during(day, self.books.links_told(day))
        return self._told[day]

    def _related_during(self, day: date, links: list[Row]) -> set[str]:
        moments = {day_start(day)}
        for link in links:
            for moment in (link["valid_from"], link["valid_to"]):
                if moment is not None and day_start(day) <= moment < day_end(day):
                    moments.add(moment)
        return set().union(*(self.related_at(moment, links) for moment in moments))

    def entity(self, entity_id: str, day: date) -> str:
        """``operator``, ``affiliate`` or ``customer``."""
        if entity_id in self.operators:
            return "operator"
        return "affiliate" if entity_id in self.related_on(day) else "customer"

    def account(self, account_id: str, day: date) -> str:
        """The relation of the entity that holds the account."""
        return self.entity(self.accounts[account_id]["entity_id"], day)

    def account_class(self, account_id: str) -> str:
        """The account's class."""
        return str(self.accounts[account_id]["account_class"])

    def affiliates(self, day: date) -> set[str]:
        """All affiliates on the day."""
        return self.related_on(day)
