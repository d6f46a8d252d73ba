"""The one door through which API and dashboard read: coins and prices, and with them forecasts, log and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from core.accuracy.scores import Metrics, MetricsBlock, trimmed
from core.accuracy.summary import join_condensed, summarise_condensed
from core.answers.distribution import PriceDistribution
from core.answers.scenarios import ScaledHours
from core.errors import NotReady
from core.forecast_schema import SCALED_HOURS_SCHEMA
from core.publishing.manifest import Entry, Part
from core.publishing.parquet import read_table
from core.reading.forecast_views import read_forecasts
from core.reading.queries import (
    backtest_rows,
    condensed_scores,
    join_outcomes,
    log_rows,
    nearest_forecast,
    newest_parts,
    parts_between,
    scaled_hours,
    table_info,
)
from core.reading.recent_prices import PriceSpan
from core.reading.stored_prices import StoredPrices
from core.reading.tables import LOG_TABLE, Page, log_page, with_outcomes
from core.reading.values import FileInfo, ForecastView, LoggedForecast
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import DAY_MS, FOREVER_MS, GRID_STEP_MS, MINUTE_MS
from core.wording import message

__all__ = ["MAX_SCORE_ROWS", "Readers"]

MAX_SCORE_ROWS: Final = 300_000
"""Limits time (half a second) and memory of adding up scores: 90 days with 10 coins, 4 days with 250."""

_SCENARIO_SPAN_MS: Final = 14 * DAY_MS
_HOUR_MIN: Final = 60


class Readers(StoredPrices):
    """Reads what collector and pipeline wrote, again only what has changed. Never writes. Thread-safe."""

    def forecasts(self) -> Mapping[str, ForecastView]:
        """The newest forecast of every coin.

        Raises:
            NotReady: no forecasts are published yet.
        """
        path = self.latest_file()
        return self.cached("latest", path, lambda: read_forecasts(path))

    def latest_file(self) -> Path:
        """The file of the newest forecasts; each publication has another one.

        Raises:
            NotReady: no forecasts are published yet.
        """
        folder, manifest = self.manifest()
        if (entry := manifest.entries.get("latest")) is None:
            raise NotReady(message("forecasts.none_published"))
        return folder / entry.file

    def forecast(self, coin_id: str) -> ForecastView:
        """The newest forecast of one coin.

        Raises:
            NotReady: the coin has no forecast yet.
        """
        try:
            return self.forecasts()[coin_id]
        except KeyError:
            raise NotReady(message("forecasts.none_of_coin", coin=coin_id)) from None

    def logged(
        self, coin_id: str, start_ms: int, end_ms: int, limit: int, horizon_min: int = 60
    ) -> list[LoggedForecast]:
        """At most `limit` logged forecasts with origins within [start_ms, end_ms], newest first.

        They carry the outcomes known by now.
        """
        folder, manifest = self.manifest()
        rows: list[dict[str, Any]] = []
        for part in parts_between(manifest.parts.get("log", ()), start_ms, end_ms):
            if len(rows) == limit and rows[-1]["origin"] > part.end_ms:
                break
            found = log_rows(folder / part.file, part, coin_id, horizon_min)
            rows += [row for row in found if start_ms <= row["origin"] <= end_ms]
            rows = sorted(rows, key=lambda row: row["origin"], reverse=True)[:limit]
        return self._with_outcomes(coin_id, rows, horizon_min)

    def backtested(self, coin_id: str, start_ms: int, end_ms: int) -> list[LoggedForecast]:
        """Forecasts of one hour ahead of the backtest at the first start, newest first; empty without one.

        Origins lie within [start_ms, end_ms]. Unlike those of `logged`, they were made afterwards, each from what was
        known at its origin.
        """
        folder, manifest = self.manifest()
        entry = manifest.entries.get("backtest_forecasts")
        rows = [] if entry is None else backtest_rows(folder / entry.file, coin_id)
        return self._with_outcomes(coin_id, [row for row in rows if start_ms <= row["origin"] <= end_ms], _HOUR_MIN)

    def log_table(self, coin_id: str, page: Page, horizon_min: int = _HOUR_MIN) -> pa.Table:
        """A page of logged forecasts, by origin, with the outcomes known by now, as columns of LOG_TABLE."""
        folder, manifest = self.manifest()
        rows = log_page(folder, manifest.parts.get("log", ()), coin_id, horizon_min, page)
        if not rows.num_rows:
            return LOG_TABLE.empty_table()
        span_ms = horizon_min * MINUTE_MS
        oldest_ms, newest_ms = sorted((rows["origin"][0].as_py(), rows["origin"][-1].as_py()))
        due_ms = (oldest_ms + span_ms - PRICE_TOLERANCE_MS, newest_ms + span_ms)
        with self.prices() as prices:
            known, is_cut = self._recent.within(prices, coin_id, *due_ms)
            known = PriceSpan.of_rows(prices.range(coin_id, *due_ms)) if is_cut else known
            last_ms = self._recent.newest_ms(prices, coin_id)
        return with_outcomes(rows, horizon_min, known, last_ms)

    def logged_distribution(self, coin_id: str, origin_ms: int) -> PriceDistribution | None:
        """The forecast of one hour ahead that was logged nearest to `origin_ms`; None without one within 5 minutes."""
        folder, manifest = self.manifest()
        span_ms = (origin_ms - GRID_STEP_MS, origin_ms + GRID_STEP_MS)
        return nearest_forecast(folder, manifest.parts.get("log", ()), coin_id, span_ms)

    def scaled_hours(self) -> Mapping[str, ScaledHours]:
        """What followed the half-hours of the last 14 days, by coin; a coin without any is missing."""
        folder, manifest = self.manifest()
        newest_ms = manifest.newest_ms("scaled_hours", FOREVER_MS)
        parts = parts_between(manifest.parts.get("scaled_hours", ()), newest_ms - _SCENARIO_SPAN_MS, FOREVER_MS)

        def read() -> dict[str, ScaledHours]:
            tables = [SCALED_HOURS_SCHEMA.empty_table(), *(read_table(folder / part.file) for part in parts)]
            return scaled_hours(pa.concat_tables(tables), newest_ms - _SCENARIO_SPAN_MS)

        return self.cached("scaled_hours", (folder, tuple(parts)), read)

    def metrics(self, coin_id: str | None = None) -> Metrics:
        """Live scores, of the newest `MAX_SCORE_ROWS` rows, and scores of the backtest at the first start.

        The backtest ends before the hour in which the live forecasts begin.

        Raises:
            NotReady: nothing is published yet.
        """
        return self.derived(f"metrics {coin_id}", lambda: self._metrics(coin_id))

    def files(self) -> list[FileInfo]:
        """Size, rows and last update of the price store and all published tables.

        Raises:
            NotReady: the suite has not decided on a source yet.
        """
        store = self.store_info()
        infos = [FileInfo(store.name, 1, self.price_count(), store.size_bytes, store.updated_ms)]
        try:
            folder, manifest = self.manifest()
        except NotReady:
            return infos
        tables = {name: [(entry.file, entry.rows)] for name, entry in manifest.entries.items()}
        tables |= {name: [(part.file, part.rows) for part in parts] for name, parts in manifest.parts.items()}
        return infos + [table_info(folder, name, files) for name, files in sorted(tables.items())]

    def _with_outcomes(self, coin_id: str, rows: Sequence[dict[str, Any]], horizon_min: int) -> list[LoggedForecast]:
        if not rows:
            return []
        span_ms = horizon_min * MINUTE_MS
        oldest, newest = rows[-1]["origin"], rows[0]["origin"]
        with self.prices() as prices:
            known = prices.range(coin_id, oldest + span_ms - PRICE_TOLERANCE_MS, newest + span_ms)
            last = prices.as_of(coin_id, FOREVER_MS)
        return join_outcomes(rows, known, last[0] if last else 0)

    def _metrics(self, coin_id: str | None) -> Metrics:
        folder, manifest = self.manifest()
        live = newest_parts(manifest.parts.get("scores", ()), MAX_SCORE_ROWS)
        backtest = [entry for name, entry in manifest.entries.items() if name == "backtest"]
        first_ms = manifest.oldest_ms("log")
        live_block = self._block(f"live {coin_id}", folder, live, coin_id)
        backtest_block = self._block(f"backtest {coin_id}", folder, backtest, coin_id, before_ms=first_ms)
        return Metrics(
            live=None if live_block is None else trimmed(live_block, first_ms, manifest.published_ms),
            backtest=None if backtest_block is None else trimmed(backtest_block, 0, manifest.published_ms),
        )

    def _block(
        self,
        name: str,
        folder: Path,
        files: Sequence[Part | Entry],
        coin_id: str | None,
        *,
        before_ms: int = FOREVER_MS,
    ) -> MetricsBlock | None:
        def make() -> MetricsBlock | None:
            parts = [condensed_scores(folder / file.file, before_ms) for file in files]
            if not parts:
                return None
            scores = join_condensed(parts)
            return summarise_condensed(scores if coin_id is None else scores.of_coin(coin_id))

        return self.cached(name, (folder, tuple(files), before_ms), make)
