"""Mutated inputs: the same seed gives the same ones, and what a parser must not do becomes a finding."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from bench.fuzz import fuzz, mutations
from bench.fuzz_parser import Parser
from bench.fuzz_parsers import parsers

SEED = b'{"price": [1, 2, 3]}'
TENTH_S = 0.1


def _fail(_: bytes) -> None:
    raise KeyError


def test_inputs_follow_from_the_seed() -> None:
    """Two runs feed the same inputs, and nearly all of them differ from the valid one."""
    first, second = (list(mutations([SEED], 50, random.Random(3))) for _ in range(2))
    assert first == second
    assert sum(data != SEED for data in first) > 40


def test_an_unexpected_error_is_a_finding() -> None:
    """An error that the callers handle counts as refused, any other one as a finding."""
    refused = fuzz(Parser((SEED,), int, 1.0, (ValueError,)), 20, 1)
    assert refused.refused + len(refused.findings) <= refused.inputs == 20
    assert not refused.findings
    assert len(fuzz(Parser((SEED,), _fail, 1.0), 20, 1).findings) == 20


def test_a_slow_input_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that costs more CPU time than the limit is reported."""
    monkeypatch.setattr("bench.fuzz._MOST_S", TENTH_S)

    def work(_: bytes) -> None:
        end = time.process_time() + 1.5 * TENTH_S
        while time.process_time() < end:
            pass

    assert len(fuzz(Parser((SEED,), work, 1.0), 2, 1).findings) == 2


def test_every_parser_reads_its_valid_inputs(tmp_path: Path) -> None:
    """The inputs that mutations start from are valid, so that the mutations reach deep into each parser."""
    for name, parser in parsers(tmp_path).items():
        for seed in parser.seeds:
            try:
                parser.parse(seed)
            except parser.allowed as error:
                pytest.fail(f"{name}: {error}")


def test_the_shares_of_all_parsers_are_one(tmp_path: Path) -> None:
    """So many inputs are fed as were asked for."""
    assert sum(parser.share for parser in parsers(tmp_path).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_parsers_survive_mutated_inputs(tmp_path: Path, seed: int) -> None:
    """No parser raises an error that its callers do not handle, or takes too much time or memory."""
    found = {name: fuzz(parser, 15, seed).findings for name, parser in parsers(tmp_path).items()}
    assert not any(found.values()), found
