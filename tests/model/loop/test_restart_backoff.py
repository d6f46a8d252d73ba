"""The back-off of restarts: doubling pauses with a limit, ended by a success."""

from __future__ import annotations

from model.loop.restart_backoff import RestartBackoff


def test_an_error_that_repeats_for_months_goes_on_to_cost_one_try_an_hour() -> None:
    """Two to the power of that many failures is more than a number can hold."""
    backoff = RestartBackoff(1.0, lambda: 0.0)
    for _ in range(2_000):
        backoff.failed("broken")
    assert backoff.is_waiting()


def test_pauses_double_up_to_an_hour_and_a_success_ends_them() -> None:
    """After n failures in a row the pause is 30 s times 2^(n-1), at most an hour; then it begins at 30 s again."""
    now = [0.0]
    backoff = RestartBackoff(30.0, lambda: now[0])
    assert not backoff.is_waiting()
    for pause in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        backoff.failed("broken")
        now[0] += pause - 1
        assert backoff.is_waiting()
        now[0] += 1
        assert not backoff.is_waiting()
    backoff.succeeded()
    assert backoff.reason is None
    backoff.failed("broken")
    now[0] += 30
    assert not backoff.is_waiting()
