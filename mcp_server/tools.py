"""The five tools: each reads what is published, as API and dashboard do, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Final, Literal, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from core.accuracy.scores import MetricsBlock
from core.errors import ForecastingError
from core.forecast_schema import HORIZONS_MIN, INTERVALS
from core.reading.answers import level_chance, outlook
from core.reading.readers import Readers
from core.reading.tables import Page
from core.reading.trust import Trust, trust_by_coin
from core.reading.values import ForecastStep, ForecastView, Quote
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import DAY_MS, FOREVER_MS, HOUR_MS, MINUTE_MS, iso, now_ms
from core.wording import message, say
from mcp_server.answers import (
    AccuracyAnswer,
    Band,
    Candle,
    CoinRow,
    CoinsAnswer,
    ForecastAnswer,
    HistoryAnswer,
    ProbabilityAnswer,
    Scores,
    TrustRow,
)

__all__ = ["Tools"]

_SHOWN: Final = (50, 80, 95)
_STEPS_MS: Final = {"5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "1h": HOUR_MS, "4h": 4 * HOUR_MS, "1d": DAY_MS}
_LANGUAGE: Final = "en"
"""Assistants read English and speak the language of the person."""

CoinName = Annotated[str, Field(description="Id (bitcoin) or symbol (btc)", min_length=1, max_length=100)]
Horizon = Annotated[
    int, Field(description="Minutes: 5, 10, 15 ... 60", ge=HORIZONS_MIN[0], le=HORIZONS_MIN[-1], multiple_of=5)
]
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def _in_words(tool: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Tell the assistant in a sentence what this project's errors say."""

    @wraps(tool)
    def call(*given: _Given.args, **named: _Given.kwargs) -> _Result:
        try:
            return tool(*given, **named)
        except ForecastingError as error:
            raise ToolError(say(error.message, _LANGUAGE)) from error

    return call


class Tools:
    """The tools over one data folder; thread-safe."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @_in_words
    def coins(
        self,
        search: Annotated[str, Field(description="Part of an id, symbol or name; empty: all", max_length=100)] = "",
        limit: Annotated[int, Field(ge=1, le=250)] = 50,
    ) -> CoinsAnswer:
        """List the coins with their newest price and their change over 24 hours, by market cap."""
        wanted = search.strip().lower()
        found = [
            quote for quote in self._readers.quotes() if wanted in f"{quote.id} {quote.symbol} {quote.name}".lower()
        ]
        return CoinsAnswer(**self._origin(), total=len(found), coins=[_row(quote) for quote in found[:limit]])

    @_in_words
    def forecast(self, coin: CoinName, horizon_minutes: Horizon = 60) -> ForecastAnswer:
        """Forecast a coin's price up to an hour ahead, with how far such forecasts held lately.

        The intervals and the expected move are what can be forecast; the direction hardly ever can.
        """
        found = self._readers.resolve(coin)
        seen = outlook(self._readers, found.id, horizon_minutes)
        view, step = seen.view, seen.step
        return ForecastAnswer(
            **self._origin(),
            coin=found.id,
            symbol=found.symbol,
            made_at=iso(view.origin_ms),
            target_at=iso(step.target_ms),
            valid_until=iso(_valid_until_ms(view)),
            is_current=now_ms() <= _valid_until_ms(view),
            horizon_minutes=step.horizon_min,
            price=view.price_origin,
            expected_price=step.mean,
            change_percent=100 * (step.mean / view.price_origin - 1),
            probability_of_rise=step.p_up,
            intervals={str(percent): _band(step, percent) for percent in _SHOWN},
            expected_move_percent=100 * seen.expected_move,
            regime=None if seen.regime is None else seen.regime.value,
            activity_percentile=seen.activity_percentile,
            made_by=view.kind,
            trust=_trust(trust_by_coin(self._readers, step.horizon_min).get(found.id, Trust())),
        )

    @_in_words
    def probability(
        self,
        coin: CoinName,
        level: Annotated[float, Field(description="Price, in the currency of the answer", gt=0, lt=1e15)],
        horizon_minutes: Horizon = 60,
    ) -> ProbabilityAnswer:
        """Give the probability that a coin's price ends above or below a level, and that it touches it before."""
        found = self._readers.resolve(coin)
        chance = level_chance(self._readers.forecast(found.id), level, horizon_minutes)
        return ProbabilityAnswer(
            **self._origin(),
            coin=found.id,
            symbol=found.symbol,
            made_at=iso(chance.view.origin_ms),
            target_at=iso(chance.view.step(horizon_minutes).target_ms),
            is_current=now_ms() <= _valid_until_ms(chance.view),
            horizon_minutes=horizon_minutes,
            price=chance.view.price_origin,
            level=level,
            ends_above=chance.above,
            ends_below=chance.below,
            touches=chance.touch,
        )

    @_in_words
    def accuracy(
        self, coin: Annotated[str | None, Field(description="Id or symbol; null: all coins", max_length=100)] = None
    ) -> AccuracyAnswer:
        """Say how right past forecasts were, against the hardest benchmark to beat: "the price stays"."""
        found = None if coin is None else self._readers.resolve(coin)
        metrics = self._readers.metrics(None if found is None else found.id)
        return AccuracyAnswer(
            **self._origin(),
            coin=None if found is None else found.id,
            live=_scores(metrics.live),
            backtest=_scores(metrics.backtest),
        )

    @_in_words
    def history(
        self,
        coin: CoinName,
        interval: Literal["5m", "15m", "1h", "4h", "1d"] = "1h",
        limit: Annotated[int, Field(description="Number of intervals", ge=1, le=500)] = 24,
    ) -> HistoryAnswer:
        """List a coin's stored prices by interval (first, highest, lowest, last), newest first."""
        found = self._readers.resolve(coin)
        table = self._readers.candle_table(found.id, _STEPS_MS[interval], Page(0, FOREVER_MS, limit))
        candles = [_candle(row) for row in table.to_pylist()]
        return HistoryAnswer(**self._origin(), coin=found.id, symbol=found.symbol, interval=interval, candles=candles)

    def _origin(self) -> dict[str, Any]:
        """What every answer says of its source."""
        workspace = self._readers.workspace()
        notice = None if workspace.is_live else say(message(f"assistant.{workspace.source.value}"), _LANGUAGE)
        return {
            "source": workspace.source.value,
            "is_live": workspace.is_live,
            "notice": notice,
            "currency": workspace.currency,
        }


def _row(quote: Quote) -> CoinRow:
    return CoinRow(
        id=quote.id,
        symbol=quote.symbol,
        name=quote.name,
        rank=quote.rank,
        price=quote.price,
        change_24h_percent=quote.change_24h_percent,
        updated_at=_time(quote.updated_ms),
    )


def _valid_until_ms(view: ForecastView) -> int:
    """Until when the price that a forecast starts from counts as current."""
    return view.origin_ms + PRICE_TOLERANCE_MS


def _band(step: ForecastStep, percent: int) -> Band:
    low, high = INTERVALS[percent]
    return Band(low=step.quantiles[low], high=step.quantiles[high])


def _trust(trust: Trust) -> TrustRow:
    return TrustRow(
        coverage_80=trust.coverage_80,
        skill=trust.skill,
        scored_forecasts=trust.forecasts,
        since=_time(trust.since_ms),
        is_tested=trust.untested is None,
    )


def _scores(block: MetricsBlock | None) -> Scores | None:
    if block is None:
        return None
    score = block.overall
    return Scores(
        forecasts=score.forecasts,
        since=iso(score.start_ms),
        until=iso(score.end_ms),
        skill=score.skill,
        relative_pinball=score.relative_pinball,
        coverage={str(percent): share for percent, share in score.coverage.items()},
        mean_error_percent=score.mae_percent,
        relative_error=score.mae_ratio,
        direction_hit_rate=score.hit_rate,
        direction_hit_low=score.hit_low,
        direction_hit_high=score.hit_high,
        p_value=score.better_p_value,
    )


def _candle(row: dict[str, Any]) -> Candle:
    values = {name: row[name] for name in ("open", "high", "low", "close", "is_closed")}
    return Candle(start=row["start"].isoformat(), **values)


def _time(ts_ms: int | None) -> str | None:
    return None if ts_ms is None else iso(ts_ms)
