"""`python -m bench churn`: what an engine costs while coins come and go for weeks, as the N largest do.

Each day the oldest coins leave and as many new ones join, with their last 14 days. All are random walks in 5-minute
steps, and days are computed one after the other.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.figures import Figure, exit_code, table
from bench.process_cost import cpu_s
from core.times import DAY_MS, GRID_STEP_MS
from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import STEPS_PER_DAY
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.prior import Prior

__all__ = ["DayOfChanges", "days_of_changes", "main"]

_START_MS: Final = 1_700_006_400_000
_HELD_DAYS: Final = 16
"""Days until a column changes hands: the 14 that an engine keeps, one more, and the one on which a coin is missed."""


@dataclass(frozen=True)
class DayOfChanges:
    """The engine at the end of a day.

    Attributes:
        columns: coins that have a place in its arrays.
        taught: coins that a grid step taught, on average of the day.
        state_mb: megabytes of its stored state, not compressed.
        cpu_s: CPU-seconds of the day.
    """

    columns: int
    taught: float
    state_mb: float
    cpu_s: float


def days_of_changes(coins: int, changes: int, days: int, options: EngineOptions) -> Iterator[DayOfChanges]:
    """Let an engine live through days on each of which `changes` of its coins are replaced."""
    engine = ForecastEngine(options, Prior.load())
    known: set[int] = set()
    for day in range(days):
        began, now_ms = cpu_s(), _START_MS + day * DAY_MS
        collected = range(day * changes, day * changes + coins)
        engine.enrol([str(coin) for coin in collected], now_ms)
        for coin in collected:
            if coin in known:
                engine.grid.observe(str(coin), *_prices(coin, now_ms, 1))
            else:
                engine.grid.replace(str(coin), *_prices(coin, now_ms, options.train_days))
        known = set(collected)
        engine.advance(now_ms)
        engine.refit(now_ms)
        places = np.array([engine.grid.column(str(coin)) for coin in collected])
        of_day = now_ms - GRID_STEP_MS * np.arange(STEPS_PER_DAY)
        taught = float(engine.model.in_turn(of_day, places).sum(axis=1).mean())
        size = len(pickle.dumps(engine.state(), pickle.HIGHEST_PROTOCOL)) / 2**20
        yield DayOfChanges(len(engine.grid.roster), taught, size, cpu_s() - began)


def _prices(coin: int, until_ms: int, days: int) -> tuple[IntArray, FloatArray]:
    """The last days of a coin's walk, which each midnight is back where it began: no day depends on others."""
    parts = []
    for day_ms in range(until_ms - (days - 1) * DAY_MS, until_ms + 1, DAY_MS):
        moves = np.random.default_rng([coin, day_ms]).normal(0, 0.001, STEPS_PER_DAY)
        parts.append(100 * np.exp(np.cumsum(moves - moves.mean())))
    price = np.concatenate(parts)
    return until_ms - GRID_STEP_MS * np.arange(len(price))[::-1], price


def _figures(coins: int, changes: int, days: Sequence[DayOfChanges]) -> list[Figure]:
    found = []
    for day, one in enumerate(days, start=1):
        if day in (1, len(days) // 2, len(days)):
            limit = coins + changes * _HELD_DAYS if day == len(days) else None
            found += [
                Figure(f"day {day}: columns", one.columns, "coins", limit),
                Figure(f"day {day}: coins that teach each step, on average", one.taught, "coins"),
                Figure(f"day {day}: stored state", one.state_mb, "MB"),
                Figure(f"day {day}: a day of grid rows", one.cpu_s, "CPU-s"),
            ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if there were more columns than coins of so many days."""
    parser = argparse.ArgumentParser(prog="python -m bench churn", description=__doc__)
    parser.add_argument("--coins", type=int, default=40)
    parser.add_argument("--changes", type=int, default=8, help="coins replaced each day")
    parser.add_argument("--days", type=int, default=60)
    given = parser.parse_args(arguments)
    days = list(days_of_changes(given.coins, given.changes, given.days, EngineOptions()))
    found = _figures(given.coins, given.changes, days)
    print(table(found))
    return exit_code(found)
