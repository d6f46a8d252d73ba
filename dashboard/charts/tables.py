"""Tables of the views; cells keep numbers so that columns sort, and a style formats them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from core.accuracy.scores import Score
from core.number_format import price_decimals
from core.reading.values import ForecastView, Quote
from dashboard.charts.palette import RIGHT, WORSE
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["coin_table", "score_table", "steps_rows", "text_table"]


def coin_table(
    quotes: Sequence[Quote],
    forecasts: Mapping[str, ForecastView],
    sparklines: Mapping[str, Sequence[float]],
    formats: Formats,
    texts: Texts,
) -> Styler:
    """One row per coin: price, its last day, and the forecast of the next hour."""
    rows = []
    for quote in quotes:
        mean, expected, width, p_up = _next_hour(forecasts.get(quote.id))
        rows.append(
            {
                texts("table.coin"): f"{quote.name} ({quote.symbol.upper()})",
                texts("table.price"): quote.price,
                texts("table.change"): quote.change_24h_percent,
                texts("table.last_day"): list(sparklines.get(quote.id, ())),
                texts("table.forecast"): mean,
                texts("table.expected"): expected,
                texts("table.width"): width,
                texts("table.p_up"): p_up,
            }
        )
    frame = pd.DataFrame(rows)
    prices = {texts(f"table.{name}"): formats.price for name in ("price", "forecast")}
    changes = {texts(f"table.{name}"): _signed(formats) for name in ("change", "expected")}
    shares = {texts("table.width"): formats.percent, texts("table.p_up"): _whole(formats)}
    return _styled(frame, {**prices, **changes, **shares})


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
    """One row per horizon of a forecast, formatted as text."""
    decimals = price_decimals(forecast.price_origin)
    return [
        {
            texts("table.ahead"): f"{step.horizon_min} min",
            texts("table.at"): formats.clock(step.target_ms),
            texts("table.forecast_of"): formats.price(step.mean, decimals),
            texts("table.expected"): formats.percent(100 * (step.mean / forecast.price_origin - 1), signed=True),
            texts("table.range_80"): formats.price_range(step.quantiles["q10"], step.quantiles["q90"]),
            texts("table.range_95"): formats.price_range(step.quantiles["q025"], step.quantiles["q975"]),
            texts("table.p_up"): formats.percent(100 * step.p_up, 0),
        }
        for step in forecast.steps
    ]


def text_table(
    rows: Sequence[Mapping[str, str]], judged: str | None = None, alarming: Sequence[str] = ()
) -> pd.DataFrame | Styler:
    """A table of text; values in column `judged` are green, or red if they are among `alarming`."""
    frame = pd.DataFrame(list(rows))
    if judged is None:
        return frame
    return frame.style.map(lambda text: f"color: {WORSE if text in alarming else RIGHT}", subset=[judged])


def _next_hour(forecast: ForecastView | None) -> tuple[float | None, float | None, float | None, float | None]:
    """Mean price in one hour; its change, the 80 % width and the chance of a rise in percent."""
    if forecast is None:
        return None, None, None, None
    step, price = forecast.steps[-1], forecast.price_origin
    width = step.quantiles["q90"] - step.quantiles["q10"]
    return step.mean, 100 * (step.mean / price - 1), 100 * width / price, 100 * step.p_up


def _styled(frame: pd.DataFrame, formatters: Mapping[str, Any]) -> Styler:
    """The frame with its numbers as text; a column of numbers stays one where none is known, or it would say `None`."""
    numbers = frame.astype(dict.fromkeys(formatters, "float64")) if len(frame) else frame
    return numbers.style.format(dict(formatters), na_rep="—")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _signed(formats: Formats) -> Any:
    return lambda value: formats.percent(value, signed=True)


def _whole(formats: Formats) -> Any:
    return lambda value: formats.percent(value, 0)
