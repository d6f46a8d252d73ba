"""A recording is played on from now: moments shifted, prices untouched, the same after a restart."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests

from core.errors import BadInput
from etl.local_market.cadence import LiveCadence
from etl.local_market.market import price_at
from etl.local_market.replay import ReplayMarket, largest
from etl.local_market.server import MarketServer
from etl.recordings.recording import Recording, Series, read_recording
from tests.support.refusals import refusal

START_MS = 1_680_300_000_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
EPOCH_MS = 1_790_000_123_456
Row = tuple[int, str, float]


def walk(coin: str, minutes: int = 3000, first_ms: int = START_MS) -> list[Row]:
    """A row a minute: moment, coin, price."""
    steps = np.random.default_rng(len(coin)).normal(0, 1e-3, minutes)
    prices = 100 * len(coin) * np.exp(np.cumsum(steps))
    return [(first_ms + MINUTE_MS * number, coin, float(price)) for number, price in enumerate(prices)]


@pytest.fixture
def rows() -> list[Row]:
    """Two coins; the second begins an hour later."""
    return [*walk("bitcoin"), *walk("ethereum", first_ms=START_MS + 60 * MINUTE_MS)]


def recorded(rows: list[Row]) -> Recording:
    """A recording of these rows, without volumes."""
    series = {}
    for coin_id in dict.fromkeys(coin for _, coin, _ in rows):
        own = [(ts_ms, price) for ts_ms, coin, price in rows if coin == coin_id]
        ts_ms, price = zip(*own, strict=True)
        series[coin_id] = Series(np.array(ts_ms), np.array(price), np.full(len(own), np.nan))
    return Recording(series, sha256="0" * 64, name="test")


def test_recorded_moments_are_shifted_to_now(rows: list[Row]) -> None:
    """At the epoch the start of playing is shown, an hour later what was recorded an hour later."""
    recording = recorded(rows)
    market = ReplayMarket(recording, EPOCH_MS)
    truth = {(coin, ms): price for ms, coin, price in rows}
    for minutes in (-600, 0, 1, 90):
        shown_ms = EPOCH_MS + minutes * MINUTE_MS
        for coin in ("bitcoin", "ethereum"):
            assert price_at(market, coin, shown_ms) == truth[coin, recording.play_start + minutes * MINUTE_MS]


def test_between_rows_the_earlier_one_holds_with_its_own_moment(rows: list[Row]) -> None:
    """59 seconds after a row its price is in force, and its event time is the row's."""
    market = ReplayMarket(recorded(rows), EPOCH_MS)
    times = EPOCH_MS + np.array([0, 59_999, 60_000])
    events = market.event_times(np.zeros(3, np.int64), times)
    assert (events - EPOCH_MS).tolist() == [0, 0, 60_000]
    prices = market.prices(np.zeros(3, np.int64), times)
    assert prices[0] == prices[1] != prices[2]


def test_after_the_end_prices_stand_still_and_before_the_start_there_are_none(rows: list[Row]) -> None:
    """The last event time stays; what was not recorded is NaN; the end can be asked for."""
    recording = recorded(rows)
    market = ReplayMarket(recording, EPOCH_MS)
    end_ms = EPOCH_MS + recording.end - recording.play_start
    assert market.ends_ms == market.describe()["replay_ends_ms"] == end_ms
    late = np.array([end_ms, end_ms + DAY_MS])
    assert market.event_times(np.ones(2, np.int64), late).tolist() == [end_ms, end_ms]
    assert np.isnan(price_at(market, "bitcoin", market.history_start_ms(0, EPOCH_MS) - 1))
    assert price_at(market, "bitcoin", market.history_start_ms(0, EPOCH_MS)) == recording.series["bitcoin"].price[0]


def test_a_restart_with_the_same_epoch_continues(rows: list[Row]) -> None:
    """Read again an hour later, the same file and epoch give the same prices at the same times."""
    first, second = (ReplayMarket(recorded(rows), EPOCH_MS) for _ in range(2))
    times = EPOCH_MS + MINUTE_MS * np.arange(-100, 100)
    all_rows = np.tile([0, 1], 100)
    assert first.prices(all_rows, times).tolist() == second.prices(all_rows, times).tolist()
    assert first.describe() == second.describe()


def test_the_start_can_be_chosen_but_not_outside(rows: list[Row]) -> None:
    """--replay-start decides what is shown at the epoch."""
    recording = recorded(rows)
    market = ReplayMarket(recording, EPOCH_MS, START_MS + 2 * 3_600_000)
    assert price_at(market, "bitcoin", EPOCH_MS) == recording.series["bitcoin"].price[120]
    for outside in (START_MS - 1, recording.end):
        with refusal(BadInput, match="fora da gravação"):
            ReplayMarket(recording, EPOCH_MS, outside)


def test_coins_can_be_chosen_and_one_that_was_not_recorded_is_named(rows: list[Row]) -> None:
    """With one coin alone its own day of history counts."""
    recording = recorded(rows)
    assert recording.only(["bitcoin"]).play_start == START_MS + DAY_MS
    with refusal(BadInput, match=r"'solana'.*bitcoin, ethereum"):
        recording.only(["solana"])


def test_a_currency_without_a_rate_cannot_be_played(rows: list[Row]) -> None:
    """The message names the file and the currency."""
    with refusal(BadInput, match="test: moeda de cotação desconhecida: 'xxx'"):
        ReplayMarket(replace(recorded(rows), currency="xxx"), EPOCH_MS)


def test_the_largest_coins_of_a_recording_can_be_chosen(rows: list[Row]) -> None:
    """By typical rank, and all where there are fewer than asked for; a coin nobody knows is small at any price."""
    recording = recorded([*rows, *walk("a-coin-nobody-knows")])
    assert list(largest(recording, 2).series) == ["bitcoin", "ethereum"]
    assert len(largest(recording, 9).series) == 3
    market = ReplayMarket(recording, EPOCH_MS)
    with MarketServer(market, clock=lambda: EPOCH_MS) as server:
        page = requests.get(f"{server.url}/coins/markets?vs_currency=usd", timeout=10).json()
    assert [row["id"] for row in page] == ["bitcoin", "ethereum", "a-coin-nobody-knows"]


def test_before_the_first_row_everything_is_null(rows: list[Row]) -> None:
    """A coin without a price yet has its row, with nulls, and no sparkline and chart."""
    recording = recorded(rows)
    market = ReplayMarket(recording, EPOCH_MS)
    early_ms = market.history_start_ms(1, EPOCH_MS) - 1
    with MarketServer(market, clock=lambda: early_ms) as server:
        page = requests.get(f"{server.url}/coins/markets?vs_currency=usd&sparkline=true", timeout=10).json()
        chart = requests.get(f"{server.url}/coins/ethereum/market_chart?vs_currency=usd&days=1", timeout=10).json()
    row = next(row for row in page if row["id"] == "ethereum")
    for name in ("current_price", "market_cap", "market_cap_rank", "high_24h", "price_change_24h", "last_updated"):
        assert row[name] is None
    assert row["sparkline_in_7d"] == {"price": []}
    assert chart == {"prices": [], "market_caps": [], "total_volumes": []}


def test_a_recording_shorter_than_a_day_needs_a_chosen_start() -> None:
    """Without 24 hours of history the message names the coin and the ways out."""
    recording = recorded(walk("bitcoin", minutes=600))
    with refusal(BadInput, match=r"'bitcoin'.*--replay-start"):
        _ = recording.play_start
    assert (
        price_at(ReplayMarket(recording, EPOCH_MS, START_MS), "bitcoin", EPOCH_MS)
        == recording.series["bitcoin"].price[0]
    )


def test_a_replay_is_served_like_any_market(rows: list[Row]) -> None:
    """The page shows the row in force, the chart its own event times; the description says what is played."""
    recording = recorded(rows)
    market = ReplayMarket(recording, EPOCH_MS)
    with MarketServer(market, clock=lambda: EPOCH_MS + 30_000) as server:
        page = requests.get(f"{server.url}/coins/markets?vs_currency=usd&precision=full&sparkline=true", timeout=10)
        chart = requests.get(f"{server.url}/coins/bitcoin/market_chart?vs_currency=usd&days=1", timeout=10).json()
    prices = {row["id"]: row["current_price"] for row in page.json()}
    assert prices == {coin: price_at(market, coin, EPOCH_MS) for coin in ("bitcoin", "ethereum")}
    assert 24 <= len(page.json()[0]["sparkline_in_7d"]["price"]) <= 26
    assert 286 <= len(chart["prices"]) <= 290
    for ts_ms, price in chart["prices"]:
        assert (ts_ms - EPOCH_MS) % MINUTE_MS == 0
        assert price == price_at(market, "bitcoin", ts_ms)
    played = market.describe()
    assert played["offset_ms"] == EPOCH_MS - recording.play_start
    assert (played["source"], played["hash"]) == ("replay", recording.sha256)


def test_gaps_of_a_recording_stay_gaps() -> None:
    """Where nothing was recorded a chart has no rows, and no row twice."""
    rows = walk("bitcoin")
    market = ReplayMarket(recorded([*rows[:1000], *rows[1300:]]), EPOCH_MS, rows[1440][0])
    with MarketServer(market, clock=lambda: EPOCH_MS) as server:
        chart = requests.get(f"{server.url}/coins/bitcoin/market_chart?vs_currency=usd&days=1", timeout=10).json()
    times = np.array([ts_ms for ts_ms, _ in chart["prices"]])
    assert len(np.unique(times)) == len(times)
    assert 297 <= np.diff(times).max() / MINUTE_MS <= 306


def test_a_replay_at_the_live_cadence_shows_true_rows(rows: list[Row]) -> None:
    """The event time is that of a recorded row, and the price is that row's."""
    market = ReplayMarket(recorded(rows), EPOCH_MS)
    live = LiveCadence(market)
    times = EPOCH_MS + 7_000 * np.arange(200)
    events = live.event_times(np.zeros(200, np.int64), times)
    assert ((events - EPOCH_MS) % MINUTE_MS == 0).all()
    assert live.prices(np.zeros(200, np.int64), times).tolist() == [
        price_at(market, "bitcoin", int(ts_ms)) for ts_ms in events
    ]


def test_a_real_recording_is_played() -> None:
    """The month of minutes that tests may find: every coin has a price at the epoch and a day of history."""
    folder = os.environ.get("CRYPTO_TEST_DATA")
    path = Path(folder or "") / "spot_1m_2023-04.parquet"
    if not folder or not path.exists():
        pytest.skip("CRYPTO_TEST_DATA names no folder with recordings")
    recording = read_recording(path)
    market = ReplayMarket(recording, EPOCH_MS)
    everyone = np.arange(len(market.coins))
    assert np.isfinite(market.prices(everyone, np.full(len(everyone), EPOCH_MS))).all()
    assert np.isfinite(market.prices(everyone, np.full(len(everyone), EPOCH_MS - DAY_MS))).all()
