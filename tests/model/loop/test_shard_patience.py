"""How long a shard may be silent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest

from model.loop.shard_link import ShardLink
from model.loop.shard_messages import Done, Said
from model.loop.shard_patience import START_S, Patience


@dataclass
class _Clock:
    now_s: float = 0.0

    def monotonic(self) -> float:
        """Seconds since the test began."""
        return self.now_s


@dataclass
class _Line:
    """To a worker that has always answered, or to one that hangs."""

    clock: _Clock
    hangs: bool

    def send(self, content: bytes) -> None:
        """Nobody reads it."""

    def has_news(self, patience_s: float) -> bool:
        """Wait on the clock of the test."""
        self.clock.now_s += patience_s * self.hangs
        return not self.hangs

    def receive(self) -> Said:
        """What the worker has said."""
        return Done(None)

    def end(self) -> None:
        """Nothing to end."""


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


def test_a_shard_that_answered_while_another_hung_was_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often shards hang, each costs a fifth of the interval, not three times what the one before has cost."""
    clock, patience = _Clock(), Patience(30)
    monkeypatch.setattr("model.loop.shard_link.time", SimpleNamespace(monotonic=clock.monotonic))
    patience.note(0.1)
    patience.end_order()
    for _ in range(4):
        begun_s = clock.now_s
        team = [ShardLink(number, partial(_Line, clock, number == 0), patience) for number in (0, 1)]
        for link in team:
            assert link.launch()
            link.is_member = True
            link.send(b"")
        assert [link.receive() for link in team] == [None, Done(None)]
        patience.end_order()
        assert clock.now_s - begun_s == 6
