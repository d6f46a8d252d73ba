"""`python -m bench power_loss`: the writers' file operations replayed up to every crash point, and opened again.

Needs strace. At each operation the power is lost several times: nothing that was done so far is lost, all that was not
synced is, and by a seeded draw any part of it. A point fails if a reader of the product raises, sets a file aside,
finds a part of a step, or misses what was acknowledged.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench.crash_states import Contents, Disk, Loss, lay_out
from bench.file_operations import Acknowledge, Operation, record
from bench.power_loss_cases import CASES, MADE, Case
from core.settings import PROJECT

__all__ = ["Replayed", "main", "replay"]

_SHOWN_FINDINGS: Final = 5


@dataclass
class Replayed:
    """What the crash points of one writer showed."""

    operations: int = 0
    points: int = 0
    opened: int = 0
    lost: int = 0
    findings: list[str] = field(default_factory=list)


class _Point(NamedTuple):
    """The files that a power loss leaves, and what was acknowledged before it."""

    where: str
    contents: Contents
    acknowledged: int


def replay(name: str, steps: int, draws: int, stride: int = 1) -> Replayed:
    """Record one writer and lose the power at its operations.

    Args:
        name: of the case.
        steps: how many steps the writer makes.
        draws: how many draws of surviving writes each operation gets.
        stride: 1 for every operation, 2 for every other one …
    """
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve() / "work"
        work.mkdir()
        command = [sys.executable, "-m", "bench.power_loss_cases", name, str(work), str(steps)]
        operations = record(command, work, Path(folder) / "trace", PROJECT)
    found = Replayed(operations=len(operations))
    for point in _points(operations, draws, stride):
        _open_after(case, point, name, found)
    return found


def _points(operations: Sequence[Operation], draws: int, stride: int) -> Iterator[_Point]:
    disk = Disk()
    for place, operation in enumerate(operations):
        disk.do(operation)
        if place % stride or isinstance(operation, Acknowledge):
            continue
        for draw, loss in enumerate([Loss.NOTHING, Loss.EVERYTHING, *[Loss.ANYTHING] * draws]):
            contents = disk.after(loss, random.Random(f"{place} {draw}"))
            yield _Point(f"operation {place}, loses {loss}", contents, disk.acknowledged)


def _open_after(case: Case, point: _Point, name: str, found: Replayed) -> None:
    found.points += 1
    with tempfile.TemporaryDirectory() as folder:
        lay_out(point.contents, Path(folder))
        try:
            step = case.read(Path(folder) / MADE)
        except Exception as error:  # any error of a reader is what is looked for
            found.findings.append(f"{name}, {point.where}: {error!r}")
            return
    found.opened += 1
    if step < point.acknowledged:
        found.lost += 1
        found.findings.append(f"{name}, {point.where}: found step {step}, acknowledged {point.acknowledged}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay all writers and print; 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m bench power_loss", description=__doc__)
    parser.add_argument("--draws", type=int, default=6, help="draws of surviving writes at each operation")
    parser.add_argument("--stride", type=int, default=1, help="lose the power at every n-th operation only")
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps that each writer makes")
    given = parser.parse_args(arguments)
    logging.disable(logging.ERROR)
    every: list[Replayed] = []
    print(f"{'writer':28}{'operations':>12}{'crash points':>14}{'opened':>9}{'acknowledged lost':>19}")
    for name, case in CASES.items():
        one = replay(name, max(1, round(case.steps * given.share)), given.draws, given.stride)
        every.append(one)
        _print_row(name, one)
    findings = [finding for one in every for finding in one.findings]
    whole = Replayed(
        operations=sum(one.operations for one in every),
        points=sum(one.points for one in every),
        opened=sum(one.opened for one in every),
        lost=sum(one.lost for one in every),
    )
    _print_row("in all", whole)
    for finding in findings[:_SHOWN_FINDINGS]:
        print(finding)
    return 1 if findings else 0


def _print_row(name: str, row: Replayed) -> None:
    print(f"{name:28}{row.operations:12,}{row.points:14,}{row.opened:9,}{row.lost:19,}", flush=True)
