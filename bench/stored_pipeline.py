"""A pipeline over a stored market in a folder of its own, which a benchmark drives cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench.market import Market
from core.price_store import PriceWriter, open_writer
from core.processes.free_memory import leave_out_of_collections
from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import Heartbeat, read_health
from core.settings import Settings
from core.workspace import open_workspace
from model.loop.session import open_session
from model.pipeline import Pipeline

__all__ = ["StoredPipeline", "complete_cycle", "stored_pipeline"]


class StoredPipeline(NamedTuple):
    """The pipeline, the market whose prices it reads, and the writer that stores them."""

    pipeline: Pipeline
    market: Market
    writer: PriceWriter


@contextmanager
def stored_pipeline(settings: Settings, *, coins: int, rows: int, days: float, end_ms: int) -> Iterator[StoredPipeline]:
    """Store `rows` prices per coin, evenly spaced over `days` up to `end_ms`; open a pipeline that has read none."""
    leave_out_of_collections()  # as the process of the suite does
    database = open_workspace(settings).database
    market = Market.stored(database, coins=coins, rows=rows, days=days, end_ms=end_ms)
    with (
        Heartbeat(settings.run_dir, PIPELINE) as heartbeat,
        open_writer(database) as writer,
        open_session(settings) as session,
    ):
        yield StoredPipeline(Pipeline(session, heartbeat), market, writer)


def complete_cycle(pipeline: Pipeline, now: int) -> None:
    """Run one cycle in which every step succeeds and every coin gets its forecast."""
    assert pipeline.cycle(now), "a coin has no forecast"
    trouble = read_health(pipeline.session.settings.run_dir, PIPELINE).progress.failed_steps
    assert not trouble, trouble
