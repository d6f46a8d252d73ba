"""A backtest over the prices of the first back-fill, so that the accuracy page is not empty on the first day.

`python -m model.first_backtest --out FOLDER` is started by the pipeline as a process of its own, at the lowest
priority; it reads the price store, writes two tables into FOLDER and touches nothing else.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import BadInput
from core.forecast_schema import FORECAST_SCHEMA, HORIZONS_MIN, LOGGED_COLUMNS
from core.price_store import PriceReader, open_reader
from core.processes.command_line import CommandLine, run_command
from core.processes.lifecycle import lower_priority
from core.settings import Settings
from core.times import DAY_MS, now_ms
from core.wording import message
from core.workspace import workspace_for_step
from etl.arrays import FloatArray, IntArray
from etl.recordings.recording import PriceHistory
from model.backtest import run
from model.backtesting.loss_frames import losses, score_rows
from model.backtesting.walk_forward import WalkOptions
from model.forecaster.engine import EngineOptions
from model.forecaster.prior import Prior
from model.loop.backtest_process import FORECASTS, MAX_COINS, MIN_HISTORY_HOURS, SCORES
from model.loop.session import engine_options

__all__ = ["backtest_history", "main"]

_DAYS: Final = 14
_SHORT_DAYS: Final = 2
_MIN_PRICES: Final = MIN_HISTORY_HOURS * 12

_log = logging.getLogger(__name__)


def backtest_history(recording: PriceHistory, engine_options: EngineOptions) -> tuple[pa.Table, pa.Table]:
    """Walk-forward forecasts, every half hour, or hourly over more than two days.

    Returns:
        Their score rows (SCORE_SCHEMA), and those of one hour ahead (`LOGGED_COLUMNS`).

    Raises:
        BadInput: no coin has eight hours of prices.
    """
    span_ms = max(int(ts_ms[-1] - ts_ms[0]) for ts_ms, _ in recording.values()) if recording else 0
    step_min = 30 if span_ms <= _SHORT_DAYS * DAY_MS else 60
    options = WalkOptions(step_min=step_min, refit_min=360, min_history_hours=MIN_HISTORY_HOURS)
    result = run(recording, options, engine_options, Prior.load())
    hourly = result.forecasts.loc[result.forecasts["horizon_min"] == HORIZONS_MIN[-1], list(LOGGED_COLUMNS)]
    forecasts = pa.Table.from_pandas(hourly, preserve_index=False)
    forecasts = forecasts.cast(pa.schema([FORECAST_SCHEMA.field(name) for name in LOGGED_COLUMNS]))
    return score_rows(losses(result.scored)), forecasts


def _stored_prices(prices: PriceReader, since_ms: int) -> PriceHistory:
    """The stored 5-minute prices of the largest coins that have at least eight hours of them."""
    recording: dict[str, tuple[IntArray, FloatArray]] = {}
    for coin in prices.coins()[:MAX_COINS]:
        rows = prices.thinned(coin.id, since_ms, now_ms())
        if len(rows) >= _MIN_PRICES:
            recording[coin.id] = (np.array([ts_ms for ts_ms, _ in rows]), np.array([price for _, price in rows]))
    return recording


def main(arguments: Sequence[str] | None = None) -> int:
    """Backtest the stored history into two files."""
    line = CommandLine("model.first_backtest")
    line.options()("--out", type=Path, required=True, value="folder")
    return run_command(line, _backtest_into, arguments)


def _backtest_into(settings: Settings, given: Namespace) -> int:
    lower_priority()
    workspace = workspace_for_step(settings)
    with open_reader(workspace.store) as prices:
        recording = _stored_prices(prices, now_ms() - _DAYS * DAY_MS)
    if not recording:
        raise BadInput(message("backtest.too_young"))
    scores, forecasts = backtest_history(recording, engine_options(settings, workspace.source))
    pq.write_table(scores, given.out / SCORES)
    pq.write_table(forecasts, given.out / FORECASTS)
    _log.info("backtest of the stored history: %d score rows of %d coins", scores.num_rows, len(recording))
    return 0


if __name__ == "__main__":
    sys.exit(main())
