"""The rate limiter that API and dashboard share."""

from __future__ import annotations

from core.rate_limit import RateLimiter


def test_rates_are_counted_per_client_and_clients_are_forgotten() -> None:
    """One client's requests do not count for another; a flood of addresses does not fill the memory."""
    limiter = RateLimiter(2)
    assert [limiter.wait_s("a") > 0 for _ in range(3)] == [False, False, True]
    assert limiter.wait_s("b") == 0
    for number in range(10_000):
        limiter.wait_s(str(number))
    assert limiter.wait_s("a") == 0
