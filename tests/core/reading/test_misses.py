"""The worst misses, from published scores and the log."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from core.accuracy.scores import SCORE_SCHEMA
from core.reading.misses import distance_outside, worst_hours, worst_misses
from core.reading.readers import Readers
from core.reading.values import LoggedForecast
from core.times import HOUR_MS
from tests.support.workspace import SampleWorkspace


def score_row(coin: str, hour: int, winkler: float, horizon: int = 60) -> dict[str, object]:
    """A cell whose 80 % intervals are 0.1 wide together."""
    return {"coin": coin, "hour": hour * HOUR_MS, "horizon_min": horizon, "width_80": 0.1, "winkler_80": winkler}


def test_hours_are_ranked_by_how_far_their_outcomes_fell_outside() -> None:
    """The largest excess over the width comes first; other horizons and hours without a miss do not count."""
    rows = [
        score_row("a", 1, 0.3), score_row("b", 2, 0.9), score_row("c", 3, 0.1), score_row("d", 4, 5.0, horizon=5),
    ]  # fmt: skip
    found = worst_hours(pa.Table.from_pylist(rows, SCORE_SCHEMA), 3)
    assert [(coin, start_ms) for _, coin, start_ms in found] == [("b", 2 * HOUR_MS), ("a", HOUR_MS)]
    assert [excess for excess, _, _ in found] == pytest.approx([8.0, 2.0])


@pytest.mark.parametrize(("actual", "distance"), [(100.0, 0.0), (103.0, 1.0), (98.0, 0.5), (None, 0.0)])
def test_the_distance_is_in_widths_of_the_range(actual: float | None, distance: float) -> None:
    """Inside or unknown it is 0."""
    assert distance_outside(LoggedForecast("a", 0, HOUR_MS, 100.0, 100.0, 99.0, 101.0, actual)) == distance


def test_the_worst_forecast_of_the_worst_hours_is_found(tmp_path: Path) -> None:
    """Prices that swing by 1 % leave ranges of half a percent: each coin is named once, with a real miss."""
    workspace = SampleWorkspace.make(tmp_path)
    workspace.fill_prices()
    workspace.publish_log(5)
    workspace.publish_scores(6)
    readers = Readers(workspace.settings)
    misses = worst_misses(readers, None, 4)
    coins = [miss.coin_id for miss in misses]
    assert misses
    assert len(set(coins)) == len(coins)
    assert all(distance_outside(miss) > 0 for miss in misses)
    assert {miss.coin_id for miss in worst_misses(readers, "bitcoin", 4)} <= {"bitcoin"}
    readers.close()
    workspace.close()
