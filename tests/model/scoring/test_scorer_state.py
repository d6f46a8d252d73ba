"""The memory of the live scores: from where the log must be read again."""

from __future__ import annotations

from model.scoring.scorer_state import MAX_LOGGED_AGE_MS, ScoreState

NEWEST_MS = 1_700_000_000_000


def test_rows_that_a_late_coin_may_still_log_are_read_again_after_a_restart() -> None:
    """A coin whose price is two hours behind the newest one may still log that origin."""
    state = ScoreState(last={"bitcoin": NEWEST_MS, "late": NEWEST_MS - MAX_LOGGED_AGE_MS})
    assert state.since_ms() <= NEWEST_MS - MAX_LOGGED_AGE_MS


def test_the_log_is_read_from_the_oldest_open_forecast() -> None:
    """A forecast that still waits for its outcome is read again, however old it is."""
    oldest = NEWEST_MS - 10 * MAX_LOGGED_AGE_MS
    state = ScoreState(last={"bitcoin": NEWEST_MS}, open_bits={("bitcoin", oldest): 1})
    assert state.since_ms() == oldest
