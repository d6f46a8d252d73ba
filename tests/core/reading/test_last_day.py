"""Scores of the last day, against sums over plain rows."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from core.accuracy.scores import SCORE_SCHEMA, STABLE_MOVE
from core.reading.last_day import last_day
from core.reading.readers import Readers
from core.times import DAY_MS, HOUR_MS, to_datetime
from tests.support.workspace import SampleWorkspace, score_rows


def random_scores(newest_ms: int, hours: int) -> list[dict[str, Any]]:
    """Scores of three coins, of which the last one hardly moves, over the hours up to `newest_ms`."""
    chance = random.Random(5)
    rows = [row for coin in ("bitcoin", "ethereum") for row in score_rows(coin, newest_ms - hours * HOUR_MS, hours + 1)]
    for row in rows:
        row |= {"n": chance.randint(1, 12), "pinball": chance.uniform(0.01, 0.03), "inside_80": chance.randint(0, 1)}
    stable = score_rows("tether", newest_ms - hours * HOUR_MS, hours + 1)
    return rows + [row | {"abs_error_naive": 0.1 * STABLE_MOVE, "inside_80": 12} for row in stable]


def publish(sample: SampleWorkspace, rows: list[dict[str, Any]], newest_ms: int) -> None:
    """Publish the scores in two parts of which the first holds the older hours."""
    middle = to_datetime(newest_ms - 20 * HOUR_MS)
    for part in ([row for row in rows if row["hour"] < middle], [row for row in rows if row["hour"] >= middle]):
        times = [round(row["hour"].timestamp() * 1000) for row in part]
        table = pa.Table.from_pylist(part, SCORE_SCHEMA)
        sample.publisher.publish(appended={"scores": (min(times), max(times), table)})


def test_the_scores_are_those_of_the_newest_24_hours(sample: SampleWorkspace, readers: Readers) -> None:
    """Coverage is of all forecasts, skill the mean over the coins; a stable coin and older hours do not count."""
    newest_ms = sample.now // HOUR_MS * HOUR_MS
    rows = random_scores(newest_ms, 40)
    publish(sample, rows, newest_ms)
    since = to_datetime(newest_ms - DAY_MS)
    kept = [row for row in rows if row["horizon_min"] == 60 and row["hour"] > since and row["coin"] != "tether"]
    assert len(kept) == 2 * 24
    losses = {
        coin: sum(row["pinball"] for row in kept if row["coin"] == coin)
        / sum(row["pinball_naive"] for row in kept if row["coin"] == coin)
        for coin in ("bitcoin", "ethereum")
    }
    found = last_day(readers)[60]
    forecasts = sum(row["n"] for row in kept)
    assert found.forecasts == forecasts
    assert found.coverage[80] == pytest.approx(sum(row["inside_80"] for row in kept) / forecasts)
    assert found.relative_pinball == pytest.approx(sum(losses.values()) / 2)
    assert found.skill == pytest.approx(1 - sum(losses.values()) / 2)
    assert sorted(found.skill_by_coin) == pytest.approx(sorted(1 - loss for loss in losses.values()))
    assert len(found.coverage_80_by_coin) == 2


def test_without_scores_there_is_nothing_to_say(sample: SampleWorkspace, readers: Readers) -> None:
    """Before the first publication, and before the first outcome, no horizon has a score."""
    assert last_day(readers) == {}
    sample.fill_prices(hours=0.1)
    sample.publish_forecasts()
    assert last_day(readers) == {}
