"""Collector, pipeline and alerts of a simulated machine, in one process.

The pipeline's own loop runs; where it would wait, time is skipped and the collector takes its turns. Each cycle is
followed by a look of the alerts. `python -m bench.simulated_month.machine FOLDER`, started by `python -m bench month`
with the shared clock in the place of the system's, has loaded everything and forks such a process for each line that
it reads.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from alerts.forecast_reading import open_reading
from alerts.rule_book import RuleBook
from alerts.store import AlertStore
from alerts.watch import Watch
from bench.simulated_month.clock import SharedClock
from bench.simulated_month.witness import Witness
from core.errors import NotReady, StorageProblem
from core.logs import configure_logging
from core.price_store import open_writer
from core.processes.free_memory import leave_out_of_collections
from core.processes.health_schema import PIPELINE, PipelineProgress
from core.processes.heartbeat import Heartbeat
from core.processes.lifecycle import run_main, stop_event, watch_parent
from core.reading.published import PublishedData
from core.settings import PARENT_VARIABLE, Settings, load_settings
from core.workspace import open_workspace
from etl.coingecko.client import CoinGecko
from etl.collector.collector import Collector
from model.loop.session import Session, open_session
from model.pipeline import Pipeline

__all__ = ["CLOCK", "WITNESS", "main"]

CLOCK: Final = "clock"
WITNESS: Final = "published rows"
_LONGEST_SKIP_S: Final = 15.0
"""The pipeline looks for what is due at least this often."""

_log = logging.getLogger(__name__)


class _Passage(threading.Event):
    """The event that ends the pipeline's loop; to wait for it is to let time pass while the collector works."""

    def __init__(self, signalled: threading.Event, clock: SharedClock, collector: Collector) -> None:
        super().__init__()
        self._signalled = signalled
        self._clock = clock
        self._collector = collector
        self._pause_s = 0.0

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._signalled.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Skip the time until the collector's next turn, or a part of it, and let it take the turn."""
        del timeout
        self._clock.skip(max(0.0, min(self._pause_s, _LONGEST_SKIP_S)))
        self._pause_s = self._collector.turn()
        return self.is_set()


class _WatchedPipeline(Pipeline):
    """A pipeline whose every cycle is followed by a look of the witness and one of the alerts."""

    def __init__(
        self, session: Session, heartbeat: Heartbeat[PipelineProgress], witness: Witness, alerts: Watch
    ) -> None:
        super().__init__(session, heartbeat)
        self._witness = witness
        self._alerts = alerts

    def cycle(self, now: int) -> bool:
        """Run one cycle, write down what it published, and judge the rules."""
        complete = super().cycle(now)
        self._witness.look()
        try:
            while self._alerts.look().has_more:
                continue
        except (NotReady, StorageProblem) as error:
            _log.warning("alerts wait: %s", error)
        return complete


def _watch(settings: Settings, data: PublishedData, store: AlertStore) -> Watch:
    book = RuleBook(settings.alerts_file, store)
    book.refresh()
    return Watch(settings, data, store, book, lambda: open_reading(settings))


def _live(folder: Path) -> int:
    """Live until a signal comes."""
    signalled = stop_event()
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    watch_parent()
    clock = SharedClock(folder / CLOCK)
    workspace = open_workspace(settings)
    with (
        Heartbeat(settings.run_dir, PIPELINE) as heartbeat,
        open_writer(workspace.store) as writer,
        closing(CoinGecko(settings)) as api,
        open_session(settings) as session,
        closing(Witness(folder / WITNESS, workspace.processed, settings.coins or (), clock)) as witness,
        closing(PublishedData(settings)) as data,
        AlertStore(workspace.alerts) as store,
    ):
        witness.look()
        pipeline = _WatchedPipeline(session, heartbeat, witness, _watch(settings, data, store))
        pipeline.run(_Passage(signalled, clock, Collector(settings, writer, api)))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """For each line of standard input start a process, print its number, wait for its end, and print its exit code."""
    (folder,) = map(Path, sys.argv[1:] if arguments is None else arguments)
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    leave_out_of_collections()
    while sys.stdin.readline():
        process = os.fork()
        if not process:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            os._exit(run_main(partial(_live, folder)))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
