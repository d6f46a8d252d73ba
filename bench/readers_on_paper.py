"""What 10,000 readers would need, worked out from measured processor times: a table in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["READERS", "on_paper"]

READERS: Final = 10_000
_EVERY_S: Final = 30.0
_HABITS: Final = {
    "/prever/{coin}": "one coin, asked for every 30 s",
    "/prever": "all coins, asked for every 30 s",
    "/historico, 1,000 rows": "1,000 prices, asked for every 30 s",
}


def on_paper(measured: Mapping[str, Any]) -> str:
    """A row for each habit of `READERS` readers: requests a second, and how many processors would be busy all the time.

    Args:
        measured: as `bench.readers.measure_readers` returns it.
    """
    rate = READERS / _EVERY_S
    lines = [
        f"| {READERS:,} readers | requests/s | processors: API alone | nginx | API behind nginx | memory of the API |",
        "|---|---|---|---|---|---|",
    ]
    for path, habit in _HABITS.items():
        ways = measured["requests"][path]
        alone, total, behind = (
            ways["one process"]["cpu_us"],
            ways["nginx"]["cpu_us"],
            ways["nginx"]["api_us"],
        )
        spent = [rate * cost / 1e6 for cost in (alone, total - behind, behind)]
        lines.append(f"| {habit} | {rate:.0f} | {spent[0]:.2f} | {spent[1]:.2f} | {spent[2]:.3f} | as with one |")
    few, many = measured["light_page"]
    busy = _extrapolated(few["listeners"], _busy_us(few), many["listeners"], _busy_us(many)) / (1e6 * _EVERY_S)
    memory_gb = _extrapolated(few["listeners"], few["with_mb"], many["listeners"], many["with_mb"]) / 1e3
    habit = "the light page: stream of a coin, list at each publication"
    lines.append(f"| {habit} | {rate:.0f} | {busy:.2f} | not measured | not measured | {memory_gb:.1f} GB |")
    return "\n".join(lines)


def _busy_us(page: Mapping[str, Any]) -> float:
    """Processor time of a publication in microseconds, for all its listeners together."""
    return float(page["cpu_us"] * page["listeners"])


def _extrapolated(few: float, at_few: float, many: float, at_many: float) -> float:
    """What `READERS` cost if each costs the same, beside a part that does not depend on their number."""
    return at_many + (READERS - many) * (at_many - at_few) / (many - few)
