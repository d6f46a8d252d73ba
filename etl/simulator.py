"""A CoinGecko-compatible server on loopback that plays simulated or recorded prices.

`python -m etl.simulator --port 8123 --coins top:250`, then point CRYPTO_COINGECKO_URL to the address it prints.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from core.errors import BadInput
from core.logs import configure_logging
from core.processes.command_line import CommandLine
from core.processes.health_schema import SIMULATOR, ProcessState, SimulatorProgress
from core.processes.heartbeat import Heartbeat
from core.processes.lifecycle import run_main, stop_event, watch_parent
from core.settings import DEFAULT_COINS
from core.times import now_ms, parse_iso
from core.wording import message
from etl.local_market.cadence import LiveCadence
from etl.local_market.coin_names import coins_offered, coins_wanted
from etl.local_market.market import CURRENCIES, Market
from etl.local_market.plans import CALLS_PER_MINUTE
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket

__all__ = ["main"]

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None, make_server: Callable[..., MarketServer] = MarketServer) -> int:
    """Serve until SIGTERM, SIGINT or SIGBREAK, or until the parent process ends; return 0.

    Raises:
        BadInput: market, recording or port cannot be served.
    """
    options = _command_line().parse_args(arguments)
    configure_logging(options.log_level, options.log_format)
    stop = stop_event()
    watch_parent()
    market = _market(options)
    live = options.cadence == "live"
    with (
        _server(make_server, options, LiveCadence(market) if live else market, cached=live) as server,
        ExitStack() as stack,
    ):
        _log.info("listening on %s", server.url)
        if options.run_dir is not None:
            beat = stack.enter_context(Heartbeat(options.run_dir, SIMULATOR))
            beat.state(ProcessState.RUNNING, SimulatorProgress(server.url, market.ends_ms))
        stop.wait()
    return 0


def _market(options: Namespace) -> Market:
    if options.currency not in CURRENCIES:
        raise BadInput(message("simulator.currency", currency=options.currency, known=", ".join(CURRENCIES)))
    if options.replay is None:
        return SimulatedMarket(coins_offered(options.coins or ",".join(DEFAULT_COINS)), options.seed)
    from etl.local_market.replay import ReplayMarket, largest  # noqa: PLC0415 - as below
    from etl.recordings.recording import read_recording  # noqa: PLC0415 - pyarrow is slow to load

    recording = read_recording(options.replay)
    if options.coins:
        coins = coins_wanted(options.coins)
        by_rank = options.coins.strip().lower().startswith("top:")
        recording = largest(recording, len(coins)) if by_rank else recording.only([coin.id for coin in coins])
    start_ms = None if options.replay_start is None else _moment(options.replay_start)
    return ReplayMarket(recording, now_ms() if options.epoch_ms is None else options.epoch_ms, start_ms)


def _moment(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError as error:
        raise BadInput(message("simulator.moment", text=text)) from error


def _server(
    make_server: Callable[..., MarketServer], options: Namespace, market: Market, *, cached: bool
) -> MarketServer:
    try:
        return make_server(
            market,
            plan=options.plan,
            port=options.port,
            calls_per_minute=options.calls_per_minute,
            cached=cached,
        )
    except (OSError, OverflowError) as error:
        raise BadInput(message("simulator.port", port=options.port, reason=str(error))) from error


def _command_line() -> CommandLine:
    line = CommandLine("etl.simulator")
    add = line.options()
    add("--port", type=int, default=8123)
    add("--seed", type=int, default=0)
    add("--coins", value="list")
    add("--currency", type=str.lower, default="usd")
    add("--replay", type=Path, value="file")
    add("--epoch-ms", type=int)
    add("--replay-start", value="moment")
    add("--cadence", choices=("fast", "live"), default="fast")
    add("--plan", choices=tuple(CALLS_PER_MINUTE), default="local")
    add("--calls-per-minute", type=int)
    add("--run-dir", type=Path, value="folder")
    add("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    add("--log-format", default="text", choices=("text", "json"))
    return line


if __name__ == "__main__":
    sys.exit(run_main(main))
