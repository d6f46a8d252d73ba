"""Tables of the views; cells keep numbers so that columns sort, and a style formats them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from core.accuracy.scores import Score
from core.number_format import price_decimals
from core.reading.values import ForecastView
from dashboard.charts.co_movement import Liveliness
from dashboard.charts.palette import HISTORY, RIGHT, WORSE, faded
from dashboard.i18n.numbers import Formats, range_decimals
from dashboard.i18n.texts import Texts

__all__ = ["correlation_table", "liveliness_table", "score_table", "steps_rows", "text_table"]


def correlation_table(
    found: Mapping[tuple[str, str], float | None], labels: Mapping[str, str], formats: Formats
) -> Styler:
    """One row and one column per coin: how closely their hourly changes go together, from -1 to 1, in colour too."""
    rows = {
        label: {other_label: found[coin, other] for other, other_label in labels.items()}
        for coin, label in labels.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", dtype=float)
    text: Any = partial(formats.ratio, decimals=2)
    return frame.style.format(text, na_rep="—").map(_correlation_colour)


def liveliness_table(rows: Sequence[Liveliness], names: Mapping[str, str], formats: Formats, texts: Texts) -> Styler:
    """One row per coin: expected move, recent move, how many times the usual that is, and percentile of activity."""
    frame = pd.DataFrame(
        [
            {
                texts("table.coin"): names.get(row.coin, row.coin),
                texts("table.times_normal"): row.times_normal,
                texts("comparison.expected"): 100 * row.expected,
                texts("comparison.recent"): _percent(row.recent),
                texts("table.percentile"): row.percentile,
            }
            for row in rows
        ]
    )
    percents = {texts(f"comparison.{name}"): formats.percent for name in ("expected", "recent")}
    others = {
        texts("table.times_normal"): lambda value: f"{formats.ratio(value, 1)}×",
        texts("table.percentile"): formats.number,
    }
    return _styled(frame.astype(dict.fromkeys(frame.columns[1:], float)), {**percents, **others})


def score_table(scores: Mapping[str, Score], names: Mapping[str, str], formats: Formats, texts: Texts) -> Styler:
    """One row per coin: its scores; error avoided only with enough hours, direction only if any was forecast."""
    columns: dict[str, tuple[Any, Any]] = {
        "count": (lambda score: score.forecasts, formats.number),
        "skill": (lambda score: _percent(score.skill if score.skill_margin is not None else None), _signed(formats)),
        "margin": (lambda score: _percent(score.skill_margin), formats.percent),
        "coverage": (lambda score: 100 * score.coverage[80], formats.percent),
        "width": (lambda score: score.width_80_percent, formats.percent),
        "hits": (lambda score: _percent(score.hit_rate), formats.percent),
    }
    if all(score.hit_rate is None for score in scores.values()):
        del columns["hits"]
    rows = [
        {
            texts("table.coin"): names.get(coin, coin),
            **{texts(f"table.{name}"): value(score) for name, (value, _) in columns.items()},
        }
        for coin, score in scores.items()
    ]
    return _styled(pd.DataFrame(rows), {texts(f"table.{name}"): text for name, (_, text) in columns.items()})


def steps_rows(forecast: ForecastView, formats: Formats, texts: Texts) -> list[dict[str, str]]:
    """One row per horizon of a forecast, formatted as text; all prices have the same decimals.

    A column that only repeats the price, no change, or a chance of one half is left out.
    """
    decimals = max(
        price_decimals(forecast.price_origin),
        *(range_decimals(step.quantiles["q10"], step.quantiles["q90"]) for step in forecast.steps),
    )
    rows = [
        {
            texts("table.ahead"): f"{step.horizon_min} min",
            texts("table.at"): formats.clock(step.target_ms),
            texts("table.forecast_of"): formats.price(step.mean, decimals),
            texts("table.expected"): formats.percent(100 * (step.mean / forecast.price_origin - 1), signed=True),
            texts("table.range_80"): formats.price_range(step.quantiles["q10"], step.quantiles["q90"], decimals),
            texts("table.range_95"): formats.price_range(step.quantiles["q025"], step.quantiles["q975"], decimals),
            texts("table.p_up"): formats.percent(100 * step.p_up, 0),
        }
        for step in forecast.steps
    ]
    silent = {
        texts("table.forecast_of"): formats.price(forecast.price_origin, decimals),
        texts("table.expected"): formats.percent(0.0),
        texts("table.p_up"): formats.percent(50.0, 0),
    }
    dead = {name for name, text in silent.items() if all(row[name] == text for row in rows)}
    return [{name: text for name, text in row.items() if name not in dead} for row in rows]


def text_table(
    rows: Sequence[Mapping[str, str]], judged: str | None = None, alarming: Sequence[str] = ()
) -> pd.DataFrame | Styler:
    """A table of text; values in column `judged` are green, or red if they are among `alarming`."""
    frame = pd.DataFrame(list(rows))
    if judged is None:
        return frame
    return frame.style.map(lambda text: f"color: {WORSE if text in alarming else RIGHT}", subset=[judged])


def _correlation_colour(value: Any) -> str:
    """Blue for coins that move together, red for opposite ones, the stronger the more."""
    if math.isnan(value):
        return ""
    return f"background-color: {faded(HISTORY if value >= 0 else WORSE, round(0.6 * abs(value), 3))}"


def _styled(frame: pd.DataFrame, formatters: Mapping[str, Any]) -> Styler:
    """The frame with its numbers as text; a column of numbers stays one where none is known, or it would say `None`."""
    numbers = frame.astype(dict.fromkeys(formatters, "float64")) if len(frame) else frame
    return numbers.style.format(dict(formatters), na_rep="—")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _signed(formats: Formats) -> Any:
    return lambda value: formats.percent(value, signed=True)
