"""Logging to standard output, one line per record; the supervisor adds the process's name and colour."""

from __future__ import annotations

import logging
import sys

__all__ = ["configure_logging"]


def configure_logging(level: str) -> None:
    """Send records of `level` and above to standard output; noisy libraries only from WARNING up."""
    logging.basicConfig(
        level=level, stream=sys.stdout, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", force=True
    )
    logging.captureWarnings(capture=True)
    for noisy in ("urllib3", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
