"""The heartbeat of a server; it pauses while the server's event loop hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from core.processes.health_schema import Process, ProcessState, ProgressT
from core.processes.heartbeat import BEAT_S, Heartbeat

__all__ = ["LOOP_PATIENCE_S", "loop_heartbeat"]

LOOP_PATIENCE_S: Final = 60.0
"""Longer than any step of an event loop takes, even on a busy machine."""


@asynccontextmanager
async def loop_heartbeat(
    run_dir: Path, process: Process[ProgressT], record: Callable[[], ProgressT | None] = lambda: None
) -> AsyncIterator[None]:
    """Write the health file of a server until the block ends; pause while the event loop hangs.

    Args:
        run_dir: folder of the health files.
        process: the server.
        record: what the file says of the server's work; asked in the event loop every two seconds.
    """
    with Heartbeat(run_dir, process, LOOP_PATIENCE_S) as heartbeat:
        heartbeat.state(ProcessState.SERVING)
        advance = asyncio.create_task(_advance(heartbeat, record))
        try:
            yield
        finally:
            advance.cancel()


async def _advance(heartbeat: Heartbeat[ProgressT], record: Callable[[], ProgressT | None]) -> None:
    while True:
        heartbeat.progress(record())
        await asyncio.sleep(BEAT_S)
