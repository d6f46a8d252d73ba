"""Metrics of what is stored and published: ages, accuracy and sizes; of the coins only their worst and their median."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import Final

import numpy as np
from prometheus_client.core import Metric

from api.metrics.families import gauge, gauges, spread
from core.errors import ConfigurationError, DamagedFile, NotReady
from core.reading.last_day import last_day
from core.reading.readers import Readers
from core.reading.status import SuiteStatus
from core.settings import Settings
from core.times import now_ms

__all__ = ["data_families"]

_HEADLINE_MIN: Final = 60


def data_families(settings: Settings, readers: Readers, status: SuiteStatus) -> Iterable[Metric]:
    """The metric families of prices, forecasts, scores of the last day, and files; missing data have none."""
    yield from _ages(status)
    yield from _disk(settings)
    for families in (_coins, _accuracy, _files):
        try:
            yield from families(readers)
        except (NotReady, ConfigurationError, DamagedFile):  # `status` names them as problems
            continue


def _ages(status: SuiteStatus) -> Iterable[Metric]:
    source = status.source.value if status.source else "undecided"
    yield from gauges("price_age_seconds", "Age of the newest price.", "source", {source: status.price_age_s})
    yield from gauges("forecast_age_seconds", "Age of the newest forecast.", "source", {source: status.forecast_age_s})
    yield from gauge("price_stale_after_seconds", "Age from which prices count as stale.", status.stale_after_s)
    text = "Age from which forecasts count as stale."
    yield from gauge("forecast_stale_after_seconds", text, status.forecast_stale_after_s)


def _disk(settings: Settings) -> Iterable[Metric]:
    """Space on the disk of the data folder, which the first start makes."""
    if settings.data_dir.exists():
        usage = shutil.disk_usage(settings.data_dir)
        yield from gauge("disk_free_bytes", "Free space on the disk of the data folder.", usage.free)
        yield from gauge("disk_size_bytes", "Size of the disk of the data folder.", usage.total)


def _coins(readers: Readers) -> Iterable[Metric]:
    prices = readers.latest_prices()
    yield from gauge("coins", "Coins that are collected.", len(readers.coins()))
    yield from gauge("coins_with_price", "Collected coins with a stored price.", len(prices))
    ages_s = (now_ms() - np.array([price.ts_ms for price in prices.values()], dtype=np.float64)) / 1000
    text = "Age of the newest price of each coin: the oldest and the median."
    yield from gauges("coin_price_age_seconds", text, "statistic", spread(ages_s, worst_is_high=True))
    yield from gauge("coins_with_forecast", "Coins in the newest publication of forecasts.", len(readers.forecasts()))


def _accuracy(readers: Readers) -> Iterable[Metric]:
    days = {str(minutes): day for minutes, day in last_day(readers).items()}
    counts = {minutes: day.forecasts for minutes, day in days.items()}
    text = "Live forecasts of the last day whose outcome is known."
    yield from gauges("day_scored_forecasts", text, "horizon_minutes", counts)
    shares = {(minutes, str(percent)): part for minutes, day in days.items() for percent, part in day.coverage.items()}
    text = "Share of the outcomes of the last day inside the central interval, 0 to 1."
    yield from gauges("day_coverage", text, "horizon_minutes interval_percent", shares)
    losses = {minutes: day.relative_pinball for minutes, day in days.items()}
    text = "Pinball loss of the last day over that of 'the price stays', mean over the coins."
    yield from gauges("day_relative_pinball_loss", text, "horizon_minutes", losses)
    skills = {minutes: day.skill for minutes, day in days.items()}
    yield from gauges("day_skill", "1 minus the relative pinball loss of the last day.", "horizon_minutes", skills)
    if headline := days.get(str(_HEADLINE_MIN)):
        coverage = spread(headline.coverage_80_by_coin, worst_is_high=False)
        text = "Coverage of each coin's 80 % interval one hour ahead over the last day: the lowest and the median."
        yield from gauges("day_coin_coverage_80", text, "statistic", coverage)
        text = "Skill of each coin's forecasts one hour ahead over the last day: the lowest and the median."
        yield from gauges("day_coin_skill", text, "statistic", spread(headline.skill_by_coin, worst_is_high=False))


def _files(readers: Readers) -> Iterable[Metric]:
    files = readers.files()
    sizes = {info.name: info.size_bytes for info in files}
    yield from gauges("stored_bytes", "Size on disk of the price store and each published table.", "table", sizes)
    rows = {info.name: info.rows for info in files}
    yield from gauges("stored_rows", "Rows of the price store and each published table.", "table", rows)
