"""The loop that sends: nothing is lost, no channel waits for another, and a day is the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerts.alert import Alert
from alerts.delivery import sender as sender_module
from alerts.delivery.channels import OpenChannel
from alerts.delivery.failure import Failure
from alerts.delivery.reason import Reason
from alerts.delivery.sender import Sender
from alerts.store import AlertStore, DeliveryState
from alerts.store.outbox import Outbox
from core.times import DAY_MS, HOUR_MS, now_ms

PATIENCE_S = 60.0


class Recorder:
    """A channel that keeps keys, and fails as it is told to."""

    def __init__(self, *failures: Failure) -> None:
        self.failures = list(failures)
        self.tried: list[str] = []
        self.sent: list[str] = []
        self.rests = 0
        self.gate = threading.Event()
        self.gate.set()

    def send(self, alert: Alert, text: str, now: int) -> Failure | None:
        """Keep the key of the alert, or fail."""
        assert text == alert.name
        assert now > 0
        self.gate.wait(PATIENCE_S)
        self.tried.append(alert.key)
        if self.failures:
            return self.failures.pop(0)
        self.sent.append(alert.key)
        return None

    def rest(self) -> None:
        """Count."""
        self.rests += 1


@contextmanager
def sending(database: Path, **channels: OpenChannel) -> Iterator[Sender]:
    """A sender over a store."""
    with Sender(lambda: Outbox(database), lambda alert: alert.name, channels) as sender:
        yield sender


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def store(database: Path) -> Iterator[AlertStore]:
    """A new store."""
    with AlertStore(database) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and pause for moments."""
    monkeypatch.setattr(sender_module, "_LOOK_S", 0.02)
    monkeypatch.setattr(sender_module, "pause_s", lambda failures, _share, asked: asked or 0.01 * failures)


def test_everything_due_is_sent_once_in_order(database: Path, store: AlertStore, make_alert: Any) -> None:
    """Each channel gets its alerts in the order in which they fell due, and rests afterwards."""
    for number in range(45):
        store.tell(make_alert(number, "one", *(["two"] if number % 2 else [])), number)
    one, two = Recorder(), Recorder()
    with sending(database, one=one, two=two):
        eventually(lambda: store.counts()[DeliveryState.DELIVERED] == 67 and one.rests + two.rests >= 2)
    assert [int(key, 16) for key in one.sent] == list(range(45))
    assert [int(key, 16) for key in two.sent] == list(range(1, 45, 2))


def test_a_slow_channel_holds_up_no_other(database: Path, store: AlertStore, make_alert: Any) -> None:
    """While one receiver does not answer, the others get theirs, even what falls due later."""
    slow, quick = Recorder(), Recorder()
    slow.gate.clear()
    with sending(database, slow=slow, quick=quick) as sender:
        store.tell(make_alert(0, "slow", "quick"), now_ms())
        sender.wake()
        eventually(lambda: len(quick.sent) == 1)
        store.tell(make_alert(1, "slow", "quick"), now_ms())
        eventually(lambda: len(quick.sent) == 2)
        assert slow.sent == []
        slow.gate.set()
        eventually(lambda: len(slow.sent) == 2)


def test_a_failure_is_tried_again_with_the_same_key(database: Path, store: AlertStore, make_alert: Any) -> None:
    """An awkward receiver gets each alert in the end, each under its own key."""
    receiver = Recorder(*[Failure(Reason.STATUS, 500)] * 3, Failure(Reason.TIMEOUT))
    for number in range(3):
        store.tell(make_alert(number, "one"), number)
    with sending(database, one=receiver):
        eventually(lambda: store.counts()[DeliveryState.DELIVERED] == 3)
    assert len(receiver.tried) == 7
    assert sorted(receiver.sent) == sorted({make_alert(number).key for number in range(3)})


def test_a_receiver_in_trouble_is_left_alone(database: Path, store: AlertStore, make_alert: Any) -> None:
    """While it asks for time, nothing else that waits for it is tried either."""
    receiver = Recorder(Failure(Reason.STATUS, 429, retry_after_s=3600))
    for number in range(5):
        store.tell(make_alert(number, "one"), number)
    other = Recorder()
    store.tell(make_alert(9, "other"), 9)
    with sending(database, one=receiver, other=other):
        eventually(lambda: receiver.rests == 1 and other.rests >= 1)
        store.tell(make_alert(10, "other"), now_ms())
        eventually(lambda: len(other.sent) == 2)
    assert len(receiver.tried) == 1
    assert store.counts()[DeliveryState.DUE] == 5


def test_after_a_day_a_delivery_is_a_dead_letter(database: Path, store: AlertStore, make_alert: Any) -> None:
    """What was first tried a day ago and fails again is given up, with its reason; what is younger waits."""
    now = now_ms()
    for number, first_tried_ms in enumerate((now - DAY_MS - 1000, now - DAY_MS - 1000, now - DAY_MS + 600_000)):
        store.tell(make_alert(number, "one"), number)
        with Outbox(database) as outbox:
            (delivery,) = (found for found in outbox.due(now, 9, "one") if found.attempts == 0)
            outbox.failed(delivery.id, "status 500", first_tried_ms, first_tried_ms)
    receiver = Recorder(*[Failure(Reason.CONNECTION)] * 1000)
    with sending(database, one=receiver):
        eventually(lambda: store.counts()[DeliveryState.DEAD] == 2)
    assert {letter.delivery.alert.key for letter in store.dead_letters()} == {make_alert(n).key for n in (0, 1)}
    assert {letter.reason for letter in store.dead_letters()} == {"connection", "status 500"}
    assert store.counts()[DeliveryState.DUE] == 1


def test_waiting_alone_uses_up_the_day(database: Path, store: AlertStore, make_alert: Any) -> None:
    """The day of all that waits for a channel begins with its first failure, so that nothing waits for ever."""
    for number in range(3):
        store.tell(make_alert(number, "one"), number)
    with sending(database, one=Recorder(Failure(Reason.TIMEOUT, retry_after_s=3600))):
        eventually(lambda: begun(database, "one") == 3)


def begun(database: Path, channel: str) -> int:
    """Number of waiting deliveries of a channel whose day has begun."""
    with Outbox(database) as outbox:
        return sum(found.first_tried_ms is not None for found in outbox.due(now_ms() + DAY_MS, 9, channel))


@pytest.mark.parametrize("off_ms", [2 * HOUR_MS, -30 * HOUR_MS])
def test_a_clock_that_is_set_changes_neither_pause_nor_day(
    database: Path, store: AlertStore, make_alert: Any, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    """What first failed while the clock was off is tried again after its pause, and not given up."""
    off = [off_ms]
    monkeypatch.setattr(sender_module, "now_ms", lambda: now_ms() + sum(off))
    store.tell(make_alert(0, "one"), now_ms() + off_ms)
    receiver = Recorder(Failure(Reason.CONNECTION, retry_after_s=0.5), Failure(Reason.CONNECTION))
    with sending(database, one=receiver):
        eventually(lambda: begun(database, "one") == 1)
        off.clear()
        eventually(lambda: len(receiver.sent) == 1)


def test_what_a_clock_that_was_ahead_wrote_is_due(database: Path, store: AlertStore, make_alert: Any) -> None:
    """A delivery that was never tried, and one that would wait longer than any pause, are sent at once."""
    for number in range(2):
        store.tell(make_alert(number, "one"), now_ms() + 2 * HOUR_MS)
    with Outbox(database) as outbox:
        outbox.failed(1, "timeout", now_ms() + 400 * DAY_MS, now_ms())
    receiver = Recorder()
    with sending(database, one=receiver):
        eventually(lambda: len(receiver.sent) == 2)


def test_a_receiver_that_wants_no_more_is_asked_once(database: Path, store: AlertStore, make_alert: Any) -> None:
    """After 410 all that waits for it is given up without another request, until its channel is opened again."""
    receiver = Recorder(Failure(Reason.GONE, is_final=True))
    for number in range(3):
        store.tell(make_alert(number, "one"), number)
    with sending(database, one=receiver) as sender:
        eventually(lambda: store.counts()[DeliveryState.DEAD] == 3)
        assert len(receiver.tried) == 1
        sender.use({"one": receiver})
        store.tell(make_alert(3, "one"), now_ms())
        eventually(lambda: store.counts()[DeliveryState.DELIVERED] == 1)


def test_what_is_due_on_an_unknown_channel_waits_for_it(database: Path, store: AlertStore, make_alert: Any) -> None:
    """A channel that left the file fails with that reason; once it is back, its alerts are sent."""
    store.tell(make_alert(0, "gone"), 0)
    receiver = Recorder()
    with sending(database) as sender:
        eventually(lambda: begun(database, "gone") == 1)
        assert store.counts()[DeliveryState.DUE] == 1
        sender.use({"gone": receiver})
        eventually(lambda: len(receiver.sent) == 1)


def test_a_channel_that_changes_while_it_sends_is_not_used_twice_at_once(
    database: Path, store: AlertStore, make_alert: Any
) -> None:
    """A delivery under way ends where it began; the new channel takes what comes next."""
    before, after = Recorder(), Recorder()
    before.gate.clear()
    store.tell(make_alert(0, "one"), 0)
    with sending(database, one=before) as sender:
        eventually(lambda: any(thread.name == "send one" for thread in threading.enumerate()))
        sender.use({"one": after})
        store.tell(make_alert(1, "one"), now_ms())
        before.gate.set()
        eventually(lambda: store.counts()[DeliveryState.DELIVERED] == 2)
    assert sorted(before.sent + after.sent) == sorted(make_alert(number).key for number in range(2))


def test_a_defect_in_a_channel_stops_neither_it_nor_the_others(
    database: Path, store: AlertStore, make_alert: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error is logged by its kind alone, because its text could hold a secret, and tried again."""

    class Defective(Recorder):
        def send(self, alert: Alert, text: str, now: int) -> Failure | None:
            if not self.tried:
                self.tried.append(alert.key)
                raise RuntimeError("tgram://s3cret")
            return super().send(alert, text, now)

    receiver = Defective()
    store.tell(make_alert(0, "one"), 0)
    with sending(database, one=receiver):
        eventually(lambda: len(receiver.sent) == 1)
    assert "RuntimeError" in caplog.text
    assert "s3cret" not in caplog.text
