"""The collector process: `python -m etl.extract` collects until it is stopped, `--once` makes one poll."""

from __future__ import annotations

import logging
import sys
import threading
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from core.errors import ConfigurationError, DamagedFile, StandingBy, StorageProblem, message_of
from core.price_store import PriceWriter, open_writer
from core.processes.command_line import CommandLine, run_command
from core.processes.health_schema import COLLECTOR, CollectorProgress, ProcessState
from core.processes.heartbeat import PATIENCE_S, Heartbeat
from core.processes.lifecycle import stop_event, watch_parent
from core.settings import Settings, Source
from core.wording import Message, message, say
from core.workspace import open_workspace, source_choice
from etl.coingecko.client import CoinGecko, base_url
from etl.collector.collector import Collector
from etl.collector.health_report import collector_progress

__all__ = ["main", "once", "run"]

_MAX_PAUSE_S: Final = 1.0
_DISK_RETRY_S: Final = 5.0

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 when it did what was asked."""
    line = CommandLine("etl.extract")
    line.options()("--once", action="store_true")
    return run_command(line, _collect, arguments)


def _collect(settings: Settings, given: Namespace) -> int:
    settings = _decided(settings)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # our typed errors say in one line what it warns of
    stop = stop_event()
    watch_parent()
    return once(settings, stop) if given.once else run(settings, stop)


def run(settings: Settings, stop: threading.Event) -> int:
    """Collect until `stop` is set.

    Raises:
        ConfigurationError: a person must change a setting.
        AlreadyRunning: another process collects into this folder.
    """
    with ExitStack() as stack:
        health = stack.enter_context(Heartbeat(settings.run_dir, COLLECTOR, PATIENCE_S))
        api = _open_api(settings, stop, stack)
        collector = _open_collector(settings, api, health, stop, stack)
        if collector is None:
            return 0
        _log.info("collecting %s from %s", ", ".join(settings.coins or settings.coin_ids), base_url(settings))
        reporter = _HealthReporter(health)
        while not stop.is_set():
            pause_s = collector.turn()
            reporter.report(collector)
            stop.wait(min(pause_s, _MAX_PAUSE_S))
        reporter.report(collector)
    return 0


def once(settings: Settings, stop: threading.Event) -> int:
    """Make one poll and the back-fill that the call budget allows at once; say in one line what came of it."""
    with ExitStack() as stack:
        health = stack.enter_context(Heartbeat(settings.run_dir, COLLECTOR))
        api = _open_api(settings, stop, stack)
        try:
            writer = stack.enter_context(open_writer(open_workspace(settings).store))
            collector = _resume(settings, writer, api)
        except (OSError, StorageProblem, DamagedFile) as error:
            return _say(message("extract.store_closed", reason=message_of(error)), failed=True)
        while collector.polls.polled_ms is None and not stop.is_set():
            if collector.turn() > 0 or collector.polls.failures:
                _, progress = collector_progress(collector)
                return _say(message("extract.nothing", reason=progress.message or "?"), failed=True)
        while collector.fill_delay_s() <= 0 and not stop.is_set():
            collector.backfill.step()
        _HealthReporter(health).report(collector)
        return _summary(collector)


def _open_api(settings: Settings, stop: threading.Event, stack: ExitStack) -> CoinGecko:
    """The client, cut off as soon as `stop` is set, so that no slow answer delays the end."""
    api = CoinGecko(settings)
    stack.callback(api.close)

    def cut_when_stopped() -> None:
        stop.wait()
        api.abort()

    threading.Thread(target=cut_when_stopped, name="stop-watch", daemon=True).start()
    return api


def _open_collector(
    settings: Settings, api: CoinGecko, health: Heartbeat[CollectorProgress], stop: threading.Event, stack: ExitStack
) -> Collector | None:
    """Open folder and store, trying again while the disk refuses; None if stopped before that."""
    complained = False
    while not stop.is_set():
        attempt = ExitStack()
        try:
            writer = attempt.enter_context(open_writer(open_workspace(settings).store))
            collector = _resume(settings, writer, api)
        except (OSError, StorageProblem, DamagedFile) as error:
            attempt.close()
            health.error(error)
            health.state(*_closed(error))
            if not complained:
                _log.error("cannot open the price store: %s; trying every %.0f s", error, _DISK_RETRY_S)
            complained = True
            stop.wait(_DISK_RETRY_S)
        except BaseException:
            attempt.close()
            raise
        else:
            stack.push(attempt.pop_all())
            if writer.set_aside_as is not None:
                health.error(_set_aside(writer.set_aside_as.name))
                health.damaged([writer.set_aside_as.name])
            return collector
    return None


def _closed(error: Exception) -> tuple[ProcessState, CollectorProgress]:
    """What the health file says while the store cannot be opened."""
    if isinstance(error, StandingBy):
        return ProcessState.STANDING_BY, CollectorProgress(message=message("collector.standing_by"))
    said = message("collector.store_closed", reason=message_of(error))
    return ProcessState.STORAGE_REFUSED, CollectorProgress(message=said)


def _resume(settings: Settings, writer: PriceWriter, api: CoinGecko) -> Collector:
    """The collector where it left off, or from the start if what it left is damaged."""
    try:
        return Collector(settings, writer, api)
    except DamagedFile:
        writer.renew()
        return Collector(settings, writer, api)


class _HealthReporter:
    """Puts the collector's progress into its health file: at once when the state changes, else with the next beat."""

    def __init__(self, health: Heartbeat[CollectorProgress]) -> None:
        self._health = health
        self._state: ProcessState | None = None
        self._error: Exception | None = None
        self._trouble: Message | str | None = None

    def report(self, collector: Collector) -> None:
        """Tell the health file what is new."""
        error, trouble = collector.polls.error, collector.context.buffer.storage_error
        if error is not None and error is not self._error:
            self._health.error(error)
        if trouble is not None and trouble != self._trouble:
            self._health.error(message("collector.storage_error", reason=trouble))
        if collector.context.buffer.database_reset:
            self._health.error(_set_aside(collector.context.buffer.set_aside))
            self._health.damaged([collector.context.buffer.set_aside or "crypto.db"])
        state, progress = collector_progress(collector)
        if state is self._state:
            self._health.progress(progress)
        else:
            self._health.state(state, progress)
        self._state, self._error, self._trouble = state, error, trouble


def _set_aside(name: str | None) -> Message:
    return message("collector.database_reset", file=name or "?")


def _summary(collector: Collector) -> int:
    context = collector.context
    said = message("extract.summary", priced=len(context.intake.newest), coins=len(context.universe.ids))
    if context.backfill_queue.next is not None:
        said = message(
            "extract.with_backfill", said=said, done=context.backfill_queue.done, total=context.backfill_queue.total
        )
    if context.intake.missing:
        said = message("collector.with_missing", said=said, coins=", ".join(sorted(context.intake.missing)))
    if context.buffer.storage_error:
        return _say(message("extract.unsaved", said=said, reason=context.buffer.storage_error), failed=True)
    return _say(message("extract.done", said=said), failed=not context.intake.newest)


def _say(said: Message, *, failed: bool) -> int:
    print(say(said), file=sys.stderr if failed else sys.stdout)
    return 1 if failed else 0


def _decided(settings: Settings) -> Settings:
    """The settings with the source that a step alone uses; the local sources need the address of their server."""
    source = settings.source
    if source is Source.AUTO:
        choice = source_choice(settings)
        source = choice.source if choice else Source.COINGECKO
    if source is not Source.COINGECKO and settings.coingecko_url is None:
        raise ConfigurationError(message("extract.needs_server", source=source.value))
    return settings.model_copy(update={"source": source})


if __name__ == "__main__":
    sys.exit(main())
