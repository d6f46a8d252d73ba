"""Kills of the sending process and of the receivers: everything arrives, and a repetition has the same key."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerts.alert import Alert
from alerts.store import AlertStore, DeliveryState
from core.settings import PROJECT
from core.times import now_ms
from tests.support.alert_receivers import HttpReceiver, MailReceiver, hang, reset, status, taken, verified
from tests.support.ports import reserve_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE_S = 600.0
KILLS = 40 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 8
PROCESS = """
import json, sys, time
from pathlib import Path
from alerts.delivery import back_off, http_post
from alerts.delivery.channels import open_channels
from alerts.delivery.sender import Sender
from alerts.rules.settings import Channel, ChannelKind
from alerts.store import Outbox
back_off._FIRST_S, back_off._MAX_S, http_post.ANSWER_S = 0.02, 0.1, 1.0
database, urls = Path(sys.argv[1]), json.loads(sys.stdin.readline())
channels = {
    name: Channel(name, ChannelKind(kind), url=url, secret_env="KEY", allow_internal=True)
    for name, (kind, url) in urls.items()
}
with Sender(lambda: Outbox(database), lambda alert: alert.name, open_channels(channels, {"KEY": sys.argv[2]}, Path())):
    print("ready", flush=True)
    time.sleep(600)
"""
MOODS = (taken, taken, status(500), status(429, retry_after="0"), reset, hang)


@contextmanager
def process(database: Path, urls: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """A process that sends; it is killed at the end of the block, wherever it is."""
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, database, SECRET],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write(json.dumps(urls) + "\n")
            running.stdin.flush()
            assert running.stdout.readline() == "ready\n"
            yield
        finally:
            running.kill()


class Receivers:
    """A webhook, and on request Apprise's JSON, ntfy and mail; they die and come back on the same ports."""

    def __init__(self, chance: random.Random, *, with_apprise: bool) -> None:
        self._chance = chance
        self._ports = [reserve_port() for _ in range(3 if with_apprise else 1)]
        self._mailbox = MailReceiver() if with_apprise else None
        self._open: list[HttpReceiver] = []
        self.taken: list[list[Any]] = [[] for _ in self._ports]
        urls = [f"{{}}://127.0.0.1:{port}/x" for port in self._ports]
        self.urls = {"webhook": ("webhook", urls[0].format("http"))}
        if self._mailbox is not None:
            mail = f"mailto://127.0.0.1:{self._mailbox.port}?mode=insecure&from=a@exemplo.com&to=b@exemplo.com"
            self.urls |= {
                "json": ("apprise", urls[1].format("json")),
                "ntfy": ("apprise", urls[2].format("ntfy")),
                "mail": ("apprise", mail),
            }

    def start(self, *, awkward: bool) -> None:
        """Open all receivers."""
        for port in self._ports:
            receiver = HttpReceiver(port)
            receiver.moods = [self._chance.choice(MOODS) for _ in range(4)] if awkward else []
            receiver.moods.append(taken)
            self._open.append(receiver)
        if self._mailbox is not None:
            self._mailbox.start()

    def stop(self) -> None:
        """Close all receivers, whatever they are doing, and keep what they took."""
        for place, receiver in enumerate(self._open):
            receiver.close()
            self.taken[place] += receiver.taken
        self._open.clear()
        if self._mailbox is not None:
            self._mailbox.close()

    def keys(self) -> dict[str, Counter[str]]:
        """How often each alert was taken by each receiver: whole keys at the webhook, beginnings elsewhere."""
        assert all(verified(request, SECRET) for request in self.taken[0])
        found = {"webhook": Counter(request.headers["webhook-id"] for request in self.taken[0])}
        if self._mailbox is not None:
            for place, name in enumerate(("json", "ntfy"), 1):
                texts = (json.loads(request.body)["message"] for request in self.taken[place])
                found[name] = Counter(text.split("ref. ")[1] for text in texts)
            bodies = (mail.get_body(("plain",)) for mail in self._mailbox.mails)
            found["mail"] = Counter(body.get_content().split("ref. ")[1][:8] for body in bodies if body is not None)
        return found


def everything_delivered(store: AlertStore) -> bool:
    """Whether nothing is due any more."""
    return store.counts()[DeliveryState.DUE] == 0


@pytest.mark.skipif(os.name == "nt", reason="receivers come back on their ports at once, as on POSIX")
@pytest.mark.parametrize(
    ("kills", "with_apprise"),
    [(3, False), pytest.param(KILLS, True, marks=[pytest.mark.faults, pytest.mark.timeout(1500)])],
)
def test_every_alert_arrives_and_a_repetition_has_the_same_key(
    kills: int, with_apprise: bool, database: Path, make_alert: Any
) -> None:
    """Sender and receivers are killed at random instants while alerts fall due: none is lost or gets a second key."""
    chance = random.Random(kills)
    receivers = Receivers(chance, with_apprise=with_apprise)
    made: list[Alert] = []
    with AlertStore(database) as store:
        for _ in range(kills):
            receivers.start(awkward=True)
            with process(database, receivers.urls):
                for _ in range(1 if with_apprise else chance.randrange(1, 6)):  # Apprise lets 5.5 s pass between mails
                    made.append(make_alert(chance.getrandbits(128), *receivers.urls))
                    store.tell(made[-1], now_ms())
                    time.sleep(chance.uniform(0, 0.05))
                if chance.random() < 0.5:
                    receivers.stop()
                time.sleep(chance.uniform(0, 2.0 if with_apprise else 0.3))
            receivers.stop()
        receivers.start(awkward=False)
        with process(database, receivers.urls):
            deadline = time.monotonic() + PATIENCE_S
            while not everything_delivered(store):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        receivers.stop()
        assert store.counts() == {
            DeliveryState.DUE: 0,
            DeliveryState.DEAD: 0,
            DeliveryState.DELIVERED: len(made) * len(receivers.urls),
        }
    whole = {alert.key for alert in made}
    for name, counted in receivers.keys().items():
        assert set(counted) == (whole if name == "webhook" else {key[:8] for key in whole}), name
        print(f"{name}: {len(counted)} alerts, {counted.total() - len(counted)} repetitions")  # noqa: T201 - a figure
