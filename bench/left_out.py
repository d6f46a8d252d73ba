"""`python -m bench left_out`: every recording in CRYPTO_TEST_DATA, forecast with a prior that has not seen its days.

The prior of a recording is trained on all others that share no day with it, nor come within 14 days of it. Ratios are
those of the backtest (pinball loss per coin against "the price stays", then the mean over coins), the intervals at
95 % over day blocks. One-minute recordings are replayed as polls of 60 and of 30 seconds, and as CoinGecko would tell
them. `--save FOLDER` keeps the forecasts; `--against FOLDER` compares them with what another version saved. With
`--folds N` the recordings are judged in N groups of neighbours in time, each by one prior that is a stranger to all of
the group: quicker, and harder, since every prior learns from fewer recordings.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bench.forecast_prior import recordings_of, unseen_by
from bench.polls import NOISE, REPEATS, polled, spans_minutes
from bench.prior_rows import RecordingRows, gather
from bench.quality_cases import Case, run
from core.times import DAY_MS
from etl.recordings.recording import PriceHistory, read_recording
from model.backtesting.evaluation import compare
from model.backtesting.walk_forward import WalkOptions
from model.forecaster.engine import EngineOptions
from model.forecaster.prior import Prior

__all__ = ["Replay", "folds", "main", "replays"]

_COINS: Final = 10
_STEP_MIN: Final = 65
"""Origins lie 65 minutes apart, so that they sweep the minutes of the hour on the 5-minute grid."""


@dataclass(frozen=True)
class Replay:
    """A recording as a collector would have seen it, and when it is forecast."""

    label: str
    prices: PriceHistory
    start_ms: int
    end_ms: int

    @property
    def has_minutes(self) -> bool:
        """Whether the prices lie a minute apart or less."""
        return spans_minutes(self.prices)


def replays(prices: PriceHistory) -> Iterator[Replay]:
    """What is replayed of a recording: ten coins; 30 days after 15, of minutes 14 days after 8."""
    coins = dict(list(prices.items())[:_COINS])
    first, last = min(int(ts[0]) for ts, _ in coins.values()), max(int(ts[-1]) for ts, _ in coins.values())
    if not spans_minutes(coins):
        start = first + 15 * DAY_MS
        yield Replay("5 min", coins, start, min(last, start + 30 * DAY_MS))
        return
    start = first + 8 * DAY_MS
    end = min(last, start + 14 * DAY_MS)
    yield Replay("polls of 60 s", polled(coins, 60), start, end)
    yield Replay("polls of 30 s", polled(coins, 30), start, end)
    yield Replay("polls of 60 s, noise and repeats", polled(coins, 60, noise=NOISE, repeats=REPEATS), start, end)


def _walked(replay: Replay, prior: Prior | None, engine: EngineOptions) -> Case:
    options = WalkOptions(replay.start_ms, replay.end_ms, step_min=_STEP_MIN, refit_min=1440)
    return run(replay.prices, options, engine, prior)


def _difference(own: pd.DataFrame, other: pd.DataFrame) -> tuple[float, str]:
    found = compare(own, other)
    low, high = found.interval or (float("nan"), float("nan"))
    return found.difference, f"{found.difference:+.4f} ({low:+.4f} to {high:+.4f})"


def _coverage(case: Case) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in case.evaluation.block.overall.coverage.values())


class _Table:
    """Prints rows as they come and keeps the differences for the means at the end."""

    def __init__(self, saved: Path | None, against: Path | None) -> None:
        self._saved = saved
        self._against = against
        self._differences: dict[tuple[str, str], list[float]] = {}
        print("| recording | prices | relative pinball | coverage | against the other version | gain by minutes |")
        print("|---|---|---|---|---|---|")

    def add(self, name: str, replay: Replay, case: Case, without: Case | None) -> None:
        """Print one row."""
        frame = case.forecasts
        file = f"{name}, {replay.label}.parquet"
        if self._saved is not None:
            frame.to_parquet(self._saved / file)
        cells = [name, replay.label, f"{case.evaluation.block.overall.relative_pinball:.4f}", _coverage(case)]
        other = None if self._against is None else pd.read_parquet(self._against / file)
        for what, rival in (("other", other), ("minutes", None if without is None else without.forecasts)):
            cells.append("" if rival is None else self._note(what, replay.label, frame, rival))
        print("|", " | ".join(cells), "|", flush=True)

    def _note(self, what: str, label: str, own: pd.DataFrame, rival: pd.DataFrame) -> str:
        difference, text = _difference(own, rival)
        self._differences.setdefault((what, label), []).append(difference)
        return text

    def means(self) -> None:
        """Print the mean difference of each kind, its interval over recordings, and the worst recording."""
        for (what, label), found in self._differences.items():
            error = np.std(found, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else float("nan")
            mean = np.mean(found)
            against = "the other version" if what == "other" else "forecasts without minutes"
            print(
                f"{label}, against {against}: mean {mean:+.5f} ({mean - 2 * error:+.5f} to {mean + 2 * error:+.5f}),"
                f" worst {max(found):+.5f}, {len(found)} recordings"
            )


def folds(files: Sequence[Path], rows: Sequence[RecordingRows], number: int) -> list[list[Path]]:
    """Groups of recordings that follow one another in time, at most `number`."""
    start_ms = {one.name: one.start_ms for one in rows}
    in_order = sorted(files, key=lambda file: start_ms[file.name])
    return [list(group) for group in np.array_split(np.array(in_order, dtype=object), number) if len(group)]


def _judge(table: _Table, file: Path, prior: Prior, jobs: int) -> None:
    engine = EngineOptions(n_jobs=jobs)
    for replay in replays(read_recording(file).prices):
        without = _walked(replay, prior, replace(engine, use_minutes=False)) if replay.has_minutes else None
        table.add(file.stem, replay, _walked(replay, prior, engine), without)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench left_out", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="recordings to judge; none: all")
    parser.add_argument("--save", type=Path, metavar="FOLDER")
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    parser.add_argument("--folds", type=int, help="number of groups; default: every recording by itself")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    teachers = recordings_of(Path(os.environ.get("CRYPTO_TEST_DATA", "-")))
    if not teachers:
        parser.error("set CRYPTO_TEST_DATA to the folder with the recordings")
    if options.save is not None:
        options.save.mkdir(parents=True, exist_ok=True)
    rows = [gather(file) for file in teachers]
    table = _Table(options.save, options.against)
    files = options.files or teachers
    for group in folds(files, rows, options.folds or len(files)):
        prior = unseen_by([file.name for file in group], rows)
        for file in group:
            _judge(table, file, prior, options.jobs)
    table.means()
    return 0


if __name__ == "__main__":
    sys.exit(main())
