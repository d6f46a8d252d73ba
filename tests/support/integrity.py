"""Checks that a workspace is intact, for tests that kill processes and damage files."""

from __future__ import annotations

import hashlib
import http.client
import json
import sqlite3
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import NotReady
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table
from model.loop.registry import unpacked
from tests.support.running_suite import DIRECT

__all__ = ["Poller", "Witness"]

_KEY = ("coin", "origin", "horizon_min")
_Log = dict[tuple[str, int, int], tuple[Any, ...]]


class Witness:
    """Remembers everything stored under `root`; later finds what is missing, changed, doubled or unreadable.

    `truth` gives the right price of a coin at a time, if it is known. `problems` are sentences; `lost` and `wrong`
    count prices and logged forecasts.
    """

    def __init__(self, root: Path, models: Path, truth: Callable[[str, int], float] | None = None) -> None:
        self._root, self._models, self._truth = root, models, truth
        self.prices: dict[tuple[str, int], float] = {}
        self.log: _Log = {}
        self.promised: set[tuple[str, int]] = set()
        self.problems: list[str] = []
        self.lost = self.wrong = self.looks = 0

    def look(self) -> None:
        """Read everything, compare it with the last look, and remember it."""
        self.looks += 1
        self._look_at_prices()
        self._look_at_log()
        self._look_at_files()

    def _look_at_prices(self) -> None:
        path = self._root / "crypto.db"
        if not path.exists():
            return
        promised = set(self.promised)  # prices promised after this line may be stored after the read
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            rows = connection.execute("SELECT coin_id, ts_ms, price FROM prices").fetchall()
        if verdict != "ok":
            self.problems.append(f"crypto.db: {verdict}")
        found = {(coin, ts_ms): price for coin, ts_ms, price in rows}
        self._compare("price", self.prices, found)
        missing = promised - found.keys()
        self.lost += len(missing)
        self.problems += [f"a price that was stored is gone: {key}" for key in sorted(missing)[:3]]
        self.promised -= promised
        if self._truth is not None:
            false = [key for key in found.keys() - self.prices.keys() if abs(found[key] / self._truth(*key) - 1) > 1e-9]
            self.wrong += len(false)
            self.problems += [f"a price that never was: {key}" for key in sorted(false)[:3]]
        self.prices = found

    def _look_at_log(self) -> None:
        found: _Log = {}
        rows = 0
        for table in self._log_tables():
            columns = table.set_column(table.schema.get_field_index("origin"), "origin", table["origin"].cast("int64"))
            keys = zip(*(columns[name].to_pylist() for name in _KEY), strict=True)
            values = zip(*(columns[name].to_pylist() for name in ("mean", "q10", "q90", "created_at")), strict=True)
            found.update(zip(keys, values, strict=True))
            rows += table.num_rows
        if rows != len(found):
            self.problems.append(f"{rows - len(found)} forecasts are logged twice")
        self._compare("logged forecast", self.log, found)
        self.log = found

    def _log_tables(self) -> list[pa.Table]:
        """The log as one manifest lists it; if a file has been replaced, read the newer manifest."""
        folder = self._root / "processed"
        for _ in range(5):
            try:
                parts = ManifestReader(folder).current().parts.get("log", ())
                return [read_table(folder / part.file) for part in parts]
            except NotReady:
                if not (folder / "manifest.json").exists():
                    return []
        raise NotReady("the manifest names files that are not there")

    def _look_at_files(self) -> None:
        for path in (self._root / "processed").rglob("*.parquet"):
            self._expect(path, lambda path: pq.read_table(path, page_checksum_verification=True))
        for path in self._models.glob("model-*.joblib"):
            self._expect(path, lambda path: unpacked(path.read_bytes()))
        for path in (self._root / "processed" / "manifest.json", self._models / "model.json"):
            self._expect(path, lambda path: json.loads(path.read_bytes()))
        self._expect(self._models / "model.json", self._check_hash)

    def _check_hash(self, card: Path) -> None:
        value = json.loads(card.read_bytes())
        assert hashlib.sha256((card.parent / value["file"]).read_bytes()).hexdigest() == value["sha256"]

    def _expect(self, path: Path, read: Callable[[Path], object]) -> None:
        """Note a problem if an existing file cannot be read; a file that is replaced meanwhile is ignored."""
        try:
            read(path)
        except FileNotFoundError:
            return
        except Exception as error:
            self.problems.append(f"{path.name}: {error!r}")

    def _compare(self, what: str, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> None:
        gone = before.keys() - after.keys()
        changed = [key for key in before.keys() & after.keys() if before[key] != after[key]]
        self.lost += len(gone)
        self.wrong += len(changed)
        self.problems += [f"a {what} is gone: {key}" for key in sorted(gone)[:3]]
        self.problems += [f"a {what} has changed: {key}" for key in sorted(changed)[:3]]


class Poller:
    """Asks one address after another while it is open; `failures` are answers of 500 and more after all were good.

    `unanswered` counts requests while no server listens; they are not failures.
    """

    def __init__(self, port: int, paths: Iterable[str], pause_s: float = 0.02) -> None:
        self._port, self._paths, self._pause_s = port, tuple(paths), pause_s
        self._good: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self.statuses: Counter[int] = Counter()
        self.unanswered = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def is_ready(self) -> bool:
        """Whether every address has answered with 200 at least once."""
        return self._good == set(self._paths)

    def _poll(self) -> None:
        while not self._stop.is_set():
            for path in self._paths:
                self._ask(path)
                time.sleep(self._pause_s)

    def _ask(self, path: str) -> None:
        try:
            with DIRECT.open(f"http://127.0.0.1:{self._port}{path}", timeout=20) as reply:
                reply.read()
                status, body = reply.status, b""
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        except (OSError, http.client.HTTPException):  # no server listens, or it was killed in the middle of the answer
            self.unanswered += 1
            return
        self.statuses[status] += 1
        if status == 200:
            self._good.add(path)
        elif status >= 500 and self.is_ready:
            self.failures.append(f"{path}: {status} {body.decode(errors='replace')[:200]}")
