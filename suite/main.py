"""Entry point of the suite, for run_all.py and for the installed command `crypto-forecasting`."""

from __future__ import annotations

from contextlib import ExitStack

from core.logs import configure_logging
from core.processes.lifecycle import run_main
from core.wording import message
from suite.cli import parse_arguments
from suite.console import Console, ConsoleHandler
from suite.log_file import LogFile
from suite.run import Suite

__all__ = ["main"]


def main() -> int:
    """Run the suite that the command line asks for.

    Returns:
        The exit code: 0 after an orderly stop.
    """
    return run_main(_run)


def _run() -> int:
    settings = parse_arguments()
    with ExitStack() as stack:
        file = None if settings.log_file is None else stack.enter_context(LogFile(settings.log_file))
        console = stack.enter_context(Console(log_format=settings.log_format, file=file))
        configure_logging(settings.log_level, settings.log_format, ConsoleHandler(console))
        if file is not None and file.problem is not None:
            console.warn(message("suite.no_log_file", reason=str(file.problem)))
        return Suite(settings, console).run()
