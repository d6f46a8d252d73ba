"""Style of a chart: language, time zone, currency and watermark."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["ChartStyle"]


@dataclass(frozen=True)
class ChartStyle:
    """Formats of a chart and the watermark written across prices that are not live; part of figures' cache keys."""

    formats: Formats
    watermark: str | None = None

    @property
    def texts(self) -> Texts:
        """The texts in the language of the formats."""
        return Texts(self.formats.language)
