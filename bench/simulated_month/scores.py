"""The scores of a simulated month, computed once more from log and prices, forecast by forecast.

Nothing of the product's scoring is used. A cell whose prices were filled in after it may have been scored is compared
in its number of forecasts alone, for the scores rightly know only what was stored then; and the benchmark's losses are
not compared where prices of its two weeks were.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from bench.simulated_month.prices import Series
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray

__all__ = ["ScoreVerdict", "check_scores"]

_LEVELS: Final[dict[str, float]] = {
    "q025": 0.025,
    "q05": 0.05,
    "q10": 0.1,
    "q25": 0.25,
    "q50": 0.5,
    "q75": 0.75,
    "q90": 0.9,
    "q95": 0.95,
    "q975": 0.975,
}
_INSIDE: Final = {50: ("q25", "q75"), 80: ("q10", "q90"), 90: ("q05", "q95"), 95: ("q025", "q975")}
_GRID_MS: Final = 5 * MINUTE_MS
_TOLERANCE_MS: Final = 450_000
_HISTORY_MS: Final = 14 * DAY_MS
_RENEWED_MS: Final = 6 * HOUR_MS
_OPEN_MS: Final = 3 * HOUR_MS
"""Hours this young may have forecasts that still wait for their outcome."""

_CLOSE: Final = 1e-9

_Cell = tuple[str, int, int]
"""Coin, hour in UTC milliseconds, horizon in minutes."""


@dataclass(frozen=True)
class ScoreVerdict:
    """What is wrong with the scores.

    Attributes:
        cells: cells (coin, hour, horizon) whose number of forecasts was compared.
        miscounted: those among them with another number than forecasts with an outcome.
        recomputed: forecasts computed once more.
        different: cells of theirs with another sum.
    """

    cells: int
    miscounted: int
    recomputed: int
    different: int


def check_scores(
    log: pa.Table,
    scores: pa.Table,
    prices: Mapping[str, Series],
    left_out: set[tuple[str, int]],
    sample: int,
) -> ScoreVerdict:
    """Compare the scores of the last two weeks.

    Args:
        log: all logged forecasts.
        scores: all score rows.
        prices: all stored prices.
        left_out: coins and hours whose logged forecasts were damaged.
        sample: how many coins and hours are computed once more.
    """
    newest_ms = max(int(series.ts_ms[-1]) for series in prices.values())
    first_ms = max(newest_ms - _HISTORY_MS, min(int(series.ts_ms[0]) for series in prices.values()) + DAY_MS)
    rows = [
        row
        for row in _rows(log, first_ms, newest_ms - _OPEN_MS)
        if (row["coin"], row["hour"]) not in left_out and row["hour"] >= first_ms
    ]
    expected = Counter(_cell(row) for row in rows if math.isfinite(_outcome(prices[row["coin"]], row)))
    found = _sums(scores)
    hours = sorted({(row["coin"], row["hour"]) for row in rows})
    chosen = set(random.Random(0).sample(hours, min(sample, len(hours))))
    compared = [row for row in rows if (row["coin"], row["hour"]) in chosen]
    recomputed, different = _recompute(compared, prices, found)
    return ScoreVerdict(
        cells=len(expected),
        miscounted=sum(found.get(cell, {}).get("n", 0) != count for cell, count in expected.items()),
        recomputed=recomputed,
        different=different,
    )


def _rows(log: pa.Table, first_ms: int, last_ms: int) -> list[dict[str, Any]]:
    """The rows of the log between two times, with `origin_ms` and `hour`."""
    origin = log["origin"].cast(pa.int64()).to_numpy()
    chosen = (origin >= first_ms) & (origin < last_ms // HOUR_MS * HOUR_MS)
    rows: list[dict[str, Any]] = log.filter(pa.array(chosen)).drop_columns(["origin", "created_at"]).to_pylist()
    for row, origin_ms in zip(rows, origin[chosen].tolist(), strict=True):
        row |= {"origin_ms": origin_ms, "hour": origin_ms // HOUR_MS * HOUR_MS}
    return rows


def _sums(scores: pa.Table) -> dict[_Cell, dict[str, float]]:
    sums: dict[_Cell, dict[str, float]] = {}
    hours = scores["hour"].cast(pa.int64()).to_pylist()
    for row, hour in zip(scores.drop_columns(["hour"]).to_pylist(), hours, strict=True):
        _add(sums.setdefault((row.pop("coin"), hour, row.pop("horizon_min")), {}), row)
    return sums


def _add(sums: dict[str, float], terms: Mapping[str, float]) -> None:
    for name, value in terms.items():
        sums[name] = sums.get(name, 0.0) + value


def _cell(row: Mapping[str, Any]) -> _Cell:
    return row["coin"], row["hour"], row["horizon_min"]


def _outcome(series: Series, row: Mapping[str, Any]) -> float:
    """The last price at or before the target if it is not too old and a later one came; NaN without one."""
    times = series.ts_ms
    target_ms = row["origin_ms"] + row["horizon_min"] * MINUTE_MS
    place = int(np.searchsorted(times, target_ms, side="right")) - 1
    if place < 0 or target_ms - times[place] > _TOLERANCE_MS or target_ms > times[-1]:
        return math.nan
    return float(series.price[place])


def _recompute(
    rows: Sequence[Mapping[str, Any]], prices: Mapping[str, Series], found: Mapping[_Cell, Mapping[str, float]]
) -> tuple[int, int]:
    """Number of forecasts computed once more, and of cells with another sum."""
    sums: dict[_Cell, dict[str, float]] = {}
    repaired: set[_Cell] = set()
    naive: dict[tuple[str, int], FloatArray | None] = {}
    for row in rows:
        series, renewal_ms = prices[row["coin"]], row["origin_ms"] // _RENEWED_MS * _RENEWED_MS
        key = row["coin"], renewal_ms
        if key not in naive:
            naive[key] = _naive_moves(series, renewal_ms)
        moves, outcome = naive[key], _outcome(series, row)
        if not math.isfinite(outcome):
            continue
        if outcome != _outcome_then(series, row):
            repaired.add(_cell(row))
        _add(sums.setdefault(_cell(row), {}), _losses(row, outcome))
        if moves is not None:
            _add(sums[_cell(row)], _naive_losses(row, outcome, moves[row["horizon_min"] // 5 - 1]))
    whole = {cell: terms for cell, terms in sums.items() if cell not in repaired}
    different = sum(
        any(
            abs(value - found.get(cell, {}).get(name, math.nan)) > _CLOSE * max(1.0, abs(value))
            for name, value in terms.items()
        )
        for cell, terms in whole.items()
    )
    return round(sum(terms["n"] for terms in whole.values())), different


def _outcome_then(series: Series, row: Mapping[str, Any]) -> float:
    """The outcome by the prices that were fetched when the first price at or after the target was."""
    target_ms = row["origin_ms"] + row["horizon_min"] * MINUTE_MS
    later = series.fetched_ms[series.ts_ms >= target_ms]
    if not len(later):
        return math.nan
    known = series.fetched_ms <= later.min()
    return _outcome(Series(series.ts_ms[known], series.price[known], series.fetched_ms[known]), row)


def _naive_moves(series: Series, renewal_ms: int) -> FloatArray | None:
    """Quantiles (12, 9) of the log returns of 14 days; None without any, or if prices came after the renewal."""
    grid = np.arange(renewal_ms - _HISTORY_MS, renewal_ms + 1, _GRID_MS)
    known = series.fetched_ms <= renewal_ms + _GRID_MS
    now, then = (_as_of(series.ts_ms[chosen], series.price[chosen], grid) for chosen in (slice(None), known))
    if not np.array_equal(now, then, equal_nan=True) or np.isnan(now).all():
        return None
    logs = np.log(now)
    moves = [logs[steps:] - logs[:-steps] for steps in range(1, 13)]
    return np.array([np.quantile(move[np.isfinite(move)], list(_LEVELS.values())) for move in moves])


def _as_of(times: IntArray, values: FloatArray, grid: IntArray) -> FloatArray:
    if not len(times):
        return np.full(len(grid), np.nan)
    place = np.searchsorted(times, grid, side="right") - 1
    age = grid - times[np.maximum(place, 0)]
    return np.where((place >= 0) & (age <= _TOLERANCE_MS), values[np.maximum(place, 0)], np.nan)


def _losses(row: Mapping[str, Any], outcome: float) -> dict[str, float]:
    """What one forecast adds to its cell, in simple returns."""
    price = row["price_origin"]
    move, point = outcome / price - 1, row["mean"] / price - 1
    own = {name: row[name] / price - 1 for name in _LEVELS}
    directed = abs(row["p_up"] - 0.5) > _CLOSE and move != 0
    return {
        "n": 1.0,
        "pinball": _pinball(own, move),
        "abs_error": abs(point - move),
        "abs_error_naive": abs(move),
        **{f"inside_{percent}": float(own[low] <= move <= own[high]) for percent, (low, high) in _INSIDE.items()},
        "width_80": own["q90"] - own["q10"],
        "winkler_80": _winkler(own["q10"], own["q90"], move),
        "brier": (row["p_up"] - (move > 0)) ** 2,
        "moved": float(directed),
        "hits": float(directed and (row["p_up"] > 0.5) == (move > 0)),
        "rises": float(directed and move > 0),
    }


def _naive_losses(row: Mapping[str, Any], outcome: float, moves: FloatArray) -> dict[str, float]:
    """What the benchmark with these quantiles of the log return (9,) adds."""
    move = outcome / row["price_origin"] - 1
    naive = dict(zip(_LEVELS, [math.exp(value) - 1 for value in moves], strict=True))
    return {
        "pinball_naive": _pinball(naive, move),
        "winkler_80_naive": _winkler(naive["q10"], naive["q90"], move),
    }


def _pinball(quantiles: Mapping[str, float], move: float) -> float:
    losses = [max(_LEVELS[name] * (move - at), (_LEVELS[name] - 1) * (move - at)) for name, at in quantiles.items()]
    return sum(losses) / len(losses)


def _winkler(low: float, high: float, move: float) -> float:
    miss = low - move if move < low else move - high if move > high else 0.0
    return high - low + 10.0 * miss
