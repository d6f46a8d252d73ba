"""One readable line per cycle, from the health record of the pipeline."""

from __future__ import annotations

from datetime import datetime

from core.number_format import format_number, price_decimals
from core.processes.health_schema import Headline, PipelineProgress
from core.wording import counted_coins, message, say

__all__ = ["CycleReporter", "cycle_line"]


class CycleReporter:
    """Turns health records of the pipeline into lines, one per cycle."""

    def __init__(self) -> None:
        self._seen: tuple[int | None, object] = (None, None)

    def line(self, pid: int | None, progress: PipelineProgress) -> str | None:
        """The line of the last cycle of process `pid`, or None if it was reported already."""
        cycle = (pid, progress.cycle)
        if None in cycle or cycle == self._seen or progress.forecast_at is None:
            return None
        self._seen = cycle
        return cycle_line(progress)


def cycle_line(progress: PipelineProgress) -> str:
    """`14:03:30 ciclo 12 · 10 moedas · bitcoin 67.187,33 → 67.190,00 [66.900,00–67.480,00] 80 % · 0,8 s`.

    The time is local; the forecast is for the next hour.
    """
    at = datetime.fromisoformat(str(progress.forecast_at)).astimezone()
    parts = [
        say(message("suite.cycle", at=f"{at:%H:%M:%S}", cycle=progress.cycle or 0)),
        say(counted_coins(progress.coins or 0)),
        _headline(progress.headline),
        f"{format_number(progress.cycle_seconds or 0.0, 1)} s",
    ]
    return " · ".join(part for part in parts if part)


def _headline(headline: Headline | None) -> str:
    if headline is None:
        return ""
    decimals = price_decimals(headline.price)
    price, mean, low, high = (
        format_number(value, decimals) for value in (headline.price, headline.mean, headline.low80, headline.high80)
    )
    return f"{headline.coin} {price} → {mean} [{low}–{high}] 80 %"
