"""Recordings turned into the cases of bench.forecast_quality: cold starts, irregular feeds, and their scores."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bench.polls import first_start
from core.accuracy.scores import Score
from core.forecast_schema import INTERVALS
from core.times import DAY_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray
from etl.recordings.recording import PriceHistory
from model.backtesting.evaluation import Evaluation, compare, evaluate, with_benchmark
from model.backtesting.forecast_frames import RecordedBenchmark, forecast_frame, with_outcomes
from model.backtesting.walk_forward import WalkOptions, walk_forward
from model.forecaster.engine import EngineOptions
from model.forecaster.prior import Prior

__all__ = ["JUDGED", "Case", "cold_starts", "first_hours", "judged_files", "merge", "run", "worst_coverage"]

_TRAINING_MS: Final = 14 * DAY_MS

JUDGED: Final = {"rally 2024": "spot_5m_2024-02_2024-06.parquet", "crash 2022": "spot_5m_2022-11_crash.parquet"}
"""The recordings on which the figures of the documentation are measured."""


@dataclass(frozen=True)
class Case:
    """Forecasts of one run with outcomes and naive benchmark, and those of the baseline of the same run."""

    forecasts: pd.DataFrame
    baseline: pd.DataFrame

    @property
    def evaluation(self) -> Evaluation:
        """Scores of the forecasts."""
        return evaluate(self.forecasts)

    def against_baseline(self) -> float:
        """Relative pinball loss minus the baseline's."""
        return compare(self.forecasts, self.baseline).difference


def judged_files(parser: ArgumentParser) -> tuple[Path, dict[str, Path]]:
    """The folder named by CRYPTO_TEST_DATA, and the judged recordings in it; the parser's error without them."""
    folder = Path(os.environ.get("CRYPTO_TEST_DATA", ""))
    files = {name: folder / file for name, file in JUDGED.items()}
    if not all(file.exists() for file in files.values()):
        parser.error("set CRYPTO_TEST_DATA to the folder with the recordings")
    return folder, files


def run(
    recording: PriceHistory,
    options: WalkOptions,
    engine: EngineOptions,
    prior: Prior | None,
    benchmark: RecordedBenchmark | None = None,
) -> Case:
    """Walk a recording forward, with outcomes and benchmark; `benchmark` may know more history than the walk."""
    made = [one for one in walk_forward(recording, options, engine, prior) if len(one)]
    coins = list(recording)
    judge = benchmark or RecordedBenchmark(recording)
    sides = (made, [one.of_baseline() for one in made])
    frames = [with_outcomes(forecast_frame(coins, side), recording) for side in sides]
    own, baseline = (with_benchmark(frame, judge.frame(frame)) for frame in frames)
    return Case(own, baseline)


def merge(cases: Iterable[Case]) -> Case:
    """Concatenate several runs."""
    parts = list(cases)
    forecasts, baseline = (
        pd.concat([getattr(part, name) for part in parts], ignore_index=True) for name in ("forecasts", "baseline")
    )
    return Case(forecasts, baseline)


def cold_starts(recording: PriceHistory, engine: EngineOptions, prior: Prior | None, every_days: int) -> Case:
    """A day of forecasts by an engine that has seen 24 hours, again and again; 10 coins, the 14-day benchmark."""
    coins = dict(list(recording.items())[:10])
    judge = RecordedBenchmark(coins)
    first = max(int(ts[0]) for ts, _ in coins.values()) + _TRAINING_MS
    last = min(int(ts[-1]) for ts, _ in coins.values()) - DAY_MS
    cases = []
    for start in range(-(-first // DAY_MS) * DAY_MS, last, every_days * DAY_MS):
        seen = {
            coin: _between(ts, price, start - DAY_MS, start + DAY_MS + HOUR_MS) for coin, (ts, price) in coins.items()
        }
        options = WalkOptions(start_ms=start, end_ms=start + DAY_MS, step_min=55, refit_min=55, min_history_hours=23.9)
        cases.append(run(seen, options, engine, prior, judge))
    return merge(cases)


def first_hours(recording: PriceHistory, engine: EngineOptions, prior: Prior | None, seed: int = 0) -> Case:
    """The first three hours after a back-fill of one day.

    Ten coins, one price in about five minutes, then polls; one start a day at changing hours; the 14-day benchmark.
    """
    coins = dict(list(recording.items())[:10])
    judge = RecordedBenchmark(coins)
    first = max(int(ts[0]) for ts, _ in coins.values()) + _TRAINING_MS
    last = min(int(ts[-1]) for ts, _ in coins.values()) - DAY_MS
    rng = np.random.default_rng(seed)
    cases = []
    for number, day in enumerate(range(first, last, DAY_MS)):
        start = day + 5 * number % 24 * HOUR_MS
        seen = {coin: first_start(ts, price, start, rng) for coin, (ts, price) in coins.items()}
        end = start + 3 * HOUR_MS
        options = WalkOptions(start_ms=start, end_ms=end, step_min=10, refit_min=10, min_history_hours=23.5)
        cases.append(run(seen, options, engine, prior, judge))
    return merge(cases)


def _between(ts: IntArray, price: FloatArray, start: int, end: int) -> tuple[IntArray, FloatArray]:
    rows = (ts >= start) & (ts <= end)
    return ts[rows], price[rows]


def worst_coverage(scores: Mapping[str, Score]) -> str:
    """Largest difference in points between coverage and nominal level at 50/80/90/95 %, over some scores."""
    worst = [max(abs(100 * score.coverage[percent] - percent) for score in scores.values()) for percent in INTERVALS]
    return " / ".join(f"{points:.1f}" for points in worst)
