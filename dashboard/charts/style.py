"""How a chart speaks: in which language, zone and currency, and under which watermark."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["Look"]


@dataclass(frozen=True)
class Look:
    """Part of the key under which figures are kept; `mark` is written across charts of prices that are not live."""

    formats: Formats
    mark: str | None = None

    @property
    def texts(self) -> Texts:
        """The texts in the language of the formats."""
        return Texts(self.formats.language)
