"""What follows from data that never came: the rule by which one incident explains another. No clock, no database.

What belongs here: the rule. What doesn't: what becomes of what is explained (``incidents``), who depends on what
(``warehouse.lineage``).

To hide too much is worse than to say too much. So an incident is explained only if all of this holds, and else at most
mentions that it may follow:

- the data that never came is something that its check measures, not only what the result is valued at;
- it was opened no earlier, and for no earlier day, and is no more severe;
- if only an asset's price is missing, it is about the same asset, and no breach;
- it is no critical breach about somebody or something particular: who owes what the ledger says owes it whatever a
  wallet's node does. Totals (the exchange, a group, an asset, a figure) may follow from a source that is silent.

What is watched besides the catalogue (a run, a check, the deadline) always speaks for itself; of a day that isn't
published it is said which tables have no partition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestration.alerts.incidents import Bearing, Category, Incident, Observation
from orchestration.alerts.observing import PUBLISHED_IN_TIME
from orchestration.checks import Kind, Severity, checks_by_name
from orchestration.warehouse.lineage import Lineage

ARRIVALS_COMPLETE = "arrivals_complete"
PRICES = "token_prices"
"""The table of which an incident about an asset tells that it lacks something."""

TOTALS = frozenset({"exchange", "in_kind_group", "asset", "figure", "group"})
"""Kinds of subjects that are nobody and nothing particular."""


@dataclass(frozen=True, slots=True)
class Explaining:
    """The rule for one state of the dbt project, whose lineage is asked for only when data never came."""

    lineage: Callable[[], Lineage]

    def __call__(self, cause: Incident, effect: Incident) -> Bearing | None:
        """What data that never came (``cause``) has to do with another incident."""
        if effect.seen.check_name == PUBLISHED_IN_TIME:
            is_reason = cause.seen.check_name == ARRIVALS_COMPLETE and not _stood_before(effect, cause)
            return Bearing.MAY_EXPLAIN if is_reason else None
        check = checks_by_name().get(effect.seen.check_name)
        table = missing_table(cause.seen)
        if check is None or table is None or table not in self.lineage().whole.get(check.name, ()):
            return None
        is_of_asset = cause.seen.subject_type == "asset"
        if is_of_asset and effect.seen.asset not in (None, cause.seen.asset):
            return None
        if _stood_before(effect, cause):
            return None
        explains = (
            table in self.lineage().measured[check.name]
            and not (cause.seen.severity is Severity.WARNING and effect.seen.severity is Severity.CRITICAL)
            and not (is_of_asset and (effect.seen.asset is None or effect.seen.category is Category.NO_DATA))
            and not (is_of_asset and check.kind is Kind.BREACH)
            and not _is_particular_breach(effect, check.kind)
        )
        return Bearing.EXPLAINS if explains else Bearing.MAY_EXPLAIN


def _stood_before(effect: Incident, cause: Incident) -> bool:
    return effect.opened_at < cause.opened_at or effect.seen.since < cause.seen.since


def missing_table(seen: Observation) -> str | None:
    """The table that lacks something, if the observation is about data that never came."""
    if seen.category is not Category.NO_DATA:
        return None
    return {"table": seen.subject_id, "asset": PRICES}.get(seen.subject_type)


def _is_particular_breach(effect: Incident, kind: Kind) -> bool:
    is_critical = effect.seen.severity is Severity.CRITICAL
    return kind is Kind.BREACH and is_critical and effect.seen.subject_type not in TOTALS
