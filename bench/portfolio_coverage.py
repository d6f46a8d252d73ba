"""How often the value of a portfolio stays within the ranges that joint scenarios gave for the next hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.answers.distribution import PriceDistribution
from core.answers.portfolio import portfolio_risk
from core.answers.scenarios import joint_log_moves, moves_together
from core.forecast_schema import INTERVALS, SCALED_HOURS_SCHEMA
from core.reading.queries import scaled_hours
from core.realised_price import realised_prices
from core.times import DAY_MS, HOUR_MS
from etl.arrays import FloatArray
from etl.recordings.recording import PriceHistory
from model.backtesting.walk_forward import WalkOptions, walk_engine
from model.forecaster.engine import ForecastEngine
from model.forecaster.forecasts import Forecasts

__all__ = ["PortfolioHour", "coverage", "walk_portfolio"]

_SPAN_MS: Final = 14 * DAY_MS
_MIN_SCENARIOS: Final = 36


@dataclass(frozen=True)
class PortfolioHour:
    """The relative change of a portfolio of equal values over an hour, and the ranges given for it."""

    origin_ms: int
    change: float
    ranges: Mapping[int, tuple[float, float]]


def walk_portfolio(
    recording: PriceHistory, coins: Sequence[str], options: WalkOptions, engine: ForecastEngine
) -> list[PortfolioHour]:
    """Walk a recording forward; at each origin only the scenarios known by then count.

    Args:
        recording: prices of all coins that the engine learns from.
        coins: the coins of the portfolio, of equal value at every origin.
        options: when.
        engine: a new engine.
    """
    hours: list[PortfolioHour] = []
    known = SCALED_HOURS_SCHEMA.empty_table()
    for forecasts, walked in walk_engine(recording, options, engine):
        rows = walked.take_rows()["scaled_hours"]
        known = pa.concat_tables([known, rows.filter(pc.is_in(rows["coin"], pa.array(coins)))])
        if not len(forecasts):
            continue
        origin_ms = int(forecasts.origin_ms[0])
        recent = pc.greater_equal(known["origin"].cast(pa.int64()), origin_ms - _SPAN_MS)
        known = known.filter(recent).combine_chunks()
        hour = _hour(recording, coins, forecasts, known, origin_ms)
        if hour is not None:
            hours.append(hour)
    return hours


def _hour(
    recording: PriceHistory, coins: Sequence[str], forecasts: Forecasts, known: pa.Table, origin_ms: int
) -> PortfolioHour | None:
    """The ranges and the outcome at one origin; None where a forecast, scenario or outcome is missing."""
    past = scaled_hours(known, origin_ms - _SPAN_MS)
    rows = [forecasts.coins.index(coin) for coin in coins if coin in forecasts.coins]
    if len(rows) < len(coins) or len(past) < len(coins):
        return None
    moves = moves_together([past[coin] for coin in coins], -1)
    change = _change(recording, coins, forecasts.price_origin[rows], origin_ms)
    if len(moves) < _MIN_SCENARIOS or not np.isfinite(change):
        return None
    distributions = [
        PriceDistribution.of_prices(float(forecasts.price_origin[row]), forecasts.quantiles[row, -1]) for row in rows
    ]
    risk = portfolio_risk(np.full(len(coins), 1 / len(coins)), joint_log_moves(moves, distributions))
    return PortfolioHour(origin_ms, change, risk.ranges)


def _change(recording: PriceHistory, coins: Sequence[str], price_origin: FloatArray, origin_ms: int) -> float:
    target = np.array([origin_ms + HOUR_MS])
    ends = [realised_prices(*recording[coin], target, int(recording[coin][0][-1]))[0] for coin in coins]
    return float(np.mean(np.array(ends) / price_origin - 1))


def coverage(hours: Sequence[PortfolioHour]) -> dict[int, float]:
    """Percent → share of the changes within that central range, its ends included."""
    return {
        percent: float(np.mean([hour.ranges[percent][0] <= hour.change <= hour.ranges[percent][1] for hour in hours]))
        for percent in INTERVALS
    }
