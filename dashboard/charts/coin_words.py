"""What is said of a coin: its next hour, how far to trust that, and why the range is as wide as it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from core.accuracy.scores import MetricsBlock
from core.answers.unusual import UnusualHour
from core.reading.track_record import RangeCount
from core.reading.values import ForecastView
from core.times import DAY_MS, HOUR_MS
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["UsualHour", "outlook_sentence", "record_sentence", "usual_hour", "width_reasons", "window_sentence"]

_RARE: Final = 0.1
_MIN_DAYS: Final = 5
"""Days whose forecasts at one hour of the day are compared with the other hours."""

_SAME: Final = 0.1
"""An hour that moves less than a tenth more or less than the others counts as like them."""


@dataclass(frozen=True)
class UsualHour:
    """How much a coin moves at this hour of the day: the ratio to all its hours, over so many days."""

    ratio: float
    days: int


def outlook_sentence(name: str, view: ForecastView, formats: Formats, texts: Texts) -> str:
    """What the forecast of the next hour means, in words."""
    hour = view.steps[-1]
    low, high = formats.price_range(hour.quantiles["q10"], hour.quantiles["q90"]).split(" – ")
    ends = {"low": formats.amount(low), "high": formats.amount(high)}
    sentence = texts("coin.outlook", coin=name, clock=formats.clock(hour.target_ms), **ends)
    is_undecided = formats.percent(100 * hour.p_up, 0) == formats.percent(50.0, 0)
    return f"{sentence} {texts('coin.no_direction')}" if is_undecided else sentence


def record_sentence(live: RangeCount, backtest: RangeCount, formats: Formats, texts: Texts) -> str:
    """How many ranges like this one held over the last week; live and backtest are never added up."""
    parts = [
        texts(
            f"coin.record_{name}",
            inside=formats.number(count.inside),
            known=formats.number(count.known),
            share=formats.percent(100 * count.share, 1),
        )
        for name, count in (("live", live), ("backtest", backtest))
        if count.share is not None
    ]
    return " ".join(parts) or texts("coin.record_none")


def window_sentence(live: RangeCount, backtest: RangeCount, formats: Formats, texts: Texts) -> str:
    """How many of the past forecasts in the chart were right, or why there are none."""
    if not live.known and not backtest.known:
        return texts("coin.past_none")
    counted = [
        texts(
            f"coin.past_{name}", inside=formats.number(count.inside), outside=formats.number(count.known - count.inside)
        )
        for name, count in (("live", live), ("backtest", backtest))
        if count.known
    ]
    return " · ".join(counted)


def usual_hour(block: MetricsBlock | None, now_ms: int) -> UsualHour | None:
    """How much the coin's price moves at this hour of the UTC day; None without enough days of scores."""
    if block is None:
        return None
    score = block.by_hour_of_day.get(now_ms % DAY_MS // HOUR_MS)
    usual = block.overall.mae_percent
    if score is None or not usual or score.mae_percent is None or score.hours < _MIN_DAYS:
        return None
    return UsualHour(score.mae_percent / usual, score.hours)


def width_reasons(
    percentile: float | None,
    market: Sequence[float],
    usual: UsualHour | None,
    last_hour: UnusualHour | None,
    words: tuple[Formats, Texts],
) -> list[str]:
    """What makes the range wide or narrow now, a sentence each; what is not known is left out.

    Args:
        percentile: Percent of the coin's own hours of two weeks that were expected to be quieter.
        market: The same of every coin.
        usual: How much the coin moves at this hour of the day.
        last_hour: How unusual the last hour was.
        words: Formats and texts of the visitor.
    """
    formats, texts = words
    reasons = []
    if percentile is not None:
        reasons.append(texts("coin.reason_own", percentile=formats.percent(percentile, 0)))
    if market:
        reasons.append(texts("coin.reason_market", percentile=formats.percent(median(market), 0)))
    if usual is not None:
        change = "same" if abs(usual.ratio - 1) < _SAME else "more" if usual.ratio > 1 else "less"
        ratio = formats.number(usual.ratio, 1)
        reasons.append(texts(f"coin.reason_hour_{change}", ratio=ratio, days=usual.days))
    if last_hour is not None:
        key = "coin.reason_last_rare" if last_hour.probability < _RARE else "coin.reason_last_common"
        change_text = formats.percent(100 * last_hour.change, signed=True)
        reasons.append(texts(key, change=change_text, chance=formats.percent(100 * last_hour.probability, 0)))
    return reasons
