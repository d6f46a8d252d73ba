"""What all tests share: how many inputs properties are tried on, and how many workers run."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import settings

_EXAMPLES: Final = 1000 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 40
"""Inputs that a property is tried on, where its test names no other number."""

settings.register_profile("project", deadline=None, max_examples=_EXAMPLES)
settings.load_profile("project")

FAULTS: Final = "faults"
"""Name under which a test keeps the faults that it has injected, as `tell` of tests/faults writes them."""

_GENTLE: Final = "not faults and not slow"


def pytest_configure(config: pytest.Config) -> None:
    """Keep each worker, and what it starts, to one thread per calculation: together they fill the cores."""
    if config.option.numprocesses:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Workers for `-n logical`: one more than cores for the default tests as a whole, none for any other selection.

    Many tests wait for a process, a page or a moment, which leaves time for those of another worker. Tests that break
    or measure a running suite want the machine for themselves, and a few tests end sooner than workers start.
    """
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
    return (os.cpu_count() or 1) + 1 if whole and _GENTLE in config.option.markexpr else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of faults survived; here, because workers are led by a process that reads no other conftest."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    rows: list[tuple[str, tuple[int, ...]]] = [
        row for report in reports if report.when == "call" for name, row in report.user_properties if name == FAULTS
    ]
    if not rows:
        return
    terminalreporter.section("faults")
    terminalreporter.line(f"{'':58} injected survived  lost wrong")
    sums = tuple(sum(numbers) for numbers in zip(*(numbers for _, numbers in rows), strict=True))
    for what, numbers in [*rows, ("in all", sums)]:
        terminalreporter.line(f"{what:58} {numbers[0]:8} {numbers[1]:8} {numbers[2]:5} {numbers[3]:5}")
