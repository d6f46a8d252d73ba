"""One line a cycle that a person can read, from what the pipeline says in its health file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.number_format import format_number, price_decimals

__all__ = ["CycleReporter", "cycle_line"]


class CycleReporter:
    """Turns health readings into lines, each cycle once."""

    def __init__(self) -> None:
        self._seen: tuple[int | None, object] = (None, None)

    def line(self, pid: int | None, progress: Mapping[str, Any]) -> str | None:
        """The line of a cycle of process `pid` not shown yet, or None."""
        cycle = (pid, progress.get("cycle"))
        if None in cycle or cycle == self._seen or "forecast_at" not in progress:
            return None
        self._seen = cycle
        return cycle_line(progress)


def cycle_line(progress: Mapping[str, Any]) -> str:
    """`14:03:30 ciclo 12 · 10 moedas · bitcoin 67.187,33 → 67.190,00 [66.900,00–67.480,00] 80 % · 0,8 s`.

    The time is this machine's own; the forecast is for the next hour.
    """
    at = datetime.fromisoformat(str(progress["forecast_at"])).astimezone()
    coins = int(progress.get("coins", 0))
    parts = [
        f"{at:%H:%M:%S} ciclo {progress['cycle']}",
        f"{coins} moeda{'' if coins == 1 else 's'}",
        _headline(progress.get("headline")),
        f"{format_number(float(progress.get('cycle_seconds', 0.0)), 1)} s",
    ]
    return " · ".join(part for part in parts if part)


def _headline(headline: Mapping[str, Any] | None) -> str:
    if not headline:
        return ""
    decimals = price_decimals(float(headline["price"]))
    price, mean, low, high = (
        format_number(float(headline[key]), decimals) for key in ("price", "mean", "low80", "high80")
    )
    return f"{headline['coin']} {price} → {mean} [{low}–{high}] 80 %"
