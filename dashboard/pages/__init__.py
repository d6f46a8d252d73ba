"""The pages of the dashboard: each module of this package declares one as `PAGE`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from dashboard.i18n.texts import LANGUAGES, catalogue
from dashboard.shell.context import Page

__all__ = ["PAGES", "find_pages"]


def find_pages() -> dict[str, Page]:
    """Import every module of this package and collect their pages.

    Returns:
        The pages by their name in the address, in the order of the tabs.

    Raises:
        AttributeError: A module declares no `PAGE`.
        LookupError: A catalogue has no text for the tab of a page.
    """
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    pages: list[Page] = sorted((module.PAGE for module in modules), key=lambda page: (page.position, page.name))
    for page in pages:
        for language in LANGUAGES:
            if f"tabs.{page.name}" not in catalogue(language):
                raise LookupError(f"page {page.name!r} needs the text {page.name!r} in [tabs] of {language}.toml")
    return {page.name: page for page in pages}


PAGES: Final[Mapping[str, Page]] = find_pages()
