"""The five views of the dashboard by their name in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dashboard.pages import accuracy, comparison, diagnostics, export, overview
from dashboard.shell.context import Page

__all__ = ["VIEWS"]

VIEWS: Final[Mapping[str, Callable[[Page], None]]] = {
    "visao": overview.show,
    "precisao": accuracy.show,
    "comparacao": comparison.show,
    "exportar": export.show,
    "diagnostico": diagnostics.show,
}
