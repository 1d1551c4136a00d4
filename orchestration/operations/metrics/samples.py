"""Values of metrics while they are gathered.

What belongs here: putting exact values and moments into what Prometheus takes, which is binary floats. What doesn't:
deciding anything: that is done exactly before, in the warehouse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

from prometheus_client.core import GaugeMetricFamily

from orchestration.operations.metrics.catalogue import METRICS, METRICS_BY_NAME

Value = Decimal | int | float | bool | date | datetime | None


class Samples:
    """Values by metric and labels. A value of None isn't known and is left out."""

    def __init__(self) -> None:
        self._values: dict[str, dict[tuple[str, ...], float]] = defaultdict(dict)

    def put(self, name: str, value: Value, *labels: str) -> None:
        """Set a metric of the catalogue, named without its prefix."""
        metric = METRICS_BY_NAME[f"ringfence_{name}"]
        assert len(labels) == len(metric.labels), f"{metric.name} has labels {metric.labels}"
        if value is not None:
            self._values[metric.name][labels] = _number(value)

    def value(self, name: str, *labels: str) -> float | None:
        """What a metric, named without its prefix, was set to; None if it wasn't."""
        return self._values.get(f"ringfence_{name}", {}).get(labels)

    def leave_out(self, name: str) -> None:
        """Forget a metric, named without its prefix: what was said of it isn't known to be so any more."""
        self._values.pop(f"ringfence_{name}", None)

    def add(self, other: Samples) -> None:
        """Take over what another has."""
        for name, values in other._values.items():
            self._values[name] |= values

    def families(self) -> Iterator[GaugeMetricFamily]:
        """The metrics that have values, in the catalogue's order."""
        for metric in METRICS:
            if values := self._values.get(metric.name):
                family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
                for labels, value in values.items():
                    family.add_metric(labels, value)
                yield family


def _number(value: Decimal | float | date) -> float:
    """The nearest float; a moment (UTC) or a day's beginning as seconds since 1970."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    return float(value)
