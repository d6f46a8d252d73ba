"""The heartbeat of a server: it goes on for as long as the server's event loop turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from core.processes.heartbeat import BEAT_S, Heartbeat

__all__ = ["LOOP_PATIENCE_S", "loop_heartbeat"]

LOOP_PATIENCE_S: Final = 60.0
"""No single step of an event loop takes so long, however busy the machine is."""


@asynccontextmanager
async def loop_heartbeat(run_dir: Path, name: str, state: str) -> AsyncIterator[None]:
    """Beat in `state` until the block ends; a loop that hangs is noticed like a process that does."""
    with Heartbeat(run_dir, name, LOOP_PATIENCE_S) as beat:
        beat.state(state)
        turning = asyncio.create_task(_turn(beat))
        try:
            yield
        finally:
            turning.cancel()


async def _turn(beat: Heartbeat) -> None:
    while True:
        beat.progress()
        await asyncio.sleep(BEAT_S)
