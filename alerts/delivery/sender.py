"""The loop that empties the outbox: each channel at its own pace, so that a slow receiver holds up nobody else."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from alerts.alert import Alert
from alerts.delivery.back_off import GIVE_UP_AFTER_MS, pause_s
from alerts.delivery.channels import ClosedChannel, OpenChannel
from alerts.delivery.failure import Failure
from alerts.delivery.reason import Reason
from alerts.store.outbox import Outbox
from alerts.store.rows import Delivery
from core.errors import DamagedFile, StorageProblem
from core.times import FOREVER_MS, now_ms

__all__ = ["Sender"]

_LOOK_S: Final = 1.0
_BATCH: Final = 20
_STOP_S: Final = 5.0

_log = logging.getLogger(__name__)


OpenOutbox = Callable[[], Outbox]
"""Opens the outbox for the thread that calls it."""

Wording = Callable[[Alert], str]
"""The text of an alert for people."""


class Sender:
    """Sends what is due, in threads of its own; a context manager.

    A delivery is marked as delivered after the receiver has taken it. If the process ends in between, it is sent
    again with the same key: at least once.

    Args:
        open_outbox: opens the outbox; each thread opens its own.
        wording: text of an alert.
        channels: the channels by name, until `use`.
    """

    def __init__(self, open_outbox: OpenOutbox, wording: Wording, channels: Mapping[str, OpenChannel]) -> None:
        self._open_outbox = open_outbox
        self._wording = wording
        self._lanes = {name: _Lane(name, channel) for name, channel in channels.items()}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Begin no other delivery, and wait a moment for those under way."""
        self._stopped.set()
        self._wake.set()
        end = time.monotonic() + _STOP_S
        for thread in [self._thread, *(lane.thread for lane in self._lanes.values() if lane.thread)]:
            thread.join(max(0.0, end - time.monotonic()))

    def use(self, channels: Mapping[str, OpenChannel]) -> None:
        """Send on these channels from now on; a delivery under way ends on the channel where it began."""
        with self._lock:
            before, self._lanes = self._lanes, {name: _Lane(name, channel) for name, channel in channels.items()}
            for name, lane in self._lanes.items():
                lane.thread = before[name].thread if name in before else None
        self.wake()

    def wake(self) -> None:
        """Look into the outbox now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._open_outbox() as outbox:
                    self._watch(outbox)
            except (StorageProblem, DamagedFile) as error:
                _log.warning("the outbox cannot be read: %s", error)
                self._stopped.wait(_LOOK_S)

    def _watch(self, outbox: Outbox) -> None:
        while not self._stopped.is_set():
            for name in outbox.channels():
                lane = self._lane(name)
                if lane.is_free and outbox.due(lane.due_until_ms, 1, name):
                    self._start(lane)
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def _lane(self, name: str) -> _Lane:
        with self._lock:
            return self._lanes.setdefault(name, _Lane(name, ClosedChannel(Failure(Reason.UNKNOWN_CHANNEL))))

    def _start(self, lane: _Lane) -> None:
        """Let a channel work off what is due on it."""
        lane.thread = threading.Thread(target=self._work, args=(lane,), name=f"send {lane.name}", daemon=True)
        lane.thread.start()

    def _work(self, lane: _Lane) -> None:
        try:
            with self._open_outbox() as outbox:
                while not self._stopped.is_set() and self._work_batch(lane, outbox):
                    pass
        except Exception as error:  # its text could name an address with a secret in it
            _log.error("channel %s: %s", lane.name, type(error).__name__)
            lane.pause()
        finally:
            lane.channel.rest()

    def _work_batch(self, lane: _Lane, outbox: Outbox) -> bool:
        """Send the next deliveries until one fails; whether to go on."""
        deliveries = outbox.due(lane.due_until_ms, _BATCH, lane.name)
        for delivery in deliveries:
            if self._stopped.is_set():
                return False
            failure = lane.channel.send(delivery.alert, self._wording(delivery.alert), now_ms())
            if failure is not None:
                _record(outbox, delivery, failure, lane)
                return failure.is_final
            outbox.delivered(delivery.id, now_ms())
            lane.succeed()
        return bool(deliveries)


class _Lane:
    """A channel, and when it may be tried again; one thread works on it at a time."""

    def __init__(self, name: str, channel: OpenChannel) -> None:
        self.name = name
        self.channel = channel
        self.thread: threading.Thread | None = None
        self._failures = 0
        self._free_at = 0.0
        self._clock_ahead_ms: int | None = None

    @property
    def due_until_ms(self) -> int:
        """What is due by then may be sent: all, once the channel has failed, because then its pause says when."""
        return now_ms() if self._clock_ahead_ms is None else FOREVER_MS

    @property
    def failing_ms(self) -> int:
        """Now, by the wall clock as it stood at the first failure in a row: setting the clock changes nothing."""
        return (self._clock_ahead_ms or 0) + _monotonic_ms()

    @property
    def is_free(self) -> bool:
        """Whether nobody works on it and its pause is over."""
        return time.monotonic() >= self._free_at and not (self.thread and self.thread.is_alive())

    def succeed(self) -> None:
        """The receiver takes deliveries again."""
        self._failures = 0

    def fail(self, failure: Failure) -> float:
        """Pause the channel, so that a receiver in trouble is not asked for each waiting delivery; the seconds.

        A receiver that wants no more is asked no more.
        """
        if failure.is_final:
            self.channel = ClosedChannel(failure)
            return 0.0
        return self.pause(failure.retry_after_s)

    def pause(self, retry_after_s: float | None = None) -> float:
        """Let the channel rest, longer with each failure in a row; the seconds."""
        if not self._failures:
            self._clock_ahead_ms = now_ms() - _monotonic_ms()
        self._failures += 1
        wait_s = pause_s(self._failures, random.random(), retry_after_s)  # noqa: S311 - spreads attempts, guards nothing
        self._free_at = time.monotonic() + wait_s
        return wait_s


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _record(outbox: Outbox, delivery: Delivery, failure: Failure, lane: _Lane) -> None:
    """Let the channel fail, and write it down; what else waits for it has begun its day too."""
    wait_s = lane.fail(failure)
    _log.warning("channel %s: %s", delivery.channel, failure)
    if failure.is_final:
        outbox.dead(delivery.id, str(failure), now_ms())
    else:
        now = lane.failing_ms
        outbox.failed(delivery.id, str(failure), now + round(wait_s * 1000), now)
        outbox.give_up(delivery.channel, str(failure), now - GIVE_UP_AFTER_MS, now)
