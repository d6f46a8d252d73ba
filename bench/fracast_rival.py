"""The forecasters of `bench.library_rivals` from fracast, a small foundation model whose weights lie in its wheel.

The model is used as it comes: full-precision weights, nothing fitted. It takes up to 2,048 values of a series, missing
ones included, and gives the deciles of each of the next 48. `fracast_price` asks it for the price, `FracastScale` for
the volatility alone.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.rival_forecasters import LEVELS, STEPS, Array

_CONTEXT = 2048
_BATCH = 64
_HOUR = len(STEPS)
_MIN_KNOWN = 24
_DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_T_TAIL = np.array([2.7764, 2.1318]) / 1.5332
"""Quantiles 97.5 and 95 % of Student's t with 4 degrees of freedom, in units of its 90 % quantile."""


def fracast_price(log_price: Array, first: int, last: int, marks: npt.NDArray[np.int64]) -> Array:  # noqa: ARG001
    """Quantiles of the log price itself, from the 2,048 5-minute prices up to each origin."""
    contexts = [_latest(coin[: mark + 1] - coin[mark]) for coin in log_price for mark in marks]
    deciles = _deciles(np.array(contexts), _HOUR)
    return nine_quantiles(deciles).reshape(len(log_price), len(marks), _HOUR, len(LEVELS))


class FracastScale:
    """A scale from the log mean absolute 5-minute returns of the hours before the origin, counted back from it.

    The scale of a horizon is the median forecast of the next hour times the root of the horizon; its quantiles are
    those of the training window's moves, hour by hour and all coins together, in units of the scale forecast for them.
    One object serves one recording: it keeps the scales of the marks that it was asked for.
    """

    def __init__(self) -> None:
        self._known: dict[int, Array] = {}

    def __call__(self, log_price: Array, first: int, last: int, marks: npt.NDArray[np.int64]) -> Array:
        """Forecast as every `Forecaster` does; NaN for a coin with fewer than 24 known hours."""
        past = np.arange(last, first - 1, -_HOUR)[::-1]
        seen, scale = self._scales(log_price, past), self._scales(log_price, marks)
        answer = np.empty((*scale.shape, _HOUR, len(LEVELS)))
        for place, step in enumerate(STEPS):
            rows = past[past + step <= last]
            moves = log_price[:, rows + step] - log_price[:, rows]
            bends = np.nanquantile(moves / seen[:, : len(rows)], list(LEVELS.values()))
            answer[:, :, place] = scale[..., None] * bends
        return answer

    def _scales(self, log_price: Array, marks: npt.NDArray[np.int64]) -> Array:
        """Forecast mean absolute return of the hour after each mark (coins, marks)."""
        new = [int(mark) for mark in marks if int(mark) not in self._known]
        if new:
            hours = np.array([_log_hours(coin[: mark + 1]) for mark in new for coin in log_price])
            scale = np.exp(_deciles(hours, 1)[:, 0, _DECILES.index(0.5)])
            self._known |= zip(new, scale.reshape(len(new), -1), strict=True)
        return np.stack([self._known[int(mark)] for mark in marks], axis=1)


def nine_quantiles(deciles: Array) -> Array:
    """Quantiles at LEVELS (..., 9) from the deciles 10 to 90 % (..., 9).

    25 and 75 % lie halfway between two deciles. Beyond 10 and 90 % each tail is that of Student's t with 4 degrees of
    freedom, as far from the median as its decile says.
    """
    q = np.sort(deciles, axis=-1)
    middle = q[..., 4:5]
    low = middle + (q[..., :1] - middle) * _T_TAIL
    high = middle + (q[..., 8:] - middle) * _T_TAIL[::-1]
    quarters = [(q[..., n] + q[..., n + 1]) / 2 for n in (1, 6)]
    inner = np.stack([q[..., 0], quarters[0], q[..., 4], quarters[1], q[..., 8]], axis=-1)
    return np.concatenate([low, inner, high], axis=-1)


def _log_hours(prices: Array) -> Array:
    """Log mean absolute return of each whole hour before the last price, the latest 2,048; NaN where it is unknown."""
    size = np.abs(np.diff(prices))
    with np.errstate(divide="ignore"):
        hours = np.log(size[len(size) % _HOUR :].reshape(-1, _HOUR).mean(axis=1))
    return _latest(np.where(np.isfinite(hours), hours, np.nan))


def _latest(series: Array) -> Array:
    return np.concatenate([np.full(_CONTEXT, np.nan), series])[-_CONTEXT:]


def _deciles(contexts: Array, steps: int) -> Array:
    """The model's deciles (series, steps, 9) after contexts (series, values); NaN with fewer than 24 known values."""
    deciles = np.full((len(contexts), steps, len(_DECILES)), np.nan)
    enough = np.flatnonzero(np.isfinite(contexts).sum(axis=1) >= _MIN_KNOWN)
    for start in range(0, len(enough), _BATCH):
        rows = enough[start : start + _BATCH]
        deciles[rows] = _model().forecast_batch(contexts[rows], horizon=steps)
    return deciles


@cache
def _model() -> Any:
    model = import_module("fracast").FracastModel.from_pretrained(weights="fp32")
    if tuple(model.quantiles) != _DECILES or model.context_length != _CONTEXT:
        raise RuntimeError(f"fracast changed: quantiles {model.quantiles}, context {model.context_length}")
    return model
