"""One look after another: what is new is read, judged, and stored with what it has to tell, in one transaction."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerts.composing import compose, held_back, together
from alerts.conditions.views import CoverageView, ForecastView, Times
from alerts.engine import Engine, Finding
from alerts.market_view import BATCH, Bands, new_ticks, newest_cursors, of_the_present, price_views
from alerts.rule_book import RuleBook
from alerts.rules.coin_names import CoinName, unknown_names
from alerts.rules.condition import Scope
from alerts.store import AlertStore, Evaluation
from alerts.suite_view import present_since_ms, process_view, suite_view
from core.answers.curves import FloatArray
from core.errors import DamagedFile, NotReady
from core.forecast_levels import QUANTILES
from core.reading.published import PublishedData
from core.settings import Settings
from core.times import now_ms

__all__ = ["ForecastReading", "Look", "Watch"]

_SUITE_EVERY_S: Final = 5.0
_COVERAGE_EVERY_S: Final = 300.0
_BEGIN_AGAIN_S: Final = 86_400.0
"""Once a day everything is read again, and what is older than the store keeps is forgotten."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ForecastReading:
    """Where forecasts are read; it loads pyarrow, so it is opened only for rules that ask for forecasts."""

    forecasts: Callable[[Mapping[str, int], int], ForecastView]
    coverage: Callable[[Sequence[str], int], CoverageView]
    hours_before: Bands


@dataclass(frozen=True)
class Look:
    """What a look came to: number of alerts, and whether there are more prices to judge at once."""

    alerts: int
    has_more: bool


class Watch:
    """Looks again and again. What a look has not stored, the next one sees again.

    Args:
        settings: where health files and disk are.
        data: the prices and what is published.
        store: of the same workspace.
        book: the rules.
        open_forecasts: called once, when a rule asks for forecasts.
    """

    def __init__(
        self,
        settings: Settings,
        data: PublishedData,
        store: AlertStore,
        book: RuleBook,
        open_forecasts: Callable[[], ForecastReading],
    ) -> None:
        self._settings = settings
        self._data = data
        self._store = store
        self._book = book
        self._open_forecasts = open_forecasts
        self._reading: ForecastReading | None = None
        self._engine: Engine | None = None
        self._cursors: dict[str, int] = {}
        self._coins: tuple[CoinName, ...] = ()
        self._coins_version = self._price_version = self._publication = ""
        self._has_more = False
        self._suite_at = self._coverage_at = self._begun_at = -math.inf

    @property
    def coin_titles(self) -> Mapping[str, str]:
        """Names of the coins as people read them, by their ids."""
        return {coin.id: coin.title for coin in self._coins}

    @property
    def newest_ms(self) -> int | None:
        """Event time of the newest price that was judged."""
        return max(self._cursors.values(), default=None)

    def look(self) -> Look:
        """Judge what is new and store what follows; nothing happens if nothing is new.

        Raises:
            NotReady: no workspace is chosen yet.
            StorageProblem, DamagedFile: a store cannot be read or written; the next look begins where this one did.
        """
        try:
            return self._look(now_ms())
        except BaseException:
            self._engine = None
            raise

    def _look(self, now: int) -> Look:
        source = self._data.workspace().source.value
        has_changed = self._book.refresh()
        coins = self.read_coins()
        is_old = has_changed or time.monotonic() - self._begun_at >= _BEGIN_AGAIN_S
        if self._engine is None or is_old or tuple(coin.id for coin in coins) != self._engine.coins:
            self._engine = self._begin(coins, now)
        engine = self._engine
        findings, cursors = self._judge_prices(engine, now)
        self._cursors |= cursors
        findings += self._judge_forecasts(engine, now)
        findings += self._judge_suite(engine, now)
        alerts = compose(findings, source)
        held = held_back(alerts, engine.rules, self._book.settings, now)
        evaluation = Evaluation(engine.take_changes(), cursors, alerts, held)
        if not evaluation.is_empty:
            self._store.commit(evaluation, now)
        return Look(len(alerts) + self._release(now), self._has_more)

    def read_coins(self) -> tuple[CoinName, ...]:
        """The coins that are collected, read again when prices were stored."""
        try:
            version = self._data.price_version()
            if version != self._coins_version:
                with self._data.prices() as prices:
                    self._coins = tuple(CoinName(coin.id, coin.symbol, coin.name) for coin in prices.coins())
                self._coins_version = version
        except NotReady:
            return ()
        return self._coins

    def _begin(self, coins: Sequence[CoinName], now: int) -> Engine:
        """Take up the rules and states as they are stored; states of rules that are gone are forgotten."""
        rules = self._book.rules
        self._begun_at = time.monotonic()
        if coins and (unknown := unknown_names(rules, coins)):
            _log.warning("no coin that is collected is called %s", ", ".join(unknown))
        if self._book.problem is None:
            self._store.forget([rule.id for rule in rules], [coin.id for coin in coins], now)
        self._cursors = self._store.cursors()
        self._price_version = self._publication = ""
        self._suite_at = self._coverage_at = -math.inf
        return Engine(rules, coins, self._store.episodes())

    def _judge_prices(self, engine: Engine, now: int) -> tuple[list[Finding], dict[str, int]]:
        """Judge every price that is stored since the last one of its coin, up to a limit."""
        try:
            version = self._data.price_version()
        except NotReady:
            return [], {}
        if version == self._price_version and not self._has_more:
            return [], {}
        places = {coin: place for place, coin in enumerate(engine.coins)}
        bands = self._bands if engine.needs_bands else None
        with self._data.prices() as prices:
            ticks = new_ticks(prices, engine.coins, self._cursors)
            judged = of_the_present(ticks, self._cursors, present_since_ms(self._settings, now))
            views = price_views(judged, places, prices, engine.spans_ms, bands)
            findings = [finding for view in views for finding in engine.look(Scope.PRICES, view)]
        self._price_version = version
        self._has_more = any(len(one.at_ms) == BATCH for one in ticks.values())
        return findings, newest_cursors(ticks)

    def _judge_forecasts(self, engine: Engine, now: int) -> list[Finding]:
        """Judge a new publication; and the coverage, now and then."""
        findings: list[Finding] = []
        publication = self._data.publication_version()
        try:
            if engine.needs(Scope.FORECASTS) and publication != self._publication:
                self._publication = publication
                places = {coin: place for place, coin in enumerate(engine.coins)}
                view = self._forecasts().forecasts(places, present_since_ms(self._settings, now))
                findings += engine.look(Scope.FORECASTS, view)
            if engine.needs(Scope.COVERAGE) and time.monotonic() - self._coverage_at >= _COVERAGE_EVERY_S:
                self._coverage_at = time.monotonic()
                findings += engine.look(Scope.COVERAGE, self._forecasts().coverage(engine.coins, now))
        except (NotReady, DamagedFile) as error:
            _log.info("forecasts are not judged: %s", error)
        return findings

    def _judge_suite(self, engine: Engine, now: int) -> list[Finding]:
        """Judge processes and suite every few seconds."""
        if time.monotonic() - self._suite_at < _SUITE_EVERY_S:
            return []
        self._suite_at = time.monotonic()
        findings: list[Finding] = []
        if engine.needs(Scope.PROCESSES):
            findings += engine.look(Scope.PROCESSES, process_view(self._settings.run_dir, now))
        if engine.needs(Scope.SUITE):
            findings += engine.look(Scope.SUITE, suite_view(self._settings.run_dir, self.newest_ms, now))
        return findings

    def _release(self, now: int) -> int:
        """Tell what quiet hours held back until now; the number of alerts."""
        held = self._store.held(now)
        joined = together(held)
        if held:
            self._store.release(joined, held, now)
        return len(joined)

    def _forecasts(self) -> ForecastReading:
        if self._reading is None:
            self._reading = self._open_forecasts()
        return self._reading

    def _bands(self, coins: Sequence[str], origins_ms: Times) -> tuple[FloatArray, FloatArray]:
        """Forecasts made at these times; none while the log cannot be read."""
        try:
            return self._forecasts().hours_before(coins, origins_ms)
        except (NotReady, DamagedFile) as error:
            _log.info("prices are not compared with forecasts: %s", error)
            return np.full(len(coins), np.nan), np.full((len(coins), len(QUANTILES)), np.nan)
