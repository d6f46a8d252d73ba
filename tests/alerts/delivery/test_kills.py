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
from tests.support.alert_receivers import MailReceiver, MortalReceiver, verified

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
    """A webhook, and Apprise's JSON, ntfy and mail; they die and come back on the same ports."""

    def __init__(self, chance: random.Random) -> None:
        self._web = {name: MortalReceiver(chance) for name in ("webhook", "json", "ntfy")}
        self._mailbox = MailReceiver()
        webhook, plain, ntfy = (receiver.port for receiver in self._web.values())
        mail = f"mailto://127.0.0.1:{self._mailbox.port}?mode=insecure&from=a@exemplo.com&to=b@exemplo.com"
        self.urls = {
            "webhook": ("webhook", f"http://127.0.0.1:{webhook}/x"),
            "json": ("apprise", f"json://127.0.0.1:{plain}/x"),
            "ntfy": ("apprise", f"ntfy://127.0.0.1:{ntfy}/x"),
            "mail": ("apprise", mail),
        }

    def start(self, awkward: int) -> None:
        """Open all receivers; so many requests to each are answered in random moods first."""
        for receiver in self._web.values():
            receiver.live(awkward=awkward)
        self._mailbox.start()

    def stop(self) -> None:
        """Close all receivers, whatever they are doing."""
        for receiver in self._web.values():
            receiver.die()
        self._mailbox.close()

    def keys(self) -> dict[str, Counter[str]]:
        """How often each alert was taken by each receiver, by the beginning of its key."""
        webhook = self._web["webhook"].taken
        assert all(verified(request, SECRET) for request in webhook)
        texts = {
            name: [json.loads(request.body)["message"] for request in self._web[name].taken]
            for name in ("json", "ntfy")
        }
        parts = [mail.get_body(("plain",)) for mail in self._mailbox.mails]
        texts["mail"] = [part.get_content() for part in parts if part is not None]
        found = {name: Counter(text.split("ref. ")[1][:8] for text in kept) for name, kept in texts.items()}
        return {"webhook": Counter(request.headers["webhook-id"][:8] for request in webhook), **found}


@pytest.mark.faults
@pytest.mark.timeout(1500)
@pytest.mark.skipif(os.name == "nt", reason="receivers come back on their ports at once, as on POSIX")
def test_every_alert_arrives_and_a_repetition_has_the_same_key(database: Path, make_alert: Any) -> None:
    """Sender and receivers are killed at random instants while alerts fall due: none is lost or gets a second key."""
    chance = random.Random(KILLS)
    receivers = Receivers(chance)
    made: list[Alert] = []
    with AlertStore(database) as store:
        for _ in range(KILLS):
            receivers.start(awkward=3)
            with process(database, receivers.urls):
                made.append(
                    make_alert(chance.getrandbits(128), *receivers.urls)
                )  # Apprise lets 5.5 s pass between mails
                store.tell(made[-1], now_ms())
                if chance.random() < 0.5:
                    receivers.stop()
                time.sleep(chance.uniform(0, 2.0))
            receivers.stop()
        receivers.start(awkward=0)
        with process(database, receivers.urls):
            deadline = time.monotonic() + PATIENCE_S
            while store.counts()[DeliveryState.DUE]:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        receivers.stop()
        assert store.counts()[DeliveryState.DELIVERED] == len(made) * len(receivers.urls)
    for name, counted in receivers.keys().items():
        assert set(counted) == {alert.key[:8] for alert in made}, name
        print(f"{name}: {len(counted)} alerts, {counted.total() - len(counted)} repetitions")  # noqa: T201 - a figure
