"""Tells when the calendar of American announcements runs out, after which no range widens for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from core.times import to_datetime
from core.wording import Message, message
from model.forecaster.announcements import LAST_DAYS

__all__ = ["NOTICE_DAYS", "CalendarWatch"]

NOTICE_DAYS: Final = 30
"""How long before its last day a list counts as ending."""

_FILE: Final = "model/forecaster/us_announcements.toml"

_log = logging.getLogger(__name__)


class CalendarWatch:
    """Names the lists that have ended or end soon; the log does so at the start and when another one joins them.

    Args:
        last_days: by list, the last day that it names.
    """

    def __init__(self, last_days: Mapping[str, date] = LAST_DAYS) -> None:
        self._last_days = sorted(last_days.items(), key=lambda item: item[1])
        self._told = ""

    def look(self, now: int) -> Message | None:
        """What to do about the lists that end within `NOTICE_DAYS` of `now` (UTC milliseconds); None if none does."""
        limit = to_datetime(now).date() + timedelta(days=NOTICE_DAYS)
        ending = ", ".join(f"{name} ({day})" for name, day in self._last_days if day <= limit)
        if not ending:
            return None
        said = message("forecasts.calendar_ends", lists=ending, file=_FILE)
        if ending != self._told:
            _log.warning("%s", said)
        self._told = ending
        return said
