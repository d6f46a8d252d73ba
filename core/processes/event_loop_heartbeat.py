"""The heartbeat of a server, which pauses when the server's event loop hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from core.processes.health_schema import NoProgress, Process, ProcessState
from core.processes.heartbeat import BEAT_S, Heartbeat

__all__ = ["LOOP_PATIENCE_S", "loop_heartbeat"]

LOOP_PATIENCE_S: Final = 60.0
"""No single step of an event loop takes so long, however busy the machine is."""


@asynccontextmanager
async def loop_heartbeat(run_dir: Path, process: Process[NoProgress]) -> AsyncIterator[None]:
    """Beat as a serving process until the block ends; a hung event loop is noticed like a hung process."""
    with Heartbeat(run_dir, process, LOOP_PATIENCE_S) as beat:
        beat.state(ProcessState.SERVING)
        turning = asyncio.create_task(_turn(beat))
        try:
            yield
        finally:
            turning.cancel()


async def _turn(beat: Heartbeat[NoProgress]) -> None:
    while True:
        beat.progress()
        await asyncio.sleep(BEAT_S)
