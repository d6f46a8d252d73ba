"""What tests of the collector ask of it and of its store, hours of which pass in seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from core.wording import Message, say
from etl.collector.health_report import collector_progress

__all__ = ["COINS", "Worlds", "fields", "widest_gap_s"]

COINS = "bitcoin,ethereum,dogecoin"
Worlds = Callable[..., Any]
"""Makes a world: market server, clock and collector."""


def fields(world: Any) -> dict[str, Any]:
    """The progress fields of the collector's health file."""
    progress = collector_progress(world.collector)[1]
    values = {field.name: getattr(progress, field.name) for field in dataclasses.fields(progress)}
    return {name: say(value) if isinstance(value, Message) else value for name, value in values.items()}


def widest_gap_s(world: Any, coin_id: str, since_ms: int) -> float:
    """The longest time between two stored prices from `since_ms` on."""
    times: list[int] = sorted(ts_ms for ts_ms in world.stored(coin_id) if ts_ms >= since_ms)
    return max(later - earlier for earlier, later in pairwise(times)) / 1000
