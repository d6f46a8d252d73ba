"""Features as a step: the grid rows of the last day that are not written yet. `python -m etl.transform`."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence

import pyarrow as pa

from core.price_store import PriceReader, open_reader
from core.processes.command_line import CommandLine, run_command
from core.publishing.publisher import Publisher
from core.settings import Settings
from core.times import DAY_MS, now_ms
from core.workspace import workspace_for_step
from etl.features.feature_grid import FeatureGrid
from etl.features.feature_table import feature_table
from etl.features.price_feed import PriceFeed, collected
from etl.features.published import NewRows

__all__ = ["main"]

_log = logging.getLogger(__name__)


def _features_of(prices: PriceReader, now: int, train_days: int) -> pa.Table:
    """The rows of the last day that are fit for a model, computed from the stored prices as of `now`."""
    grid = FeatureGrid(train_days)
    PriceFeed(grid, train_days).pull(prices, collected(prices), now)
    blocks = [block for block in grid.extend(now) if block.ts_ms[-1] > now - DAY_MS]
    return feature_table(blocks, grid.roster.coins)


def main(arguments: Sequence[str] | None = None) -> int:
    """Append the features that are missing from the published ones."""
    return run_command(CommandLine("etl.transform"), _transform, arguments)


def _transform(settings: Settings, _given: Namespace) -> int:
    workspace, now = workspace_for_step(settings), now_ms()
    with workspace.hold_pipeline(), open_reader(workspace.store) as prices:
        publisher = Publisher(workspace.processed)
        new = NewRows(publisher, "features", "ts", now)
        new.add(_features_of(prices, now, settings.train_days))
        part = new.part()
        if part is not None:
            publisher.publish(appended={"features": part})
    _log.info("%d new feature rows", 0 if part is None else part[2].num_rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
