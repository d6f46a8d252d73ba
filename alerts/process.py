"""The alert process: looks at what is new until it is stopped, and sends what it has to tell."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from alerts.alert import Alert
from alerts.delivery.channels import OpenChannel, open_channels
from alerts.delivery.sender import Sender
from alerts.messages import Wording, alert_text
from alerts.rule_book import RuleBook
from alerts.store import AlertStore, DeliveryState
from alerts.store.outbox import Outbox
from alerts.watch import ForecastReading, Watch
from core.aside import set_aside
from core.errors import AlreadyRunning, DamagedFile, NotReady, StorageProblem
from core.processes.health_schema import ALERTS, AlertsProgress, ProcessState
from core.processes.heartbeat import BEAT_S, PATIENCE_S, Heartbeat
from core.processes.lifecycle import hold_lock
from core.reading.published import PublishedData
from core.settings import PARENT_VARIABLE, Settings, all_variables
from core.times import iso
from core.wording import message
from core.workspace import Workspace

__all__ = ["run"]

_LOOK_EVERY_S: Final = 0.5
_RETRY_S: Final = 5.0

_log = logging.getLogger(__name__)


def run(settings: Settings, stop: threading.Event) -> int:
    """Watch until `stop` is set.

    Raises:
        AlreadyRunning: another alert process watches this workspace.
        ConfigurationError: a newer release wrote alerts.db.
    """
    with Heartbeat(settings.run_dir, ALERTS, PATIENCE_S) as health:
        data = PublishedData(settings)
        while not stop.is_set():
            try:
                workspace = data.workspace()
            except NotReady:
                health.state(ProcessState.WAITING)
                stop.wait(_LOOK_EVERY_S)
                continue
            with ExitStack() as stack:
                if _hold(workspace, health, stop, stack):
                    _watch_workspace(settings, data, workspace, health, stop)
    return 0


def _hold(workspace: Workspace, health: Heartbeat[AlertsProgress], stop: threading.Event, stack: ExitStack) -> bool:
    """Take the lock of the workspace's alerts; a child of run_all.py waits for a process that was started apart."""
    while not stop.is_set():
        try:
            lock = hold_lock(workspace.root / "alerts.lock", message("lock.alerts"))
        except AlreadyRunning:
            if not os.environ.get(PARENT_VARIABLE):
                raise
            health.state(ProcessState.WAITING)
            stop.wait(_RETRY_S)
        else:
            stack.callback(lock.release)
            return True
    return False


def _watch_workspace(
    settings: Settings,
    data: PublishedData,
    workspace: Workspace,
    health: Heartbeat[AlertsProgress],
    stop: threading.Event,
) -> None:
    """Watch one workspace until `stop`, or until another one is chosen; after trouble with the disk begin again."""
    while not stop.is_set() and data.workspace().root == workspace.root:
        try:
            _watch_once(settings, data, workspace, health, stop)
        except (StorageProblem, OSError) as error:
            health.error(error)
            health.state(ProcessState.STORAGE_REFUSED)
            _log.error("%s; trying again every %.0f s", error, _RETRY_S)
            stop.wait(_RETRY_S)
        except NotReady as error:
            _log.info("%s", error)
            stop.wait(_LOOK_EVERY_S)


def _watch_once(
    settings: Settings,
    data: PublishedData,
    workspace: Workspace,
    health: Heartbeat[AlertsProgress],
    stop: threading.Event,
) -> None:
    """Watch until something breaks; set alerts.db aside if it is damaged.

    Raises:
        OSError: it cannot be renamed: on Windows as long as the dashboard has it open.
    """
    try:
        with _Session(settings, data, workspace, health) as session:
            session.run(stop)
    except DamagedFile as error:
        health.error(error)
        aside = set_aside(workspace.alerts).name
        health.damaged([aside])
        _log.error("%s: set aside as %s; the rules of the dashboard are lost", error, aside)


class _Session:
    """The parts that watch one workspace, open for as long as nothing breaks."""

    def __init__(
        self, settings: Settings, data: PublishedData, workspace: Workspace, health: Heartbeat[AlertsProgress]
    ) -> None:
        self._settings = settings
        self._data = data
        self._workspace = workspace
        self._health = health
        self._exits = ExitStack()
        self._told = 0
        self._reported_at = -math.inf

    def __enter__(self) -> _Session:
        path = self._workspace.alerts
        self._store = self._exits.enter_context(AlertStore(path))
        self._book = RuleBook(self._settings.alerts_file, self._store)
        self._book.refresh()
        self._in_use = self._book.settings
        self._watch = Watch(self._settings, self._data, self._store, self._book, self._open_forecasts)
        self._watch.read_coins()
        self._sender = self._exits.enter_context(Sender(lambda: Outbox(path), self._text, self._channels()))
        self._health.state(ProcessState.WATCHING)
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop`, or until another workspace is chosen."""
        while not stop.is_set() and self._data.workspace().root == self._workspace.root:
            begun = time.monotonic()
            look = self._watch.look()
            if self._book.settings is not self._in_use:
                self._in_use = self._book.settings
                self._sender.use(self._channels())
            if look.alerts:
                self._told += look.alerts
                self._sender.wake()
            self._report(time.monotonic() - begun)
            if not look.has_more:
                stop.wait(_LOOK_EVERY_S)

    def _report(self, seconds: float) -> None:
        """Mark a step of the loop; every few seconds count what is in the store."""
        if time.monotonic() - self._reported_at < BEAT_S:
            self._health.progress()
            return
        self._reported_at = time.monotonic()
        counts = self._store.counts()
        newest_ms = self._watch.newest_ms
        self._health.progress(
            AlertsProgress(
                message=self._book.problem,
                rules=len(self._book.rules),
                evaluated_at=None if newest_ms is None else iso(newest_ms),
                evaluation_s=round(seconds, 4),
                told=self._told,
                due=counts[DeliveryState.DUE],
                delivered=counts[DeliveryState.DELIVERED],
                dead=counts[DeliveryState.DEAD],
            )
        )

    def _channels(self) -> Mapping[str, OpenChannel]:
        return open_channels(self._in_use.channels, all_variables(), self._settings.alerts_file.parent)

    def _text(self, alert: Alert) -> str:
        settings = self._book.settings
        currency, names = self._workspace.currency, self._watch.coin_titles
        return alert_text(alert, Wording(settings.language, settings.zone, settings.dashboard_url, currency, names))

    def _open_forecasts(self) -> ForecastReading:
        from alerts.forecast_reading import open_reading  # noqa: PLC0415 - pyarrow, which not all rules need

        return open_reading(self._settings)
