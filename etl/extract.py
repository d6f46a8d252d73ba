"""The collector process: `python -m etl.extract` collects until it is stopped, `--once` makes one poll."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from core.errors import ConfigurationError, DamagedFile, StorageProblem
from core.logs import configure_logging
from core.price_store import PriceWriter
from core.processes.heartbeat import PATIENCE_S, Heartbeat
from core.processes.lifecycle import run_main, stop_event, watch_parent
from core.settings import Settings, Source, load_settings
from core.workspace import open_workspace
from etl.coingecko.client import CoinGecko, base_url
from etl.collector.collector import Collector
from etl.collector.health_report import report

__all__ = ["main", "once", "run"]

_MAX_PAUSE_S: Final = 1.0
_DISK_RETRY_S: Final = 5.0

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 when it did what was asked."""
    options = _parser().parse_args(arguments)
    settings = _decided(load_settings())
    configure_logging(settings.log_level)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # what it warns of, our typed errors say in one line
    stop = stop_event()
    watch_parent()
    return once(settings, stop) if options.once else run(settings, stop)


def run(settings: Settings, stop: threading.Event) -> int:
    """Collect until `stop` is set.

    Raises:
        ConfigurationError: a person must change a setting.
        AlreadyRunning: another process collects into this folder.
    """
    with ExitStack() as stack:
        health = stack.enter_context(Heartbeat(settings.run_dir, "collector", PATIENCE_S))
        api = _open_api(settings, stop, stack)
        collector = _open_collector(settings, api, health, stop, stack)
        if collector is None:
            return 0
        _log.info("collecting %s from %s", ", ".join(settings.coins or settings.coin_ids), base_url(settings))
        voice = _Voice(health)
        while not stop.is_set():
            pause_s = collector.turn()
            voice.say(collector)
            stop.wait(min(pause_s, _MAX_PAUSE_S))
        voice.say(collector)
    return 0


def once(settings: Settings, stop: threading.Event) -> int:
    """Make one poll and the back-fill that the call budget allows at once; say in one line what came of it."""
    with ExitStack() as stack:
        health = stack.enter_context(Heartbeat(settings.run_dir, "collector"))
        api = _open_api(settings, stop, stack)
        try:
            writer = stack.enter_context(PriceWriter(open_workspace(settings).database))
            collector = _resume(settings, writer, api)
        except (OSError, StorageProblem, DamagedFile) as error:
            return _say(f"Nada coletado: não consigo abrir a base de preços ({error}).", failed=True)
        while collector.polls.polled_ms is None and not stop.is_set():
            if collector.turn() > 0 or collector.polls.failures:
                _, fields = report(collector)
                return _say(f"Nada coletado: {fields['mensagem']}.", failed=True)
        while collector.fill_delay_s() <= 0 and not stop.is_set():
            collector.backfill.step()
        _Voice(health).say(collector)
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
    settings: Settings, api: CoinGecko, health: Heartbeat, stop: threading.Event, stack: ExitStack
) -> Collector | None:
    """Open folder and store, trying again while the disk refuses; None if stopped before that."""
    complained = False
    while not stop.is_set():
        attempt = ExitStack()
        try:
            writer = attempt.enter_context(PriceWriter(open_workspace(settings).database))
            collector = _resume(settings, writer, api)
        except (OSError, StorageProblem, DamagedFile) as error:
            attempt.close()
            health.error(error)
            health.state("sem_disco", mensagem=f"não consigo abrir a base de preços: {error}")
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


def _resume(settings: Settings, writer: PriceWriter, api: CoinGecko) -> Collector:
    """The collector where it left off, or from the start if what it left is damaged."""
    try:
        return Collector(settings, writer, api)
    except DamagedFile:
        writer.renew()
        return Collector(settings, writer, api)


class _Voice:
    """Puts the collector's report into its health file: at once when the state changes, else with the next beat."""

    def __init__(self, health: Heartbeat) -> None:
        self._health = health
        self._state = ""
        self._error: Exception | None = None
        self._trouble: str | None = None

    def say(self, collector: Collector) -> None:
        error, trouble = collector.polls.error, collector.context.buffer.storage_error
        if error is not None and error is not self._error:
            self._health.error(error)
        if trouble is not None and trouble != self._trouble:
            self._health.error(trouble)
        if collector.context.buffer.database_reset:
            self._health.error(_set_aside(collector.context.buffer.set_aside))
            self._health.damaged([collector.context.buffer.set_aside or "crypto.db"])
        state, fields = report(collector)
        if state == self._state:
            self._health.progress(**fields)
        else:
            self._health.state(state, **fields)
        self._state, self._error, self._trouble = state, error, trouble


def _set_aside(name: str | None) -> str:
    return f"base de preços danificada: guardada como {name} e recomeçada"


def _summary(collector: Collector) -> int:
    context = collector.context
    text = f"{len(context.intake.newest)} de {len(context.universe.ids)} moedas com preço"
    if context.backfill_queue.next is not None:
        text += f"; histórico {context.backfill_queue.done}/{context.backfill_queue.total}: rode de novo para continuar"
    if context.intake.missing:
        text += f"; sem preço: {', '.join(sorted(context.intake.missing))}"
    if context.buffer.storage_error:
        return _say(f"{text}; não gravado: {context.buffer.storage_error}.", failed=True)
    return _say(f"{text}.", failed=not context.intake.newest)


def _say(text: str, *, failed: bool) -> int:
    print(text, file=sys.stderr if failed else sys.stdout)
    return 1 if failed else 0


def _decided(settings: Settings) -> Settings:
    """Run alone, `auto` means CoinGecko; the local sources need the address of their server."""
    if settings.source is Source.AUTO:
        return settings.model_copy(update={"source": Source.COINGECKO})
    if settings.source is not Source.COINGECKO and settings.coingecko_url is None:
        raise ConfigurationError(
            f"a fonte {settings.source} precisa do servidor local: use python run_all.py --source {settings.source}, "
            "ou rode python -m etl.simulator e defina CRYPTO_COINGECKO_URL e CRYPTO_COINGECKO_PLAN=local"
        )
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m etl.extract",
        usage="python -m etl.extract [--once]",
        description="Coleta os preços para a base (data/crypto.db) até ser parado. Configuração: variáveis CRYPTO_… "
        "ou arquivo .env, como em run_all.py.",
        add_help=False,
    )
    parser.add_argument("--once", action="store_true", help="faz uma só coleta, com o histórico que faltar, e termina")
    parser.add_argument("-h", "--help", action="help", help="mostra esta ajuda e sai")
    return parser


if __name__ == "__main__":
    sys.exit(run_main(main))
