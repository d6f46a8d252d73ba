"""Copy a price store into another, file or server both ways: `python -m core.migrate_store --help`.

Each coin and day is compared first and copied if a price of it is missing, so that a copy that was stopped goes on
where it was; and compared again after it was copied. Prices of a day that the target alone has stay: one side may have
thinned what the other has in full.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from tqdm import tqdm

from core.errors import AlreadyRunning, BadInput, StandingBy
from core.price_store import Coin, Price, PriceReader, PriceWriter, open_reader, open_writer
from core.price_store.rows import PRICE_COUNT
from core.processes.command_line import CommandLine, run_command
from core.settings import Settings, Source
from core.store_address import ServerAddress, StoreAddress
from core.times import DAY_MS, FOREVER_MS
from core.wording import message, say
from core.workspace import read_meta, schema_name

__all__ = ["Copied", "copy_store", "main"]

_URL: Final = ("postgresql://", "postgres://")
_DAYS_AT_ONCE: Final = 30


@dataclass
class Copied:
    """What a copy came to; `days` counts pairs of a coin and a day whose prices the target has."""

    coins: int = 0
    days: int = 0
    prices: int = 0
    copied: int = 0
    differing: list[str] = field(default_factory=list)


def copy_store(source: StoreAddress, target: StoreAddress, progress: Callable[[int, int], None]) -> Copied:
    """Copy all coins, prices, hourly prices and the collector's state; nobody may write to either store meanwhile.

    A price that the target has already stays, also if the source has another one at its time: then the day counts as
    differing.

    Args:
        source: the store to copy; it is not changed.
        target: the store to copy into; it is made if it does not exist.
        progress: called with the number of coins that are done, and of all coins.

    Raises:
        AlreadyRunning, StandingBy: a collector writes to one of the stores.
        NotReady: the source has no prices.
    """
    with open_reader(source) as prices, open_writer(source), open_writer(target) as writer, open_reader(target) as copy:
        coins = prices.known_coins()
        writer.update_coins(coins)
        done = Copied(len(coins))
        for number, coin in enumerate(coins):
            _copy_coin(prices, writer, copy, coin, done)
            progress(number + 1, len(coins))
        writer.track([coin.id for coin in prices.coins()])
        writer.set_meta({key: value for key, value in prices.meta().items() if key != PRICE_COUNT})
    return done


def _copy_coin(prices: PriceReader, writer: PriceWriter, copy: PriceReader, coin: Coin, done: Copied) -> None:
    if hourly := prices.hourly(coin.id):
        writer.store_hourly(coin.id, hourly)
    first_ms, newest = prices.first_ms(coin.id), prices.as_of(coin.id, FOREVER_MS)
    if first_ms is None or newest is None:
        return
    for start_ms in range(first_ms // DAY_MS * DAY_MS, newest[0] + 1, _DAYS_AT_ONCE * DAY_MS):
        span = (start_ms, start_ms + _DAYS_AT_ONCE * DAY_MS - 1)
        wanted = {day: list(rows) for day, rows in groupby(_prices(prices, coin.id, span), _day)}
        found = set(_prices(copy, coin.id, span))
        missing = [day for day, rows in wanted.items() if not found.issuperset(rows)]
        if missing:
            done.copied += writer.store((row for day in missing for row in wanted[day]), clock_ms=FOREVER_MS)
            found = set(_prices(copy, coin.id, span))
        done.differing += [f"{coin.id} {day}" for day in missing if not found.issuperset(wanted[day])]
        done.days += len(wanted)
        done.prices += sum(map(len, wanted.values()))


def _prices(store: PriceReader, coin_id: str, span: tuple[int, int]) -> Iterator[Price]:
    """The prices of a coin within a span, in order."""
    for batch in store.batches(coin_id, *span, FOREVER_MS, ascending=True):
        yield from (Price(coin_id, *row) for row in batch)


def _day(price: Price) -> int:
    """Number of the price's day since 1970."""
    return price.ts_ms // DAY_MS


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy a store, as the command line says."""
    line = CommandLine("core.migrate_store")
    add = line.options()
    add("source", metavar=say(message("value.store_from")))
    add("target", metavar=say(message("value.store_to")))
    add("--schema", value="schema")
    return run_command(line, _migrate, arguments)


def _migrate(_settings: Settings, given: Namespace) -> int:
    source, target = _addresses(given.source, given.target, given.schema)
    with tqdm(unit="moeda", disable=None) as bar:

        def show(number: int, total: int) -> None:
            bar.total = total
            bar.update(number - bar.n)

        try:
            done = copy_store(source, target, show)
        except (AlreadyRunning, StandingBy) as error:
            raise AlreadyRunning(message("migrate.running", reason=error.message)) from error
    if done.differing:
        days = ", ".join(done.differing[:5])
        raise BadInput(message("migrate.differing", number=len(done.differing), days=days))
    said = message("migrate.done", coins=done.coins, days=done.days, prices=done.prices, copied=done.copied)
    print(say(said))  # noqa: T201 - a person started this command
    return 0


def _addresses(source: str, target: str, schema: str | None) -> tuple[StoreAddress, StoreAddress]:
    """The stores that the command line names.

    Raises:
        BadInput: the schema of a server cannot be told from the folder on the other side.
    """
    folders = [Path(text) for text in (source, target) if not text.startswith(_URL)]
    named = schema or next(_schemas(folders), None)

    def address(text: str) -> StoreAddress:
        if not text.startswith(_URL):
            return Path(text) / "crypto.db"
        if named is None:
            raise BadInput(message("migrate.no_schema"))
        return ServerAddress(SecretStr(text), named)

    return address(source), address(target)


def _schemas(folders: Sequence[Path]) -> Iterator[str]:
    """The schema of each folder that is a workspace."""
    for folder in folders:
        try:
            meta = read_meta(folder)
        except FileNotFoundError:
            continue
        yield schema_name(Source(meta["source"]), meta)


if __name__ == "__main__":
    sys.exit(main())
