"""What was forecast for a coin an hour before, and how it turned out: live, and before that from the backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import NotReady
from core.reading.readers import Readers
from core.reading.values import LoggedForecast
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS

__all__ = ["PastForecasts", "RangeCount", "count_inside", "past_forecasts", "record_of_week"]

_LIMIT: Final = 2100
"""More than the logged forecasts of a week, one every 5 minutes."""

_WEEK_MS: Final = 7 * DAY_MS


@dataclass(frozen=True)
class RangeCount:
    """How many 80 % ranges held, of those whose outcome is known."""

    inside: int
    known: int

    @property
    def share(self) -> float | None:
        """Share that held, 0 to 1; None if no outcome is known."""
        return self.inside / self.known if self.known else None


@dataclass(frozen=True)
class PastForecasts:
    """Forecasts of one hour ahead, oldest first; those of the backtest end where the live ones begin."""

    live: tuple[LoggedForecast, ...]
    backtest: tuple[LoggedForecast, ...]


def past_forecasts(readers: Readers, coin_id: str, start_ms: int, end_ms: int) -> PastForecasts:
    """Forecasts whose target lies within [start_ms, end_ms]; empty before anything is published."""
    try:
        live = readers.logged(coin_id, start_ms - HOUR_MS, end_ms - HOUR_MS, _LIMIT)
        first_ms = live[-1].origin_ms if live else end_ms - HOUR_MS + 1
        backtest = readers.backtested(coin_id, start_ms - HOUR_MS, first_ms - 1)
    except NotReady:
        return PastForecasts((), ())
    return PastForecasts(tuple(live[::-1]), tuple(backtest[::-1]))


def count_inside(forecasts: Sequence[LoggedForecast]) -> RangeCount:
    """Count the 80 % ranges that held."""
    outcomes = [(row, row.actual) for row in forecasts if row.actual is not None]
    return RangeCount(sum(row.low_80 <= actual <= row.high_80 for row, actual in outcomes), len(outcomes))


def record_of_week(readers: Readers, coin_id: str, now_ms: int) -> tuple[RangeCount, RangeCount]:
    """The ranges of the last week that held, live and of the backtest; counted again every 5 minutes."""
    slot_ms = now_ms // GRID_STEP_MS * GRID_STEP_MS

    def count() -> tuple[RangeCount, RangeCount]:
        past = past_forecasts(readers, coin_id, slot_ms - _WEEK_MS, slot_ms)
        return count_inside(past.live), count_inside(past.backtest)

    return readers.cached(f"record {coin_id}", (readers.workspace().root, slot_ms), count)
