"""The local market server's charts have CoinGecko's granularities and disorders, and true prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests

from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket

NOW_MS = 1_790_000_123_456
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    """Two coins."""
    return SimulatedMarket(coins_wanted("bitcoin,ethereum"), 0)


@pytest.fixture(scope="module")
def server(market: SimulatedMarket) -> Iterator[MarketServer]:
    """A server whose clock stands still."""
    with MarketServer(market, clock=lambda: NOW_MS) as running:
        yield running


def get(server: MarketServer, path: str, **query: object) -> Any:
    """The JSON of a 200."""
    answer = requests.get(server.url + path, params={name: str(value) for name, value in query.items()}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def chart(server: MarketServer, **query: object) -> np.ndarray[Any, Any]:
    """Times and prices of a chart; its three arrays must go together."""
    answer = get(server, "/coins/ethereum/market_chart", vs_currency="usd", **query)
    assert answer.keys() == {"prices", "market_caps", "total_volumes"}
    times = [[row[0] for row in rows] for rows in answer.values()]
    assert times[0] == times[1] == times[2]
    return np.array(answer["prices"])


def test_one_day_comes_in_five_minutes_with_jitter(server: MarketServer, market: SimulatedMarket) -> None:
    """About 288 rows of true prices, off the grid by some seconds, the same when asked again later."""
    rows = chart(server, days=1)
    gaps = np.diff(rows[:-2, 0]) / 1000
    assert 286 <= len(rows) <= 290
    assert 295 < np.median(gaps) < 305
    assert 120 < gaps.min() < 290
    assert 310 < gaps.max() < 540
    truth = [price_at(market, "ethereum", int(ts_ms)) for ts_ms in rows[:, 0]]
    assert rows[:, 1].tolist() == truth
    assert NOW_MS - 1000 < rows[-1, 0] <= NOW_MS
    assert rows[-1, 0] % 1000 == 0
    with MarketServer(market, clock=lambda: NOW_MS + 3_600_000) as later:
        again = chart(later, days=1)
    shared = set(map(tuple, rows[:-2])) & set(map(tuple, again))
    assert len(shared) >= 273


@pytest.mark.parametrize(("days", "gap_s", "count"), [(2, 3600, 48), (14, 3600, 336), (90, 3600, 336)])
def test_longer_charts_come_in_hours_as_far_as_history_goes(
    server: MarketServer, days: int, gap_s: int, count: int
) -> None:
    """From two days on a row an hour; there are 14 days."""
    rows = chart(server, days=days)
    assert abs(len(rows) - count) <= 3
    assert np.median(np.diff(rows[:, 0])) / 1000 == pytest.approx(gap_s, rel=0.02)


@pytest.mark.parametrize("query", [{"days": "91"}, {"days": "365"}])
def test_daily_rows_lie_on_midnight_except_the_last(server: MarketServer, query: dict[str, str]) -> None:
    """Beyond 90 days a row a day and one of now."""
    rows = chart(server, **query)
    assert (rows[:14, 0] % DAY_MS == 0).all()
    assert rows[-1, 0] % DAY_MS != 0
    assert 15 <= len(rows) <= 16


def test_the_tail_is_sometimes_twice_and_backwards(market: SimulatedMarket) -> None:
    """Now and then the last two rows have one price, and the later row is the earlier in time."""
    now = [NOW_MS]
    backwards = 0
    with MarketServer(market, clock=lambda: now[0]) as server:
        for _ in range(40):
            now[0] += 60_000
            rows = chart(server, days=1)
            if rows[-1, 0] < rows[-2, 0]:
                backwards += 1
                assert rows[-1, 1] == rows[-2, 1]
    assert 2 <= backwards <= 25
