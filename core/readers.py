"""What API and dashboard show: coins, forecasts, history, log, metrics; read-only and cached by version."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from core.artifacts import Manifest, ManifestReader, read_table
from core.errors import NotReady, UnknownCoin
from core.metrics import SCORE_SCHEMA, Metrics, MetricsBlock, summarise
from core.outcomes import PRICE_TOLERANCE_MS
from core.prices import Coin, Price, PriceReader
from core.reading import (
    database_info,
    forecast_views,
    join_outcomes,
    log_rows,
    milliseconds,
    parts_between,
    quotes,
    stamp,
    unknown_coin_message,
)
from core.settings import Settings
from core.times import MINUTE_MS
from core.views import FileInfo, ForecastView, LoggedForecast, Quote
from core.workspace import Workspace, current_workspace

__all__ = ["Readers"]

_Value = TypeVar("_Value")


class Readers:
    """Reads what collector and pipeline published; thread-safe; never writes, re-reads only what has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._local = threading.local()
        self._manifests: dict[Path, ManifestReader] = {}
        self._cache: dict[str, tuple[object, Any]] = {}

    def workspace(self) -> Workspace:
        """The folders shown now.

        Raises:
            NotReady: the suite has not decided on a source yet.
        """
        return current_workspace(self._settings)

    def version(self) -> str:
        """A token that changes with each new price and each publication; costs a few `stat` calls."""
        try:
            workspace = self.workspace()
        except NotReady:
            return "0"
        stamps = (*_database_key(workspace), *stamp(workspace.processed / "manifest.json"))
        return "-".join([workspace.source.value, *(f"{number:x}" for number in stamps)])

    def publication_version(self) -> str:
        """A token that changes with each publication of the pipeline alone."""
        try:
            workspace = self.workspace()
        except NotReady:
            return "0"
        return "-".join(f"{number:x}" for number in stamp(workspace.processed / "manifest.json"))

    def quotes(self) -> list[Quote]:
        """All coins by rank with their newest price and change over 24 hours.

        Raises:
            NotReady: there are no prices yet.
        """
        return self._cached("quotes", _database_key(self.workspace()), lambda: quotes(self._prices()))

    def resolve(self, name: str) -> Coin:
        """The coin meant by an id or a symbol in any case; of two with one symbol the larger by market cap.

        Raises:
            UnknownCoin: no such coin; the message lists the nearest names.
        """
        coins = self._cached("coins", _database_key(self.workspace()), lambda: self._prices().coins())
        wanted = name.strip().lower()
        for coin in (*(c for c in coins if c.id == wanted), *(c for c in coins if c.symbol == wanted)):
            return coin
        raise UnknownCoin(unknown_coin_message(wanted, coins))

    def history(self, coin_id: str, start_ms: int, end_ms: int, limit: int) -> list[Price]:
        """Stored prices within [start_ms, end_ms], newest first, at most `limit`."""
        return self._prices().newest(coin_id, start_ms, end_ms, limit)

    def series(self, coin_id: str, start_ms: int, step_ms: int = 0) -> tuple[list[int], list[float]]:
        """Event times and prices from `start_ms` on, at most one per `step_ms` (the last of each step)."""
        rows: Iterable[tuple[int, float]] = self._prices().range(coin_id, start_ms)
        if step_ms:
            rows = {ts_ms // step_ms: (ts_ms, price) for ts_ms, price in rows}.values()
        pairs = list(rows)
        return [ts_ms for ts_ms, _ in pairs], [price for _, price in pairs]

    def forecasts(self) -> dict[str, ForecastView]:
        """The newest forecast of every coin.

        Raises:
            NotReady: nothing was forecast yet.
        """
        folder, manifest = self._manifest()
        entry = manifest.entries.get("latest")
        if entry is None:
            raise NotReady("ainda não há previsões publicadas")
        return self._cached("latest", (folder, entry.file), lambda: _read_forecasts(folder / entry.file))

    def forecast(self, coin_id: str) -> ForecastView:
        """The newest forecast of one coin.

        Raises:
            NotReady: this coin has none yet.
        """
        try:
            return self.forecasts()[coin_id]
        except KeyError:
            raise NotReady(f"ainda não há previsão de {coin_id}") from None

    def logged(
        self, coin_id: str, start_ms: int, end_ms: int, limit: int, horizon_min: int = 60
    ) -> list[LoggedForecast]:
        """Logged forecasts with origins within [start_ms, end_ms], newest first, with the outcomes known by now."""
        folder, manifest = self._manifest()
        rows: list[dict[str, Any]] = []
        for part in parts_between(manifest.parts.get("log", ()), start_ms, end_ms):
            if len(rows) == limit and milliseconds(rows[-1]["origin"]) > part.end_ms:
                break
            found = log_rows(folder / part.file, part, coin_id, horizon_min)
            rows += [row for row in found if start_ms <= milliseconds(row["origin"]) <= end_ms]
            rows = sorted(rows, key=lambda row: row["origin"], reverse=True)[:limit]
        if not rows:
            return []
        span_ms, prices = horizon_min * MINUTE_MS, self._prices()
        oldest, newest = milliseconds(rows[-1]["origin"]), milliseconds(rows[0]["origin"])
        known = prices.range(coin_id, oldest + span_ms - PRICE_TOLERANCE_MS, newest + span_ms)
        last = prices.as_of(coin_id, 2**62)
        return join_outcomes(rows, known, last[0] if last else 0)

    def metrics(self, coin_id: str | None = None) -> Metrics:
        """Live scores and the backtest of the first start, apart; of one coin or of all.

        Raises:
            NotReady: nothing was published yet.
        """
        folder, manifest = self._manifest()
        live = tuple(part.file for part in manifest.parts.get("scores", ()))
        backtest = tuple(entry.file for name, entry in manifest.entries.items() if name == "backtest")
        return Metrics(
            live=self._block(f"live {coin_id}", folder, live, coin_id),
            backtest=self._block(f"backtest {coin_id}", folder, backtest, coin_id),
        )

    def files(self) -> list[FileInfo]:
        """Size, rows and last update of the price store and of every published table.

        Raises:
            NotReady: the suite has not decided on a source yet.
        """
        infos = [database_info(self.workspace().database)]
        try:
            folder, manifest = self._manifest()
        except NotReady:
            return infos
        tables = {name: [(entry.file, entry.rows)] for name, entry in manifest.entries.items()}
        tables |= {name: [(part.file, part.rows) for part in parts] for name, parts in manifest.parts.items()}
        return infos + [_table_info(folder, name, files) for name, files in sorted(tables.items())]

    def _manifest(self) -> tuple[Path, Manifest]:
        folder = self.workspace().processed
        return folder, self._manifests.setdefault(folder, ManifestReader(folder)).current()

    def _prices(self) -> PriceReader:
        """This thread's connection; opened anew when another file took the database's place."""
        path = self.workspace().database
        key = (path, stamp(path)[0])
        if getattr(self._local, "key", None) != key:
            self._local.prices = PriceReader(path)
            self._local.key = key
        prices: PriceReader = self._local.prices
        return prices

    def _cached(self, name: str, key: object, make: Callable[[], _Value]) -> _Value:
        """The value made for `key`; a new key replaces it. Two threads may both make it, with one result."""
        cached = self._cache.get(name)
        if cached is None or cached[0] != key:
            cached = (key, make())
            self._cache[name] = cached
        value: _Value = cached[1]
        return value

    def _block(self, name: str, folder: Path, files: tuple[str, ...], coin_id: str | None) -> MetricsBlock | None:
        def make() -> MetricsBlock | None:
            tables = [read_table(folder / file, coin=coin_id) for file in files]
            return summarise(pa.concat_tables(tables) if tables else SCORE_SCHEMA.empty_table())

        return self._cached(name, (folder, files), make)


def _database_key(workspace: Workspace) -> tuple[int, ...]:
    path = workspace.database
    return (*stamp(path), *stamp(path.with_name(path.name + "-wal")))


def _read_forecasts(path: Path) -> dict[str, ForecastView]:
    table = read_table(path)
    trained = (table.schema.metadata or {}).get(b"trained_ms")
    return forecast_views(table, int(trained) if trained else None)


def _table_info(folder: Path, name: str, files: list[tuple[str, int]]) -> FileInfo:
    stamps = [stamp(folder / file) for file, _ in files]
    updated_ms = max((modified_ns for _, modified_ns, _ in stamps), default=0) // 1_000_000
    return FileInfo(
        name, len(files), sum(rows for _, rows in files), sum(size for *_, size in stamps), updated_ms or None
    )
