"""`python -m bench synth_yardstick [NAME …]`: our forecasts in Synth's one-hour task (rules: bench.synth_score).

Paths from the engine, every half-hour: the scale of a horizon is the published half-width of the 80 % interval; between
horizons its square is interpolated in time. The coin's recorded hours of the 14 days before, each in units of the scale
published at its own start, are multiplied by the scale published now: 500 of them, drawn at random, and their mirror
images. Nothing is fitted to the score.

The baseline is a geometric Brownian motion without drift: 1,000 paths with the standard deviation of the 1-minute log
returns of the last 14 days, and beside it one with that of the last day. Hours in which a minute is missing are left
out. A miner answers a minute before the start; here all know the price at the start.

Recordings lie in the folder CRYPTO_TEST_DATA. The prior of each is trained on those that share no day with it, nor come
within 14 days of it (see bench.left_out).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.forecast_prior import recordings_of, unseen_by
from bench.prior_rows import gather
from bench.synth_score import MINUTES, PATHS, score
from core.forecast_schema import QUANTILE_COLUMNS
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.recordings.recording import PriceHistory, read_recording
from model.backtesting.ratio_intervals import mean_ratio, ratio_interval
from model.backtesting.walk_forward import WalkOptions, walk_forward
from model.forecaster.engine import EngineOptions
from model.forecaster.forecasts import Forecasts
from model.forecaster.prior import Prior

__all__ = ["COINS", "Scored", "main", "minute_scales", "yardstick"]

COINS: Final = ("bitcoin", "ethereum", "solana")
_FILES: Final = ("train_1m_2021-04", "train_1m_2021-09_2021-10", "train_1m_2023-03_2023-05")
_HISTORY_MS: Final = 14 * DAY_MS
_WINDOWS: Final = {"GBM of 14 days": 14 * 24 * MINUTES, "GBM of 1 day": 24 * MINUTES}
_LOWER, _UPPER = QUANTILE_COLUMNS.index("q10"), QUANTILE_COLUMNS.index("q90")


@dataclass(frozen=True)
class Scored:
    """Scores of one coin: start times (n,), ours (n,), and the baselines' (n, windows)."""

    start_ms: IntArray
    ours: FloatArray
    baselines: FloatArray

    def by_day(self) -> FloatArray:
        """Sums over UTC days (days, 1 + windows)."""
        days, place = np.unique(self.start_ms // DAY_MS, return_inverse=True)
        sums = np.zeros((len(days), 1 + self.baselines.shape[1]))
        np.add.at(sums, place, np.column_stack([self.ours, self.baselines]))
        return sums


def yardstick(recording: PriceHistory, prior: Prior | None, seed: int = 0) -> dict[str, Scored]:
    """Walk a 1-minute recording forward and score the coins of the task.

    Args:
        recording: all its coins teach the engine.
        prior: from recordings that share no day with this one; None starts without.
        seed: of the drawn hours and of the baselines.

    Returns:
        For each of COINS that was recorded, the hours that have 14 days of published scales before them.
    """
    walk = walk_forward(recording, WalkOptions(step_min=30), EngineOptions(), prior)
    scales = _published_scales(walk)
    return {coin: _score_coin(recording[coin], *scales[coin], seed) for coin in COINS if coin in scales}


def _published_scales(walk: Iterator[Forecasts]) -> dict[str, tuple[IntArray, FloatArray]]:
    """Origins (n,) and minute scales (n, 60) of each coin."""
    rows: dict[str, list[tuple[int, FloatArray]]] = {}
    for made in walk:
        half_width = np.log(made.quantiles[..., _UPPER] / made.quantiles[..., _LOWER]) / 2
        for coin, origin_ms, scale in zip(made.coins, made.origin_ms.tolist(), minute_scales(half_width), strict=True):
            rows.setdefault(coin, []).append((origin_ms, scale))
    return {
        coin: (np.array([ms for ms, _ in got]), np.array([scale for _, scale in got])) for coin, got in rows.items()
    }


def minute_scales(scale: FloatArray) -> FloatArray:
    """Scales at 1, 2 … 60 minutes (n, 60) from those at 5, 10 … 60 (n, 12): squares linear in time, 0 at the start."""
    square = np.concatenate([np.zeros((len(scale), 1)), scale**2], axis=1)
    minute = np.arange(1, MINUTES + 1)
    before = (minute - 1) // 5
    share = minute / 5 - before
    return np.asarray(np.sqrt(square[:, before] * (1 - share) + square[:, before + 1] * share))


def _score_coin(prices: tuple[IntArray, FloatArray], origin_ms: IntArray, scale: FloatArray, seed: int) -> Scored:
    first_ms, log_price = _by_minute(*prices)
    start = (origin_ms - first_ms) // MINUTE_MS
    inside = start + MINUTES < len(log_price)
    origin_ms, scale, start = origin_ms[inside], scale[inside], start[inside]
    hours = log_price[start[:, None] + np.arange(MINUTES + 1)]
    moves = hours[:, 1:] - hours[:, :1]
    whole = np.isfinite(moves).all(axis=1)
    rng = np.random.default_rng(seed)
    rows = []
    for now in np.flatnonzero(whole & (origin_ms >= origin_ms[0] + _HISTORY_MS)):
        known = (origin_ms <= origin_ms[now] - HOUR_MS) & (origin_ms >= origin_ms[now] - _HISTORY_MS) & whole
        ensembles = [_our_moves(moves[known] / scale[known], scale[now], rng)]
        for window in _WINDOWS.values():
            seen = log_price[max(start[now] - window, 0) : start[now] + 1]
            ensembles.append(_brownian_moves(float(np.nanstd(np.diff(seen))), rng))
        real = _prices(moves[now][None])[0]
        rows.append([float(origin_ms[now]), *(score(_prices(ensemble), real) for ensemble in ensembles)])
    table = np.array(rows).reshape(-1, 2 + len(_WINDOWS))
    return Scored(table[:, 0].astype(np.int64), table[:, 1], table[:, 2:])


def _by_minute(ts_ms: IntArray, price: FloatArray) -> tuple[int, FloatArray]:
    """Time of the first minute, and the log price of each minute from it on; NaN where it was not recorded."""
    minute = ts_ms // MINUTE_MS
    dense = np.full(int(minute[-1] - minute[0]) + 1, np.nan)
    dense[minute - minute[0]] = np.log(price)
    return int(minute[0]) * MINUTE_MS, dense


def _our_moves(scaled_hours: FloatArray, scale: FloatArray, rng: np.random.Generator) -> FloatArray:
    half = PATHS // 2
    drawn = rng.choice(scaled_hours, half, replace=len(scaled_hours) < half)
    return np.asarray(np.concatenate([drawn, -drawn]) * scale)


def _brownian_moves(volatility: float, rng: np.random.Generator) -> FloatArray:
    steps = rng.normal(-(volatility**2) / 2, volatility, (PATHS, MINUTES))
    return np.asarray(steps.cumsum(axis=1))


def _prices(moves: FloatArray) -> FloatArray:
    """Paths (n, 61) in units of the price at the start."""
    return np.asarray(np.exp(np.concatenate([np.zeros((len(moves), 1)), moves], axis=1)))


def _report(name: str, found: dict[str, Scored]) -> list[str]:
    """One line a coin, one for their mean."""
    days = {coin: one.by_day() for coin, one in found.items()}
    lines = []
    for coin, one in found.items():
        means = " | ".join(f"{value:.1f}" for value in (one.ours.mean(), *one.baselines.mean(axis=0)))
        lines.append(f"| {name} | {coin} | {len(one.ours)} | {means} | {_ratios(days[coin][:, None])} |")
    shared = np.stack(list(days.values()), axis=1)
    lines.append(f"| {name} | mean of the ratios | {len(shared)} days | | | | {_ratios(shared)} |")
    return lines


def _ratios(sums: FloatArray) -> str:
    """Our share of each baseline's score, with intervals, from sums (days, coins, 1 + windows)."""
    cells = []
    for column in range(1, sums.shape[2]):
        own, other = sums[..., 0], sums[..., column]
        interval = ratio_interval(own, other)
        shown = "" if interval is None else f" ({interval[0]:.3f} to {interval[1]:.3f})"
        cells.append(f"{mean_ratio(own.sum(axis=0), other.sum(axis=0)):.3f}{shown}")
    return " | ".join(cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench synth_yardstick", description=__doc__)
    parser.add_argument("recordings", nargs="*", default=_FILES, help="names of 1-minute recordings in the folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    teachers = {file.stem: file for file in recordings_of(Path(os.environ.get("CRYPTO_TEST_DATA", "-")))}
    if not teachers.keys() >= set(options.recordings):
        parser.error("set CRYPTO_TEST_DATA to the folder with the recordings")
    rows = [gather(file) for file in teachers.values()]
    columns = [*(f"{name}, bp" for name in ("ours", *_WINDOWS)), *(f"ours / {name}" for name in _WINDOWS)]
    print("| recording | coin | hours |", " | ".join(columns), "|\n" + "|---" * (3 + len(columns)) + "|")
    for name in options.recordings:
        prior = unseen_by([teachers[name].name], rows)
        for line in _report(name, yardstick(read_recording(teachers[name]).prices, prior, options.seed)):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
