"""What scores allow to conclude, as a colour and a sentence. Pure: scores in, words out."""

from __future__ import annotations

from typing import Final, Literal

from core.accuracy.scores import MetricsBlock, Score
from core.accuracy.significance import MINIMUM_LENGTH, wilson_interval
from core.times import HOUR_MS, MINUTE_MS
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = [
    "Verdict",
    "direction_verdict",
    "horizons_text",
    "may_speak",
    "ranges_verdict",
    "scored_span",
    "skill_interval",
    "skill_verdict",
]

Verdict = tuple[Literal["green", "red", "orange", "blue"], str]

_CONFIDENT: Final = 0.05
_PROMISED: Final = 0.80
_HOUR_MIN: Final = 60


def may_speak(score: Score) -> bool:
    """Whether there are enough hours to say how much error was avoided, with its uncertainty."""
    return score.skill is not None and score.skill_margin is not None


def scored_span(score: Score, formats: Formats) -> str:
    """How long forecasts were scored, without the hours between that have none: `6 min` or `17 h`, rounded down."""
    span_ms = min(score.hours * HOUR_MS, score.end_ms - score.start_ms)
    if span_ms < HOUR_MS:
        return f"{span_ms // MINUTE_MS} min"
    return f"{formats.number(span_ms // HOUR_MS)} h"


def horizons_text(block: MetricsBlock, texts: Texts) -> str:
    """The horizons that were scored: `5 min`, or `5 a 60 min`."""
    first, last = min(block.by_horizon), max(block.by_horizon)
    return f"{first} min" if first == last else texts("accuracy.horizons", first=first, last=last)


def ranges_verdict(block: MetricsBlock, formats: Formats, texts: Texts) -> Verdict:
    """How many of the 80 % ranges for an hour ahead held, and whether that is what was promised.

    While no forecast of an hour has its outcome, the shorter ones are counted and not judged.
    An hour counts as one trial: the forecasts made in it share their outcomes.
    """
    is_due = _HOUR_MIN in block.by_horizon
    score = block.by_horizon[_HOUR_MIN] if is_due else block.overall
    share = score.coverage[80]
    counts = {"count": formats.number(score.forecasts), "share": formats.percent(100 * share, 1)}
    shorter = texts("verdict.ranges_shorter", horizons=horizons_text(block, texts), **counts)
    counted = texts("verdict.ranges", **counts) if is_due else shorter
    if score.hours < MINIMUM_LENGTH or not is_due:
        return "blue", f"{counted} {texts('verdict.ranges_early', span=scored_span(score, formats))}"
    low, high = wilson_interval(share * score.hours, score.hours) or (0.0, 1.0)
    if high < _PROMISED:
        return "orange", f"{counted} {texts('verdict.ranges_narrow')}"
    if low > _PROMISED:
        return "orange", f"{counted} {texts('verdict.ranges_wide')}"
    return "green", f"{counted} {texts('verdict.ranges_kept')}"


def skill_verdict(score: Score, formats: Formats, texts: Texts) -> Verdict:
    """Whether the forecasts are better than "the price stays", as far as hours and p-value allow.

    Coins weigh the same in the skill, forecasts in the p-value: where the two contradict each other, neither is told.
    """
    if score.hours < MINIMUM_LENGTH or score.better_p_value is None or score.skill is None:
        return "blue", texts("verdict.early", span=scored_span(score, formats), needed=MINIMUM_LENGTH)
    avoided = formats.percent(abs(100 * score.skill))
    if score.better_p_value < _CONFIDENT and score.skill > 0:
        return "green", texts("verdict.better", avoided=avoided, p=_p_value(score.better_p_value, formats))
    if score.better_p_value > 1 - _CONFIDENT and score.skill < 0:
        return "red", texts("verdict.worse", avoided=avoided)
    return "orange", texts("verdict.even", avoided=formats.percent(100 * score.skill, signed=True))


def direction_verdict(score: Score, formats: Formats, texts: Texts) -> str:
    """Whether the forecasts tell rises from falls."""
    if score.hit_rate is None or score.hit_low is None or score.hit_high is None:
        return texts("verdict.direction_none")
    key = "even" if score.hit_low <= 0.5 <= score.hit_high else "better" if score.hit_low > 0.5 else "worse"
    shares = {
        name: formats.percent(100 * value, 1)
        for name, value in (("share", score.hit_rate), ("low", score.hit_low), ("high", score.hit_high))
    }
    return texts(f"verdict.direction_{key}", **shares)


def skill_interval(score: Score, formats: Formats, texts: Texts) -> tuple[str, str]:
    """The error avoided and its 95 % interval, or a dash and the reason why neither is shown."""
    if score.skill is None or score.skill_margin is None:
        return "—", texts("accuracy.skill_early", needed=MINIMUM_LENGTH)
    low, value, high = (
        formats.percent(100 * (score.skill + side * score.skill_margin), 1, signed=True) for side in (-1, 0, 1)
    )
    return value, texts("accuracy.between", low=low, high=high)


def _p_value(p: float, formats: Formats) -> str:
    return f"< {formats.number(0.001, 3)}" if p < 0.001 else f"= {formats.number(p, 3)}"
