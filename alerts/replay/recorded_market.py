"""A recording as the alert process would have seen it: price by price, and forecasts made from what was known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from alerts.conditions.prices import band_columns
from alerts.conditions.views import ForecastView, PriceView, Times
from alerts.engine import Engine, Finding
from alerts.market_view import Ticks, price_views
from alerts.rules.coin_names import CoinName, ids_by_name, named_coins
from alerts.rules.condition import Scope
from alerts.rules.rule import Rule
from core.answers.curves import FloatArray
from core.answers.distribution import expected_moves
from core.forecast_levels import QUANTILES
from core.times import HOUR_MS, MINUTE_MS
from etl.local_market.coin_names import coin_named
from etl.recordings.recording import PriceHistory, Recording
from model.backtesting.walk_forward import WalkOptions, walk_forward
from model.forecaster.engine import EngineOptions
from model.forecaster.forecasts import Forecasts
from model.forecaster.prior import Prior

__all__ = ["STEP_MIN", "RecordedPrices", "Replay"]

STEP_MIN: Final = 10
"""Minutes between two forecasts of a replay."""

_STEP_MS: Final = STEP_MIN * MINUTE_MS
_BANDS: Final = (80, 95)
_LOW_80, _HIGH_80 = band_columns(80)
_ROW = tuple[int, float]


class RecordedPrices:
    """Where a replay reads earlier prices; a question about an earlier time cannot look ahead."""

    def __init__(self, prices: PriceHistory) -> None:
        self._prices = prices

    def as_of(self, coin_id: str, ts_ms: int) -> _ROW | None:
        """The last price at or before a time."""
        times, values = self._prices[coin_id]
        place = int(np.searchsorted(times, ts_ms, side="right")) - 1
        return None if place < 0 else (int(times[place]), float(values[place]))

    def range(self, coin_id: str, start_ms: int = 0, end_ms: int | None = None) -> Sequence[_ROW]:
        """Prices within [start_ms, end_ms], in order."""
        times, values = self._prices[coin_id]
        first = int(np.searchsorted(times, start_ms))
        end = len(times) if end_ms is None else int(np.searchsorted(times, end_ms, side="right"))
        return list(zip(times[first:end].tolist(), values[first:end].tolist(), strict=True))


class Replay:
    """Rules on a recording.

    Attributes:
        coins: those recorded, the largest first, with the symbols and names of well-known coins.
        hours: length of the recording.
        hours_done: those that `run` has judged.
    """

    def __init__(self, recording: Recording, rules: Sequence[Rule]) -> None:
        self.prices = recording.prices
        known = sorted(map(coin_named, self.prices), key=lambda coin: coin.rank)
        self.coins = tuple(CoinName(coin.id, coin.symbol, coin.name) for coin in known)
        self._outside = {percent: np.zeros((2, len(known)), np.int64) for percent in _BANDS}
        self.hours, self.hours_done = (recording.end - recording.start) / HOUR_MS, 0.0
        self._start_ms = recording.start
        self._engine = Engine(rules, self.coins)
        self._log = _Log(self._engine.coins)

    def run(self) -> Iterator[list[Finding]]:
        """What the rules tell, a piece of the recording at a time."""
        for start_ms, end_ms, forecasts in _pieces(self.prices, self._engine):
            findings: list[Finding] = []
            for view in self._views(start_ms, end_ms):
                self._count_outside(view)
                findings += self._engine.look(Scope.PRICES, view)
            if forecasts is not None:
                self._log.add(end_ms, forecasts)
                findings += self._engine.look(Scope.FORECASTS, self._log.view(forecasts))
            self._engine.take_changes()
            self.hours_done = (end_ms - self._start_ms) / HOUR_MS
            yield findings

    def outside(self, rule: Rule) -> dict[int, tuple[int, int]]:
        """Percent of a band → prices of the rule's coins outside it and all that were compared with it so far."""
        named = named_coins(rule, ids_by_name(self.coins))
        mine = [place for place, coin in enumerate(self._engine.coins) if rule.coins is None or coin in named]
        sums = {percent: counts[:, mine].sum(axis=1).tolist() for percent, counts in self._outside.items()}
        return {percent: (beyond, compared) for percent, (beyond, compared) in sums.items()}

    def _views(self, start_ms: int, end_ms: int) -> Iterator[PriceView]:
        ticks = {}
        for coin, (times, values) in self.prices.items():
            first, end = np.searchsorted(times, (start_ms, end_ms), side="right")
            if end > first:
                ticks[coin] = Ticks(times[first:end], values[first:end])
        bands = self._log.before if self._engine.needs_bands else None
        source = RecordedPrices(self.prices)
        return price_views(ticks, self._log.places, source, self._engine.spans_ms, bands)

    def _count_outside(self, view: PriceView) -> None:
        if view.hour_quantiles is None:
            return
        known = ~np.isnan(view.hour_quantiles[:, 0])
        price, quantiles, places = view.price[known], view.hour_quantiles[known], view.places[known]
        for percent, counts in self._outside.items():
            low, high = band_columns(percent)
            beyond = (price < quantiles[:, low]) | (price > quantiles[:, high])
            counts[:, places] += np.stack([beyond, np.ones_like(beyond)])


def _pieces(prices: PriceHistory, engine: Engine) -> Iterator[tuple[int, int, Forecasts | None]]:
    """Spans of time (start, end] that follow each other, with the forecasts made at the end of each."""
    first_ms = min(int(times[0]) for times, _ in prices.values())
    last_ms = max(int(times[-1]) for times, _ in prices.values())
    start_ms = first_ms - 1
    if engine.needs_bands or engine.needs(Scope.FORECASTS):
        options = WalkOptions(step_min=STEP_MIN)
        for forecasts in walk_forward(prices, options, EngineOptions(), Prior.load()):
            if len(forecasts):
                end_ms = int(forecasts.origin_ms.max())
                yield start_ms, end_ms, forecasts
                start_ms = end_ms
    while start_ms < last_ms:
        yield start_ms, min(start_ms + HOUR_MS, last_ms), None
        start_ms += HOUR_MS


class _Log:
    """The forecasts of the last hours, by origin."""

    def __init__(self, coins: Sequence[str]) -> None:
        self.places = {coin: place for place, coin in enumerate(coins)}
        self._made: dict[int, Forecasts] = {}

    def add(self, origin_ms: int, forecasts: Forecasts) -> None:
        """Keep forecasts; those of more than two hours ago are dropped."""
        self._made = {made: one for made, one in self._made.items() if made > origin_ms - 2 * HOUR_MS}
        self._made[origin_ms] = forecasts

    def before(self, coins: Sequence[str], moments_ms: Times) -> tuple[FloatArray, FloatArray]:
        """Price at the origin and one-hour quantiles of the forecasts made nearest to these moments; NaN without."""
        origin, quantiles = np.full(len(coins), np.nan), np.full((len(coins), len(QUANTILES)), np.nan)
        for row, (coin, moment_ms) in enumerate(zip(coins, moments_ms.tolist(), strict=True)):
            forecasts = self._made.get((moment_ms + _STEP_MS // 2) // _STEP_MS * _STEP_MS)
            if forecasts is not None and coin in forecasts.coins:
                place = list(forecasts.coins).index(coin)
                origin[row], quantiles[row] = forecasts.price_origin[place], forecasts.quantiles[place, -1]
        return origin, quantiles

    def view(self, forecasts: Forecasts) -> ForecastView:
        """Forecasts as conditions see them."""
        price = forecasts.price_origin
        hour = forecasts.quantiles[:, -1]
        log_quantiles = np.log(forecasts.quantiles / price[:, None, None])
        return ForecastView(
            places=np.array([self.places[coin] for coin in forecasts.coins], np.int64),
            at_ms=np.asarray(forecasts.origin_ms, np.int64),
            price=price,
            log_quantiles=log_quantiles,
            reach=forecasts.reach,
            expected_move=expected_moves(log_quantiles[:, -1]),
            band_80=(hour[:, _HIGH_80] - hour[:, _LOW_80]) / (2 * price),
            activity_percentile=forecasts.activity_percentile,
        )
