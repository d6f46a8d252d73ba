"""Runs the first backtest in a process beside the loop and publishes its result once."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from core.accuracy.scores import SCORE_SCHEMA
from core.processes.child import child_command
from core.processes.health_schema import COLLECTOR
from core.processes.heartbeat import read_health
from core.settings import PARENT_VARIABLE, PROJECT
from model.loop.session import Session

__all__ = ["FirstBacktest"]

_ENTRY: Final = "backtest"
"""Name of the published table."""

_log = logging.getLogger(__name__)


class FirstBacktest:
    """Runs `model.first_backtest` once per workspace, when the collector's back-fill is complete; a context manager."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder = tempfile.TemporaryDirectory(prefix="crypto-backtest-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._done = _ENTRY in session.publisher.manifest.entries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

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
        """Whether a running collector reports a complete back-fill."""
        collector = read_health(self._session.settings.run_dir, COLLECTOR)
        if not collector.alive:
            return False
        progress = collector.progress
        return progress.backfill_total > 0 and progress.backfill_done == progress.backfill_total

    def _start(self) -> subprocess.Popen[bytes]:
        command, variables = child_command("model.first_backtest", "--out", str(self._result))
        settings = self._session.settings.model_copy(update={"source": self._session.workspace.source})
        environment = {**os.environ, **settings.environment(), **variables, PARENT_VARIABLE: str(os.getpid())}
        return subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - ourselves

    def _finish(self, exit_code: int) -> None:
        rows = pq.read_table(self._result) if exit_code == 0 else SCORE_SCHEMA.empty_table()
        if exit_code != 0:
            _log.warning("the first backtest ended with %d: the accuracy page waits for live scores", exit_code)
        self._publish(rows)
        self._done = True

    def _publish(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._session.publisher.publish({_ENTRY: rows})

    @property
    def _result(self) -> Path:
        return Path(self._folder.name) / "scores.parquet"
