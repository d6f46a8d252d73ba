"""The writers whose files must outlive a power loss: how each writes, and what its readers must find afterwards.

`python -m bench.power_loss_cases NAME FOLDER STEPS` writes; `bench.power_loss` records it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from alerts.alert import Alert, AlertKind, Sight
from alerts.store.database import AlertStore
from alerts.store.rows import Evaluation
from bench.file_operations import ACKNOWLEDGED
from core.errors import NotReady
from core.files import read_json, write_json
from core.price_store import Coin, Price
from core.price_store.sqlite.reader import SqliteReader
from core.price_store.sqlite.writer import SqliteWriter
from core.publishing import merging, publisher
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table, sorted_by
from core.times import MINUTE_MS
from model.loop.registry import ModelRegistry

__all__ = ["CASES", "MADE", "Case"]

MADE: Final = "made"
"""The folder of the files, which the writer makes itself."""

Acknowledge = Callable[[int], None]
_COINS: Final = tuple(f"coin-{number}" for number in range(6))
_START_MS: Final = 1_767_225_600_000
_POLL_MS: Final = 30_000
_POLLS_PER_CHECKPOINT: Final = 25
_PUBLISHED_MS: Final = 5 * MINUTE_MS
_MERGED_ROWS: Final = 24
"""Of two coins in an hour."""


@dataclass(frozen=True)
class Case:
    """A writer and its readers.

    Attributes:
        write: makes a number of steps in a folder and acknowledges those that the product promises to keep.
        read: opens what a power loss left, by the product's own readers, and gives the number of the last step found.
        steps: how many steps the long form makes.
    """

    write: Callable[[Path, int, Acknowledge], None]
    read: Callable[[Path], int]
    steps: int


def _write_prices(folder: Path, steps: int, acknowledge: Acknowledge) -> None:
    """A poll is promised once the log is written back: `synchronous=NORMAL` may lose later ones, never earlier ones."""
    with SqliteWriter(folder / "crypto.db") as writer:
        writer.update_coins(Coin(coin, coin, coin) for coin in _COINS)
        writer.track(_COINS)
        for step in range(1, steps + 1):
            at_ms = _START_MS + step * _POLL_MS
            writer.store([Price(coin, at_ms, 100.0 + step, 1e9, 1e7, at_ms) for coin in _COINS], clock_ms=at_ms)
            writer.set_meta({"polled": str(at_ms)})
            if step % _POLLS_PER_CHECKPOINT == 0:
                writer.checkpoint()
                acknowledge(step)


def _read_prices(folder: Path) -> int:
    """Polls are whole and without a gap, for readers before and after the collector opens the file."""
    found = _polls(folder / "crypto.db")
    with SqliteWriter(folder / "crypto.db") as writer:
        assert writer.set_aside_as is None, "crypto.db was set aside"
    assert _polls(folder / "crypto.db") == found, "opening changed what is stored"
    return found


def _polls(path: Path) -> int:
    try:
        with SqliteReader(path) as reader:
            reader.check()
            series = [reader.range(coin) for coin in _COINS]
    except NotReady:
        return 0
    expected = [(_START_MS + step * _POLL_MS, 100.0 + step) for step in range(1, len(series[0]) + 1)]
    assert all(rows == expected for rows in series), "a poll has a gap"
    return len(expected)


def _write_tables(folder: Path, steps: int, acknowledge: Acknowledge) -> None:
    """Publications, hours merged two coins a step, and superseded files deleted at once, not after 90 seconds."""
    publisher.KEEP_S = 0.0  # type: ignore[misc]  # the shortest time shows the most
    merging._MOST_ROWS = _MERGED_ROWS  # type: ignore[misc]  # so that a merge takes several steps
    writer = publisher.Publisher(folder)
    for step in range(1, steps + 1):
        at_ms = _START_MS + step * _PUBLISHED_MS
        rows = pa.table({"coin": _COINS, "step": [step] * len(_COINS), "ts_ms": [at_ms] * len(_COINS)})
        writer.publish({"latest": rows}, {"log": (at_ms, at_ms, rows)})
        acknowledge(step)
        writer.compact("log", at_ms, sorted_by("coin", "ts_ms"))
        writer.sweep()


def _read_tables(folder: Path) -> int:
    """Every file that the manifest names is whole, before and after the pipeline starts on it."""
    found = _published(folder)
    writer = publisher.Publisher(folder)
    assert not writer.damaged, f"{writer.damaged} set aside"
    assert _published(folder) == found, "the start changed what is published"
    return found


def _published(folder: Path) -> int:
    try:
        manifest = ManifestReader(folder).current()
    except NotReady:
        return 0
    (newest,) = set(read_table(folder / manifest.entries["latest"].file).column("step").to_pylist())
    log = pa.concat_tables([read_table(folder / part.file) for part in manifest.parts["log"]])
    logged = sorted(zip(log.column("coin").to_pylist(), log.column("step").to_pylist(), strict=True))
    expected = [(coin, step) for coin in _COINS for step in range(1, newest + 1)]
    assert logged == expected, "the log has a gap or a repetition"
    return int(newest)


def _write_models(folder: Path, steps: int, acknowledge: Acknowledge) -> None:
    registry = ModelRegistry(folder)
    for step in range(1, steps + 1):
        registry.save({"step": step, "weights": [float(step)] * 2000}, ("feature",), {}, _START_MS + step)
        acknowledge(step)


def _read_models(folder: Path) -> int:
    registry = ModelRegistry(folder)
    loaded = registry.load(("feature",), {})
    assert not registry.damaged, f"{registry.damaged} set aside"
    return 0 if loaded is None else int(loaded[1]["step"])


def _write_alerts(folder: Path, steps: int, acknowledge: Acknowledge) -> None:
    with AlertStore(folder / "alerts.db") as store:
        for step in range(1, steps + 1):
            at_ms = _START_MS + step
            sight = Sight("bitcoin", at_ms, {"price": 100.0})
            alert = Alert(str(step), "rule", "name", "level", AlertKind.FIRED, (sight,), "demo", ("channel",))
            store.commit(Evaluation(cursors={"bitcoin": step}, alerts=(alert,)), at_ms)
            acknowledge(step)


def _read_alerts(folder: Path) -> int:
    with AlertStore(folder / "alerts.db") as store:
        told = [int(one.alert.key) for one in store.told(limit=10_000)]
        cursors = store.cursors()
    assert sorted(told) == list(range(1, len(told) + 1)), "an alert is missing"
    assert cursors.get("bitcoin", 0) == len(told), "alerts and cursors disagree"
    return len(told)


def _write_state(folder: Path, steps: int, acknowledge: Acknowledge) -> None:
    """Small JSON files, such as the one that says which source the folder holds."""
    for step in range(1, steps + 1):
        write_json(folder / "run" / "source.json", {"step": step, "text": "x" * 2000})
        acknowledge(step)


def _read_state(folder: Path) -> int:
    try:
        return int(read_json(folder / "run" / "source.json")["step"])
    except FileNotFoundError:
        return 0


CASES: Final = {
    "crypto.db and its log": Case(_write_prices, _read_prices, 110),
    "manifest and Parquet": Case(_write_tables, _read_tables, 30),
    "models and their card": Case(_write_models, _read_models, 15),
    "alerts.db and its log": Case(_write_alerts, _read_alerts, 60),
    "small JSON files": Case(_write_state, _read_state, 15),
}


def main() -> int:
    """Write one case."""
    name, folder, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    logging.disable()
    handle = os.open(folder / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT)
    CASES[name].write(folder / MADE, steps, lambda number: _tell(handle, number))
    return 0


def _tell(handle: int, number: int) -> None:
    os.write(handle, str(number).encode())


if __name__ == "__main__":
    sys.exit(main())
