"""Runs the first backtest in a process beside the loop and publishes its result once."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow.parquet as pq

from core.accuracy.scores import hours_before
from core.processes.child import child_command
from core.processes.health_schema import COLLECTOR
from core.processes.heartbeat import read_health
from core.settings import PARENT_VARIABLE, PROJECT
from core.store_address import BUCKET_VARIABLES
from core.times import HOUR_MS, now_ms
from model.loop.session import Session

__all__ = ["FORECASTS", "MAX_COINS", "MIN_HISTORY_HOURS", "SCORES", "FirstBacktest"]

MIN_HISTORY_HOURS: Final = 8
MAX_COINS: Final = 50
"""The largest coins represent the method; 250 would cost more time and memory than they add."""

SCORES: Final = "scores.parquet"
FORECASTS: Final = "forecasts.parquet"
"""Files of the process: rows of SCORE_SCHEMA, and the forecasts of one hour ahead with `LOGGED_COLUMNS`."""

_ENTRY: Final = "backtest"
_FORECASTS_ENTRY: Final = "backtest_forecasts"
"""Names of the published tables: the scores, and the forecasts of one hour ahead."""

_FOLDER: Final = ".first-backtest-"
"""Beginning of the name of the folder beside the prices that the process writes to."""

_log = logging.getLogger(__name__)


class FirstBacktest:
    """Runs `model.first_backtest` once per workspace, when the collector's back-fill is complete; a context manager."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder = session.workspace.root
        self._process: subprocess.Popen[bytes] | None = None
        self._done = _ENTRY in session.publisher.manifest.entries
        self._sweep()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._sweep()

    def step(self) -> None:
        """Start the process, check it, or publish its result; never waits.

        Raises:
            OSError: the disk refused the result; it is tried again at the next step.
        """
        if self._done:
            return
        if self._process is None:
            if self._may_start():
                self._process = self._start()
        elif self._process.poll() is not None:
            self._finish(self._process.returncode)

    def _may_start(self) -> bool:
        """Whether a running collector has nothing left to fill, and there is a history to walk through.

        It counts what it has filled since its own start: 0 of 0 after a restart, and before it knows its coins.
        """
        collector = read_health(self._session.settings.run_dir, COLLECTOR)
        progress = collector.progress
        is_filled = bool(progress.coins) and progress.backfill_done == progress.backfill_total
        return collector.alive and is_filled and self._has_history()

    def _has_history(self) -> bool:
        """Whether one of the largest coins has a price so old that a forecast can follow it before the live ones."""
        prices, until_ms = self._session.prices(), min(now_ms(), self._live_since_ms) - MIN_HISTORY_HOURS * HOUR_MS
        return any(prices.as_of_each([(coin.id, until_ms) for coin in prices.coins()[:MAX_COINS]]))

    @property
    def _live_since_ms(self) -> int:
        """The first live origin: with it the backtest ends, which would else judge the same hours again."""
        return self._session.publisher.manifest.oldest_ms("log")

    def _start(self) -> subprocess.Popen[bytes]:
        self._folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=self._session.workspace.root))
        command, variables = child_command("model.first_backtest", "--out", str(self._folder))
        settings = self._session.settings.model_copy(update={"source": self._session.workspace.source})
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(BUCKET_VARIABLES)}
        environment = {**inherited, **settings.environment(), **variables, PARENT_VARIABLE: str(os.getpid())}
        return subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - ourselves

    def _finish(self, exit_code: int) -> None:
        if exit_code == 0:
            files = {_ENTRY: SCORES, _FORECASTS_ENTRY: FORECASTS}
            tables = {name: pq.read_table(self._folder / file) for name, file in files.items()}
            tables[_ENTRY] = hours_before(tables[_ENTRY], self._live_since_ms)
            if tables[_ENTRY].num_rows:
                self._session.publisher.publish(tables)
        else:
            _log.warning("the first backtest ended with %d: the accuracy page waits for live scores", exit_code)
        self._done = True
        self._sweep()

    def _sweep(self) -> None:
        """Delete the folder of the process, also one that a killed pipeline left."""
        for folder in self._session.workspace.root.glob(f"{_FOLDER}*"):
            shutil.rmtree(folder, ignore_errors=True)
