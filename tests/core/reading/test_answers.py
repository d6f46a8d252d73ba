"""What answers read: the log row of an hour ago, past half-hours, and outlooks that are computed once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from core.forecast_schema import FORECAST_SCHEMA, SCALED_HOURS_SCHEMA, SCALED_MOVE_COLUMNS
from core.publishing.parquet import sorted_by
from core.reading.answers import hours_ahead, level_chance, outlook
from core.reading.readers import Readers
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime
from tests.support.workspace import COINS, SampleWorkspace, forecast_rows


def _log(sample: SampleWorkspace, coin: str, **prices: int) -> None:
    """Log forecasts whose price at the origin is the number in the name, at these origins."""
    for name, origin in prices.items():
        rows = forecast_rows(coin, origin, float(name.removeprefix("at_")), "demo")
        sample.publisher.publish(appended={"log": (origin, origin, pa.Table.from_pylist(rows, FORECAST_SCHEMA))})


def _hours(sample: SampleWorkspace, *rows: tuple[str, int, float]) -> None:
    values = [
        {"coin": coin, "origin": to_datetime(origin), **dict.fromkeys(SCALED_MOVE_COLUMNS, move)}
        for coin, origin, move in rows
    ]
    times = [origin for _, origin, _ in rows]
    table = pa.Table.from_pylist(values, SCALED_HOURS_SCHEMA)
    sample.publisher.publish(appended={"scaled_hours": (min(times), max(times), table)})


def test_the_logged_forecast_nearest_to_a_moment_is_found(sample: SampleWorkspace, readers: Readers) -> None:
    """Of several rows the nearest one counts, of the coin asked for, also after the parts were merged."""
    moment = sample.now // DAY_MS * DAY_MS - 12 * HOUR_MS
    _log(sample, "bitcoin", at_10=moment - 4 * MINUTE_MS, at_20=moment + MINUTE_MS, at_30=moment + 2 * MINUTE_MS)
    _log(sample, "ethereum", at_40=moment)
    for _ in range(2):
        found = readers.logged_distribution("bitcoin", moment)
        assert found is not None
        assert found.price_origin == 20.0
        assert found.quantile(0.5) == pytest.approx(20.0)
        while sample.publisher.compact("log", sample.now + DAY_MS, sorted_by("coin", "origin", "horizon_min")):
            pass
    assert {part.level for part in sample.publisher.manifest.parts["log"]} == {"day"}


def test_a_logged_forecast_far_from_the_moment_does_not_count(sample: SampleWorkspace, readers: Readers) -> None:
    """Five minutes off still counts, a millisecond more does not."""
    sample.publish_forecasts()
    assert readers.logged_distribution("bitcoin", sample.now) is None
    _log(sample, "bitcoin", at_10=sample.now - HOUR_MS)
    assert readers.logged_distribution("bitcoin", sample.now - HOUR_MS + 5 * MINUTE_MS) is not None
    assert readers.logged_distribution("bitcoin", sample.now - HOUR_MS + 5 * MINUTE_MS + 1) is None


def test_half_hours_are_grouped_by_coin_and_limited_to_two_weeks(sample: SampleWorkspace, readers: Readers) -> None:
    """Parts are joined, origins are in order, and what is older than 14 days before the newest is left out."""
    sample.publish_forecasts()
    assert readers.scaled_hours() == {}
    newest = sample.now // DAY_MS * DAY_MS
    old, oldest = newest - 14 * DAY_MS - 1, newest - 14 * DAY_MS
    _hours(sample, ("ethereum", old, 9.0), ("bitcoin", oldest, 1.0), ("bitcoin", old, 9.0))
    _hours(sample, ("ethereum", newest, 4.0), ("bitcoin", newest, 3.0), ("bitcoin", newest - HOUR_MS, 2.0))
    found = readers.scaled_hours()
    assert found["bitcoin"].origins_ms.tolist() == [oldest, newest - HOUR_MS, newest]
    np.testing.assert_array_equal(found["bitcoin"].moves, np.repeat([[1.0], [2.0], [3.0]], 12, axis=1))
    assert found["ethereum"].origins_ms.tolist() == [newest]
    assert readers.scaled_hours() is found


def test_the_next_hours_of_all_coins_are_those_of_their_outlooks(sample: SampleWorkspace, readers: Readers) -> None:
    """What is taken from whole columns is what the outlook of each coin says, unknown activity included."""
    known, unknown = (forecast_rows(coin, sample.now, 10.0, "demo") for coin in ("bitcoin", "ethereum"))
    rows = [*known, *({**row, "activity_percentile": None} for row in unknown)]
    sample.publisher.publish({"latest": pa.Table.from_pylist(rows, FORECAST_SCHEMA)})
    hours = hours_ahead(readers)
    assert list(hours) == ["bitcoin", "ethereum"]
    for coin, hour in hours.items():
        wanted = outlook(readers, coin)
        assert hour.expected_move == pytest.approx(wanted.expected_move, rel=1e-12)
        assert (hour.price_origin, hour.low_80, hour.high_80, hour.activity_percentile, hour.regime) == (
            wanted.view.price_origin,
            wanted.step.quantiles["q10"],
            wanted.step.quantiles["q90"],
            wanted.activity_percentile,
            wanted.regime,
        )


def test_an_outlook_is_computed_once_for_each_publication(sample: SampleWorkspace, readers: Readers) -> None:
    """The same publication gives the same object, the next one a new outlook with the new origin."""
    sample.fill()
    first = outlook(readers, "bitcoin")
    assert outlook(readers, "bitcoin") is first
    sample.publish_forecasts(sample.now + 1000)
    assert outlook(readers, "bitcoin").view.origin_ms == sample.now + 1000


def test_a_level_is_touched_at_least_as_probably_as_ended_beyond(sample: SampleWorkspace, readers: Readers) -> None:
    """Where the published reach is too small, touching is as probable as ending beyond; both sides are served."""
    sample.fill_prices(1)
    rows = forecast_rows(COINS[0].id, sample.now, 100.0, "demo")
    small = {column: value / 100 for column, value in rows[-1].items() if column.startswith("reach")}
    sample.publisher.publish({"latest": pa.Table.from_pylist([{**row, **small} for row in rows], FORECAST_SCHEMA)})
    view = readers.forecast("bitcoin")
    above, below = level_chance(view, 100.3, 60), level_chance(view, 99.7, 60)
    assert above.touch == above.above > 0.1
    assert below.touch == below.below > 0.1
