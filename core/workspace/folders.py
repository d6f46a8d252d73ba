"""The folders of one source, and who may write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.processes.lifecycle import hold_lock
from core.settings import Source
from core.store_address import BucketAddress, ServerAddress, StoreAddress
from core.wording import message

__all__ = ["PIPELINE_LOCK", "PUBLISHED", "Workspace"]

PIPELINE_LOCK: Final = "pipeline.lock"
"""In the folder of the published files, held by the process that writes them."""

PUBLISHED: Final = "processed"
"""Name of the folder of the published files, here and in a bucket."""


@dataclass(frozen=True)
class Workspace:
    """The folders of one source; `epoch_ms` is when its simulation or replay began, in UTC milliseconds.

    Attributes:
        bucket: where what is published and learned is copied to, if anywhere.
        follows: whether the published files come from there, instead of from a pipeline on this machine.
    """

    source: Source
    currency: str
    root: Path
    models: Path
    epoch_ms: int
    seed: int | None = None
    recording: str | None = None
    server: ServerAddress | None = None
    bucket: BucketAddress | None = None
    follows: bool = False

    @property
    def store(self) -> StoreAddress:
        """The price store, written by the collector alone: the schema on the server, if there is one, or the file."""
        return self.server or self.database

    @property
    def database(self) -> Path:
        """The file of a price store without a server."""
        return self.root / "crypto.db"

    @property
    def processed(self) -> Path:
        """Features, forecasts, log and scores, written by the pipeline alone, or by what follows one elsewhere."""
        return self.root / ("followed" if self.follows else PUBLISHED)

    @property
    def alerts(self) -> Path:
        """Rules of the dashboard, and what was told; written by the alert process and the dashboard."""
        return self.root / "alerts.db"

    @contextmanager
    def hold_pipeline(self) -> Iterator[None]:
        """Hold the lock of all files that the pipeline writes.

        Raises:
            AlreadyRunning: another pipeline or a single step holds it.
        """
        lock = hold_lock(self.processed / PIPELINE_LOCK, message("lock.pipeline"))
        try:
            yield
        finally:
            lock.release()

    @property
    def is_live(self) -> bool:
        """Whether the prices come live from CoinGecko."""
        return self.source is Source.COINGECKO
