"""Backtest: the live engine walked forward over recorded prices, scored and reported. `python -m model.backtest`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from tqdm import tqdm

from core.errors import BadInput
from core.files import write_atomically
from core.processes.lifecycle import run_main
from core.times import iso, parse_moment
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
        raise BadInput("nenhuma origem com histórico bastante: mude --start, --end ou --min-history-hours")
    coins = list(recording)
    published = with_outcomes(forecast_frame(coins, made), recording)
    ewma = with_outcomes(forecast_frame(coins, [one.of_baseline() for one in made]), recording)
    return Backtest(published, RecordedBenchmark(recording).frame(published), ewma)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one backtest from the command line; what cannot be run is refused by name, exit code 2."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        brought = _rivals(given.rival)
        recording = read_recording(given.data, _coins(given.coins)).prices
        options = _walk_options(given)
        engine_options = EngineOptions(train_days=given.train_days, seed=given.seed, n_jobs=given.jobs)
        prior = None if given.no_prior else Prior.load()
        result = run(recording, options, engine_options, prior, show_progress=True)
        rivals = {_EWMA: result.ewma, **{name: beside(result.forecasts, one, name) for name, one in brought.items()}}
        given.out.mkdir(parents=True, exist_ok=True)
    except (BadInput, FileExistsError) as error:
        parser.error(str(error))
    write_atomically(given.out / "forecasts.parquet", _plain(result.forecasts).to_parquet(index=False))
    report = write_report(given.out, result.scored, _context(given, result), rivals)
    print(_summary(report, given.out))  # noqa: T201 - the answer to the person who asked
    return 0


def _coins(text: str | None) -> list[str] | None:
    return None if text is None else [coin.strip().lower() for coin in text.split(",") if coin.strip()]


def _rivals(named: Sequence[tuple[str, Path]]) -> dict[str, pd.DataFrame]:
    names = [_EWMA, *(name for name, _ in named)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"--rival: nome já usado: {', '.join(twice)}")
    return {name: read_rival(path) for name, path in named}


def _walk_options(given: argparse.Namespace) -> WalkOptions:
    try:
        start_ms = parse_moment(given.start) if given.start else None
        end_ms = parse_moment(given.end, end_of_day=True) if given.end else None
    except ValueError as error:
        raise BadInput(f"--start e --end são datas ou horários ISO 8601 ({error})") from error
    return WalkOptions(start_ms, end_ms, given.step_min, given.refit_min, given.min_history_hours)


def _plain(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Coins and kinds as text, as every reader of the file expects."""
    return forecasts.assign(coin=forecasts["coin"].astype(str), kind=forecasts["kind"].astype(str))


def _context(given: argparse.Namespace, result: Backtest) -> Mapping[str, object]:
    origin = result.forecasts["origin"]
    return {
        "dados": given.data.name,
        "moedas": result.forecasts["coin"].nunique(),
        "primeira origem": iso(int(origin.min().timestamp() * 1000)),
        "última origem": iso(int(origin.max().timestamp() * 1000)),
        "passo (min)": given.step_min,
        "retreino (min)": given.refit_min,
        "treino (dias)": given.train_days,
        "história mínima (h)": given.min_history_hours,
        "semente": given.seed,
        "coeficientes de partida": "não" if given.no_prior else "sim",
    }


def _summary(report: Mapping[str, Any], folder: Path) -> str:
    overall = report["overall"]
    others = {name: rival["difference"] for name, rival in report["rivals"].items()}
    lines = [
        f"{overall['forecasts']} previsões conferidas de {overall['hours']} horas",
        f"pinball relativo a «o preço fica»: {number(overall['relative_pinball'], 4)} "
        f"(EWMA: {number(others.pop(_EWMA)['other'], 4)})",
        *(
            f"{name}: {number(one['other'], 4)}, contra {number(one['own'], 4)} nas {one['forecasts']} em comum"
            for name, one in others.items()
        ),
        "cobertura: " + ", ".join(f"{level} % → {percent(share)}" for level, share in overall["coverage"].items()),
        f"relatório: {folder / 'report.html'}",
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model.backtest",
        description="Refaz o passado: em cada origem o mesmo modelo do sistema ao vivo só conhece o que veio antes.",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="ARQUIVO", help="Parquet, CSV, crypto.db ou pasta de dados"
    )
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
    parser.add_argument("--jobs", type=_between(1, 64), default=2, help="fios da floresta; não mudam nada (padrão: 2)")
    parser.add_argument("--no-prior", action="store_true", help="sem os coeficientes de partida que vêm com o produto")
    parser.add_argument(
        "--rival",
        type=_named_file,
        action="append",
        default=[],
        metavar="NOME=ARQUIVO",
        help="Parquet com as previsões de outro método, para o relatório; pode ser repetida",
    )
    return parser


def _named_file(text: str) -> tuple[str, Path]:
    name, sign, path = text.partition("=")
    if not (name.strip() and sign and path):
        raise argparse.ArgumentTypeError("deve ter a forma NOME=ARQUIVO")
    return name.strip(), Path(path)


def _between(low: int, high: int) -> Any:
    def whole(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"deve ser um inteiro de {low} a {high}")
        return int(text)

    return whole


if __name__ == "__main__":
    sys.exit(run_main(main))
