"""Whether what was told came true, by what the recording holds afterwards; nothing here reaches the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alerts.alert import AlertKind, Sight
from alerts.engine import Finding
from alerts.rules.coin_conditions import (
    BandWidth,
    EndsAbove,
    EndsBelow,
    ExpectedMove,
    LevelChance,
    OutsideBand,
    PriceAbove,
    PriceBelow,
    RegimeChange,
    Touches,
)
from alerts.rules.condition import Condition
from core.realised_price import realised_extremes, realised_prices
from core.times import HOUR_MS, MINUTE_MS
from etl.recordings.recording import PriceHistory

__all__ = ["Verdict", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """What became of what a rule told.

    Attributes:
        code: of the sentence that says it.
        told: times that it fired, coin by coin.
        judged: those whose outcome the recording holds.
        right: of these, those that came true; None where a mean says it better.
        stated: what was stated in the mean: a probability or a move, in percent.
        happened: what happened in the mean, in percent.
        usual: the same over the whole recording, in percent; None where it means nothing.
    """

    code: str
    told: int
    judged: int = 0
    right: int | None = None
    stated: float | None = None
    happened: float | None = None
    usual: float | None = None


def verdict(
    condition: Condition, findings: Iterable[Finding], prices: PriceHistory, outside: Mapping[int, tuple[int, int]]
) -> Verdict:
    """Judge all that a rule told.

    Args:
        condition: of the rule.
        findings: what it told.
        prices: of the recording.
        outside: percent of a band → prices of the rule's coins outside it and all that were compared with it.
    """
    sights = [finding.sight for finding in findings if finding.kind is AlertKind.FIRED]
    if isinstance(condition, LevelChance):
        return _chances(condition, sights, prices)
    if isinstance(condition, ExpectedMove | BandWidth | RegimeChange):
        return _moves(sights, prices)
    if isinstance(condition, PriceAbove | PriceBelow):
        return _levels(condition, sights, prices)
    if isinstance(condition, OutsideBand):
        beyond, compared = outside[condition.percent]
        return Verdict("band", len(sights), compared, None, 100.0 - condition.percent, _percent(beyond, compared))
    return Verdict("fact", len(sights))


def _chances(condition: LevelChance, sights: Sequence[Sight], prices: PriceHistory) -> Verdict:
    """Probabilities: how many came true, and how many should have."""
    came_true = _HAPPENED[type(condition)]
    length_ms = condition.horizon_min * MINUTE_MS
    outcomes = [(sight, came_true(prices, sight, length_ms)) for sight in sights]
    known = [(sight, happened) for sight, happened in outcomes if happened is not None]
    right = sum(happened for _, happened in known)
    stated = float(np.mean([sight.figures["probability"] for sight, _ in known])) if known else None
    return Verdict("chance", len(sights), len(known), right, stated, _percent(right, len(known)))


def _moves(sights: Sequence[Sight], prices: PriceHistory) -> Verdict:
    """Sizes: the mean move of the hours that followed, beside what was expected and the mean of all hours."""
    moves = [(sight, _move(prices, sight)) for sight in sights]
    known = [(sight.figures["expected_move"], move) for sight, move in moves if move is not None]
    stated, happened = (np.mean(known, axis=0).tolist()) if known else (None, None)
    coins = {sight.coin for sight in sights if sight.coin is not None}
    return Verdict("move", len(sights), len(known), None, stated, happened, _usual_move(prices, coins))


def _levels(condition: Condition, sights: Sequence[Sight], prices: PriceHistory) -> Verdict:
    """Levels: whether the price was still beyond it an hour later."""
    came_true = _above if isinstance(condition, PriceAbove) else _below
    known = [one for one in (came_true(prices, sight, HOUR_MS) for sight in sights) if one is not None]
    return Verdict("stays", len(sights), len(known), sum(known), None, _percent(sum(known), len(known)))


def _later(prices: PriceHistory, sight: Sight, length_ms: int) -> float:
    """The realised price so long after; NaN if the recording does not hold it."""
    times, values = prices[sight.coin or ""]
    return float(realised_prices(times, values, [sight.at_ms + length_ms], int(times[-1]))[0])


def _above(prices: PriceHistory, sight: Sight, length_ms: int) -> bool | None:
    later = _later(prices, sight, length_ms)
    return None if np.isnan(later) else later > sight.figures["level"]


def _below(prices: PriceHistory, sight: Sight, length_ms: int) -> bool | None:
    later = _later(prices, sight, length_ms)
    return None if np.isnan(later) else later < sight.figures["level"]


def _touched(prices: PriceHistory, sight: Sight, length_ms: int) -> bool | None:
    if np.isnan(_later(prices, sight, length_ms)):
        return None
    times, values = prices[sight.coin or ""]
    high, low = realised_extremes(times, values, [sight.at_ms], [sight.at_ms + length_ms])
    level = sight.figures["level"]
    return bool(high[0] >= level if level > sight.figures["price"] else low[0] <= level)


_HAPPENED: Final[Mapping[type[LevelChance], Callable[[PriceHistory, Sight, int], bool | None]]] = {
    EndsAbove: _above,
    EndsBelow: _below,
    Touches: _touched,
}


def _move(prices: PriceHistory, sight: Sight) -> float | None:
    """Size of the move of the hour after, in percent."""
    later = _later(prices, sight, HOUR_MS)
    return None if np.isnan(later) else 100 * abs(later / sight.figures["price"] - 1)


def _usual_move(prices: PriceHistory, coins: Iterable[str]) -> float | None:
    """Mean size of the moves over all whole hours of the recording, in percent."""
    moves: list[float] = []
    for coin in coins:
        times, values = prices[coin]
        marks = np.arange(int(times[0]) // HOUR_MS + 1, int(times[-1]) // HOUR_MS + 1) * HOUR_MS
        at_marks = realised_prices(times, values, marks, int(times[-1]))
        moves += np.abs(100 * (at_marks[1:] / at_marks[:-1] - 1)).tolist()
    return float(np.nanmean(moves)) if moves else None


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
