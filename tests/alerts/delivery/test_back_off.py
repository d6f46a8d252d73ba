"""When a channel is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.delivery.back_off import pause_s

SHARES = st.floats(0, 1, exclude_max=True)


def test_pauses_grow_threefold_up_to_a_quarter_of_an_hour() -> None:
    """In the middle of the jitter: 5 s, 15 s, 45 s … 900 s, for as long as it takes."""
    assert [pause_s(failures, 0.5) for failures in (1, 2, 3, 4, 5, 6, 400)] == [5, 15, 45, 135, 405, 900, 900]


@given(st.integers(1, 10_000), SHARES)
def test_jitter_spreads_by_half(failures: int, share: float) -> None:
    """Chance moves a pause by at most half of it."""
    middle = pause_s(failures, 0.5)
    assert 0.5 * middle <= pause_s(failures, share) <= 1.5 * middle


@given(st.integers(1, 100), SHARES, st.floats(0, 1e9))
def test_what_the_receiver_asks_for_is_respected(failures: int, share: float, asked_s: float) -> None:
    """The pause is never shorter than `Retry-After`, up to a day."""
    assert pause_s(failures, share, asked_s) >= min(asked_s, 86_400)
    assert pause_s(failures, share, asked_s) <= max(asked_s, 1350)
