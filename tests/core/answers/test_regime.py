"""Regimes by the percentile of the expected activity."""

from __future__ import annotations

import pytest

from core.answers.regime import Regime, regime


@pytest.mark.parametrize(
    ("percentile", "expected"),
    [
        (None, None),
        (0.0, Regime.CALM),
        (24.9, Regime.CALM),
        (25.0, Regime.NORMAL),
        (75.0, Regime.NORMAL),
        (75.1, Regime.AGITATED),
        (100.0, Regime.AGITATED),
    ],
)
def test_quarters_and_the_half_between_them_are_the_regimes(percentile: float | None, expected: Regime | None) -> None:
    """The lowest quarter is calm, the highest agitated, its ends are normal; an unknown percentile has no regime."""
    assert regime(percentile) is expected
