"""What headlines there are, as the parsed dbt project has them.

What belongs here: names, meanings and what each can be grouped by. What doesn't: SQL (``querying``).
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.reading.published import Rows
from orchestration.sql import identifier
from orchestration.warehouse.dbt import semantic_manifest_as_json

TIME = "metric_time"
"""What MetricFlow calls the time of any metric."""

GRAINS = ("day", "week", "month", "quarter", "year")


@dataclass(frozen=True, slots=True)
class Headline:
    """A metric. ``column`` is the expression that is aggregated over rows of ``table``.

    ``is_stock`` says that over a longer time it is what it was at the end, where a flow adds up. ``grain`` is the
    shortest time it can be asked for, ``time`` the table's column, ``by`` what else it can be grouped by.
    """

    name: str
    label: str
    description: str
    table: str
    column: str
    aggregation: str
    is_stock: bool
    grain: str
    time: str
    by: tuple[str, ...]


def published_manifest() -> dict[str, Any]:
    """The semantic manifest, with its tables named as the published file has them, in whatever database it is."""
    manifest = copy.deepcopy(semantic_manifest_as_json())
    spines = manifest["project_configuration"]["time_spines"]
    for node in [item["node_relation"] for item in (*manifest["semantic_models"], *spines)]:
        node["database"] = None
        node["relation_name"] = f"{identifier(node['schema_name'])}.{identifier(node['alias'])}"
    return manifest


def headlines() -> dict[str, Headline]:
    """All headlines by name, in the order of their definition."""
    manifest = published_manifest()
    models = manifest["semantic_models"]
    measures = {measure["name"]: (model, measure) for model in models for measure in model["measures"]}
    joined = {entity["name"]: model for model in models for entity in model["entities"] if entity["type"] == "primary"}
    found = {}
    for metric in manifest["metrics"]:
        model, measure = measures[metric["type_params"]["measure"]["name"]]
        found[metric["name"]] = _headline(metric, model, measure, joined)
    order = list(measures)
    return {name: found[name] for name in sorted(found, key=order.index)}


def known(names: Sequence[str]) -> list[Headline]:
    """The headlines of these names; raise ConfigurationError, with what could be meant, for one that there isn't."""
    all_ = headlines()
    for name in names:
        if name not in all_:
            close = difflib.get_close_matches(name, all_, n=3)
            meant = f" (did you mean {' or '.join(close)}?)" if close else ""
            raise ConfigurationError(
                f"there is no headline {name}{meant}; 'ringfence headline' without names lists them"
            )
    return [all_[name] for name in names]


def listing() -> Rows:
    """All headlines, for printing."""
    columns = ("headline", "meaning", "over time", "by")
    rows = [
        (
            headline.name,
            headline.description,
            "as at the end" if headline.is_stock else "adds up",
            ", ".join((headline.grain, *headline.by)),
        )
        for headline in headlines().values()
    ]
    return Rows(columns, tuple(rows))


def _headline(
    metric: Mapping[str, Any], model: Mapping[str, Any], measure: Mapping[str, Any], joined: Mapping[str, Any]
) -> Headline:
    time = next(item for item in model["dimensions"] if item["name"] == model["defaults"]["agg_time_dimension"])
    entities = [entity["name"] for entity in model["entities"]]
    return Headline(
        name=metric["name"],
        label=metric["label"],
        description=metric["description"],
        table=model["node_relation"]["relation_name"],
        column=measure["expr"] or measure["name"],
        aggregation=measure["agg"],
        is_stock=measure["non_additive_dimension"] is not None,
        grain=time["type_params"]["time_granularity"],
        time=time["expr"] or time["name"],
        by=(
            *entities,
            *_categories(model["primary_entity"], model),
            *(name for entity in entities if entity in joined for name in _categories(entity, joined[entity])),
        ),
    )


def _categories(prefix: str, model: Mapping[str, Any]) -> list[str]:
    """What MetricFlow calls what rows of a model can be grouped by."""
    return [f"{prefix}__{item['name']}" for item in model["dimensions"] if item["type"] == "categorical"]
