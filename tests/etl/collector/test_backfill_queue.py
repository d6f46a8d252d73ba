"""The queue of coins that wait for their history."""

from __future__ import annotations

from etl.collector.backfill_queue import BackfillQueue


def queue(*coin_ids: str) -> BackfillQueue:
    """A queue of these coins."""
    backfill = BackfillQueue()
    backfill.add(coin_ids)
    return backfill


def test_coins_come_in_order_and_are_counted() -> None:
    """Three coins, one fetched: 1 of 3, and the second is next; the same coin is not queued twice."""
    backfill = queue("a", "b", "c", "a")
    assert (backfill.next, backfill.done, backfill.total) == ("a", 0, 3)
    backfill.fetched("a")
    assert (backfill.next, backfill.done, backfill.total) == ("b", 1, 3)


def test_a_failed_coin_waits_for_the_others() -> None:
    """It goes to the end, and failures in a row are counted until one succeeds."""
    backfill = queue("a", "b")
    assert not backfill.failed("a", refused=False)
    assert (backfill.next, backfill.failures) == ("b", 1)
    backfill.fetched("b")
    assert (backfill.next, backfill.failures) == ("a", 0)


def test_a_coin_refused_three_times_is_left_out() -> None:
    """Network failures in between do not count against it."""
    backfill = queue("a")
    verdicts = [backfill.failed("a", refused=refused) for refused in (True, False, True, False, True)]
    assert verdicts == [False, False, False, False, True]
    assert backfill.next is None
    assert backfill.done == backfill.total == 1


def test_a_coin_that_fails_for_hours_is_left_out() -> None:
    """Its calls would go on for ever, and the first backtest would wait for it."""
    backfill = queue("a", "b")
    verdicts = [backfill.failed("a", refused=False) for _ in range(99)]
    assert verdicts == [False] * 98 + [True]
    assert (backfill.next, backfill.done) == ("b", 1)


def test_a_new_queue_counts_from_zero() -> None:
    """After everything was fetched, a later gap is 0 of its own number."""
    backfill = queue("a", "b")
    backfill.fetched("a")
    backfill.fetched("b")
    backfill.add(["c"])
    assert (backfill.done, backfill.total) == (0, 1)


def test_coins_no_longer_collected_are_forgotten() -> None:
    """Neither fetched nor counted."""
    backfill = queue("a", "b", "c")
    backfill.keep(["b"])
    assert (backfill.next, backfill.done, backfill.total) == ("b", 0, 1)


def test_what_waits_survives_a_restart() -> None:
    """The next start begins with the same coins."""
    backfill = queue("a", "b")
    backfill.fetched("a")
    restarted = BackfillQueue()
    restarted.load_state(backfill.dump_state())
    assert (restarted.next, restarted.total) == ("b", 1)
