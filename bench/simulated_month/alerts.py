"""Alerts of a simulated month: rules that are judged after each cycle, and what they told against the market."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.simulated_month.prices import Series
from core.times import HOUR_MS
from etl.local_market.market import Market

__all__ = ["AlertVerdict", "check_alerts", "middle_price", "write_rules"]

_LEVEL: Final = "level"
_RULES: Final = """
[[regra]]
nome = "level"
condicao = "preco_cruza"
moedas = ["{coin}"]
nivel = {level!r}
folga = 0
espera = "0m"

[[regra]]
nome = "band"
condicao = "fora_da_faixa"
moedas = "todas"
faixa = 95

[[regra]]
nome = "silence"
condicao = "dados_parados"
ha = "10m"
"""
_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class AlertVerdict:
    """What is wrong with the alerts.

    Attributes:
        told: of all rules.
        crossings: of the level.
        lost: crossings after which the other side was told again without a way back, and a last side never told.
        false: crossings with a price that the market did not have.
    """

    told: int
    crossings: int
    lost: int
    false: int


def middle_price(market: Market, start_ms: int, end_ms: int) -> float:
    """The median of the first coin's hourly prices: a level that it crosses."""
    times = np.arange(start_ms, end_ms, HOUR_MS)
    return float(np.median(market.prices(np.zeros(len(times), dtype=np.int64), times)))


def write_rules(path: Path, coin: str, level: float) -> None:
    """Rules about a level of one coin, about bands of all, and about silence."""
    path.write_text(_RULES.format(coin=coin, level=level), encoding="utf-8")


def check_alerts(database: Path, market: Market, first: Series, level: float) -> AlertVerdict:
    """Compare the crossings told of the first coin with the market; `first` are its stored prices."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        alerts = [json.loads(body) for (body,) in connection.execute("SELECT body FROM alerts")]
    sights = sorted(
        (sight["at_ms"], sight["figures"]["price"])
        for alert in alerts
        if alert["name"] == _LEVEL
        for sight in alert["sights"]
    )
    times, prices = (np.array(column) for column in zip(*sights, strict=True)) if sights else (np.empty(0), np.empty(0))
    true = market.prices(np.zeros(len(times), dtype=np.int64), times.astype(np.int64))
    sides = np.append(prices, first.price[-1]) >= level
    return AlertVerdict(
        told=len(alerts),
        crossings=len(sights),
        lost=int(np.sum(sides[1:-1] == sides[:-2])) + int(len(sights) > 0 and sides[-1] != sides[-2]),
        false=int(np.sum(np.abs(prices / true - 1) > _TOLERANCE)),
    )
