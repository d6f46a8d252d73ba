"""What is new since a moment is read from what is stored: all of it, once, or the answer says that some is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.price_store import Price, open_writer
from core.reading.changes import Moment, moment, new_outcomes, new_prices, new_publications, published_forecasts
from core.reading.readers import Readers
from core.times import GRID_STEP_MS, MINUTE_MS
from tests.support.workspace import SampleWorkspace


@pytest.fixture
def world(tmp_path: Path) -> SampleWorkspace:
    """A filled workspace whose newest prices are ten minutes old."""
    return SampleWorkspace.settled(tmp_path)


def test_an_empty_workspace_has_the_first_moment(tmp_path: Path) -> None:
    """Before the first price and the first forecast both numbers are 0."""
    assert moment(Readers(SampleWorkspace.make(tmp_path).settings)) == Moment(0, 0)


def test_prices_are_told_once_and_a_back_fill_is_no_news(world: SampleWorkspace) -> None:
    """Of two polls and a back-fill in between the prices of the polls are new, each in one of two adjoining spans."""
    readers = Readers(world.settings)
    start = moment(readers)
    spans, told = [start], []
    for minute in (3, 6):
        with open_writer(world.workspace.database) as writer:
            polled_ms = world.now + minute * MINUTE_MS
            writer.store([Price("bitcoin", polled_ms, 1.0, fetched_ms=polled_ms + 5_000)])
            writer.store([Price("bitcoin", polled_ms - MINUTE_MS, 2.0, fetched_ms=polled_ms + 9_000)])
        spans.append(moment(readers))
        found = new_prices(readers, "bitcoin", spans[-2].fetched_ms, spans[-1].fetched_ms)
        assert found is not None
        told += found.rows["time"].to_pylist()
    assert [round(time.timestamp() * 1000) - world.now for time in told] == [3 * MINUTE_MS, 6 * MINUTE_MS]
    assert found is not None
    assert found.before_ms == world.now + 3 * MINUTE_MS


def test_more_prices_than_can_be_told_are_none(world: SampleWorkspace) -> None:
    """A day of prices of every minute is within the limit, two days are not."""
    readers = Readers(world.settings)
    assert new_prices(readers, "bitcoin", world.now - 24 * 60 * MINUTE_MS, world.now + MINUTE_MS) is not None
    world.now -= 26 * 60 * MINUTE_MS
    world.fill_prices()
    assert new_prices(readers, "bitcoin", 0, 2**62) is None


def test_outcomes_come_with_the_first_price_after_their_hour(world: SampleWorkspace) -> None:
    """A price five minutes after the newest settles the forecast of an hour before it, and only that one."""
    readers = Readers(world.settings)
    start = moment(readers)
    with open_writer(world.workspace.database) as writer:
        ts_ms = world.now + GRID_STEP_MS
        writer.store([Price("bitcoin", ts_ms, 1.0, fetched_ms=ts_ms + 2_000)])
    found = new_prices(readers, "bitcoin", start.fetched_ms, ts_ms + 2_000)
    assert found is not None
    outcomes = new_outcomes(readers, {"bitcoin": found})
    assert [round(row["target"].timestamp() * 1000) for row in outcomes["bitcoin"].to_pylist()] == [ts_ms]
    assert outcomes["bitcoin"]["actual"].to_pylist() == [1.0]


def test_publications_are_told_while_the_last_known_one_is_still_there(world: SampleWorkspace) -> None:
    """All later ones in order; none can be told once the file of the last known one is gone."""
    readers, folder = Readers(world.settings), world.workspace.processed
    start = moment(readers).publication
    for _ in range(3):
        world.publish_forecasts()
    end = moment(readers).publication
    assert new_publications(folder, start, end) == [start + 1, start + 2, start + 3]
    assert new_publications(folder, end, end) == []
    assert set(published_forecasts(folder, start + 2).coins) == {coin.id for coin in world.coins}
    (folder / f"latest-{start:09d}.parquet").unlink()
    assert new_publications(folder, start, end) is None
