"""View for downloading prices, forecasts, scores and features; a file is made when its button is clicked."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final

import pandas as pd
import streamlit as st

from core.reading.csv_export import attribution
from core.reading.readers import Readers
from core.times import DAY_MS, FOREVER_MS, MINUTE_MS, now_ms
from dashboard.exports.files import Format, csv_cells, export_name, write_csv, write_parquet
from dashboard.exports.kinds import MAX_ROWS, Kind, Selection, count_rows, tables
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.query_choices import is_emptied, query_choice, query_choices, segmented

__all__ = ["VIEW", "file_for", "show"]

_PERIODS: Final = {"24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS, "tudo": FOREVER_MS}
_PREVIEW_ROWS: Final = 8


def show(view: ViewContext) -> None:
    """Draw the choices, the first rows of the file, and the button that makes it."""
    texts = view.texts
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = segmented(texts("export.kind"))
        kind = Kind(query_choice("dados", tuple(Kind), Kind.PRICES, kinds, lambda name: texts(f"kind.{name}")))
        form = _format(view)
        period = "tudo"
        if kind.has_span:
            spans = segmented(texts("export.period"))
            period = query_choice("periodo", tuple(_PERIODS), "7d", spans, lambda name: texts(f"period.{name}"))
    st.caption(texts(f"kind_about.{kind}"))
    coins = _coins(view)
    if not coins:
        st.info(texts("choices.choose_coin"), icon=":material/touch_app:")
        return
    with showing_errors(view):
        end_ms = -(-now_ms() // MINUTE_MS) * MINUTE_MS
        chosen = tuple(view.readers.resolve(coin) for coin in coins)
        _file(view, Selection(kind, chosen, max(0, end_ms - _PERIODS[period])), form, period)


def file_for(readers: Readers, selection: Selection, form: Format) -> bytes:
    """The file of a selection.

    Raises:
        NotReady: nothing of this kind is published yet.
        DamagedFile: a file cannot be read.
    """
    workspace = readers.workspace()
    parts = tables(readers, selection)
    return write_parquet(parts, workspace) if form is Format.PARQUET else write_csv(parts, workspace, form)


def _format(view: ViewContext) -> Format:
    """The format of the file; at first the one that a spreadsheet in the page's language opens."""
    default = Format.EXCEL if view.texts.language == "pt" else Format.CSV
    choices = segmented(view.texts("export.format"))
    return Format(query_choice("formato", tuple(Format), default, choices, lambda name: view.texts(f"format.{name}")))


def _coins(view: ViewContext) -> tuple[str, ...]:
    """Ids of the coins chosen, at first the one of the other pages; all if none is chosen, none if they left."""
    names = view.names
    here = st.session_state.get("moeda") or st.query_params.get("moeda")
    first = here if here in names else next(iter(names))
    box = partial(st.multiselect, view.texts("export.coins"), placeholder=view.texts("export.all_coins"))
    chosen = query_choices("baixar", tuple(names), (first,), box, lambda coin: names[coin])
    return tuple(chosen if chosen or is_emptied("baixar") else names)


@lru_cache(maxsize=64)
def _row_count(readers: Readers, _version: str, selection: Selection) -> int:
    return count_rows(readers, selection)


def _file(view: ViewContext, selection: Selection, form: Format, period: str) -> None:
    readers, texts = view.readers, view.texts
    workspace = readers.workspace()
    count = _row_count(readers, readers.version(), selection)
    name = _file_name(selection, form, period, view)
    with st.container(border=True):
        st.markdown(f"**{escape_markdown(name)}** · {texts('export.rows', rows=view.formats.number(count))}")
        if count > MAX_ROWS:
            st.warning(texts("export.too_many", most=view.formats.number(MAX_ROWS)), icon=":material/data_alert:")
        st.download_button(
            texts("export.download"),
            partial(file_for, readers, selection, form),
            file_name=name,
            mime=form.mime,
            key="download",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
            disabled=not 0 < count <= MAX_ROWS,
        )
        if count:
            _preview(view, selection, form)
        else:
            st.info(texts("export.nothing"), icon=":material/hourglass_empty:")
    st.caption(texts(f"export.written_{form}"))
    source = attribution(workspace.source, texts.language)
    st.caption(f"{texts('export.language')} {texts('export.attribution', text=source)}")


def _preview(view: ViewContext, selection: Selection, form: Format) -> None:
    """The first rows, cell by cell as a CSV file has them."""
    first = next(tables(view.readers, selection, _PREVIEW_ROWS))
    shown = Format.CSV if form is Format.PARQUET else form
    header, rows = csv_cells(first, view.readers.workspace(), shown)
    st.caption(view.texts("export.preview"))
    st.dataframe(pd.DataFrame(rows, columns=header), hide_index=True, key="export_preview")


def _file_name(selection: Selection, form: Format, period: str, view: ViewContext) -> str:
    now = view.formats.local(now_ms())
    when = f"{now:%Y-%m-%d}-{period}" if selection.kind.has_span else f"{now:%Y-%m-%d-%H%M}"
    coins = [coin.id for coin in selection.coins]
    return export_name(selection.kind.value, coins, when, view.readers.workspace(), form)


VIEW: Final = View(
    "exportar", ":material/download:", position=6, show=show, also=("exportacao", "baixar", "export", "download")
)
