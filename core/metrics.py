"""Accuracy as it is published: additive sums by coin, hour and horizon, and what they say when added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

__all__ = ["SCORE_SCHEMA", "SCORE_SUMS", "Metrics", "MetricsBlock", "Score", "summarise"]

SCORE_SUMS: Final = (
    "n",
    "pinball",
    "pinball_naive",
    "abs_error",
    "abs_error_naive",
    "inside_50",
    "inside_80",
    "inside_90",
    "inside_95",
    "width_80",
    "winkler_80",
    "winkler_80_naive",
    "brier",
    "moved",
    "hits",
    "rises",
    "forest",
)
"""Sums over the forecasts of a cell. Losses and widths are in simple returns (price / price at the origin − 1)."""

SCORE_SCHEMA: Final = pa.schema(
    [
        ("coin", pa.string()),
        ("hour", pa.timestamp("ms", tz="UTC")),
        ("horizon_min", pa.int16()),
        *((name, pa.float64()) for name in SCORE_SUMS),
    ]
)
"""One row per coin, hour of the origin and horizon; rows of one cell may be split and are simply added."""


@dataclass(frozen=True)
class Score:
    """What a set of realised forecasts says; ratios below 1 are better than "the price stays"."""

    forecasts: int
    hours: int
    start_ms: int
    end_ms: int
    relative_pinball: float | None
    skill: float | None
    coverage: Mapping[int, float]
    width_80_percent: float | None
    winkler_ratio: float | None
    mae_percent: float | None
    mae_ratio: float | None
    hit_rate: float | None
    hit_low: float | None
    hit_high: float | None
    brier: float | None
    better_p_value: float | None
    forest_share: float


@dataclass(frozen=True)
class MetricsBlock:
    """Scores of one kind of evidence (live or backtest): overall and by horizon, coin and day."""

    overall: Score
    by_horizon: Mapping[int, Score] = field(default_factory=dict)
    by_coin: Mapping[str, Score] = field(default_factory=dict)
    by_day: Mapping[str, Score] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """The two blocks apart; None where nothing was scored yet."""

    live: MetricsBlock | None
    backtest: MetricsBlock | None


def summarise(table: pa.Table) -> MetricsBlock | None:
    """Add up rows of SCORE_SCHEMA; None for an empty table."""
    raise NotImplementedError
