"""View that compares coins on one scale and lists every coin in a table."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final

import streamlit as st
from pandas.io.formats.style import Styler

from core.errors import NotReady
from core.reading.readers import Readers
from core.times import DAY_MS, MINUTE_MS, now_ms
from dashboard.charts.comparison import comparison_chart
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.palette import CATEGORIES
from dashboard.charts.style import ChartStyle
from dashboard.charts.tables import coin_table
from dashboard.charts.time_axis import WINDOWS
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, showing_errors
from dashboard.shell.query_choices import choose_window, query_choice, query_choices, segmented

__all__ = ["VIEW", "coins_table", "comparison_figure", "show", "sparklines"]

_EVERY: Final = "3s"
_SCALES: Final = ("variacao", "indice")
_FIRST_SHOWN: Final = 5
_SPARK_STEP_MS: Final = 30 * MINUTE_MS
_SPARK_RENEWED_MS: Final = 5 * MINUTE_MS


def show(view: ViewContext) -> None:
    """Draw the choices of coins, window and scale, the chart, and the table."""
    texts, names = view.texts, view.names
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = choose_window(view)
        scale = query_choice(
            "escala", _SCALES, _SCALES[0], segmented(texts("scale.label")), lambda name: texts(f"scale.{name}")
        )
    box = partial(
        st.multiselect,
        texts("comparison.coins"),
        max_selections=len(CATEGORIES),
        placeholder=texts("comparison.choose"),
    )
    coins = query_choices("moedas", tuple(names), tuple(names)[:_FIRST_SHOWN], box, lambda coin: names[coin])
    st.fragment(_chart, run_every=_EVERY)(view, tuple(coins), window, scale)
    st.fragment(_table, run_every=_EVERY)(view)


@lru_cache(maxsize=8)
def comparison_figure(
    readers: Readers, _version: str, names: tuple[tuple[str, str], ...], *, window: str, scale: str, style: ChartStyle
) -> bytes:
    """The comparison chart of one version of the data, as JSON; `names` has pairs of coin id and shown name."""
    newest_ms = max((quote.updated_ms or 0 for quote in readers.quotes()), default=0)
    series = {coin: readers.series(coin, max(0, newest_ms - WINDOWS[window])) for coin, _ in names}
    figure = comparison_chart(series, dict(names), window, as_index=scale == "indice", style=style)
    alt = style.texts("comparison.alt", window=window)
    around = Chart(
        title=alt, file=f"comparacao-{window}-{readers.workspace().source.value}", alt=alt,
        view=f"{window} {scale}", live=True,
    )  # fmt: skip
    return chart_json(figure, around, style.formats)


@lru_cache(maxsize=4)
def sparklines(readers: Readers, coins: tuple[str, ...], until_ms: int) -> dict[str, list[float]]:
    """Half-hourly prices of each coin's last day; callers round `until_ms` to 5 minutes to save work."""
    return {coin: readers.series(coin, until_ms - DAY_MS, _SPARK_STEP_MS)[1] for coin in coins}


@lru_cache(maxsize=8)
def coins_table(readers: Readers, _version: str, until_ms: int, formats: Formats) -> Styler:
    """The table of all coins for one version of the data."""
    quotes = readers.quotes()
    try:
        forecasts = readers.forecasts()
    except NotReady:
        forecasts = {}
    lines = sparklines(readers, tuple(quote.id for quote in quotes), until_ms)
    return coin_table(quotes, forecasts, lines, formats, Texts(formats.language))


def _chart(view: ViewContext, coins: tuple[str, ...], window: str, scale: str) -> None:
    with showing_errors(view), st.container(border=True, key="comparison_chart"):
        if not coins:
            st.info(view.texts("comparison.none"), icon=":material/touch_app:")
            return
        names = tuple((coin, view.names[coin]) for coin in coins)
        figure = comparison_figure(
            view.readers, view.readers.version(), names, window=window, scale=scale, style=view.chart_style
        )
        show_chart(figure, key="comparison")
        st.caption(view.texts(f"comparison.about_{scale}"))


def _table(view: ViewContext) -> None:
    with showing_errors(view):
        st.markdown(f"**{view.texts('comparison.table')}**")
        until_ms = now_ms() // _SPARK_RENEWED_MS * _SPARK_RENEWED_MS
        table = coins_table(view.readers, view.readers.version(), until_ms, view.formats)
        st.dataframe(
            table,
            hide_index=True,
            key="coins_table",
            column_config={view.texts("table.last_day"): st.column_config.LineChartColumn()},
        )


VIEW: Final = View("comparacao", ":material/stacked_line_chart:", position=3, show=show)
