"""Forecasting as a step: the newest forecasts published and logged. `python -m model.predict`."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence

import pyarrow as pa

from core.processes.command_line import CommandLine, run_command
from core.settings import Settings
from core.times import now_ms
from model.loop.session import Session, open_session

__all__ = ["main", "predict"]

_log = logging.getLogger(__name__)


def predict(session: Session, now: int) -> pa.Table:
    """Forecast every coin with a price and publish the result with what the engine completed since.

    Returns:
        The forecasts, in FORECAST_SCHEMA.

    Raises:
        NotReady: no coin has a price.
        OSError: the disk refused; what was published before stays.
    """
    forecasts = session.forecast(now)
    session.forecast_log.publish(forecasts, session.trained_ms, now, session.executor.take_rows())
    return forecasts


def main(arguments: Sequence[str] | None = None) -> int:
    """Forecast once with the stored model (the baseline if there is none) and publish."""
    return run_command(CommandLine("model.predict"), _predict_once, arguments)


def _predict_once(settings: Settings, _given: Namespace) -> int:
    with open_session(settings) as session:
        now = now_ms()
        session.pull(now)
        forecasts = predict(session, now)
    _log.info("published %d forecasts of %d coins", forecasts.num_rows, len(forecasts["coin"].unique()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
