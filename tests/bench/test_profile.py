"""What a sampled profile is summed up to."""

from __future__ import annotations

from bench.profile import shares

ROOT = "main (bench/cycle.py:164);"
WARM = ROOT + "_warm_cycles (bench/cycle.py:136);_cycle (bench/cycle.py:142);Pipeline.cycle (model/pipeline.py:93);"


def test_samples_are_counted_by_step_and_by_own_function() -> None:
    """Samples inside a library count for the function of this project that called it, and for the step around it."""
    steps, functions = shares(
        [
            WARM + "Pipeline._attempt (model/pipeline.py:133);train (model/train.py:2);fit (sklearn/base.py:1) 3",
            WARM + "Pipeline._attempt (model/pipeline.py:133);train (model/train.py:9) 2",
            WARM + "Session.pull (model/loop/session.py:70);as_of (etl/features/raw_prices.py:1) 4",
        ]
    )
    assert steps == {"train (model/train.py)": 5, "Session.pull (model/loop/session.py)": 4}
    assert functions == {"train (model/train.py)": 5, "as_of (etl/features/raw_prices.py)": 4}


def test_the_start_is_left_out() -> None:
    """Samples of the first start and of the warm-up are no part of a warm cycle."""
    stack = ROOT + "_cycle (bench/cycle.py:142);Pipeline.cycle (model/pipeline.py:93);train (model/train.py:2) 7"
    assert [counts.total() for counts in shares([stack])] == [0, 0]
