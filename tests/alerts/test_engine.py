"""The engine tells exactly what an independent, slow reading of the documentation says, wherever it was interrupted."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.market_view import Ticks, price_views
from alerts.rules.coin_names import CoinName
from alerts.rules.condition import Scope
from alerts.rules.table import read_rule
from alerts.store import Episode
from tests.support.alert_oracle import Due, due

COINS = ("bitcoin", "ethereum", "solana")
START_MS = 1_700_000_000_000


class Recorded:
    """Stored prices in lists."""

    def __init__(self, ticks: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        self.ticks = ticks

    def as_of(self, coin_id: str, ts_ms: int) -> tuple[int, float] | None:
        """The last price at or before a time."""
        rows = self.ticks[coin_id]
        place = bisect_right(rows, ts_ms, key=lambda row: row[0])
        return rows[place - 1] if place else None

    def range(self, coin_id: str, start_ms: int = 0, end_ms: int | None = None) -> Sequence[tuple[int, float]]:
        """Prices within [start_ms, end_ms]."""
        rows = self.ticks[coin_id]
        first = bisect_left(rows, start_ms, key=lambda row: row[0])
        return rows[first : None if end_ms is None else bisect_right(rows, end_ms, key=lambda row: row[0])]


def told(
    rules: Sequence[Mapping[str, Any]], ticks: Mapping[str, Sequence[tuple[int, float]]], cuts: Sequence[int] = ()
) -> list[Due]:
    """What the engine tells when it reads the ticks in pieces that end at these times, each by a new engine."""
    typed = [read_rule(rule) for rule in rules]
    episodes: dict[tuple[str, str], Episode] = {}
    found: list[Due] = []
    prices = Recorded(ticks)
    coins = [CoinName(coin, coin[:3]) for coin in ticks]
    places = {coin: place for place, coin in enumerate(ticks)}
    before = 0
    for end in sorted({*cuts, 2**60}):
        engine = Engine(typed, coins, episodes.values())
        piece = {coin: [row for row in rows if before < row[0] <= end] for coin, rows in ticks.items()}
        columns = {
            coin: Ticks(np.array([at for at, _ in rows], np.int64), np.array([price for _, price in rows]))
            for coin, rows in piece.items()
            if rows
        }
        for view in price_views(columns, places, prices, engine.spans_ms, None):
            for one in engine.look(Scope.PRICES, view):
                sight = one.sight
                assert sight.coin is not None
                found.append(Due(one.rule.name, sight.coin, one.kind.value, sight.since_ms, sight.at_ms))
        episodes |= {(episode.rule, episode.subject): episode for episode in engine.take_changes()}
        before = end
    return found


def rules_at_random(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Rules about prices around 100, with every option at one value or another."""
    rules: list[dict[str, Any]] = []
    for number in range(count):
        rule: dict[str, Any] = {
            "nome": str(number),
            "condicao": chance.choice(["preco_acima", "preco_abaixo", "preco_cruza", "variacao"]),
            "moedas": chance.choice(["todas", ["bitcoin"], ["ethereum", "solana"]]),
            "espera": chance.choice(["0s", "90s", "10m", "1h"]),
            "folga": chance.choice([0, 0.5, 1, number / 100]),
        }
        if rule["condicao"] == "variacao":
            rule |= {"percentual": chance.choice([0.5, 1, 2]), "periodo": chance.choice(["2m", "15m", "1h"])}
            rule["direcao"] = chance.choice(["alta", "queda", "qualquer"])
        else:
            rule["nivel"] = chance.choice([98, 99, 99.5, 100, 100.5, 101]) + number / 1000
        if rule["condicao"] != "preco_cruza" and chance.random() < 0.5:
            rule["avisar_normal"] = True
        rules.append(rule)
    return rules


def ticks_at_random(chance: random.Random, count: int) -> dict[str, list[tuple[int, float]]]:
    """Prices that walk around 100 in steps of a half, now and then after a gap."""
    ticks: dict[str, list[tuple[int, float]]] = {}
    for coin in COINS:
        at, price, rows = START_MS, 100.0, []
        for _ in range(count):
            at += chance.choice([1_000, 30_000, 30_000, 60_000, 600_000 if chance.random() < 0.05 else 31_000])
            price = min(104.0, max(96.0, price + chance.choice([-0.5, 0, 0.5])))
            rows.append((at, price))
        ticks[coin] = rows
    return ticks


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 2_000_000), max_size=4))
def test_any_rules_on_any_ticks_tell_what_the_documentation_says(chance: random.Random, cuts: list[int]) -> None:
    """Rules, ticks and interruptions at random: the engine and the oracle agree."""
    rules, ticks = rules_at_random(chance, 4), ticks_at_random(chance, 40)
    assert sorted(told(rules, ticks, [START_MS + cut for cut in cuts])) == sorted(due(rules, ticks))


def test_fifty_rules_on_ten_thousand_ticks_tell_what_the_documentation_says() -> None:
    """A long run with thirty interruptions agrees with the oracle alert by alert, and tells hundreds of things."""
    chance = random.Random(7)
    rules, ticks = rules_at_random(chance, 50), ticks_at_random(chance, 3_334)
    cuts = [chance.randrange(START_MS, ticks["bitcoin"][-1][0]) for _ in range(30)]
    expected = due(rules, ticks)
    assert len(expected) > 1_000
    assert sorted(told(rules, ticks, cuts)) == sorted(expected)
