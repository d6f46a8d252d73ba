"""Layout of the page: banner, title, language, tabs and footer around one view."""

from __future__ import annotations

import unicodedata
from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from core.errors import ConfigurationError, DamagedFile, NotReady, UnknownCoin
from core.reading.readers import Readers
from core.reading.status import SuiteStatus, assess_suite
from core.reading.values import Quote
from core.settings import Settings
from core.workspace import Workspace
from dashboard.i18n.numbers import Formats, time_zone
from dashboard.i18n.texts import LANGUAGES, Texts
from dashboard.shell import service
from dashboard.shell.banner import as_html, notices, watermark
from dashboard.shell.context import ViewContext, escape_markdown, readers_for, showing_errors
from dashboard.shell.kiosk import is_kiosk, kiosk_view
from dashboard.shell.live import keep_current, live, start_page
from dashboard.shell.login import admitted
from dashboard.shell.notices import tell_browser
from dashboard.shell.page_frame import first_language
from dashboard.shell.page_title import NAME, footer, page_title
from dashboard.shell.query_choices import query_choice, segmented, unknown_names, unseen
from dashboard.shell.waiting import waiting_view
from dashboard.views import VIEWS

__all__ = ["draw"]

_MARKET: Final = "visao"
_COIN: Final = "moeda"
_UNKNOWN_TEXTS: Final = {"pagina": "pagina", "moedas": "moedas", "baixar": "moedas", "alert_coins": "moedas"}
_TITLE: Final = "page_title"
_ICON: Final = Path(__file__).with_name("icon.svg")


def draw() -> None:
    """Draw the whole page once; its fragments then refresh themselves."""
    st.set_page_config(page_title=st.session_state.get(_TITLE, NAME), page_icon=_ICON, layout="wide")
    start_page()
    language = _heading()
    banner_place = st.container(key="banner")
    texts = Texts(language)
    try:
        settings, tokens = service.settings(), service.access_tokens()
    except ConfigurationError as error:
        st.error(
            f"{texts('errors.configuration')}\n\n```\n{error.in_words(language)}\n```", icon=":material/settings_alert:"
        )
        return
    if not admitted(tokens, texts):
        return
    view = _view(settings, texts)
    with banner_place:
        live(_watch, "banner")(view, _outline(view.readers))
    if view.quotes:
        _content(view)
    else:
        waiting_view(view)
    workspace = _workspace(view.readers)
    st.caption(footer(workspace.source if workspace else None, texts))


def _heading() -> str:
    """Draw the name of the page and the switch of its language, unless it is framed or on a wall; the language."""
    first = first_language(st.context.locale)
    if st.context.is_embedded or is_kiosk():
        return query_choice("idioma", LANGUAGES, first, unseen)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="head"):
        st.markdown(f"# :material/query_stats: {NAME}", width="content")
        switch = segmented("Idioma / Language", label_visibility="collapsed")
        return query_choice("idioma", LANGUAGES, first, switch, str.upper)


def _view(settings: Settings, texts: Texts) -> ViewContext:
    readers = readers_for(settings)
    workspace = _workspace(readers)
    formats = Formats(
        language=texts.language,
        zone=time_zone(st.context.timezone),
        currency=workspace.currency if workspace else settings.currency,
    )
    across = watermark(workspace.source if workspace else None, texts)
    return ViewContext(settings, readers, texts, formats, tuple(_quotes(readers)), across)


def _workspace(readers: Readers) -> Workspace | None:
    try:
        return readers.workspace()
    except (NotReady, ConfigurationError):
        return None


def _quotes(readers: Readers) -> list[Quote]:
    """The coins that have a price; none before the first price or if the store cannot be used."""
    try:
        return [quote for quote in readers.quotes() if quote.price is not None]
    except (NotReady, DamagedFile, ConfigurationError):
        return []


def _outline(readers: Readers) -> tuple[object, ...]:
    """Workspace and coins; when they change, the whole page must be drawn again."""
    workspace = _workspace(readers)
    named = tuple((quote.id, quote.symbol, quote.name) for quote in _quotes(readers))
    return (workspace.root if workspace else None, named)


def _watch(view: ViewContext, drawn: tuple[object, ...]) -> None:
    """Draw the banner; rerun the page if its outline has changed."""
    if _outline(view.readers) != drawn:
        st.rerun()
    keep_current(view)
    tell_browser(view)
    status: SuiteStatus = assess_suite(view.settings, view.readers)
    bars = notices(status, view.texts, view.formats)
    if bars:
        st.html(as_html(bars))
    _name_tab(view)


def _name_tab(view: ViewContext) -> None:
    """Put the price of the coin looked at, or of the first one, into the title of the browser's tab."""
    quotes = {quote.id: quote for quote in _quotes(view.readers)}
    coin = str(st.session_state.get(_COIN) or st.query_params.get(_COIN) or next(iter(quotes), ""))
    title = page_title(quotes.get(coin), view.watermark, view.formats)
    if st.session_state.get(_TITLE) != title:
        st.session_state[_TITLE] = title
        st.set_page_config(page_title=title)


def _content(view: ViewContext) -> None:
    _accept_symbols(view.readers)
    if is_kiosk():
        with showing_errors(view):
            kiosk_view(view)
    else:
        _tabs(view)


def _tabs(view: ViewContext) -> None:
    _accept_page_names()
    _accept_coin_links()
    pills = partial(st.pills, view.texts("tabs.label"), label_visibility="collapsed", required=True)
    switch = unseen if st.context.is_embedded else pills
    label = {name: f"{one.icon} {view.texts(f'tabs.{name}')}" for name, one in VIEWS.items()}
    name = query_choice("pagina", tuple(VIEWS), next(iter(VIEWS)), switch, label.__getitem__)
    remarks = st.container()
    with showing_errors(view):
        VIEWS[name].show(view)
    for choice, given in unknown_names().items():
        sentence = view.texts(f"unknown.{_UNKNOWN_TEXTS.get(choice, 'choice')}", given=given)
        remarks.warning(escape_markdown(sentence), icon=":material/search_off:")


def _accept_page_names() -> None:
    """Replace another name of a page in the address, such as `Acurácia`, by its own."""
    given = st.query_params.get("pagina", "")
    letters = unicodedata.normalize("NFKD", given.strip().lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    named = next((name for name, view in VIEWS.items() if plain in (name, *view.also)), given)
    if "pagina" not in st.session_state and named != given:
        st.query_params["pagina"] = named


def _accept_coin_links() -> None:
    """Open the page of the coin that the address names, if it names no other page."""
    address = st.query_params
    if "pagina" not in st.session_state and "moeda" in address and address.get("pagina", _MARKET) == _MARKET:
        address["pagina"] = _COIN


def _accept_symbols(readers: Readers) -> None:
    """Replace symbols in the address, in any case, by the ids of their coins."""
    for choice in ("moeda", "moedas", "baixar", "favoritas"):
        given = st.query_params.get(choice)
        if given and choice not in st.session_state:
            coins = ",".join(_coin_id(readers, name) for name in given.split(","))
            if coins != given:
                st.query_params[choice] = coins


def _coin_id(readers: Readers, name: str) -> str:
    try:
        return readers.resolve(name).id
    except (UnknownCoin, NotReady, DamagedFile, ConfigurationError):
        return name
