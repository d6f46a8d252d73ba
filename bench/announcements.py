"""`python -m bench announcements`: are the bands of one hour right while American news come out?

Walks the 5-minute recordings in the folder CRYPTO_TEST_DATA forward, each with a prior that has not seen its days (see
bench.left_out), and prints coverage and relative pinball loss of the hour ahead, by the minutes from announcement to
origin (calendar: model/forecaster/us_announcements.toml). The controls are the same clock on the other working days,
and half-hours that sweep the day. Forecasts of one announcement, of all coins, are one observation: their mean counts
once. Intervals at 95 % are over announcements, those of the controls over days.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bench.forecast_prior import recordings_of, unseen_by
from bench.polls import spans_minutes
from bench.prior_rows import gather
from bench.quality_cases import run
from core.accuracy.significance import student_t_quantile
from core.forecast_schema import HORIZONS_MIN, INTERVALS
from core.times import DAY_MS, MINUTE_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.new_york_clock import SATURDAY, new_york_ms, weekdays
from etl.recordings.recording import PriceHistory, read_recording
from model.backtesting.loss_frames import losses
from model.backtesting.ratio_intervals import daily_sums, mean_ratio, ratio_interval
from model.backtesting.walk_forward import WalkOptions
from model.forecaster.announcements import ANNOUNCEMENTS
from model.forecaster.engine import EngineOptions
from model.forecaster.prior import Prior

__all__ = ["ALL_KINDS", "coverage_of_groups", "main", "origins_around"]

_COINS: Final = 10
_FIRST_DAY: Final = 7
_STEP_MS: Final = 30 * MINUTE_MS
_SWEEP: Final = 13
"""Of the other half-hours one in 13 is an origin, so that they sweep the day."""

_AROUND_MIN: Final[Mapping[str, tuple[int, ...]]] = {
    "half an hour before": (-30,),
    "at the announcement": (0,),
    "30 to 90 minutes after": (30, 60, 90),
}
"""Which origins belong together, in minutes after the announcement; the hour ahead of the first two holds it."""

ALL_KINDS: Final = "all"
_Group = tuple[str, str, BoolArray, IntArray]


def forecasts_of_an_hour(
    recording: PriceHistory, prior: Prior | None, times: Mapping[str, IntArray], *, widened: bool = True
) -> pd.DataFrame:
    """Losses of forecasts of the hour ahead, of ten coins from the seventh day on.

    Args:
        recording: prices 5 minutes apart.
        prior: one that has not seen these days.
        times: kind → times of its announcements.
        widened: whether the engine knows of them.
    """
    coins = dict(list(recording.items())[:_COINS])
    first, last = min(int(ts[0]) for ts, _ in coins.values()), max(int(ts[-1]) for ts, _ in coins.values())
    at_ms = origins_around(first + _FIRST_DAY * DAY_MS, last, times)
    options = WalkOptions(at_ms=at_ms, refit_min=1440)
    frame = losses(run(coins, options, EngineOptions(n_jobs=1, use_announcements=widened), prior).forecasts)
    return frame[frame["horizon_min"] == HORIZONS_MIN[-1]]


def origins_around(first_ms: int, last_ms: int, times: Mapping[str, IntArray]) -> tuple[int, ...]:
    """Origins between two times: around each announcement, its clock on other working days, one half-hour in 13.

    Args:
        first_ms: the first of them, UTC milliseconds.
        last_ms: the last, likewise.
        times: kind → times of its announcements.
    """
    half_hours = np.arange(-(-first_ms // _STEP_MS), last_ms // _STEP_MS + 1, dtype=np.int64) * _STEP_MS
    everything = np.concatenate(list(times.values()))
    around = np.isin(half_hours, everything[:, None] + MINUTE_MS * np.concatenate(list(_AROUND_MIN.values())))
    clock = np.isin(_clock(half_hours), _clock(everything)) & (weekdays(new_york_ms(half_hours)) < SATURDAY)
    swept = np.arange(len(half_hours)) % _SWEEP == 0
    return tuple(half_hours[around | clock | swept].tolist())


def coverage_of_groups(lost: pd.DataFrame, times: Mapping[str, IntArray]) -> list[list[str]]:
    """One row of the table for each group of forecasts.

    Args:
        lost: what `forecasts_of_an_hour` returned, of all recordings.
        times: kind → times of its announcements.
    """
    origin_ms = lost["origin"].dt.as_unit("ms").astype("int64").to_numpy(dtype=np.int64)
    return [[kind, name, *_figures(lost[rows], event[rows])] for kind, name, rows, event in _groups(origin_ms, times)]


def _groups(origin_ms: IntArray, times: Mapping[str, IntArray]) -> Iterator[_Group]:
    """Kind, name, mask of the forecasts (n,) and what they are one observation of (n,)."""
    near = np.zeros(len(origin_ms), dtype=bool)
    everything = np.unique(np.concatenate(list(times.values())))
    for kind, moments in {**times, ALL_KINDS: everything}.items():
        for name, minutes in _AROUND_MIN.items():
            rows, event = np.zeros(len(origin_ms), dtype=bool), np.zeros(len(origin_ms), dtype=np.int64)
            for after in minutes:
                hit = np.isin(origin_ms - after * MINUTE_MS, moments)
                event[hit] = origin_ms[hit] - after * MINUTE_MS
                rows |= hit
            near |= rows
            yield kind, name, rows, event
    day = origin_ms // DAY_MS
    at_work = weekdays(new_york_ms(origin_ms)) < SATURDAY
    for clock in np.unique(_clock(everything)).tolist():
        yield (
            "other working days",
            f"at {clock // 60}:{clock % 60:02} in New York",
            (_clock(origin_ms) == clock) & at_work & ~near,
            day,
        )
    yield "other half-hours", "", ~near, day


def _clock(ts_ms: IntArray) -> IntArray:
    return np.asarray(new_york_ms(ts_ms) % DAY_MS // MINUTE_MS)


def _figures(lost: pd.DataFrame, event: IntArray) -> list[str]:
    """Observations, forecasts, coverage at each level, and relative pinball loss, with intervals."""
    cells = [str(len(np.unique(event))), str(len(lost))]
    for percent in INTERVALS:
        shares = lost[f"inside_{percent}"].groupby(event).mean().to_numpy(dtype=np.float64)
        cells.append(_mean_with_interval(100 * shares))
    own, naive = (daily_sums(lost, name).to_numpy() for name in ("pinball", "pinball_naive"))
    low, high = ratio_interval(own, naive) or (float("nan"), float("nan"))
    return [*cells, f"{mean_ratio(own.sum(axis=0), naive.sum(axis=0)):.3f} ({low:.3f} to {high:.3f})"]


def _mean_with_interval(values: FloatArray) -> str:
    if len(values) < 2:
        return "" if not len(values) else f"{values[0]:.1f}"
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    half_width = student_t_quantile(0.975, len(values) - 1) * error
    return f"{values.mean():.1f} ({values.mean() - half_width:.1f} to {values.mean() + half_width:.1f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench announcements", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="recordings to judge; none: all of 5-minute prices")
    parser.add_argument("--unwidened", action="store_true", help="as forecast without the calendar")
    options = parser.parse_args(arguments)
    teachers = recordings_of(Path(os.environ.get("CRYPTO_TEST_DATA", "-")))
    if not teachers:
        parser.error("set CRYPTO_TEST_DATA to the folder with the recordings")
    rows = [gather(file) for file in teachers]
    times = {kind.name: kind.ts_ms for kind in ANNOUNCEMENTS}
    parts = []
    for file in options.files or teachers:
        recording = read_recording(file).prices
        if not spans_minutes(recording):
            parts.append(
                forecasts_of_an_hour(recording, unseen_by([file.name], rows), times, widened=not options.unwidened)
            )
    lost = pd.concat([part.assign(coin=part["coin"].astype(str)) for part in parts], ignore_index=True)
    levels = [f"{percent} %" for percent in INTERVALS]
    print("| announcement | origin | observations | forecasts |", " | ".join([*levels, "relative pinball"]), "|")
    print("|---|---|---|---" + "|---" * (len(levels) + 1) + "|")
    for cells in coverage_of_groups(lost, times):
        print("|", " | ".join(cells), "|")
    return 0


if __name__ == "__main__":
    sys.exit(main())
