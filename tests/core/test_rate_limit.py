"""The rate limiter that API and dashboard share."""

from __future__ import annotations

import pytest

from core.rate_limit import RateLimiter


def test_rates_are_counted_per_client_and_clients_are_forgotten() -> None:
    """One client's requests do not count for another; a flood of addresses does not fill the memory."""
    limiter = RateLimiter(2)
    assert [limiter.wait_s("a") > 0 for _ in range(3)] == [False, False, True]
    assert limiter.wait_s("b") == 0
    for number in range(10_000):
        limiter.wait_s(str(number))
    assert limiter.wait_s("a") == 0


def test_a_client_knows_what_is_left() -> None:
    """Remaining requests fall to 0; the time until all are back grows with each one taken."""
    limiter = RateLimiter(3)
    taken = [limiter.take("a") for _ in range(4)]
    assert [allowance.remaining for allowance in taken] == [2, 1, 0, 0]
    assert [round(allowance.full_in_s) for allowance in taken] == [20, 40, 60, 60]
    assert [allowance.wait_s > 0 for allowance in taken] == [False, False, False, True]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_limits_count_addresses_and_households(one: str, other: str, same: bool) -> None:
    """Each IPv4 address counts by itself, also written as IPv6; of IPv6 each network of a household does."""
    limiter = RateLimiter(1)
    assert limiter.wait_s(one) == 0
    assert (limiter.wait_s(other) > 0) is same
