"""Backtest: the live engine walked forward over recorded prices, scored and reported. `python -m model.backtest`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from core.errors import BadInput
from core.files import write_atomically
from core.process import run_main
from core.times import iso, parse_moment
from model.backtest_report import write_report
from model.baseline import PriceGrid, ewma_forecasts, yardstick_forecasts
from model.engine import EngineOptions
from model.evaluation import with_yardstick
from model.prior import Prior
from model.recording import Recording, read_recording
from model.walk_forward import FORECAST_COLUMNS, Walk, walk_forward

__all__ = ["Backtest", "main", "run"]


@dataclass(frozen=True)
class Backtest:
    """Forecasts with their outcomes, and those of the two baselines for the same coins, origins and horizons."""

    forecasts: pd.DataFrame
    yardstick: pd.DataFrame
    ewma: pd.DataFrame

    @property
    def scored(self) -> pd.DataFrame:
        """The forecasts with the yardstick's quantiles beside them, as `model.evaluation.evaluate` takes them."""
        return with_yardstick(self.forecasts, self.yardstick)


def run(
    recording: Recording, walk: Walk, options: EngineOptions, prior: Prior | None, *, show_progress: bool = False
) -> Backtest:
    """Walk forward and add the baselines; no file is touched.

    Raises:
        BadInput: no coin has enough history anywhere in the walk.
    """

    def progress(origins: Iterator[int], count: int) -> Iterator[int]:
        return iter(tqdm(origins, total=count, unit="origem", disable=not show_progress, mininterval=1.0))

    forecasts = walk_forward(recording, walk, options, prior, progress)
    if forecasts.empty:
        raise BadInput("nenhuma moeda tem história bastante no período pedido: diminua --min-history-hours")
    grid = PriceGrid(recording)
    return Backtest(forecasts, yardstick_forecasts(forecasts, grid), ewma_forecasts(forecasts, grid))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one backtest from the command line."""
    given = _parser().parse_args(arguments)
    coins = None if given.coins is None else [coin.strip().lower() for coin in given.coins.split(",") if coin.strip()]
    recording = read_recording(given.data, coins)
    walk = _walk(given, recording)
    options = EngineOptions(train_days=given.train_days, seed=given.seed, n_jobs=min(2, os.cpu_count() or 1))
    prior = None if given.no_prior else Prior.load()
    given.out.mkdir(parents=True, exist_ok=True)
    result = run(recording, walk, options, prior, show_progress=True)
    _write_forecasts(given.out, result.forecasts)
    report = write_report(given.out, result.scored, _context(given, walk, recording), {"EWMA": result.ewma})
    print(_summary(report, given.out))  # noqa: T201 - the answer to the person who asked
    return 0


def _walk(given: argparse.Namespace, recording: Recording) -> Walk:
    start_ms, end_ms = Walk.over(recording, given.min_history_hours)
    try:
        start_ms = max(start_ms, parse_moment(given.start)) if given.start else start_ms
        end_ms = min(end_ms, parse_moment(given.end, end_of_day=True)) if given.end else end_ms
    except ValueError as error:
        raise BadInput(f"--start e --end são datas ou horários ISO 8601: {error}") from error
    if start_ms > end_ms:
        raise BadInput(f"período vazio: a primeira origem possível é {iso(start_ms)}, a última {iso(end_ms)}")
    return Walk(start_ms, end_ms, given.step_min, given.refit_min, given.min_history_hours)


def _write_forecasts(folder: Path, forecasts: pd.DataFrame) -> None:
    content = forecasts[list(FORECAST_COLUMNS)].to_parquet(index=False)
    write_atomically(folder / "forecasts.parquet", content)


def _context(given: argparse.Namespace, walk: Walk, recording: Recording) -> Mapping[str, object]:
    return {
        "dados": given.data.name,
        "moedas": ", ".join(sorted(recording)),
        "primeira origem": iso(walk.start_ms),
        "última origem": iso(walk.end_ms),
        "passo (min)": walk.step_min,
        "retreino (min)": walk.refit_min,
        "treino (dias)": given.train_days,
        "história mínima (h)": walk.min_history_hours,
        "semente": given.seed,
        "coeficientes de partida": "não" if given.no_prior else "sim",
    }


def _summary(report: Mapping[str, Any], folder: Path) -> str:
    overall, rival = report["overall"], report["rivals"]["EWMA"]
    ratio = overall["relative_pinball"]
    lines = [
        f"{overall['forecasts']} previsões conferidas de {overall['hours']} horas",
        f"pinball relativo a «o preço fica»: {ratio:.4f} (EWMA: {rival['difference']['other']:.4f})",
        "cobertura: " + ", ".join(f"{level} % → {100 * share:.1f} %" for level, share in overall["coverage"].items()),
        f"relatório: {folder / 'report.html'}",
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.backtest",
        description="Refaz o passado: em cada origem o mesmo modelo do sistema ao vivo só conhece o que veio antes.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="ARQUIVO", help="Parquet, CSV ou pasta de dados")
    parser.add_argument("--out", type=Path, required=True, metavar="PASTA", help="pasta dos resultados")
    parser.add_argument("--coins", metavar="A,B", help="só estas moedas (padrão: todas)")
    parser.add_argument("--start", metavar="ISO", help="primeira origem (data ou horário, UTC)")
    parser.add_argument("--end", metavar="ISO", help="última origem (data ou horário, UTC)")
    parser.add_argument("--train-days", type=_between(1, 60), default=14, help="janela de treino em dias (padrão: 14)")
    parser.add_argument("--step-min", type=_between(1, 1440), default=30, help="minutos entre origens (padrão: 30)")
    parser.add_argument("--refit-min", type=_between(1, 10080), default=360, help="minutos entre treinos (padrão: 360)")
    parser.add_argument(
        "--min-history-hours", type=_between(0, 8760), default=24, help="história mínima de cada moeda (padrão: 24)"
    )
    parser.add_argument("--seed", type=_between(0, 2**32 - 1), default=0, help="semente da floresta (padrão: 0)")
    parser.add_argument("--no-prior", action="store_true", help="sem os coeficientes de partida que vêm com o produto")
    return parser


def _between(low: int, high: int) -> Any:
    def number(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"deve ser um inteiro de {low} a {high}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(run_main(main))
