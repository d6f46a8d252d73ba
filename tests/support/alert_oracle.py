"""What rules about prices must tell, by plain loops over the ticks, written from docs/alertas.md alone.

Nothing of the package is used here. Rules are tables as alerts.toml has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Due", "due"]

Ticks = Mapping[str, Sequence[tuple[int, float]]]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Due(NamedTuple):
    """Something that must be told: rule, coin, "fired" or "normal", since when, and at which tick."""

    rule: str
    coin: str
    kind: str
    since_ms: int
    at_ms: int


def due(rules: Sequence[Mapping[str, Any]], ticks: Ticks, past: int = 0) -> list[Due]:
    """Everything that must be told, in no particular order; the first `past` ticks of each coin tell nothing."""
    found: list[Due] = []
    for rule in rules:
        for coin, series in ticks.items():
            if rule["moedas"] == "todas" or coin in rule["moedas"]:
                found += of_coin(rule, coin, series, past)
    return found


def of_coin(rule: Mapping[str, Any], coin: str, series: Sequence[tuple[int, float]], past: int) -> list[Due]:
    """What a rule must tell of one coin."""
    crosses = rule["condicao"] == "preco_cruza"
    pause_ms = milliseconds(rule.get("espera", "30m"))
    found: list[Due] = []
    state: str | None = None
    since = 0
    told: str | None = None if crosses else "off"
    told_at: int | None = None
    for place, (at, _price) in list(enumerate(series))[past:]:
        new = state_at(rule, series, place)
        if new == "unknown":
            continue
        if new not in ("same", state):
            state, since = new, at
        if state is None:
            continue
        if told is None:  # the first side of a crossing is where it starts
            told = state
            continue
        if state == told:
            continue
        if not crosses and state == "off":
            told = "off"
            if rule.get("avisar_normal"):
                found.append(Due(rule["nome"], coin, "normal", since, at))
            continue
        if told_at is None or at - told_at >= pause_ms:
            told, told_at = state, at
            found.append(Due(rule["nome"], coin, "fired", since, at))
    return found


def state_at(rule: Mapping[str, Any], series: Sequence[tuple[int, float]], place: int) -> str:
    """on, off, same (within the hysteresis) or unknown."""
    price = series[place][1]
    kind = rule["condicao"]
    slack = rule.get("folga", 5.0 if kind == "variacao" else 0.2) / 100
    if kind == "variacao":
        return change_state(rule, series, place, slack)
    level = float(rule["nivel"])
    if kind == "preco_acima":
        return "on" if price > level else "off" if price <= level * (1 - slack) else "same"
    if kind == "preco_abaixo":
        return "on" if price < level else "off" if price >= level * (1 + slack) else "same"
    return "on" if price >= level * (1 + slack) else "off" if price < level * (1 - slack) else "same"


def change_state(rule: Mapping[str, Any], series: Sequence[tuple[int, float]], place: int, slack: float) -> str:
    """The state of a change: unknown without a price so long before, at most seven and a half minutes old then."""
    at, price = series[place]
    moment = at - milliseconds(rule["periodo"])
    while place >= 0 and series[place][0] > moment:
        place -= 1
    if place < 0 or moment - series[place][0] > 450_000:
        return "unknown"
    change = 100 * (price / series[place][1] - 1)
    way = rule.get("direcao", "qualquer")
    counted = abs(change) if way == "qualquer" else change if way == "alta" else -change
    threshold = float(rule["percentual"])
    return "on" if counted >= threshold else "off" if counted < threshold * (1 - slack) else "same"


def milliseconds(text: str) -> int:
    """`30m` in milliseconds."""
    return int(text[:-1]) * SECONDS[text[-1]] * 1000
