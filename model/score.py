"""Live scores: every logged forecast meets its outcome once, in small increments. `python -m model.score`.

What is still open, and the last origin seen of each coin, is published in the same step as the scores themselves
(`score_state`), so that a crash at any instant neither loses a score nor counts one twice.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from core.artifacts import Publisher
from core.contract import FORECAST_SCHEMA, GRID_STEP_MS, HORIZONS_MIN
from core.errors import NotReady
from core.logs import configure_logging
from core.metrics import SCORE_SCHEMA, MetricsBlock, summarise
from core.outcomes import outcome_at
from core.prices import PriceReader
from core.process import hold_lock, run_main
from core.settings import load_settings
from core.times import HOUR_MS, MINUTE_MS
from core.workspace import current_workspace
from etl.grid import RawPrices
from model.evaluation import evaluate
from model.losses import NAIVE_COLUMNS, losses, score_rows
from model.score_state import ScoreState
from model.yardstick import YARDSTICK_POINTS, renewal_ms, yardstick_quantiles

__all__ = ["GIVE_UP_MS", "LiveScorer", "Prices", "Settled", "evaluate", "losses", "main", "score_rows", "settle"]

GIVE_UP_MS: Final = 48 * HOUR_MS
"""A gap this old is not going to be filled any more: its forecasts stay without a score."""

_FAR: Final = 2**62

_log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float64]


class Prices(Protocol):
    """What scoring asks of the price store (`core.prices.PriceReader`)."""

    def as_of(self, coin_id: str, ts_ms: int) -> tuple[int, float] | None:
        """Event time and price of the last price at or before `ts_ms`, or None."""

    def thinned(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """The last price of each 5-minute interval within [start_ms, end_ms), in order."""


@dataclass(frozen=True)
class Settled:
    """Of some pending forecasts: those that met their `realised` outcome, those `pending` still, and how many never
    will meet one (`missed`).
    """

    realised: pd.DataFrame
    pending: pd.DataFrame
    missed: int


def settle(pending: pd.DataFrame, prices: Prices) -> Settled:
    """Match pending forecasts with their outcomes, by the rule of `core.outcomes.outcome_at`.

    A forecast whose outcome falls into a gap stays pending, because a repair may still fill the gap, until its target
    lies `GIVE_UP_MS` before the newest price of any coin. The machine's clock plays no part.

    Args:
        pending: columns of FORECAST_SCHEMA; the realised ones come back with `price_actual`.
        prices: the price store.
    """
    coins = [str(coin) for coin in pending["coin"]]
    newest = {coin: known[0] for coin in dict.fromkeys(coins) if (known := prices.as_of(coin, _FAR))}
    target = _milliseconds(pending["origin"]) + pending["horizon_min"].to_numpy(dtype=np.int64) * MINUTE_MS
    newest_ms = np.array([newest.get(coin, -1) for coin in coins], dtype=np.int64)
    actual = np.full(len(pending), np.nan)
    for row in np.flatnonzero(target <= newest_ms).tolist():
        known = prices.as_of(coins[row], int(target[row]))
        if known is not None:
            outcome = outcome_at([known[0]], [known[1]], int(target[row]), int(newest_ms[row]))
            actual[row] = np.nan if outcome is None else outcome
    found = np.isfinite(actual)
    lost = ~found & (target < max(newest.values(), default=0) - GIVE_UP_MS)
    return Settled(pending[found].assign(price_actual=actual[found]), pending[~found & ~lost], int(lost.sum()))


class LiveScorer:
    """Follows the published log and appends score rows; one per workspace, by the holder of the pipeline's lock."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._yardsticks: dict[tuple[str, int], FloatArray] = {}
        self._state = ScoreState.read(publisher)
        self._seen = {part.file for part in publisher.manifest.parts.get("log", ())}
        logged = publisher.read("log", since_ms=self._state.since_ms())
        self._pending = self._state.open_rows(_frame(logged))
        self._state = self._state.seen(self._pending)

    @property
    def pending(self) -> int:
        """Logged forecasts whose outcome is not known yet."""
        return len(self._pending)

    def step(self, prices: Prices) -> pa.Table:
        """Score what came due, publish it, and return the new rows of SCORE_SCHEMA.

        Raises:
            OSError: the disk refused; the same forecasts come due again at the next step.
            NotReady, DamagedFile: the price store cannot be read now.
        """
        self._take_new_log()
        settled = settle(self._pending, prices)
        if not len(settled.realised) and not settled.missed:
            return SCORE_SCHEMA.empty_table()
        lost = losses(self._with_yardstick(settled.realised, prices))
        rows = score_rows(lost) if len(lost) else SCORE_SCHEMA.empty_table()
        appended = {}
        if rows.num_rows:
            hours = rows["hour"].cast(pa.int64()).to_numpy()
            appended["scores"] = (int(hours.min()), int(hours.max()) + HOUR_MS - 1, rows)
        self._publisher.publish({"score_state": self._state.to_table(settled.pending)}, appended)
        self._pending = settled.pending
        missed = settled.missed + len(settled.realised) - len(lost)
        if missed:
            _log.warning("%d forecasts stay without a score: no price near their target, or no history", missed)
        return rows

    def _take_new_log(self) -> None:
        """Add the rows of parts of the log that were published since; whole days are merged from parts long seen."""
        parts = [part for part in self._publisher.manifest.parts.get("log", ()) if part.file not in self._seen]
        if not parts:
            return
        tables = [self._publisher.table(part.file) for part in parts if part.level != "day"]
        fresh = self._state.open_rows(_frame([table for table in tables if table is not None]))
        if len(fresh):
            self._pending = pd.concat([self._pending, fresh], ignore_index=True)
            self._state = self._state.seen(fresh)
        self._seen = {part.file for part in self._publisher.manifest.parts.get("log", ())}

    def _with_yardstick(self, realised: pd.DataFrame, prices: Prices) -> pd.DataFrame:
        """Add NAIVE_COLUMNS; NaN where the coin has no two hours of history before the origin."""
        origins = _milliseconds(realised["origin"])
        moves = np.empty((len(realised), len(NAIVE_COLUMNS)))
        for row, (coin, horizon) in enumerate(zip(realised["coin"], realised["horizon_min"], strict=True)):
            moves[row] = self._yardstick(coin, int(origins[row]), prices)[HORIZONS_MIN.index(horizon)]
        quantiles = realised["price_origin"].to_numpy(dtype=np.float64)[:, None] * np.exp(moves)
        return realised.assign(**dict(zip(NAIVE_COLUMNS, quantiles.T, strict=True)))

    def _yardstick(self, coin: str, origin_ms: int, prices: Prices) -> FloatArray:
        """The yardstick in force at the origin; a coin too young for it is judged by all that preceded the origin."""
        made_ms = renewal_ms(origin_ms)
        oldest_ms = made_ms - GIVE_UP_MS
        quantiles = self._cached(coin, made_ms, oldest_ms, lambda: _history(prices, coin, made_ms))
        if np.isfinite(quantiles).all():
            return quantiles
        return self._cached(coin, origin_ms, oldest_ms, lambda: _history(prices, coin, origin_ms))

    def _cached(self, coin: str, until_ms: int, oldest_ms: int, history: Callable[[], FloatArray]) -> FloatArray:
        key = (coin, until_ms)
        if key not in self._yardsticks:
            self._yardsticks = {known: value for known, value in self._yardsticks.items() if known[1] >= oldest_ms}
            self._yardsticks[key] = yardstick_quantiles(history())
        return self._yardsticks[key]


def main(arguments: Sequence[str] | None = None) -> int:
    """Score once what is due, and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m model.score",
        description="Compara uma vez as previsões registradas que já venceram com os preços observados, "
        "publica as pontuações e mostra-as. Usa as configurações do arquivo .env e do ambiente.",
    )
    parser.parse_args(arguments)
    settings = load_settings()
    configure_logging(settings.log_level)
    try:
        workspace = current_workspace(settings)
        with PriceReader(workspace.database) as prices:
            lock = hold_lock(workspace.processed / "pipeline.lock", "o pipeline desta pasta")
            try:
                scorer = LiveScorer(Publisher(workspace.processed))
                rows = scorer.step(prices)
            finally:
                lock.release()
    except NotReady as error:
        print(f"Nada a pontuar: {error}")  # noqa: T201 - the answer to the person who asked
        return 0
    print(_report(summarise(rows), scorer.pending))  # noqa: T201 - as above
    return 0


def _report(block: MetricsBlock | None, pending: int) -> str:
    """What was scored, as a table in Portuguese."""
    waiting = f"{pending} previsões ainda aguardam o preço do seu horário."
    if block is None:
        return f"Nenhuma previsão nova para pontuar. {waiting}"
    lines = [f"{'horizonte':>9} {'previsões':>9} {'pinball relativo':>16} {'cobertura 80 %':>14}"]
    for name, score in [*((f"{h} min", s) for h, s in block.by_horizon.items()), ("todos", block.overall)]:
        ratio = "-" if score.relative_pinball is None else f"{score.relative_pinball:.3f}"
        lines.append(f"{name:>9} {score.forecasts:>9} {ratio:>16} {100 * score.coverage[80]:>13.1f}%")
    if block.apart:
        lines.append(f"À parte, por quase não se moverem: {', '.join(block.apart)}.")
    return "\n".join([*lines, "Pinball relativo abaixo de 1: melhor do que «o preço fica».", waiting])


def _frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    table = pa.concat_tables(tables) if tables else FORECAST_SCHEMA.empty_table()
    return pd.DataFrame(table.select(FORECAST_SCHEMA.names).to_pandas())


def _milliseconds(moments: pd.Series) -> npt.NDArray[np.int64]:
    return np.asarray(moments.dt.as_unit("ms").astype("int64"))


def _history(prices: Prices, coin: str, until_ms: int) -> FloatArray:
    """Log prices on the 5-minute grid over the 14 days up to `until_ms`, NaN in gaps."""
    last = until_ms - until_ms % GRID_STEP_MS
    grid = last + GRID_STEP_MS * np.arange(1 - YARDSTICK_POINTS, 1)
    known = prices.thinned(coin, int(grid[0]) - 2 * GRID_STEP_MS, last + 1)
    raw = RawPrices()
    raw.append(0, [ts_ms for ts_ms, _ in known], [price for _, price in known])
    return np.asarray(np.log(raw.as_of(0, grid)[0]))


if __name__ == "__main__":
    sys.exit(run_main(main))
