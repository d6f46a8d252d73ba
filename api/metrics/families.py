"""Build metric families in one expression each; values that are not known yet are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["PREFIX", "Values", "counter", "counters", "gauge", "gauges", "spread"]

PREFIX: Final = "crypto_"

Values = Mapping[Any, float | None]
"""Values by label: by a string where there is one label, by a tuple of strings where there are several."""


def gauge(name: str, text: str, value: float | None) -> Iterable[Metric]:
    """A gauge without labels."""
    if value is not None:
        yield GaugeMetricFamily(PREFIX + name, text, value=value)


def counter(name: str, text: str, value: float | None) -> Iterable[Metric]:
    """A counter without labels; its series are called `<name>_total`."""
    if value is not None:
        yield CounterMetricFamily(PREFIX + name, text, value=value)


def gauges(name: str, text: str, labels: str, values: Values) -> Iterable[Metric]:
    """A gauge with labels, whose names are separated by spaces."""
    return _filled(GaugeMetricFamily(PREFIX + name, text, labels=labels.split()), values)


def counters(name: str, text: str, labels: str, values: Values) -> Iterable[Metric]:
    """A counter with labels, whose names are separated by spaces."""
    return _filled(CounterMetricFamily(PREFIX + name, text, labels=labels.split()), values)


def spread(values: npt.NDArray[np.float64], *, worst_is_high: bool) -> Values:
    """What is shown of a figure that each coin has, however many coins there are: the worst and the median."""
    if not len(values):
        return {}
    return {"worst": float(values.max() if worst_is_high else values.min()), "median": float(np.median(values))}


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Iterable[Metric]:
    for place, value in values.items():
        if value is not None:
            family.add_metric((place,) if isinstance(place, str) else place, value)
    if family.samples:
        yield family
