"""Context of a view for one visitor, the declaration of a view, and how errors are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st

from core.errors import DamagedFile, NotReady, UnknownCoin
from core.reading.readers import Readers
from core.reading.values import Quote
from core.settings import Settings
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["View", "ViewContext", "escape_markdown", "readers_for", "showing_errors"]


@dataclass(frozen=True)
class ViewContext:
    """One run of the page script for one visitor; `quotes` holds the coins that have a price."""

    settings: Settings
    readers: Readers
    texts: Texts
    formats: Formats
    quotes: tuple[Quote, ...] = ()
    watermark: str | None = None

    @property
    def chart_style(self) -> ChartStyle:
        """Formats and watermark of the charts."""
        return ChartStyle(self.formats, self.watermark)

    @property
    def names(self) -> dict[str, str]:
        """Each coin as `Bitcoin (BTC)`, by its id."""
        return {quote.id: f"{quote.name} ({quote.symbol.upper()})" for quote in self.quotes}


@dataclass(frozen=True)
class View:
    """A view of the dashboard, as its module in `dashboard.views` declares it.

    Attributes:
        name: Name in the address, `?pagina=`; the catalogues have the tab's text as `tabs.<name>`.
        icon: Icon of the tab, in Streamlit's notation.
        position: Place among the tabs, the smallest first.
        show: Draws the view.
        also: Other names by which an address may ask for it, in lower case and without accents.
    """

    name: str
    icon: str
    position: int
    show: Callable[[ViewContext], None]
    also: tuple[str, ...] = ()


@lru_cache(maxsize=2)
def readers_for(settings: Settings) -> Readers:
    """The readers that all visitors share; thread-safe, with one cache per published version."""
    return Readers(settings)


def escape_markdown(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is; a `$`, for example, would begin a formula."""
    for character in "\\`*_[]$<>~":
        text = text.replace(character, f"\\{character}")
    return text.replace(":", "\\:")


@contextmanager
def showing_errors(view: ViewContext) -> Iterator[None]:
    """Show in place of the content why it is missing: not ready, unknown coin, or a damaged file."""
    try:
        yield
    except NotReady as waiting:
        st.info(
            escape_markdown(view.texts("errors.not_ready", reason=view.texts.translate(waiting.message))),
            icon=":material/hourglass_top:",
        )
    except UnknownCoin as error:
        st.warning(escape_markdown(view.texts.translate(error.message)), icon=":material/search_off:")
    except DamagedFile as error:
        st.error(
            escape_markdown(view.texts("errors.damaged", file=view.texts.translate(error.message))),
            icon=":material/broken_image:",
        )
