"""The simulator with faults: `python -m tests.support.faulty_simulator --faults PLAN` and etl.simulator's options.

PLAN is JSON, `@file` with JSON in it, or `storm:0.2`; see tests.support.faults.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from core.processes.lifecycle import run_main
from etl import simulator
from tests.support.faults import FaultPlan
from tests.support.faulty_market import FaultyMarketServer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve as etl.simulator does, under a plan of faults.

    Raises:
        BadInput: the plan, or what etl.simulator refuses.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.support.faulty_simulator", add_help=False)
    parser.add_argument("--faults", default="[]")
    own, others = parser.parse_known_args(arguments)
    return simulator.main(others, partial(FaultyMarketServer, faults=FaultPlan.parse(own.faults)))


if __name__ == "__main__":
    sys.exit(run_main(main))
