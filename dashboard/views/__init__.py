"""The five views of the dashboard by their name in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from dashboard.page import Page
from dashboard.views import accuracy, comparison, diagnostics, export, overview

__all__ = ["VIEWS"]

VIEWS: Final[Mapping[str, Callable[[Page], None]]] = {
    "visao": overview.show,
    "precisao": accuracy.show,
    "comparacao": comparison.show,
    "exportar": export.show,
    "diagnostico": diagnostics.show,
}
