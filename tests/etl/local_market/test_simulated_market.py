"""The simulated market: a pure function of seed, coin and time that looks like a market and has nothing to exploit."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.arrays import FloatArray
from etl.local_market.coin_names import STABLECOINS, coin_named, coins_wanted, known_coins
from etl.local_market.market import price_at
from etl.local_market.noise import bridge
from etl.local_market.simulated import SimulatedMarket

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
STEP_MS = 300_000
COINS = ("bitcoin", "ethereum", "tether", "dogecoin", "chainlink", "leash")
MOMENTS = st.integers(min_value=-(10**13), max_value=10**13)


@functools.cache
def sample(seed: int, days: int = 90) -> FloatArray:
    """Log prices of COINS every five minutes, shape (coins, steps)."""
    market = SimulatedMarket(coins_wanted(",".join(COINS)), seed)
    times = NOW_MS // STEP_MS * STEP_MS + STEP_MS * np.arange(days * 288)
    rows = np.repeat(np.arange(len(COINS)), len(times))
    return np.log(market.prices(rows, np.tile(times, len(COINS)))).reshape(len(COINS), -1)


def correlation(values: FloatArray, lag: int) -> float:
    """Autocorrelation of a series at a lag."""
    return float(np.corrcoef(values[:-lag], values[lag:])[0, 1])


@given(ts_ms=MOMENTS, coin=st.sampled_from(COINS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_a_price_depends_on_seed_coin_and_time_alone(ts_ms: int, coin: str, seed: int) -> None:
    """A market of other coins, started again, gives the same price to the last bit, at any time at all."""
    many = SimulatedMarket(coins_wanted("top:40"), seed)
    few = SimulatedMarket((coin_named(coin),), seed)
    if coin in {c.id for c in many.coins}:
        assert price_at(many, coin, ts_ms) == price_at(few, coin, ts_ms)
    assert price_at(few, coin, ts_ms) == price_at(SimulatedMarket((coin_named(coin),), seed), coin, ts_ms)


@given(times=st.lists(MOMENTS, min_size=1, max_size=30), seed=st.integers(0, 50))
@settings(max_examples=20)
def test_the_order_of_questions_does_not_matter(times: list[int], seed: int) -> None:
    """Asked at once, one by one, or backwards, each moment has its one price."""
    market = SimulatedMarket(coins_wanted("bitcoin,tether,pepe"), seed)
    rows = np.arange(len(times)) % 3
    together = market.prices(rows, np.array(times))
    fresh = SimulatedMarket(market.coins, seed)
    backwards = [fresh.prices(rows[[i]], np.array([times[i]]))[0] for i in reversed(range(len(times)))]
    assert together.tolist() == backwards[::-1]


@given(ts_ms=MOMENTS, seed=st.integers(0, 50))
@settings(max_examples=20)
def test_prices_are_positive_finite_and_near_what_is_typical(ts_ms: int, seed: int) -> None:
    """In ten centuries no coin is worth nothing or everything."""
    market = SimulatedMarket(coins_wanted("top:300"), seed)
    ratio = market.prices(np.arange(300), np.full(300, ts_ms)) / np.array([coin.price_usd for coin in market.coins])
    assert np.isfinite(ratio).all()
    assert (ratio > 1e-3).all()
    assert (ratio < 1e3).all()


def test_other_seeds_are_other_markets() -> None:
    """Two seeds share no path."""
    changes = [np.diff(sample(seed, 30)[0]) for seed in (1, 2)]
    assert abs(np.corrcoef(changes)[0, 1]) < 0.05


@pytest.mark.parametrize("boundary_s", [60, 3600, 86_400, 512 * 86_400])
def test_paths_are_joined_without_a_seam(boundary_s: int) -> None:
    """Over the edge of a minute, an hour, a day and a block prices move as they do within a minute."""
    market = SimulatedMarket(coins_wanted("top:200"), 5)
    rows = np.flatnonzero([coin.id not in STABLECOINS for coin in market.coins])
    ratios = []
    for number in range(9):
        edge_ms = (NOW_MS // (boundary_s * 1000) - number) * boundary_s * 1000
        seconds = [np.full(len(rows), edge_ms + shift) for shift in (-1000, 0, 1000)]
        before, at, after = (np.log(market.prices(rows, times)) for times in seconds)
        ratios.append(np.median(np.abs(at - before)) / np.median(np.abs(after - at)))
    assert 0.2 < np.median(ratios) < 5


def test_five_minute_returns_have_the_size_of_real_ones() -> None:
    """Large coins move by 10 to 20 basis points in five minutes, small ones by more."""
    spread = np.diff(sample(3)).std(axis=1) * 1e4
    assert 10 < spread[0] < 22
    assert spread[0] < spread[5] < 80


@pytest.mark.parametrize("row", [0, 1, 3, 5])
def test_past_returns_say_nothing_about_the_next(row: int) -> None:
    """Over five minutes, an hour and six hours returns are uncorrelated with those before, and their mean is zero."""
    pooled: dict[int, list[float]] = {steps: [] for steps in (1, 12, 72)}
    for seed in range(4):
        path = sample(seed)[row]
        for steps, found in pooled.items():
            found.append(correlation(np.diff(path[::steps]), 1))
    assert abs(np.mean(pooled[1])) < 0.02
    assert abs(np.mean(pooled[12])) < 0.06
    assert abs(np.mean(pooled[72])) < 0.12
    hourly = np.concatenate([np.diff(sample(seed)[row][::12]) for seed in range(4)])
    assert abs(hourly.mean()) < 3 * hourly.std() / np.sqrt(len(hourly))


@pytest.mark.parametrize("row", [0, 3])
def test_variance_grows_with_the_horizon_as_in_a_random_walk(row: int) -> None:
    """The variance of an hour is twelve times, that of a day 288 times that of five minutes."""
    ratios: dict[int, list[float]] = {12: [], 288: []}
    for seed in range(4):
        path = sample(seed)[row]
        for steps, found in ratios.items():
            found.append(np.diff(path[::steps]).var() / np.diff(path).var() / steps)
    assert np.mean(ratios[12]) == pytest.approx(1.0, abs=0.1)
    assert np.mean(ratios[288]) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("row", [0, 1, 3, 5])
def test_volatility_clusters_and_tails_are_fat(row: int) -> None:
    """Large moves follow large moves for hours, and extreme ones are far commoner than normal."""
    change = np.diff(sample(7)[row])
    size = np.abs(change)
    assert correlation(size, 1) > 0.15
    assert correlation(size, 12) > 0.1
    assert correlation(size, 72) > 0.03
    assert np.mean((change / change.std()) ** 4) > 6


def test_the_day_has_a_rhythm() -> None:
    """The afternoon of Europe and America is busier than the small hours (UTC)."""
    hours = (NOW_MS // STEP_MS + 1 + np.arange(90 * 288 - 1)) // 12 % 24
    size = np.mean([np.abs(np.diff(sample(seed)[0])) for seed in range(4)], axis=0)
    assert size[np.isin(hours, (13, 14, 15, 16))].mean() > 1.2 * size[np.isin(hours, (2, 3, 4, 5))].mean()


def test_coins_share_a_common_factor() -> None:
    """Hourly returns of two coins go together, and not entirely."""
    hourly = np.diff(sample(3)[:, ::12])
    together = np.corrcoef(hourly[0], hourly[1])[0, 1]
    assert 0.4 < together < 0.97


def test_there_are_jumps() -> None:
    """Some single seconds move a coin by a thousand times what a second usually does."""
    market = SimulatedMarket(coins_wanted("dogecoin"), 1)
    times = NOW_MS + 60_000 * np.arange(60 * 24 * 30)
    minutes = np.abs(np.diff(np.log(market.prices(np.zeros(len(times), np.int64), times))))
    place = int(np.argmax(minutes))
    seconds = times[place] // 1000 * 1000 + 1000 * np.arange(61)
    change = np.abs(np.diff(np.log(market.prices(np.zeros(61, np.int64), seconds))))
    assert change.max() > 100 * np.median(change)


def test_a_stablecoin_stays_near_one_dollar_and_still_moves() -> None:
    """Tether never leaves 0.5 % around a dollar."""
    price = np.exp(sample(3)[COINS.index("tether")])
    assert np.abs(price - 1).max() < 5e-3
    assert np.unique(price).size > 0.9 * price.size


def test_prices_change_every_second_and_hold_within_it() -> None:
    """The price in force is that of the whole second before."""
    market = SimulatedMarket(coins_wanted("bitcoin,tether"), 0)
    times = np.array([0, 1, 999, 1000])[None, :] + NOW_MS + 1000 * np.arange(120)[:, None]
    for row in range(2):
        prices = market.prices(np.full(times.size, row), times.ravel()).reshape(times.shape)
        assert (prices[:, 0] == prices[:, 1]).all()
        assert (prices[:, 0] == prices[:, 2]).all()
        assert (prices[:, 0] != prices[:, 3]).all()
    assert market.event_times(np.array([0]), np.array([NOW_MS + 999])).tolist() == [NOW_MS]


def test_volumes_are_positive_and_vary() -> None:
    """The day's volume is never nothing and never the same."""
    market = SimulatedMarket(coins_wanted("bitcoin"), 0)
    times = NOW_MS + 3_600_000 * np.arange(200)
    volume = market.volumes(np.zeros(200, np.int64), times)
    assert (volume > 0).all()
    assert volume.std() > 0.05 * volume.mean()


def test_expensive_and_cheap_coins_have_their_real_names() -> None:
    """At least 250 coins, each with its own id, CoinGecko's symbol and a plausible price."""
    known = known_coins()
    assert len(known) >= 250
    assert (known["bitcoin"].symbol, known["bitcoin"].name) == ("btc", "Bitcoin")
    assert known["shiba-inu"].price_usd < 1e-3
    assert known["bitcoin"].price_usd > 1e4
    assert [coin.rank for coin in known.values()] == list(range(1, len(known) + 1))


def test_coins_beyond_the_table_are_obviously_synthetic() -> None:
    """`top:400` has 400 different coins; those beyond the table say what they are."""
    coins = coins_wanted("top:400")
    assert len({coin.id for coin in coins}) == 400
    assert coins[399].name == "Synthetic 0400"


def test_an_unknown_coin_gets_a_symbol_and_a_name() -> None:
    """Any well-formed id can be simulated."""
    [coin] = coins_wanted("some-new-coin")
    assert (coin.symbol, coin.name) == ("somenewcoin", "Some New Coin")


def test_a_bridge_keeps_its_ends() -> None:
    """Both ends are exact, and with two equal steps the middle is the mean of the ends plus the noise."""
    path = bridge(np.array([[1.0, 0.0]]), np.array([[4.0, 4.0]]), np.array([0.0]), np.array([10.0]))
    assert path.tolist() == [[0.0, 6.0, 10.0]]
