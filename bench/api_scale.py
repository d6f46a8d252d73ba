"""What answers about many coins weigh and cost: 250 coins, and the measured trust of 2,000."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from bench.figures import Figure
from bench.load import processor_s
from bench.requests import record
from bench.serving import Served, serve_api
from core.accuracy.scores import SCORE_SCHEMA, SCORE_SUMS
from core.forecast_schema import HORIZONS_MIN
from core.price_store import Coin
from core.settings import Source
from core.times import DAY_MS, HOUR_MS
from tests.support.workspace import SampleWorkspace

__all__ = ["scale_figures"]

_COINS: Final = 250
_MANY_COINS: Final = 2_000
_SCORE_HOURS: Final = 24
_TRUST_DAYS: Final = 7
_DAY_HOURS: Final = 24
_ROUNDS: Final = 3


def scale_figures(folder: Path) -> list[Figure]:
    """Fill and serve workspaces within the empty `folder`, and measure; bytes are those of the body as it is sent."""
    return [*_with_250(folder / "some"), *_with_2000(folder / "many")]


def _with_250(folder: Path) -> list[Figure]:
    """Bytes of all forecasts, and what /metricas costs the server after each new score and afterwards."""
    sample = _sample(folder, _COINS)
    sample.publish_log(1.1)
    sample.publish_scores(_SCORE_HOURS)
    sample.publish_forecasts()
    with serve_api(_environment(sample)) as api:
        found = [
            Figure(f"{_COINS} forecasts{name}, {coding}", len(_body(api, path, coding)) / 1e3, "kB", limit)
            for name, path, limit in (("", "/prever", 70.0), (", all fields", "/prever?campos=todos", None))
            for coding in ("gzip", "zstd")
        ]
        _cpu_s(api, "/metricas")
        scored = []
        for _ in range(_ROUNDS):
            sample.publish_scores(1)
            scored.append(_cpu_s(api, "/metricas"))
        found.append(Figure(f"/metricas, {_COINS} coins, after a new score", min(scored), "CPU-s"))
        found.append(Figure(f"/metricas, {_COINS} coins, kept", _cpu_s(api, "/metricas"), "CPU-s"))
    return found


def _with_2000(folder: Path) -> list[Figure]:
    """Processor time of the first answer about all coins, which reads a week of scores."""
    sample = _sample(folder, _MANY_COINS)
    first_day = sample.now // DAY_MS - _TRUST_DAYS + 1
    for day in range(first_day, first_day + _TRUST_DAYS):
        span_ms = (day * DAY_MS, (day + 1) * DAY_MS - 1)
        sample.publisher.publish(appended={"scores": (*span_ms, _scores_of_a_day(sample, day * DAY_MS))})
    sample.publish_forecasts()
    with serve_api(_environment(sample)) as api:
        _body(api, "/moedas", "gzip")
        name = f"first /prever, {_MANY_COINS:,} coins with a week of scores"
        return [Figure(name, _cpu_s(api, "/prever"), "CPU-s", 1.0)]


def _sample(folder: Path, coins: int) -> SampleWorkspace:
    """A workspace whose coins have prices of all sizes, with six digits as CoinGecko shows them."""
    names = [Coin(f"coin-{number}", f"c{number}", f"Coin {number}", number + 1, 1) for number in range(coins)]
    sample = SampleWorkspace.make(folder, names)
    sample.fill_prices(hours=0.1)
    prices = np.exp(np.random.default_rng(coins).normal(0, 3, coins)).tolist()
    sample.prices = {coin.id: float(f"{price:.6g}") for coin, price in zip(names, prices, strict=True)}
    return sample


def _scores_of_a_day(sample: SampleWorkspace, start_ms: int) -> pa.Table:
    """A row of SCORE_SCHEMA for each coin, hour and horizon."""
    cells = _DAY_HOURS * len(HORIZONS_MIN)
    rows = cells * len(sample.coins)
    hours_ms = start_ms + HOUR_MS * np.repeat(np.arange(_DAY_HOURS), len(HORIZONS_MIN))
    chance = np.random.default_rng(start_ms // DAY_MS)
    sums = {name: chance.random(rows) for name in SCORE_SUMS}
    sums |= {"n": np.full(rows, 12.0), "inside_80": chance.binomial(12, 0.8, rows).astype(np.float64)}
    keys = {
        "coin": pa.array(np.repeat([coin.id for coin in sample.coins], cells)),
        "hour": pa.array(np.tile(hours_ms, len(sample.coins))),
        "horizon_min": pa.array(np.tile(HORIZONS_MIN, _DAY_HOURS * len(sample.coins))),
    }
    return pa.table(keys | sums).cast(SCORE_SCHEMA)


def _environment(sample: SampleWorkspace) -> dict[str, str]:
    return sample.settings.model_copy(update={"source": Source.AUTO}).environment()


def _body(api: Served, path: str, coding: str) -> bytes:
    answer = record(api.port, path, Accept_Encoding=coding)
    assert (answer.status, answer.headers["content-encoding"]) == (200, coding), (path, answer.status)
    return answer.body


def _cpu_s(api: Served, path: str) -> float:
    """Processor time that the server needs for one answer."""
    before = processor_s(api)
    _body(api, path, "gzip")
    return processor_s(api) - before
