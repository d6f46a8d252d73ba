"""How coins move, one beside the other: hourly changes, their correlation, and expected against recent moves. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np

from core.accuracy.scores import STABLE_MOVE
from core.reading.answers import HourAhead
from core.reading.values import Quote
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import HOUR_MS
from dashboard.charts.time_axis import Points

__all__ = [
    "MIN_CHANGES",
    "Hour",
    "Liveliness",
    "correlations",
    "default_coins",
    "hourly_changes",
    "liveliness",
    "mean_move",
]

MIN_CHANGES: Final = 6
"""Fewer hourly changes say nothing of what is usual, nor of how two coins move together."""

Hour = tuple[int, bool]
"""Number of an hour since 1970, and whether its price is older than the first stored one."""


@dataclass(frozen=True)
class Liveliness:
    """How much a coin is expected to move in the next hour, and how much it moved in an hour lately, as fractions.

    Attributes:
        recent: mean absolute hourly change; None with too few of them.
        times_normal: expected over recent move; None where the recent one is unknown or zero.
        percentile: of the coin's activity among its own hours of two weeks; None when unknown.
    """

    coin: str
    expected: float
    recent: float | None
    percentile: float | None

    @property
    def times_normal(self) -> float | None:
        """Expected move in units of the recent mean."""
        return self.expected / self.recent if self.recent else None


def hourly_changes(points: Points, first_ms: int = 0) -> dict[Hour, float]:
    """Change from the end of each hour to that of the next, as a fraction, by the later hour.

    Args:
        points: prices of a coin. The last price of an hour counts if it is at most `PRICE_TOLERANCE_MS` old at its end.
        first_ms: event time of the first stored price. Older ones, one an hour, have inferred times, which may be an
            hour late: their changes are hours of their own, which only such hours of other coins equal.
    """
    last = {
        (ts_ms // HOUR_MS, ts_ms < first_ms): price
        for ts_ms, price in zip(*points, strict=True)
        if ts_ms < first_ms or HOUR_MS - ts_ms % HOUR_MS <= PRICE_TOLERANCE_MS
    }
    return {
        (hour, is_older): price / last[hour - 1, is_older] - 1
        for (hour, is_older), price in last.items()
        if (hour - 1, is_older) in last
    }


def mean_move(changes: Mapping[Hour, float]) -> float | None:
    """Mean absolute change; None with too few changes."""
    return fmean(abs(change) for change in changes.values()) if len(changes) >= MIN_CHANGES else None


def correlations(changes: Mapping[str, Mapping[Hour, float]]) -> dict[tuple[str, str], float | None]:
    """Correlation of each pair of coins over the hours that both have, by both orders of their ids.

    None with too few hours in common, or for a coin that did not move.
    """
    found: dict[tuple[str, str], float | None] = {}
    for one, first in changes.items():
        for other, second in changes.items():
            hours = sorted(first.keys() & second.keys())
            pair = np.array([[first[hour] for hour in hours], [second[hour] for hour in hours]])
            moves = len(hours) >= MIN_CHANGES and bool((pair.std(axis=1) > 0).all())
            found[one, other] = float(np.corrcoef(pair)[0, 1]) if moves else None
    return found


def liveliness(hours: Mapping[str, HourAhead], changes: Mapping[str, Mapping[Hour, float]]) -> list[Liveliness]:
    """Every coin that has a forecast, the one that is most above its recent moves first, unknown ones last."""
    rows = [
        Liveliness(coin, hour.expected_move, mean_move(changes.get(coin, {})), hour.activity_percentile)
        for coin, hour in hours.items()
    ]
    return sorted(rows, key=lambda row: -1.0 if row.times_normal is None else row.times_normal, reverse=True)


def default_coins(quotes: Sequence[Quote], hours: Mapping[str, HourAhead], count: int) -> tuple[str, ...]:
    """The first coins by rank without those that hardly move by design, as far as forecasts tell."""
    still = {coin for coin, hour in hours.items() if hour.expected_move < STABLE_MOVE}
    moving = [quote.id for quote in quotes if quote.id not in still]
    return tuple((moving or [quote.id for quote in quotes])[:count])
