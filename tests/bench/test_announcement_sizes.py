"""How much more prices move after an announcement: steps in units of the days before, and what is left of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.announcement_sizes import extra_variance, scaled_steps
from core.times import DAY_MS, GRID_STEP_MS
from etl.features.targets import STEPS

START_MS = 1_700_006_400_000


def test_steps_after_a_time_are_in_units_of_the_days_before_it() -> None:
    """Returns of one size, and one five times as large right after the time: 5 and ones; nothing without history."""
    ts_ms = START_MS + GRID_STEP_MS * np.arange(4 * 288)
    returns = np.full(len(ts_ms), 0.001)
    at = 3 * 288 + 10
    returns[at + 1] = 0.005
    steps = scaled_steps(ts_ms, 100 * np.exp(np.cumsum(returns)), np.array([ts_ms[at], START_MS, START_MS - DAY_MS]))
    np.testing.assert_allclose(steps[0], [5.0] + [1.0] * (STEPS - 1), rtol=1e-6)
    assert np.isnan(steps[1:]).all()


def test_the_extra_variance_is_the_squared_ratio_less_one() -> None:
    """Steps of 3 and then 2 against ones: a jump of 8 and eleven times 3; coins of one time count as one."""
    after = pd.DataFrame([[3.0] + [2.0] * (STEPS - 1)] * 3 + [[3.0] + [2.0] * (STEPS - 1)], index=[1, 1, 1, 2])
    usual = pd.DataFrame(np.ones((5, STEPS)), index=range(5))
    assert extra_variance(after, usual) == pytest.approx((8.0, 33.0))
