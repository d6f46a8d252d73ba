"""What the last run remembered in the price store: taken up, or, where it is garbage, said and done without."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.price_store import Coin, Price, open_writer
from core.settings import Settings
from core.times import now_ms
from core.workspace import open_workspace
from etl.coingecko.client import CoinGecko
from etl.collector.collector import Collector
from etl.collector.health_report import collector_progress

MakeSettings = Callable[..., Settings]

URL = "http://127.0.0.1:9/api/v3"
KEYS = ("budget", "universe", "held", "backfill", "thinned_to_ms", "price_count")
GARBAGE = (
    "",
    "not json",
    "null",
    "[]",
    "{}",
    "7",
    '"bitcoin"',
    "[null]",
    "[[1]]",
    '[["bitcoin", "x", {}, null, null, 0]]',
    '[["bitcoin", 1e999, NaN, null, null, 0]]',
    '{"count": 2, "ids": [1, null], "resolved_ms": 0}',
    '{"count": 2, "ids": 7, "resolved_ms": "ontem"}',
    '{"count": 2, "ids": ["a"], "resolved_ms": 1e999}',
    '{"month": "9999-99", "calls": 1, "recent_ms": [1e999], "blocked_until_ms": 1, "blocked_s": 1, "reason": ""}',
    '{"month": "zzz", "calls": 1, "recent_ms": [], "blocked_until_ms": 1, "blocked_s": 1, "reason": ""}',
    "[" * 100_000,
    "9" * 10_000,
    "\ud7ff\x00é",
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.sampled_from(
                ("count", "ids", "resolved_ms", "month", "calls", "recent_ms", "blocked_until_ms", "blocked_s")
            ),
            inner,
            max_size=8,
        )
    ),
    max_leaves=12,
)


def _start_on(settings: Settings, remembered: dict[str, str]) -> Collector:
    """A collector over a store in which this stands in the table `meta`; it has one price and takes its first turns."""
    path = open_workspace(settings).database
    with open_writer(path) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin")])
        writer.store([Price("bitcoin", now_ms() - 60_000, 100.0, fetched_ms=now_ms() - 60_000)])
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", remembered.items())
    connection.close()
    with open_writer(path) as writer:
        collector = Collector(settings, writer, CoinGecko(settings))
        collector_progress(collector)
        for _ in range(3):
            collector.turn()
        collector_progress(collector)
        assert writer.latest()["bitcoin"].price == 100.0
    return collector


@pytest.mark.parametrize("coins", ["bitcoin,ethereum", "top:2"])
@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_an_invalid_stored_state_does_not_stop_the_collector(
    collector_settings: MakeSettings, caplog: pytest.LogCaptureFixture, coins: str, text: str
) -> None:
    """With any text the collector starts and polls, and blocks itself for at most an hour."""
    with caplog.at_level(logging.WARNING):
        collector = _start_on(collector_settings(URL, coins=coins), dict.fromkeys(KEYS, text))
    assert collector.context.calls.budget.blocked_for_s <= 3600
    assert collector.polls.failures > 0, "it asked its source, which is not there"
    if text == "not json" and coins != "top:2":
        assert {key for key in KEYS if f"stored state of {key} cannot be read" in caplog.text} >= {"budget", "held"}
        assert "invalid end of the thinned prices" in caplog.text


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.fixed_dictionaries(dict.fromkeys(KEYS, _JSON)))
def test_stored_json_of_any_shape_does_not_stop_the_collector(
    collector_settings: MakeSettings, values: dict[str, object]
) -> None:
    """The same holds for random JSON."""
    _start_on(collector_settings(URL, coins="top:2"), {key: json.dumps(value) for key, value in values.items()})
