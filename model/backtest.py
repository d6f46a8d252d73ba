"""Backtest: the live engine walked forward over recorded prices, scored and reported. `python -m model.backtest`.

A walk goes on from what it has learned, so it is one process's work; several recordings are walked side by side.
"""

from __future__ import annotations

import multiprocessing
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from tqdm import tqdm

from core.errors import BadInput
from core.files import write_atomically
from core.processes.command_line import CommandLine, bounded_integer
from core.processes.lifecycle import run_step
from core.times import iso, parse_iso
from core.wording import message, say
from etl.recordings.recording import PriceHistory, read_recording
from model.backtesting.evaluation import with_benchmark
from model.backtesting.forecast_frames import RecordedBenchmark, forecast_frame, with_outcomes
from model.backtesting.report.build import write_report
from model.backtesting.report.format import number, percent
from model.backtesting.rival_forecasts import beside, read_rival
from model.backtesting.walk_forward import WalkOptions, origins, walk_forward
from model.forecaster.engine import EngineOptions
from model.forecaster.prior import Prior

__all__ = ["Backtest", "main", "run"]

_EWMA: Final = "EWMA"


@dataclass(frozen=True)
class Backtest:
    """Forecasts of a walk and two comparisons on the same coins, origins and horizons.

    Attributes:
        forecasts: rows of the forecast contract with `price_actual`.
        benchmark: the naive benchmark, "the price stays" with the returns of the last 14 days around it.
        ewma: the baseline, "the price stays" with an exponentially weighted volatility.
    """

    forecasts: pd.DataFrame
    benchmark: pd.DataFrame
    ewma: pd.DataFrame

    @property
    def scored(self) -> pd.DataFrame:
        """The forecasts with the benchmark's quantiles beside them, as `evaluate` takes them."""
        return with_benchmark(self.forecasts, self.benchmark)


def run(
    recording: PriceHistory,
    options: WalkOptions,
    engine_options: EngineOptions,
    prior: Prior | None,
    *,
    show_progress: bool = False,
) -> Backtest:
    """Walk forward and add the two comparisons; no file is touched.

    Raises:
        BadInput: there is no origin with enough history.
    """
    times = origins(recording, options)
    steps = walk_forward(recording, options, engine_options, prior)
    bar = tqdm(steps, total=len(times), unit="origem", disable=not show_progress, mininterval=1.0)
    made = [forecasts for forecasts in bar if len(forecasts)]
    if not made:
        raise BadInput(message("backtest.no_origin"))
    coins = list(recording)
    published = with_outcomes(forecast_frame(coins, made), recording)
    ewma = with_outcomes(forecast_frame(coins, [one.of_baseline() for one in made]), recording)
    return Backtest(published, RecordedBenchmark(recording).frame(published), ewma)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one backtest from the command line; arguments that cannot be used end with exit code 2."""
    return run_step(lambda: _backtest(_command_line().parse_args(arguments)))


def _backtest(given: Namespace) -> int:
    walks = _walks(given)
    if len(walks) == 1:
        print(_walk(walks[0], show_progress=True))  # noqa: T201 - the answer to the person who asked
        return 0
    processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(given.jobs, len(walks)), processes, max_tasks_per_child=1) as pool:
        for walk, summary in zip(walks, pool.map(_walk, walks), strict=True):
            print(f"{walk.data.name}\n{summary}\n", flush=True)  # noqa: T201 - the answer to the person who asked
    return 0


def _walks(given: Namespace) -> list[Namespace]:
    """The options of each recording: one writes into the folder itself, several each into one of their own there."""
    if len(given.data) == 1:
        return [Namespace(**{**vars(given), "data": given.data[0]})]
    names = [path.stem for path in given.data]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(message("backtest.recording_twice", names=", ".join(twice)))
    if given.rival:
        raise BadInput(message("backtest.rival_of_one"))
    threads = max(1, given.jobs // len(names))
    return [
        Namespace(**{**vars(given), "data": path, "out": given.out / path.stem, "jobs": threads}) for path in given.data
    ]


def _walk(given: Namespace, *, show_progress: bool = False) -> str:
    """Walk through one recording and write its results; what they say in a few lines."""
    brought = _rivals(given.rival)
    recording = read_recording(given.data, _coins(given.coins)).prices
    options = _walk_options(given)
    engine_options = EngineOptions(train_days=given.train_days, seed=given.seed, n_jobs=given.jobs)
    prior = None if given.no_prior else Prior.load()
    result = run(recording, options, engine_options, prior, show_progress=show_progress)
    rivals = {_EWMA: result.ewma, **{name: beside(result.forecasts, one, name) for name, one in brought.items()}}
    try:
        given.out.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise BadInput(message("backtest.out_is_a_file", path=str(given.out))) from error
    write_atomically(given.out / "forecasts.parquet", _plain(result.forecasts).to_parquet(index=False))
    return _summary(write_report(given.out, result.scored, _context(given, result), rivals), given.out)


def _coins(text: str | None) -> list[str] | None:
    return None if text is None else [coin.strip().lower() for coin in text.split(",") if coin.strip()]


def _rivals(named: Sequence[tuple[str, Path]]) -> dict[str, pd.DataFrame]:
    names = [_EWMA, *(name for name, _ in named)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(message("backtest.rival_twice", names=", ".join(twice)))
    return {name: read_rival(path) for name, path in named}


def _walk_options(given: Namespace) -> WalkOptions:
    try:
        start_ms = parse_iso(given.start) if given.start else None
        end_ms = parse_iso(given.end, end_of_day=True) if given.end else None
    except ValueError as error:
        raise BadInput(message("backtest.moments", reason=str(error))) from error
    return WalkOptions(start_ms, end_ms, given.step_min, given.refit_min, given.min_history_hours)


def _plain(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Coins and kinds as text instead of categories."""
    return forecasts.assign(coin=forecasts["coin"].astype(str), kind=forecasts["kind"].astype(str))


def _context(given: Namespace, result: Backtest) -> Mapping[str, object]:
    origin = result.forecasts["origin"]
    facts = {
        "data": given.data.name,
        "coins": result.forecasts["coin"].nunique(),
        "first_origin": iso(int(origin.min().timestamp() * 1000)),
        "last_origin": iso(int(origin.max().timestamp() * 1000)),
        "step_min": given.step_min,
        "refit_min": given.refit_min,
        "train_days": given.train_days,
        "min_history_hours": given.min_history_hours,
        "seed": given.seed,
        "prior": say(message("report.no" if given.no_prior else "report.yes")),
    }
    return {say(message(f"report.fact.{name}")): value for name, value in facts.items()}


def _summary(report: Mapping[str, Any], folder: Path) -> str:
    overall = report["overall"]
    others = {name: rival["difference"] for name, rival in report["rivals"].items()}
    ewma = number(others.pop(_EWMA)["other"], 4)
    coverage = ", ".join(f"{level} % → {percent(share)}" for level, share in overall["coverage"].items())
    lines = [
        message("backtest.scored", forecasts=overall["forecasts"], hours=overall["hours"]),
        message("backtest.pinball", ratio=number(overall["relative_pinball"], 4), ewma=ewma),
        *(
            message(
                "backtest.against",
                name=name,
                other=number(one["other"], 4),
                own=number(one["own"], 4),
                shared=one["forecasts"],
            )
            for name, one in others.items()
        ),
        message("backtest.coverage", coverage=coverage),
        message("backtest.report", path=str(folder / "report.html")),
    ]
    return "\n".join(say(line) for line in lines)


def _command_line() -> CommandLine:
    line = CommandLine("model.backtest")
    add = line.options()
    add("--data", type=Path, required=True, nargs="+", value="file")
    add("--out", type=Path, required=True, value="folder")
    add("--coins", value="list")
    add("--start", value="moment")
    add("--end", value="moment")
    add("--train-days", type=bounded_integer(1, 60), default=14, value="number")
    add("--step-min", type=bounded_integer(1, 1440), default=30, value="number")
    add("--refit-min", type=bounded_integer(1, 10080), default=360, value="number")
    add("--min-history-hours", type=bounded_integer(0, 8760), default=24, value="number")
    add("--seed", type=bounded_integer(0, 2**32 - 1), default=0, value="number")
    add("--jobs", type=bounded_integer(1, 64), default=2, value="number")
    add("--no-prior", action="store_true")
    add("--rival", type=_named_file, action="append", default=[], value="named_file")
    return line


def _named_file(text: str) -> tuple[str, Path]:
    name, sign, path = text.partition("=")
    if not (name.strip() and sign and path):
        raise ArgumentTypeError(say(message("backtest.named_file")))
    return name.strip(), Path(path)


if __name__ == "__main__":
    sys.exit(main())
