"""What every view gets: settings, readers, texts, formats and the person's choices, kept in the page's address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import streamlit as st

from core.errors import DamagedFile, NotReady, UnknownCoin
from core.reading.readers import Readers
from core.reading.values import Quote
from core.settings import Settings
from dashboard.charts.style import Look
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["Page", "escape", "in_words", "kept", "kept_many", "readers_for"]


@dataclass(frozen=True)
class Page:
    """One run of the page for one person."""

    settings: Settings
    readers: Readers
    texts: Texts
    formats: Formats
    quotes: tuple[Quote, ...] = ()
    watermark: str | None = None

    @property
    def look(self) -> Look:
        """How the charts of this page speak."""
        return Look(self.formats, self.watermark)

    @property
    def names(self) -> dict[str, str]:
        """Each coin as `Bitcoin (BTC)`."""
        return {quote.id: f"{quote.name} ({quote.symbol.upper()})" for quote in self.quotes}


@lru_cache(maxsize=2)
def readers_for(settings: Settings) -> Readers:
    """The one set of readers of this process; it is thread-safe and caches by version."""
    return Readers(settings)


def kept(
    name: str,
    options: Sequence[str],
    default: str,
    widget: Callable[..., Any],
    label: Callable[[str], str] | None = None,
) -> str:
    """A choice that survives reruns, refreshes, new sessions and links: it lives in the address as `?name=`.

    The address is read when a session begins and written afterwards: a browser that lags behind must not undo a
    choice made meanwhile. An address that names no option means the default.
    """
    if name not in st.session_state:
        st.session_state[name] = st.query_params.get(name)
    if st.session_state[name] not in options:
        st.session_state[name] = default
    choice = str(widget(options=options, key=name, format_func=label or str, persist_state="session") or default)
    _write_address(name, choice)
    return choice


def kept_many(
    name: str,
    options: Sequence[str],
    default: Sequence[str],
    widget: Callable[..., list[str]],
    label: Callable[[str], str] | None = None,
) -> list[str]:
    """Several choices that live in the address, `?name=one,two`; none chosen is a choice too."""
    if name not in st.session_state:
        st.session_state[name] = st.query_params.get(name, ",".join(default)).split(",")
    known = [option for option in st.session_state[name] if option in options]
    if known != st.session_state[name]:
        st.session_state[name] = known
    choices = widget(options=options, key=name, format_func=label or str, persist_state="session")
    _write_address(name, ",".join(choices))
    return choices


def _write_address(name: str, choice: str) -> None:
    if st.query_params.get(name) != choice:
        st.query_params[name] = choice


def escape(text: str) -> str:
    """Text for Streamlit's Markdown with nothing special in it: a `$` would begin a formula."""
    for character in "\\`*_[]$<>~":
        text = text.replace(character, f"\\{character}")
    return text.replace(":", "\\:")


@contextmanager
def in_words(page: Page) -> Iterator[None]:
    """Say what is missing or broken in the place where it would be shown."""
    try:
        yield
    except NotReady as waiting:
        st.info(
            escape(page.texts("errors.not_ready", reason=page.texts.said(str(waiting)))),
            icon=":material/hourglass_top:",
        )
    except UnknownCoin as error:
        st.warning(escape(str(error)), icon=":material/search_off:")
    except DamagedFile as error:
        st.error(escape(page.texts("errors.damaged", file=error)), icon=":material/broken_image:")
