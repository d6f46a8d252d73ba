"""The price chart as a figure."""

from __future__ import annotations

from datetime import UTC
from types import SimpleNamespace

import pytest

from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS
from core.reading.track_record import PastForecasts
from core.reading.values import ForecastStep, ForecastView, LoggedForecast
from core.times import HOUR_MS, MINUTE_MS
from dashboard.charts.figure import Figure, unpacked
from dashboard.charts.price import price_chart
from dashboard.charts.style import ChartStyle
from dashboard.charts.time_axis import WINDOWS
from dashboard.i18n.numbers import Formats

ORIGIN_MS = 1_763_812_800_000  # 2025-11-22 12:00
NONE = PastForecasts((), ())
STYLE = ChartStyle(Formats("pt", UTC, "usd"))


def forecast(price: float = 100.0) -> ForecastView:
    """A forecast whose quantiles are one unit apart."""
    steps = tuple(
        ForecastStep(
            horizon,
            ORIGIN_MS + horizon * MINUTE_MS,
            price + 1,
            0.5,
            {name: price + index - 4 for index, name in enumerate(QUANTILE_COLUMNS)},
        )
        for horizon in HORIZONS_MIN
    )
    return ForecastView("bitcoin", ORIGIN_MS, price, steps, "model", "m-1", None, ORIGIN_MS, "demo")


def history(hours: float = 30) -> tuple[list[int], list[float]]:
    """Five-minute prices up to the origin of the forecast."""
    times = list(range(ORIGIN_MS - int(hours * HOUR_MS), ORIGIN_MS + 1, 5 * MINUTE_MS))
    return times, [100.0 + index % 7 for index in range(len(times))]


def traces(figure: Figure) -> dict[str, SimpleNamespace]:
    """The last trace of each name, with its numbers unpacked."""
    return {
        trace["name"]: SimpleNamespace(**trace | {axis: unpacked(trace[axis]) for axis in ("x", "y")})
        for trace in figure["data"]
    }


def test_the_forecast_starts_where_the_history_ends() -> None:
    """Forecast and three intervals all start at the last price."""
    drawn = traces(price_chart(history(), forecast(), NONE, "6h", STYLE))
    assert list(drawn) == ["95%", "80%", "50%", "Preço", "Previsão"]
    assert drawn["Preço"].x[-1] == drawn["Previsão"].x[0] == ORIGIN_MS
    assert len(drawn["Previsão"].x) == 13
    edges = [unpacked(trace["y"]) for trace in price_chart(history(), forecast(), NONE, "6h", STYLE)["data"][:6]]
    assert [edge[0] for edge in edges] == [100] * 6
    assert [edge[-1] for edge in edges] == [96, 104, 98, 102, 99, 101]
    assert [drawn[name].fill for name in ("95%", "80%", "50%")] == ["tonexty"] * 3


@pytest.mark.parametrize("window", list(WINDOWS))
def test_the_window_sets_the_range(window: str) -> None:
    """The axis begins at the start of the window, or of the data if later, and ends after the forecast."""
    start_ms, end_ms = price_chart(history(), forecast(), NONE, window, STYLE)["layout"]["xaxis"]["range"]
    assert start_ms == max(ORIGIN_MS - WINDOWS[window], history()[0][0])
    assert end_ms > ORIGIN_MS + HOUR_MS


def test_hourly_history_is_joined_in_a_week() -> None:
    """In the windows of a week and more a line joins prices that are an hour apart; in a day it does not."""
    times = [ORIGIN_MS - hours * HOUR_MS for hours in range(100, -1, -1)]
    for window, gaps in (("24h", 100), ("7d", 0), ("tudo", 0)):
        drawn = traces(price_chart((times, [100.0] * len(times)), None, NONE, window, STYLE))
        assert drawn["Preço"].y.count(None) == gaps


def test_a_chart_without_forecast_shows_the_history() -> None:
    """Before the first forecast only the price is drawn."""
    assert list(traces(price_chart(history(), None, NONE, "1h", STYLE))) == ["Preço"]


def test_a_chart_without_data_is_empty() -> None:
    """Without prices and forecast the chart is empty, not an error."""
    assert list(traces(price_chart(([], []), None, NONE, "1h", STYLE))["Preço"].y) == []


def logged(minutes_ago: int, actual: float | None = None) -> LoggedForecast:
    """A forecast whose target lies so many minutes before the origin; its 80 % range is 99 to 103."""
    target_ms = ORIGIN_MS - minutes_ago * MINUTE_MS
    return LoggedForecast("bitcoin", target_ms - HOUR_MS, target_ms, 100.0, 101.0, 99.0, 103.0, actual)


def test_past_forecasts_are_drawn_at_their_targets() -> None:
    """A gap of more than a quarter of an hour splits the live ranges; those of the backtest lie an hour apart."""
    past = PastForecasts(
        live=tuple(logged(minutes) for minutes in (65, 60, 10, 5)),
        backtest=tuple(logged(minutes) for minutes in (240, 180)),
    )
    drawn = traces(price_chart(history(), forecast(), past, "6h", STYLE))
    assert drawn["Faixa de 80% prevista 1 h antes"].x[0] == ORIGIN_MS - 65 * MINUTE_MS
    assert list(drawn["Faixa de 80% prevista 1 h antes"].y) == [103, 103, 99, 99, None] * 2
    assert list(drawn["Faixa do backtest"].y) == [103, 103, 99, 99, None]
    assert "Fora da faixa" not in drawn


def test_prices_outside_their_range_are_marked() -> None:
    """A mark lies where the price was at the target, for live forecasts and for those of the backtest."""
    past = PastForecasts((logged(20, 98.0), logged(10, 103.0), logged(5)), (logged(120, 104.5),))
    missed = traces(price_chart(history(), None, past, "6h", STYLE))["Fora da faixa"]
    assert list(missed.y) == [104.5, 98.0]
    assert missed.mode == "markers"


def test_the_same_data_make_the_same_figure() -> None:
    """The same data give the same figure, so that one JSON serves every visitor."""
    assert price_chart(history(), forecast(), NONE, "24h", STYLE) == (
        price_chart(history(), forecast(), NONE, "24h", STYLE)
    )


@pytest.mark.parametrize(("price", "pattern"), [(67_187.33, ",.2"), (0.00002431, ",.8")])
def test_axis_and_hover_have_the_coins_decimals(price: float, pattern: str) -> None:
    """The axis of a cheap coin has enough decimals to show its moves."""
    figure = price_chart(([ORIGIN_MS], [price]), None, NONE, "1h", STYLE)
    assert figure["layout"]["yaxis"]["tickformat"] == f"{pattern}~f"
    assert f"{pattern}f" in figure["data"][0]["hovertemplate"]


def test_simulated_prices_are_marked_on_the_chart() -> None:
    """The watermark is part of the figure, so that a saved picture has it too."""
    marked = price_chart(history(), forecast(), NONE, "6h", ChartStyle(STYLE.formats, "DADOS SIMULADOS"))
    assert "DADOS SIMULADOS" in [note["text"] for note in marked["layout"]["annotations"]]
