"""Start the whole system: `python run_all.py` (options: `python run_all.py --help`)."""

from __future__ import annotations

import sys

from core.logs import configure_logging
from core.processes.lifecycle import run_main
from suite.cli import parse_arguments
from suite.console import Console
from suite.run import Suite


def main() -> int:
    """Run the suite that the command line asks for; its exit code."""
    settings = parse_arguments()
    configure_logging(settings.log_level)
    return Suite(settings, Console()).run()


if __name__ == "__main__":
    sys.exit(run_main(main))
