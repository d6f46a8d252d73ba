"""`python -m bench answer_quality`: do the answers hold on the recordings in the folder CRYPTO_TEST_DATA?

Prints how often the probabilities of ending beyond and of touching a level came true, decile by decile, their Brier
scores beside those of stating the share that happened, and how often the value of five coins stayed within the ranges
of the joint scenarios. The prior used on a recording is computed from the other one, never from itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final, Literal

import pandas as pd

from bench.forecast_prior import recordings_of, unseen_by
from bench.level_events import brier_scores, largest_gap, level_events, reliability, share_by
from bench.portfolio_coverage import coverage, walk_portfolio
from bench.prior_rows import gather
from bench.quality_cases import JUDGED, judged_files, run
from core.times import DAY_MS, parse_iso
from etl.recordings.recording import PriceHistory, read_recording
from model.backtesting.walk_forward import WalkOptions
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.prior import Prior

__all__ = ["main"]

_KINDS: Final = {"end": "ending beyond a level", "touch": "touching a level"}
_PARTS: Final = ("levels", "portfolio")
_GROUPS: Final[tuple[Literal["decile", "tenth"], ...]] = ("decile", "tenth")
_COINS: Final = 5
_TARGET: Final = "within 2 points"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one table of figures, and the groups behind them."""
    parser = argparse.ArgumentParser(prog="python -m bench answer_quality", description=__doc__)
    parser.add_argument("--recording", choices=JUDGED, action="append")
    parser.add_argument("--start", help="first origin, ISO 8601; by default 15 days after the first price")
    parser.add_argument("--end", help="last origin")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=_PARTS, action="append")
    given = parser.parse_args(arguments)
    folder, files = judged_files(parser)
    print("| figure | recording | measured | target |\n|---|---|---|---|")
    rows = [gather(file) for file in recordings_of(folder)]
    groups = []
    for name in given.recording or JUDGED:
        recording = read_recording(files[name]).prices
        prior = unseen_by([files[name].name], rows)
        start = parse_iso(given.start) if given.start else _first_origin(recording)
        end = parse_iso(given.end, end_of_day=True) if given.end else None
        if "levels" in (given.only or _PARTS):
            groups += _levels(
                name, recording, WalkOptions(start, end, 65, 1440), EngineOptions(n_jobs=given.jobs), prior
            )
        if "portfolio" in (given.only or _PARTS):
            engine = ForecastEngine(EngineOptions(n_jobs=given.jobs), prior)
            _portfolio(name, recording, WalkOptions(start, end, 60, 1440), engine)
    print(*groups, sep="\n")
    return 0


def _first_origin(recording: PriceHistory) -> int:
    return min(int(ts[0]) for ts, _ in recording.values()) + 15 * DAY_MS


def _row(what: str, recording: str, figure: str, target: str = "") -> None:
    print(f"| {what} | {recording} | {figure} | {target} |", flush=True)


def _levels(name: str, recording: PriceHistory, options: WalkOptions, engine: EngineOptions, prior: Prior) -> list[str]:
    """Print the figures of both probabilities; their groups as text for later."""
    forecasts = run(recording, options, engine, prior).forecasts
    texts = []
    for kind, what in _KINDS.items():
        events = level_events(forecasts, kind)
        own, constant = brier_scores(events)
        tables = {by: reliability(events, by) for by in _GROUPS}
        for by, table in tables.items():
            target = _TARGET if by == "decile" else ""
            _row(f"{what}: largest gap in a {by}", name, f"{largest_gap(table):.1f} points", target)
        _row(f"{what}: Brier score, of stating the share", name, f"{own:.4f}, {constant:.4f}", "lower")
        texts += [f"\n{name}: {what}\n{_table(table)}" for table in tables.values()]
        for column in ("horizon_min", "distance", "side"):
            texts.append(f"\n{name}: {what}, by {column}\n{_table(share_by(events, events[column]))}")
    return texts


def _table(rows: pd.DataFrame) -> str:
    formats = {"stated": "{:.3f}".format, "happened": "{:.3f}".format, "gap": "{:+.1f}".format}
    return rows.to_string(index=False, formatters=formats)


def _portfolio(name: str, recording: PriceHistory, options: WalkOptions, engine: ForecastEngine) -> None:
    coins = list(recording)[:_COINS]
    hours = walk_portfolio(recording, coins, options, engine)
    shares = coverage(hours)
    figure = " / ".join(f"{100 * shares[percent]:.1f}" for percent in (50, 80, 95))
    _row(f"{_COINS} coins, {len(hours)} hours: coverage 50/80/95", name, figure, _TARGET)


if __name__ == "__main__":
    sys.exit(main())
