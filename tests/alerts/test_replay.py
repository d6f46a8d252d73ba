"""A replay tells what the alert process would have told, never looks ahead, and counts how often it was right."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from alerts.alert import AlertKind, Sight
from alerts.engine import Finding
from alerts.replay.command import replay
from alerts.replay.recorded_market import Replay
from alerts.replay.verdicts import verdict
from alerts.rules.condition import Condition
from alerts.rules.table import read_rule
from core.times import HOUR_MS, MINUTE_MS
from etl.recordings.recording import Recording, Series

START_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
RULES = [
    {"nome": "acima", "condicao": "preco_acima", "moedas": "todas", "nivel": 100, "espera": "5m"},
    {"nome": "fora", "condicao": "fora_da_faixa", "moedas": "todas", "faixa": 80, "espera": "5m"},
    {"nome": "toca", "condicao": "toca", "moedas": "todas", "distancia": 0.1, "probabilidade": 20, "espera": "20m"},
]


def recording(hours: float, seed: int = 3) -> Recording:
    """Two coins that walk around 100, a price a minute; shorter ones are the beginnings of longer ones."""
    series = {}
    for number, coin in enumerate(("bitcoin", "ethereum")):
        moves = np.random.default_rng(seed + number).normal(0, 0.0005, 40 * 60)
        ts_ms = START_MS + np.arange(round(hours * 60), dtype=np.int64) * MINUTE_MS
        prices = 100 * np.exp(np.cumsum(moves))[: len(ts_ms)]
        series[coin] = Series(ts_ms, prices, np.ones(len(ts_ms)))
    return Recording(series, "0" * 64, "walk.parquet")


def told(hours: float) -> list[tuple[str, str, str | None, int]]:
    """Rule, kind, coin and time of everything that a replay of so many hours tells."""
    run = Replay(recording(hours), [read_rule(rule) for rule in RULES])
    found = [finding for piece in run.run() for finding in piece]
    return sorted((one.rule.name, one.kind.value, one.sight.coin, one.sight.at_ms) for one in found)


def test_a_replay_does_not_look_ahead() -> None:
    """What is told up to a time is the same whether the recording ends there or goes on."""
    cut = 25.2
    long = told(26)
    assert {name for name, *_ in long} == {"acima", "fora", "toca"}
    end_ms = START_MS + round(cut * HOUR_MS) - MINUTE_MS
    assert [one for one in long if one[3] <= end_ms] == told(cut)


def seen(condition: Condition, *prices: float, probability: float = 70) -> list[Finding]:
    """A rule about the level 101 that fired at each of the first hours, at these prices."""
    rule = read_rule(
        {"nome": "n", "condicao": condition.KIND.value, "moedas": "todas", "nivel": 101, "probabilidade": 1}
    )
    figures = {"level": 101.0, "probability": probability}
    sights = [Sight("c", START_MS + n * HOUR_MS, {**figures, "price": price}) for n, price in enumerate(prices)]
    return [Finding(rule, AlertKind.FIRED, sight) for sight in sights]


@pytest.mark.parametrize(("kind", "right"), [("termina_acima", 1), ("termina_abaixo", 2), ("toca", 2)])
def test_probabilities_are_counted_by_what_followed(kind: str, right: int) -> None:
    """Of three stated chances two were touched, one ended above, and two ended below; a fourth has no outcome yet."""
    ends = {0: 100.0, 30: 100.5, 60: 102.0, 90: 101.5, 120: 100.0, 180: 100.0}
    minutes = np.arange(0, 181, 5)
    prices = np.interp(minutes, list(ends), list(ends.values()))
    history = {"c": (START_MS + minutes.astype(np.int64) * MINUTE_MS, prices)}
    table = {"nome": "n", "condicao": kind, "moedas": "todas", "nivel": 101, "probabilidade": 1}
    condition = read_rule(table).condition
    found = verdict(condition, seen(condition, 100.0, 100.9, 100.0, 100.0), history, {})
    assert (found.told, found.judged, found.right, found.stated) == (4, 3, right, 70)


def test_the_command_prints_rules_alerts_and_how_often_they_were_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CSV and a file of rules give lines in the language of the rules, and say what a recording cannot judge."""
    one = recording(2).series["bitcoin"]
    rows = "".join(f"{ts},bitcoin,{price:.6f}\n" for ts, price in zip(one.ts_ms, one.price, strict=True))
    (tmp_path / "walk.csv").write_text("timestamp,coin,price\n" + rows, encoding="utf-8")
    level = float(np.median(one.price))
    (tmp_path / "alerts.toml").write_text(
        f'idioma="en"\n[[regra]]\nnome="up"\ncondicao="preco_acima"\nmoedas="todas"\nnivel={level}\nespera="1m"\n'
        '[[regra]]\nnome="old"\ncondicao="dados_parados"\n',
        encoding="utf-8",
    )
    assert replay(tmp_path / "walk.csv", tmp_path / "alerts.toml") == 0
    said = capsys.readouterr().out
    assert "up: all coins: price above" in said
    assert "Bitcoin (BTC): " in said
    assert "an hour later it still held in" in said
    assert "old: no new price for 10m\n  is not judged on a recording" in said


def replayed(tmp_path: Path, coins: str) -> str:
    """What the command prints about a rule that names these coins."""
    rows = "".join(
        f"{ts},{coin},{price:.6f}\n"
        for coin, one in recording(2).series.items()
        for ts, price in zip(one.ts_ms, one.price, strict=True)
    )
    (tmp_path / "walk.csv").write_text("timestamp,coin,price\n" + rows, encoding="utf-8")
    rule = f'[[regra]]\nnome="up"\ncondicao="preco_acima"\nmoedas={coins}\nnivel=1\n'
    (tmp_path / "alerts.toml").write_text(rule, encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert replay(tmp_path / "walk.csv", tmp_path / "alerts.toml") == 0
    return said.getvalue()


def test_a_recording_is_judged_by_symbols_and_names_what_it_does_not_hold(tmp_path: Path) -> None:
    """A symbol means its well-known coin; a misspelt coin and one that was not recorded are named, each on a line."""
    said = replayed(tmp_path, '["BTC", "etherium", "sol"]')
    assert "Bitcoin (BTC): " in said
    assert "avisos: 1, acontecimentos: 1" in said
    assert "a gravação não tem a moeda etherium; seria ethereum?\n" in said
    assert "a gravação não tem a moeda sol\n" in said


def test_prices_outside_a_band_are_counted_of_the_coins_of_the_rule_alone() -> None:
    """A rule about bitcoin counts at most its own prices, one about all coins those of both."""
    rules = [read_rule({**RULES[1], "moedas": coins}) for coins in (["btc"], ["ethereum"], "todas")]
    run = Replay(recording(26), rules)
    assert any(list(run.run()))
    bitcoin, ethereum, both = (run.outside(rule)[80] for rule in rules)
    assert 0 < bitcoin[1] < 26 * 60
    assert both == (bitcoin[0] + ethereum[0], bitcoin[1] + ethereum[1])


def test_a_replay_says_how_far_it_is() -> None:
    """The hours that are done grow from piece to piece up to the length of the recording."""
    run = Replay(recording(3), [read_rule(RULES[0])])
    done = [run.hours_done for _ in run.run()]
    assert done == sorted(done)
    assert done[0] < done[-1] == run.hours == pytest.approx(3 - 1 / 60)
