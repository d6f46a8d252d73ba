"""The frame around every view: banner, title, tabs, footer; and the watch for what makes the whole page change."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from core.errors import ConfigurationError, DamagedFile, NotReady, UnknownCoin
from core.reading.readers import Readers
from core.reading.status import SuiteStatus, judge
from core.reading.values import Quote
from core.settings import Settings, load_settings
from core.workspace import Workspace
from dashboard.i18n.numbers import Formats, time_zone
from dashboard.i18n.texts import LANGUAGES, Texts
from dashboard.pages import VIEWS
from dashboard.shell.banner import as_html, notices, watermark
from dashboard.shell.choices import segmented
from dashboard.shell.context import Page, kept, readers_for
from dashboard.shell.login import admitted
from dashboard.shell.waiting import waiting_view

__all__ = ["draw"]

_WATCH_EVERY: Final = "2s"
_ICON: Final = Path(__file__).with_name("icon.svg")
_ICONS: Final = {
    "visao": ":material/show_chart:",
    "precisao": ":material/target:",
    "comparacao": ":material/stacked_line_chart:",
    "exportar": ":material/download:",
    "diagnostico": ":material/monitor_heart:",
}


def draw() -> None:
    """Draw the whole page once; fragments keep it fresh afterwards."""
    st.set_page_config(page_title="Crypto Forecasting Pipeline", page_icon=_ICON, layout="wide")
    banner_place = st.container(key="banner")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown("#### :material/query_stats: Crypto Forecasting Pipeline", width="content")
        switch = segmented("Idioma / Language", label_visibility="collapsed")
        language = kept("idioma", LANGUAGES, "pt", switch, str.upper)
    texts = Texts(language)
    try:
        settings = load_settings()
    except ConfigurationError as error:
        st.error(f"{texts('errors.configuration')}\n\n```\n{error}\n```", icon=":material/settings_alert:")
        return
    if not admitted(settings.api_token, texts):
        return
    page = _page(settings, texts)
    with banner_place:
        st.fragment(_watch, run_every=_WATCH_EVERY)(page, _outline(page.readers))
    if page.quotes:
        _tabs(page)
    else:
        waiting_view(page)
    st.caption(texts("footer.attribution"))


def _page(settings: Settings, texts: Texts) -> Page:
    readers = readers_for(settings)
    workspace = _workspace(readers)
    formats = Formats(
        language=texts.language,
        zone=time_zone(st.context.timezone),
        currency=workspace.currency if workspace else settings.currency,
    )
    mark = watermark(workspace.source if workspace else None, texts)
    return Page(settings, readers, texts, formats, tuple(_quotes(readers)), mark)


def _workspace(readers: Readers) -> Workspace | None:
    try:
        return readers.workspace()
    except NotReady:
        return None


def _quotes(readers: Readers) -> list[Quote]:
    """The coins that have a price; none while there is nothing to show yet or the store is damaged."""
    try:
        return [quote for quote in readers.quotes() if quote.price is not None]
    except (NotReady, DamagedFile):
        return []


def _outline(readers: Readers) -> tuple[object, ...]:
    """What decides how the page is laid out: when it changes, the whole page is drawn anew."""
    workspace = _workspace(readers)
    named = tuple((quote.id, quote.symbol, quote.name) for quote in _quotes(readers))
    return (workspace.root if workspace else None, named)


def _watch(page: Page, drawn: tuple[object, ...]) -> None:
    """The banner, judged every two seconds."""
    if _outline(page.readers) != drawn:
        st.rerun()
    status: SuiteStatus = judge(page.settings, page.readers)
    bars = notices(status, page.texts, page.formats)
    if bars:
        st.html(as_html(bars))


def _tabs(page: Page) -> None:
    _accept_symbol(page.readers)
    switch = partial(st.pills, page.texts("tabs.label"), label_visibility="collapsed", required=True)
    view = kept("pagina", tuple(VIEWS), "visao", switch, lambda name: f"{_ICONS[name]} {page.texts(f'tabs.{name}')}")
    VIEWS[view](page)


def _accept_symbol(readers: Readers) -> None:
    """An address may name the coin by its symbol, in any case, as the API's does."""
    name = st.query_params.get("moeda")
    if name and "moeda" not in st.session_state:
        try:
            coin = readers.resolve(name)
        except (UnknownCoin, NotReady, DamagedFile):
            return
        if coin.id != name:
            st.query_params["moeda"] = coin.id
