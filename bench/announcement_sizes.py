"""`python -m bench announcement_sizes`: how much more prices move after American announcements than at the same clock.

For each kind in model/forecaster/us_announcements.toml: the mean absolute return of each five minutes after it, in
units of the coin's mean of the three days before, divided by that at the same clock of New York on working days without
any announcement. Its square less one is the extra variance, in variances of five ordinary minutes: that of the first
step is the jump, the sum of the other eleven the rest. The 5-minute recordings in the folder CRYPTO_TEST_DATA, ten
coins of each; coins of one announcement are one observation. Beside all years, each year left out.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bench.forecast_prior import recordings_of
from bench.polls import spans_minutes
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.features.new_york_clock import SATURDAY, new_york_ms, weekdays
from etl.features.targets import STEPS
from etl.recordings.recording import read_recording
from model.forecaster.announcements import ANNOUNCEMENTS

__all__ = ["extra_variance", "main", "scaled_steps"]

_COINS: Final = 10
_UNIT_STEPS: Final = 864
_LEAST_MOVE: Final = 2e-4
"""Mean return of five minutes below which a coin is taken for a stablecoin."""


def scaled_steps(ts_ms: IntArray, price: FloatArray, at_ms: IntArray) -> FloatArray:
    """Absolute returns of the twelve steps after times, in units of the mean of the three days before.

    Args:
        ts_ms: times of one coin's prices (k,).
        price: its prices (k,).
        at_ms: points of the 5-minute grid (n,).

    Returns:
        Shape (n, STEPS); NaN without prices or three days before.
    """
    grid = np.arange(int(ts_ms[0]), int(ts_ms[-1]) + 1, GRID_STEP_MS)
    size = pd.Series(np.log(price)[np.searchsorted(ts_ms, grid, side="right") - 1]).diff().abs()
    unit = size.rolling(_UNIT_STEPS, min_periods=_UNIT_STEPS // 2).mean().to_numpy()
    unit = np.where(unit > _LEAST_MOVE, unit, np.nan)
    place = (at_ms - grid[0]) // GRID_STEP_MS
    inside = (place >= 0) & (place + STEPS < len(grid))
    place = np.where(inside, place, 0)
    steps = size.to_numpy()[np.minimum(place[:, None] + np.arange(1, STEPS + 1), len(grid) - 1)]
    return np.asarray(np.where(inside[:, None], steps / unit[place][:, None], np.nan))


def extra_variance(after: pd.DataFrame, usual: pd.DataFrame) -> tuple[float, float]:
    """Jump and rest, from scaled steps (rows, STEPS) indexed by time, after announcements and at the usual days."""
    ratio = after.groupby(level=0).mean().mean() / usual.groupby(level=0).mean().mean()
    extra = np.maximum(ratio.to_numpy(dtype=np.float64) ** 2 - 1, 0.0)
    return float(extra[0]), float(extra[1:].sum())


def _collect(files: Sequence[Path], at_ms: IntArray) -> pd.DataFrame:
    parts = []
    for file in files:
        prices = read_recording(file).prices
        if spans_minutes(prices):
            continue
        for ts_ms, price in list(prices.values())[:_COINS]:
            parts.append(pd.DataFrame(scaled_steps(ts_ms, price, at_ms), index=at_ms))
    return pd.concat(parts).dropna()


def _usual_ms(announcement_ms: IntArray) -> IntArray:
    """The same clock of New York on the working days between the first and last announcement on which none comes."""
    every = np.concatenate([kind.ts_ms for kind in ANNOUNCEMENTS])
    half_hours = np.arange(int(announcement_ms[0]) // HOUR_MS * HOUR_MS, int(announcement_ms[-1]), 30 * MINUTE_MS)
    local = new_york_ms(half_hours)
    clock = local % DAY_MS == new_york_ms(announcement_ms[0]) % DAY_MS
    busy = np.isin(local // DAY_MS, new_york_ms(every) // DAY_MS)
    return np.asarray(half_hours[clock & (weekdays(local) < SATURDAY) & ~busy])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench announcement_sizes", description=__doc__)
    parser.parse_args(arguments)
    files = recordings_of(Path(os.environ.get("CRYPTO_TEST_DATA", "-")))
    if not files:
        parser.error("set CRYPTO_TEST_DATA to the folder with the recordings")
    print("| announcement | number | jump | rest | with a year left out |\n|---|---|---|---|---|")
    for kind in ANNOUNCEMENTS:
        after, usual = _collect(files, kind.ts_ms), _collect(files, _usual_ms(kind.ts_ms))
        years = pd.DatetimeIndex(pd.to_datetime(after.index, unit="ms")).year
        left = [extra_variance(after[years != year], usual) for year in sorted(set(years))]
        others = ", ".join(f"{jump:.0f} + {rest:.0f}" for jump, rest in left)
        jump, rest = extra_variance(after, usual)
        print(f"| {kind.name} | {after.index.nunique()} | {jump:.1f} | {rest:.1f} | {others} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
