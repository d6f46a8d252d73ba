"""`python -m bench fuzz`: mutated inputs for every parser of what comes from outside.

A finding is an exception that its callers do not handle, or an input that costs more than a second of CPU or 64 MB.
The inputs follow from `--seed` alone.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from bench.fuzz_parser import Parser
from bench.fuzz_parsers import parsers

__all__ = ["Fuzzed", "fuzz", "main", "mutations"]

_MOST_S: Final = 1.0
_MOST_MB: Final = 64.0
_MOST_CHANGES: Final = 6
_MOST_REPEATS: Final = 200
_SHOWN_FINDINGS: Final = 3
_WORDS: Final = (
    *(
        b"",
        b"null",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-1",
        b"0",
        b"9" * 400,
        b"1e-400",
        b"true",
        b"[]",
        b"{}",
    ),
    *(
        b"[" * 2000,
        b'"\\ud800"',
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"9999-12-31T23:59:59.999Z",
        b"0001-01-01T00:00",
    ),
    *(
        b"../../etc/passwd",
        b"\n",
        b"\r",
        b",",
        b";",
        b":",
        b'"',
        b"=",
        b"%00",
        b"&",
        b"'",
        b"\xe2\x80\xae",
        b"\xd9\xa3" * 10,
    ),
    *(b"253402300800000", b"-62135596800001", b"9223372036854775808", b"18446744073709551616", b"2147483648"),
)


@dataclass
class Fuzzed:
    """What the inputs of one parser cost, and what went wrong."""

    inputs: int = 0
    refused: int = 0
    longest_s: float = 0.0
    largest_mb: float = 0.0
    cpu_s: float = 0.0
    findings: list[str] = field(default_factory=list)


def mutations(seeds: Sequence[bytes], count: int, chance: random.Random) -> Iterator[bytes]:
    """Give `count` inputs made from valid ones: bytes changed, cut, repeated, or words put in."""
    for _ in range(count):
        data = chance.choice(seeds)
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            data = _changed(data, chance)
        yield data


def _changed(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    short = min(last, first + chance.randint(0, 16))
    match chance.randrange(6):
        case 0:
            return data[:first] + bytes([chance.randrange(256)]) + data[first + 1 :]
        case 1:
            return data[:first] + chance.choice(_WORDS) + data[short:]
        case 2:
            return data[:first] + data[last:]
        case 3:
            return data[:last] + data[first:short] * chance.randint(1, _MOST_REPEATS) + data[last:]
        case 4:
            return data[:first] + chance.randbytes(chance.randint(1, 8)) + data[short:]
        case _:
            return data[:last]


def fuzz(parser: Parser, count: int, seed: int) -> Fuzzed:
    """Feed one parser."""
    found, process = Fuzzed(), psutil.Process()
    held = process.memory_info().rss
    for data in mutations(parser.seeds, count, random.Random(seed)):
        started = time.process_time()
        try:
            parser.parse(data)
        except parser.allowed:
            found.refused += 1
        except Exception as error:  # any other exception is what is looked for
            found.findings.append(f"{error!r:.200} for {data[:200]!r}")
        spent = time.process_time() - started
        now = process.memory_info().rss
        grown, held = (now - held) / 1e6, now
        if spent > _MOST_S or grown > _MOST_MB:
            found.findings.append(f"{spent:.2f} s and {grown:.0f} MB for {data[:200]!r}")
        found.inputs += 1
        found.cpu_s += spent
        found.longest_s, found.largest_mb = max(found.longest_s, spent), max(found.largest_mb, grown)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Feed all parsers and print; 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m bench fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for all parsers together")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    print(f"{'parser':36}{'inputs':>9}{'refused':>9}{'longest ms':>12}{'largest MB':>12}{'CPU s':>8}{'findings':>10}")
    every: list[Fuzzed] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, one in parsers(Path(folder)).items():
            every.append(fuzz(one, max(1, round(given.inputs * one.share)), given.seed))
            _print_row(name, every[-1])
    findings = [finding for one in every for finding in one.findings]
    print(f"in all {sum(one.inputs for one in every):,} inputs, {len(findings)} findings")
    return 1 if findings else 0


def _print_row(name: str, row: Fuzzed) -> None:
    print(
        f"{name:36}{row.inputs:9,}{row.refused:9,}{1000 * row.longest_s:12.1f}{row.largest_mb:12.1f}"
        f"{row.cpu_s:8.1f}{len(row.findings):10,}",
        flush=True,
    )
    for finding in row.findings[:_SHOWN_FINDINGS]:
        print(f"  {finding}", file=sys.stderr)
