"""How long a shard may be silent."""

from __future__ import annotations

from model.loop.shard_patience import START_S, Patience


def test_before_an_order_was_measured_a_shard_has_time_to_start() -> None:
    """A first start reads and learns for long: nothing is known of it yet."""
    assert Patience(30).seconds == START_S


def test_patience_is_a_part_of_the_interval_where_orders_are_short() -> None:
    """A fifth of half a minute, and at least five seconds, are borne whatever was measured."""
    for interval_s, borne_s in ((30, 6), (5, 5)):
        patience = Patience(interval_s)
        patience.note(0.1)
        patience.end_order()
        assert patience.seconds == borne_s


def test_patience_grows_with_the_longest_silence_of_the_last_orders_and_forgets_it() -> None:
    """Three times the longest silence is borne, until sixty orders have passed without another like it."""
    patience = Patience(30)
    for silence_s in (0.5, 8.0, 2.0):
        patience.note(silence_s)
    assert patience.seconds == START_S
    patience.end_order()
    for _ in range(59):
        patience.note(1.0)
        patience.end_order()
    assert patience.seconds == 24
    patience.end_order()
    assert patience.seconds == 6
