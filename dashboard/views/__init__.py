"""The views of the dashboard, one per tab: each module of this package declares its own as `VIEW`.

The package is not called `pages`: Streamlit would take that folder for pages of its own and list them in a sidebar.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from dashboard.i18n.texts import LANGUAGES, catalogue
from dashboard.shell.context import View

__all__ = ["VIEWS", "find_views"]


def find_views() -> dict[str, View]:
    """Import every module of this package and collect their views.

    Returns:
        The views by their name in the address, in the order of the tabs.

    Raises:
        AttributeError: A module declares no `VIEW`.
        LookupError: A catalogue has no text for the tab of a view.
    """
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    views: list[View] = sorted((module.VIEW for module in modules), key=lambda view: (view.position, view.name))
    for view in views:
        for language in LANGUAGES:
            if f"tabs.{view.name}" not in catalogue(language):
                raise LookupError(f"the view {view.name!r} needs a text {view.name!r} in [tabs] of {language}.toml")
    return {view.name: view for view in views}


VIEWS: Final[Mapping[str, View]] = find_views()
