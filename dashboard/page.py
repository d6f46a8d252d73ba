"""What every view gets: settings, readers, texts, formats and the person's choices, kept in the page's address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import streamlit as st

from core.errors import DamagedFile, NotReady, UnknownCoin
from core.readers import Readers
from core.settings import Settings
from core.views import Quote
from dashboard.formats import Formats
from dashboard.look import Look
from dashboard.texts import Texts

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

    An address that names no option means the default; one changed by hand or by the browser's back button is followed.
    """
    address = st.query_params.get(name)
    if _is_news(name, address) and address in options:
        st.session_state[name] = address
    if st.session_state.get(name) not in options:
        st.session_state[name] = default
    choice = str(widget(options=options, key=name, format_func=label or str) or default)
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
    address = st.query_params.get(name)
    if _is_news(name, address) and address is not None:
        st.session_state[name] = [part for part in address.split(",") if part in options]
    chosen = st.session_state.get(name, list(default))
    st.session_state[name] = [option for option in chosen if option in options]
    choices = widget(options=options, key=name, format_func=label or str)
    _write_address(name, ",".join(choices))
    return choices


def _is_news(name: str, address: str | None) -> bool:
    """Whether the address was changed by somebody else than this page, or the choice is not known yet."""
    return name not in st.session_state or address != st.session_state.get(f"{name}_in_address")


def _write_address(name: str, choice: str) -> None:
    if st.query_params.get(name) != choice:
        st.query_params[name] = choice
    st.session_state[f"{name}_in_address"] = choice


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
        st.info(escape(page.texts("errors.not_ready", reason=waiting)), icon=":material/hourglass_top:")
    except UnknownCoin as error:
        st.warning(escape(str(error)), icon=":material/search_off:")
    except DamagedFile as error:
        st.error(escape(page.texts("errors.damaged", file=error)), icon=":material/broken_image:")
