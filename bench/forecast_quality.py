"""`python -m bench forecast_quality`: scores of the forecasts on the recordings in the folder CRYPTO_TEST_DATA.

The prior used on a recording is trained on the others that share no day with it (`bench.left_out`). Ratios are
those of the backtest: pinball loss per coin against "the price stays" with the empirical spread of 14 days, then the
mean over coins.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.forecast_prior import recordings_of, unseen_by
from bench.polls import irregular
from bench.prior_rows import gather
from bench.quality_cases import Case, cold_starts, first_hours, judged_files, run, worst_coverage
from core.accuracy.scores import Score
from core.times import DAY_MS, MINUTE_MS
from etl.features.columns import FEATURE_NAMES
from etl.features.minute_columns import MINUTE_SHARE
from etl.recordings.recording import PriceHistory, read_recording
from model.backtesting.evaluation import compare
from model.backtesting.walk_forward import WalkOptions
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.prior import SHIPPED_PRIOR, Prior

__all__ = ["main"]

_MINUTE_FILE: Final = "spot_1m_2023-04.parquet"
_COLD_EVERY_DAYS: Final = {"rally 2024": 6, "crash 2022": 2}
_MANY_COINS: Final = 250
_PARTS: Final = ("main", "forest", "cold", "budget", "irregular", "cpu")
_MUST: Final = {
    ("rally 2024", "on the hour"): "≤ 0.9330, aim 0.928",
    ("rally 2024", "minutes swept"): "≤ 0.9300, aim 0.925",
    ("crash 2022", "on the hour"): "≤ 0.9050, aim 0.901",
    ("crash 2022", "minutes swept"): "≤ 0.9005, aim 0.896",
}
_MUST_COLD: Final = {"rally 2024": "≤ 0.952, aim 0.945", "crash 2022": "≤ 0.918, aim 0.912"}


class Table:
    """Rows (what, recording, figure, target), printed as they come."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def add(self, what: str, recording: str, figure: str, target: str = "") -> None:
        """Add and print one row."""
        self.rows.append({"what": what, "recording": recording, "figure": figure, "target": target})
        print(f"| {what} | {recording} | {figure} | {target} |", flush=True)


def _coverage(score: Score) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in score.coverage.values())


def _walked(recording: PriceHistory, step_min: int, engine: EngineOptions, prior: Prior | None) -> Case:
    start = min(int(ts[0]) for ts, _ in recording.values()) + 15 * DAY_MS
    return run(recording, WalkOptions(start_ms=start, step_min=step_min, refit_min=1440), engine, prior)


def _main_figures(table: Table, name: str, recording: PriceHistory, prior: Prior, jobs: int) -> None:
    for label, step in (("on the hour", 60), ("minutes swept", 65)):
        case = _walked(recording, step, EngineOptions(n_jobs=jobs), prior)
        found = case.evaluation
        overall, block = found.block.overall, found.block
        interval = "" if found.interval is None else f" ({found.interval[0]:.3f} to {found.interval[1]:.3f})"
        table.add(f"relative pinball, {label}", name, f"{overall.relative_pinball:.4f}{interval}", _MUST[name, label])
        table.add(f"against EWMA, {label}", name, f"{case.against_baseline():+.4f}", "≤ -0.015, aim -0.024")
        worst = [max(_ratio(score) for score in group.values()) for group in (block.by_horizon, block.by_coin)]
        table.add(f"worst horizon, worst coin, {label}", name, f"{worst[0]:.3f}, {worst[1]:.3f}", "< 1, aim < 0.97")
        table.add(f"coverage 50/80/90/95, {label}", name, _coverage(overall), "± 1.0, aim ± 0.5")
        by_coin, by_week = worst_coverage(block.by_coin), worst_coverage(found.by_week)
        table.add(f"worst coin's coverage off by, {label}", name, by_coin, "5/4/3/2")
        table.add(f"worst week's coverage off by, {label}", name, by_week, "5/4/3/2")
        mae = max(score.mae_ratio or 0.0 for score in block.by_horizon.values())
        table.add(f"MAE / naive, worst horizon, {label}", name, f"{mae:.4f}", "≤ 1.000")
        table.add(f"published by the model, {label}", name, f"{100 * overall.model_share:.1f} %")


def _ratio(score: Score) -> float:
    return float("nan") if score.relative_pinball is None else score.relative_pinball


def _contributions(table: Table, name: str, recording: PriceHistory, prior: Prior, jobs: int) -> None:
    for label, own in (("with prior", prior), ("without prior", None)):
        mixed = _walked(recording, 65, EngineOptions(n_jobs=jobs), own)
        linear = _walked(recording, 65, EngineOptions(n_jobs=jobs, use_forest=False), own)
        difference = compare(mixed.forecasts, linear.forecasts)
        low, high = difference.interval or (float("nan"), float("nan"))
        table.add(f"relative pinball, {label}", name, f"{difference.own:.4f}")
        table.add(
            f"the forest's part, {label}",
            name,
            f"{difference.difference:+.5f} ({low:+.5f} to {high:+.5f})",
            "not worse",
        )


def _budget(table: Table, name: str, recording: PriceHistory, prior: Prior, jobs: int) -> None:
    """The loss from learning within a budget, compared with a forest regrown at every refit from 14 days of rows."""
    bounded = _walked(recording, 65, EngineOptions(n_jobs=jobs), prior)
    without = EngineOptions(n_jobs=jobs, sample_days=14, sample_rows=10_000_000, forest_lifetime_h=1.0)
    difference = compare(bounded.forecasts, _walked(recording, 65, without, prior).forecasts)
    low, high = difference.interval or (float("nan"), float("nan"))
    figure = f"{difference.difference:+.5f} ({low:+.5f} to {high:+.5f})"
    table.add("loss from learning within a budget", name, figure, "≤ 0.005")


def _cold(table: Table, name: str, recording: PriceHistory, prior: Prior, jobs: int) -> None:
    for label, own in (("with prior", prior), ("without prior", None)):
        case = cold_starts(recording, EngineOptions(n_jobs=jobs), own, _COLD_EVERY_DAYS[name])
        score = case.evaluation.block.overall
        figure = f"{score.relative_pinball:.4f}, {_coverage(score)}, model {100 * score.model_share:.0f} %"
        table.add(f"24 h of history, 10 coins, {label}", name, figure, _MUST_COLD[name] if own else "")


def _irregular(table: Table, recording: PriceHistory, prior: Prior, jobs: int) -> None:
    feed = irregular(recording)
    start = max(int(ts[-1]) for ts, _ in feed.values()) - 5 * DAY_MS
    for label, step in (("on the hour", 60), ("minutes swept", 37)):
        case = run(feed, WalkOptions(start_ms=start, step_min=step, refit_min=360), EngineOptions(n_jobs=jobs), prior)
        score = case.evaluation.block.overall
        figure = f"{score.relative_pinball:.4f}, {_coverage(score)}"
        table.add(f"jittered back-fill, then polls, {label}", "spring 2023", figure, "< 1, ± 3")


def _first_hours(table: Table, recording: PriceHistory, prior: Prior, jobs: int) -> None:
    """The gain from learning from the first few rows, compared with waiting for five hundred."""
    early = first_hours(recording, EngineOptions(n_jobs=jobs), prior)
    late = first_hours(recording, EngineOptions(n_jobs=jobs, min_rows_prior=500), prior)
    score, difference = early.evaluation.block.overall, compare(early.forecasts, late.forecasts)
    low, high = difference.interval or (float("nan"), float("nan"))
    figure = f"{score.relative_pinball:.4f}, {_coverage(score)}, model {100 * score.model_share:.0f} %"
    table.add("first 3 h after a jittered day", "spring 2023", figure)
    table.add(
        "the same against waiting for 500 rows",
        "spring 2023",
        f"{difference.difference:+.4f} ({low:+.4f} to {high:+.4f})",
    )


def _cpu(table: Table, recording: PriceHistory) -> None:
    engine = ForecastEngine(prior=Prior.load())
    end = max(int(ts[-1]) for ts, _ in recording.values())
    coins = dict(list(recording.items())[:10])

    def cycle(now: int) -> None:
        engine.advance(now)
        engine.refit(now)
        engine.forecast(dict.fromkeys(coins, now))

    held = end - 60 * MINUTE_MS
    for coin, (ts, price) in coins.items():
        recent = (ts > held - 14 * DAY_MS) & (ts <= held)
        engine.grid.observe(coin, ts[recent], price[recent])
    cold = _cpu_seconds(lambda: cycle(held))
    warm = []
    for now in range(held + 5 * MINUTE_MS, end, 5 * MINUTE_MS):
        for coin, (ts, price) in coins.items():
            engine.grid.observe(coin, ts[ts <= now][-1:], price[ts <= now][-1:])
        warm.append(_cpu_seconds(partial(cycle, now)))
    table.add(
        "CPU-s, 10 coins x 14 days: cold, warm cycle",
        "rally 2024",
        f"{cold:.2f}, {max(warm):.2f}",
        "≤ 20, ≤ 4; aim 3, 1.5",
    )


def _prior_cost(table: Table) -> None:
    """The size of the shipped prior, and the time that its networks and its correction take for 250 coins."""
    prior = Prior.load()
    assert prior is not None
    rows = np.zeros((_MANY_COINS, len(FEATURE_NAMES)), dtype=np.float32)
    rows[:, FEATURE_NAMES.index(MINUTE_SHARE)] = 1.0
    spent = sorted(_cpu_seconds(lambda: (prior.offset(rows), prior.minute_correction(rows))) for _ in range(21))
    table.add("size of the prior", "all", f"{SHIPPED_PRIOR.stat().st_size / 1000:.0f} kB", "≤ 500 kB")
    table.add(f"inference of {_MANY_COINS} coins", "all", f"{1000 * spent[10]:.1f} CPU-ms", "≤ 30 ms")


def _cpu_seconds(step: Callable[[], Any]) -> float:
    begin = time.process_time()
    step()
    return time.process_time() - begin


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; with --json write it too."""
    parser = argparse.ArgumentParser(prog="python -m bench forecast_quality", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=_PARTS, action="append")
    options = parser.parse_args(arguments)
    folder, files = judged_files(parser)
    wanted = set(options.only or _PARTS)
    names = list(files)
    rows = [gather(file) for file in recordings_of(folder)]
    priors = {name: unseen_by([file.name], rows) for name, file in files.items()}
    recordings = {name: read_recording(file).prices for name, file in files.items()}
    table = Table()
    print("| figure | recording | measured | target |\n|---|---|---|---|")
    steps = {"main": _main_figures, "forest": _contributions, "cold": _cold, "budget": _budget}
    for name in names:
        for part, step in steps.items():
            if part in wanted:
                step(table, name, recordings[name], priors[name], options.jobs)
    if "irregular" in wanted:
        prior = unseen_by([_MINUTE_FILE], rows)
        minutes = read_recording(folder / _MINUTE_FILE).prices
        _irregular(table, minutes, prior, options.jobs)
        _first_hours(table, minutes, prior, options.jobs)
    if "cpu" in wanted:
        _cpu(table, recordings[names[0]])
        _prior_cost(table)
    if options.json:
        options.json.write_text(json.dumps(table.rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
