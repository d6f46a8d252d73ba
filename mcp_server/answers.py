"""What the tools answer; the descriptions are what an assistant reads of the figures."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AccuracyAnswer",
    "Band",
    "Candle",
    "CoinRow",
    "CoinsAnswer",
    "ForecastAnswer",
    "HistoryAnswer",
    "ProbabilityAnswer",
    "Scores",
    "TrustRow",
]


class Part(BaseModel):
    """A part of an answer; frozen."""

    model_config = ConfigDict(frozen=True)


class Answer(Part):
    """What every answer says of its origin."""

    source: str = Field(description="Where prices come from: coingecko (live), demo (simulated) or replay (recorded)")
    is_live: bool = Field(
        description="False: these are not the market's prices; say so to the person. How old prices are, times tell"
    )
    notice: str | None = Field(description="A sentence for the person where prices are not live, else null")
    currency: str = Field(description="Currency of all prices")


class CoinRow(Part):
    """A coin and its newest price."""

    id: str
    symbol: str
    name: str
    rank: int | None = Field(description="By market cap")
    price: float | None
    change_24h_percent: float | None
    updated_at: str | None = Field(description="Time of the price, ISO 8601, UTC")


class CoinsAnswer(Answer):
    """The coins that are collected, by rank."""

    total: int = Field(description="Coins that match; `coins` may show fewer")
    coins: list[CoinRow]


class Band(Part):
    """A central interval of the price."""

    low: float
    high: float


class TrustRow(Part):
    """How well the forecasts of this coin and horizon did over the last seven days."""

    coverage_80: float | None = Field(description="Share of outcomes inside the 80 % interval; 0.8 is right")
    skill: float | None = Field(description='1 minus the loss relative to "the price stays"; above 0 is better')
    scored_forecasts: int
    since: str | None
    is_tested: bool = Field(description="False: too few scored forecasts to say anything")


class ForecastAnswer(Answer):
    """The newest forecast of a coin for one horizon, with its measured trust."""

    coin: str
    symbol: str
    made_at: str = Field(description="Time of the price that the forecast starts from, ISO 8601, UTC")
    target_at: str = Field(description="Time that is forecast")
    valid_until: str = Field(description="After this time a newer forecast should be asked for")
    is_current: bool = Field(description="False: the forecast is older than its validity; say so")
    horizon_minutes: int
    price: float = Field(description="Price at made_at")
    expected_price: float = Field(description="Often equal to the price: direction is rarely predictable")
    change_percent: float
    probability_of_rise: float
    intervals: dict[str, Band] = Field(description="Central intervals of 50, 80 and 95 %: the forecast's real content")
    expected_move_percent: float = Field(description="Expected size of the move, up or down")
    regime: Literal["calm", "normal", "agitated"] | None = Field(
        description="Expected move compared with the coin's own last two weeks"
    )
    activity_percentile: float | None
    made_by: str = Field(description="`model` or `baseline` (the price stays)")
    trust: TrustRow


class ProbabilityAnswer(Answer):
    """The chance that a price ends beyond a level or touches it within a horizon."""

    coin: str
    symbol: str
    made_at: str
    target_at: str
    is_current: bool = Field(description="False: the forecast behind it is older than its validity; say so")
    horizon_minutes: int
    price: float
    level: float
    ends_above: float
    ends_below: float
    touches: float | None = Field(description="At any time until target_at; null if unknown")


class Scores(Part):
    """Scores of forecasts whose outcome is known; ratios below 1 are better than "the price stays"."""

    forecasts: int
    since: str
    until: str
    skill: float | None = Field(description="1 minus relative_pinball; above 0 is better than the benchmark")
    relative_pinball: float | None
    coverage: dict[str, float] = Field(description="Interval in % -> share of outcomes inside; equal shares are right")
    mean_error_percent: float | None
    relative_error: float | None
    direction_hit_rate: float | None
    direction_hit_low: float | None = Field(description="95 % interval of direction_hit_rate, low end")
    direction_hit_high: float | None
    p_value: float | None = Field(description="Of chance looking as much better than the benchmark")


class AccuracyAnswer(Answer):
    """How right the forecasts were: live ones, and those of the backtest at the first start; never mixed."""

    coin: str | None = Field(description="Null: all coins")
    live: Scores | None
    backtest: Scores | None


class Candle(Part):
    """Prices of an interval: first, highest, lowest, last."""

    start: str
    open: float
    high: float
    low: float
    close: float
    is_closed: bool = Field(description="False: the interval still runs")


class HistoryAnswer(Answer):
    """Stored prices of a coin by interval, newest first; intervals without a price are missing."""

    coin: str
    symbol: str
    interval: str
    candles: list[Candle]
