"""Alerts in words: short, with formatted numbers, how sure it is, the source where it is not live, and a link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Final
from urllib.parse import quote

from alerts.alert import Alert, AlertKind, Sight
from alerts.rules.condition import ConditionKind
from alerts.rules.values import write_duration
from core.answers.regime import Regime
from core.number_format import format_number, level_text, price_decimals
from core.settings import Source
from core.times import MINUTE_MS, to_datetime
from core.wording import Value, message, say

__all__ = ["Wording", "alert_text"]

_MOST_LINES: Final = 10
_PRICES: Final = frozenset({"price", "before", "low", "high"})
_SIGNED: Final = frozenset({"change"})
_WHOLE: Final = frozenset({"band", "forecasts", "calls_left", "percentile"})
_UNKNOWN: Final = "?"


@dataclass(frozen=True)
class Wording:
    """How alerts are put into words.

    Attributes:
        language: pt or en.
        zone: of the times.
        dashboard_url: where links lead; None for no links.
        currency: of the prices.
        names: of coins by their ids; a coin without one is named by its id.
    """

    language: str = "pt"
    zone: tzinfo = UTC
    dashboard_url: str | None = None
    currency: str = "usd"
    names: Mapping[str, str] = field(default_factory=dict)


def alert_text(alert: Alert, wording: Wording) -> str:
    """The text of an alert, several lines; what the person called the rule is the title and not part of it."""
    if alert.kind is AlertKind.TEST:
        return _say("frame.test", wording)
    lines = [_line(alert, sight, wording) for sight in alert.sights[:_MOST_LINES]]
    if len(alert.sights) > 1:
        lines.insert(0, _say("frame.many", wording, count=len(alert.sights)))
    if len(alert.sights) > _MOST_LINES:
        lines.append(_say("frame.more", wording, count=len(alert.sights) - _MOST_LINES))
    if alert.source == Source.DEMO:
        lines.append(_say("frame.source_demo", wording))
    elif alert.source == Source.REPLAY:
        lines.append(_say("frame.source_replay", wording))
    if wording.dashboard_url is not None:
        lines.append(f"{wording.dashboard_url}/{_query(alert.sights)}")
    return "\n".join(lines)


def _line(alert: Alert, sight: Sight, wording: Wording) -> str:
    values = _values(sight, wording)
    code = f"text.{alert.condition}" if alert.kind is AlertKind.FIRED else f"normal.{_normal(alert, sight)}"
    at = to_datetime(sight.at_ms).astimezone(wording.zone)
    return _say("frame.when", wording, text=_say(code, wording, **values), at=f"{at:%d/%m %H:%M}")


def _normal(alert: Alert, sight: Sight) -> str:
    if alert.condition == ConditionKind.COVERAGE_OUT:
        return "coverage"
    return "coin" if "price" in sight.figures else "other"


def _values(sight: Sight, wording: Wording) -> dict[str, Value]:
    """Every value that a sentence may ask for; what was not seen is a question mark."""
    values: dict[str, Value] = dict.fromkeys(_NAMES, _UNKNOWN)
    values |= {name: _number(name, value, wording.language) for name, value in sight.figures.items()}
    values |= {"subject": _subject(sight, wording), "currency": wording.currency.upper()}
    values |= _durations(sight.figures)
    if "regime" in sight.figures:
        values["regime"] = _say(f"regime.{tuple(Regime)[round(sight.figures['regime'])]}", wording)
    return values


_NAMES: Final = (
    *("price", "level", "before", "low", "high", "change", "band", "probability", "expected_move", "band_80"),
    *("percentile", "coverage", "forecasts", "free_gb", "calls_left", "left_percent"),
    *("span", "horizon", "age", "silence", "regime"),
)


def _durations(figures: Mapping[str, float]) -> dict[str, Value]:
    """Durations among the figures, as `90s` or `30m`."""
    lengths_ms = {
        "span": figures.get("span_min", 0) * MINUTE_MS,
        "horizon": figures.get("horizon_min", 0) * MINUTE_MS,
        "age": figures.get("age_min", 0) * MINUTE_MS // MINUTE_MS * MINUTE_MS,
        "silence": figures.get("silent_s", 0) * 1000 // 1000 * 1000,
    }
    return {name: write_duration(int(length_ms)) for name, length_ms in lengths_ms.items() if length_ms}


def _number(name: str, value: float, language: str) -> str:
    if name == "level":
        return level_text(value, language)
    if name in _PRICES:
        return format_number(value, price_decimals(value), language)
    decimals = 0 if name in _WHOLE else 1 if abs(value) >= 10 else 2
    text = format_number(value, decimals, language)
    return f"+{text}" if name in _SIGNED and value > 0 else text.replace("-", "−") if name in _SIGNED else text


def _subject(sight: Sight, wording: Wording) -> str:
    if sight.process is not None:
        return _say(f"process.{sight.process}", wording)
    if sight.coin is not None:
        return wording.names.get(sight.coin, sight.coin)
    return _say("subject.all" if "coverage" in sight.figures else "subject.suite", wording)


def _query(sights: Iterable[Sight]) -> str:
    """The dashboard's view of what was seen: a coin, several, or the diagnostics."""
    coins = {sight.coin for sight in sights}
    if coins == {None}:
        return "?pagina=diagnostico"
    names = sorted(coin for coin in coins if coin is not None)
    return f"?moeda={quote(names[0])}" if len(names) == 1 else ""


def _say(code: str, wording: Wording, **values: Value) -> str:
    return say(message(f"alert.{code}", **values), wording.language)
