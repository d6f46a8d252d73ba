"""Training as a step: new prices, features, one refit, what was completed published, and the model stored.

`python -m model.train`.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Final

from core.processes.command_line import CommandLine, run_command
from core.settings import Settings
from core.times import MINUTE_MS, now_ms
from model.forecaster.engine import FitReport
from model.loop.session import Session, open_session

__all__ = ["SAVE_EVERY_MS", "main", "train"]

SAVE_EVERY_MS: Final = 30 * MINUTE_MS
"""Interval at which the loop stores its model; after a crash the rest is learned again from the stored prices."""

_log = logging.getLogger(__name__)


def train(session: Session, now: int) -> FitReport:
    """Refit the models at `now`; with too few rows the last ones stay in place."""
    report = session.executor.refit(now)
    session.shrinkage = report.shrinkage
    if report.fitted:
        session.trained_ms = now
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Train once on the stored prices and store the model; 0 when one was fitted.

    The rows completed on the way are published before: the stored model says that they are known to it, so no later
    process completes them again.
    """
    return run_command(CommandLine("model.train"), _train_once, arguments)


def _train_once(settings: Settings, _given: Namespace) -> int:
    with open_session(settings) as session:
        now = now_ms()
        session.pull(now)
        report = train(session, now)
        session.forecast_log.publish_rows(session.executor.take_rows())
        session.save_model()
    _log.info("%s (%d rows, %.1f days)", report.message, report.rows, report.days)
    return 0 if report.fitted else 1


if __name__ == "__main__":
    sys.exit(main())
