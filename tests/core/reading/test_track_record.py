"""Past forecasts of a coin, live and from the backtest, and how many of their ranges held."""

from __future__ import annotations

import pyarrow as pa
import pytest

from core.forecast_schema import FORECAST_SCHEMA, LOGGED_COLUMNS
from core.reading.readers import Readers
from core.reading.track_record import RangeCount, count_inside, past_forecasts, record_of_week
from core.reading.values import LoggedForecast
from core.times import DAY_MS, HOUR_MS, to_datetime
from tests.support.workspace import SampleWorkspace


def publish_backtest_forecasts(sample: SampleWorkspace, hours: int) -> None:
    """A forecast of bitcoin an hour, whose range is 1 % to either side."""
    rows = []
    for hour in range(1, hours + 1):
        origin_ms = sample.now - hour * HOUR_MS
        price = sample.price(sample.coins[0], origin_ms)
        rows.append(
            {"coin": "bitcoin", "origin": to_datetime(origin_ms), "horizon_min": 60, "price_origin": price,
             "mean": price, "q10": 0.99 * price, "q90": 1.01 * price}
        )  # fmt: skip
    schema = pa.schema([FORECAST_SCHEMA.field(name) for name in LOGGED_COLUMNS])
    sample.publisher.publish({"backtest_forecasts": pa.Table.from_pylist(rows, schema)})


def test_the_backtest_ends_where_live_forecasts_begin(sample: SampleWorkspace, readers: Readers) -> None:
    """Three hours of the log are live; older hours of the window come from the backtest; both are in order of time."""
    sample.fill_prices()
    sample.publish_log(3)
    publish_backtest_forecasts(sample, 12)
    past = past_forecasts(readers, "bitcoin", sample.now - 10 * HOUR_MS, sample.now)
    assert past.live[0].origin_ms > past.backtest[-1].origin_ms
    for rows in (past.live, past.backtest):
        assert [row.origin_ms for row in rows] == sorted(row.origin_ms for row in rows)
        assert all(sample.now - 10 * HOUR_MS <= row.target_ms <= sample.now for row in rows)
        assert all(row.actual is not None for row in rows)


def test_without_a_log_everything_comes_from_the_backtest(sample: SampleWorkspace, readers: Readers) -> None:
    """On the first day only the backtest knows; a coin outside it and an empty workspace have nothing."""
    assert past_forecasts(readers, "bitcoin", 0, DAY_MS) == past_forecasts(readers, "nothing", 0, DAY_MS)
    sample.fill_prices()
    publish_backtest_forecasts(sample, 6)
    live, backtest = record_of_week(readers, "bitcoin", sample.now)
    assert live == RangeCount(0, 0)
    assert 4 <= backtest.known <= 6
    assert record_of_week(readers, "ethereum", sample.now)[1].share is None


def test_ranges_count_with_their_ends_and_unknown_outcomes_do_not() -> None:
    """A price on the edge is inside; a forecast that is not due yet is not counted."""
    rows = [LoggedForecast("a", 0, HOUR_MS, 100.0, 100.0, 99.0, 101.0, actual) for actual in (99.0, 101.5, 100.0, None)]
    count = count_inside(rows)
    assert (count.inside, count.known) == (2, 3)
    assert count.share == pytest.approx(2 / 3)
