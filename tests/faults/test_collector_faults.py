"""The collector as a real process against API faults, kills and disk errors.

The right prices are known: the simulated market is a function of coin and time, and the server logs which requests got
a complete answer. So the tests check every stored price, and look for every price of a complete answer.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import NotReady
from core.price_store import open_reader
from core.processes.health_schema import COLLECTOR, CollectorProgress
from core.processes.heartbeat import Health, read_health
from core.settings import PROJECT
from core.times import parse_iso
from core.wording import message
from etl.local_market.api import MarketApi, Request
from etl.local_market.coin_names import coins_wanted
from etl.local_market.plans import PlanLimits
from etl.local_market.simulated import SimulatedMarket
from tests.support.faults import STORM_KINDS, Fault, FaultPlan
from tests.support.faulty_market import FaultyMarketServer

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.name == "nt", reason="POSIX signals and mounts"),
]

Tell = Callable[..., None]
FULL = os.environ.get("CRYPTO_FULL_FAULTS") == "1"
STORM_S = 600 if FULL else 90
KILL_EVERY_S = 9
COINS = "bitcoin,ethereum,dogecoin,tether"
PER_MINUTE = 40
BANS = {"ban_1015", "ban_1020"}


class Witness(FaultPlan):
    """A plan of faults that remembers the time and path of each request it spoiled."""

    spoiled: dict[tuple[int, str], list[str]]

    def take(self, path: str, now_ms: int) -> list[tuple[Fault, int]]:
        """Faults of the plan for this request, which is remembered if it has any."""
        hits = super().take(path, now_ms)
        if hits:
            self.spoiled.setdefault((now_ms, path), []).extend(fault.kind for fault, _ in hits)
        return hits


def storm(probability: float, seed: int) -> Witness:
    """Every kind of fault except bans, whose ten minutes have their own test."""
    kinds = [kind for kind in STORM_KINDS if kind not in BANS]
    plan = Witness(
        [Fault(kind, probability=probability / len(kinds), retry_after_s=3, delay_s=1.0) for kind in kinds], seed
    )
    plan.spoiled = {}
    return plan


@dataclass
class Scene:
    """A market server, a folder, and the collector process between them."""

    server: FaultyMarketServer
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    interval: int = 5

    def start(self) -> None:
        """A new collector process."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith("CRYPTO_")}
        environment |= {
            "CRYPTO_SOURCE": "coingecko",
            "CRYPTO_COINGECKO_URL": self.server.url,
            "CRYPTO_CALLS_PER_MINUTE": str(PER_MINUTE),
            "CRYPTO_DATA_DIR": str(self.folder),
            "CRYPTO_COINS": COINS,
            "CRYPTO_INTERVAL": str(self.interval),
            "CRYPTO_LOG_LEVEL": "WARNING",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "etl.extract"], cwd=PROJECT, env=environment)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    def health(self) -> Health[CollectorProgress]:
        """Read the collector's health file."""
        return read_health(self.folder / "run", COLLECTOR)

    def stored(self) -> dict[str, dict[int, float]]:
        """All stored prices by coin and event time; empty without a database."""
        try:
            with open_reader(self.folder / "crypto.db") as reader:
                return {coin: dict(reader.range(coin)) for coin in COINS.split(",")}
        except NotReady:
            return {coin: {} for coin in COINS.split(",")}

    def newest_ms(self) -> int:
        """The newest event time of all stored prices."""
        return max((ts_ms for prices in self.stored().values() for ts_ms in prices), default=0)


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """A function that makes scenes; their processes end with the test."""
    with ExitStack() as stack:

        def make(folder: Path = tmp_path / "data", **options: Any) -> Scene:
            server = stack.enter_context(FaultyMarketServer(SimulatedMarket(coins_wanted(COINS), 3), **options))
            scene = Scene(server, folder)
            stack.callback(lambda: scene.process and scene.process.poll() is None and scene.end(signal.SIGKILL))
            return scene

        yield make


def eventually(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def wrong_values(server: FaultyMarketServer, stored: dict[str, dict[int, float]]) -> list[tuple[str, int, float]]:
    """Stored prices that the market never had at that time."""
    rows = {coin.id: row for row, coin in enumerate(server.market.coins)}
    wrong = []
    for coin, prices in stored.items():
        times = np.array(sorted(prices), dtype=np.int64)
        true = server.market.prices(np.full(len(times), rows[coin]), times)
        wrong += [
            (coin, ts_ms, prices[ts_ms])
            for ts_ms, price in zip(times.tolist(), true.tolist(), strict=True)
            if abs(prices[ts_ms] / price - 1) > 1e-9
        ]
    return wrong


def lost_values(
    server: FaultyMarketServer, plan: Witness, stored: dict[str, dict[int, float]], kills_ms: Sequence[int] = ()
) -> list[tuple[str, int]]:
    """Prices of complete, unspoiled answers that are not stored, unless a kill came before they were read."""
    api, lost = MarketApi(PlanLimits("local")), []
    for request in list(server.requests):
        if request.status != 200 or (request.time_ms, request.path) in plan.spoiled:
            continue
        if any(request.time_ms <= kill_ms <= request.time_ms + 1500 for kill_ms in kills_ms):
            continue
        path = request.path.removeprefix("/api/v3")
        payload = api.content(server.market, Request(request.time_ms, path, request.query, request.headers)).payload
        if path.endswith("/markets"):
            carried = [(row["id"], parse_iso(row["last_updated"])) for row in payload]
        else:
            now_ms = payload["prices"][-1][0]
            carried = [(path.split("/")[2], ts_ms) for ts_ms, _ in payload["prices"] if abs(ts_ms - now_ms) > 1000]
        lost += [(coin, ts_ms) for coin, ts_ms in carried if ts_ms not in stored[coin]]
    return lost


def busiest_minute(server: FaultyMarketServer) -> int:
    """The largest number of requests in any 60 s."""
    times = [request.time_ms for request in server.requests]
    return max((sum(1 for later in times if earlier <= later < earlier + 60_000) for earlier in times), default=0)


@pytest.mark.parametrize(("seed", "with_kills"), [(1, False), (2, True)] if FULL else [(2, True)])
def test_a_storm_stores_nothing_wrong_and_loses_nothing(
    make_scene: Callable[..., Scene], seed: int, with_kills: bool, capsys: pytest.CaptureFixture[str], tell: Tell
) -> None:
    """Half of all answers have a fault of any kind; in a second storm the process is also killed."""
    scene = make_scene()
    plan = storm(0.6, seed)
    scene.server.faults = plan
    scene.start()
    kills_ms = weather(scene, random.Random(seed), with_kills=with_kills)
    scene.server.faults = calm = storm(0.0, seed)
    calm.spoiled = plan.spoiled
    calm_ms = scene.server.clock()
    eventually(lambda: scene.newest_ms() > calm_ms, 75)
    eventually(lambda: not scene.health().progress.wait_reason, 75)
    exit_code = scene.end(signal.SIGTERM)
    stored = scene.stored()
    wrong, lost = wrong_values(scene.server, stored), lost_values(scene.server, plan, stored, kills_ms)
    hits = Counter(kind for kinds in plan.spoiled.values() for kind in kinds)
    busiest = busiest_minute(scene.server)
    with capsys.disabled():
        print(  # noqa: T201 - the table of this test
            f"\nstorm of {STORM_S} s, seed {seed}: {len(scene.server.requests)} calls (at most {busiest} of "
            f"{PER_MINUTE} a minute), {sum(hits.values())} faults of {len(hits)} kinds, {len(kills_ms)} kills "
            f"survived, {sum(map(len, stored.values()))} prices stored, {len(wrong)} wrong, {len(lost)} lost"
        )
    injected = sum(hits.values()) + len(kills_ms)
    tell(
        f"storm of {STORM_S} s on the collector{', with kills' if with_kills else ''}",
        injected,
        injected,
        len(lost),
        len(wrong),
    )
    assert exit_code == 0
    assert not wrong
    assert not lost
    assert busiest <= PER_MINUTE


def weather(scene: Scene, dice: random.Random, *, with_kills: bool) -> list[int]:
    """Wait for the end of the storm; return the times of the kills. The process must never end by itself."""
    end, kills_ms = time.monotonic() + STORM_S, []
    while time.monotonic() < end:
        time.sleep(dice.uniform(1, 2 * KILL_EVERY_S))
        assert scene.process is not None
        assert scene.process.poll() is None
        if with_kills:
            kills_ms.append(scene.server.clock())
            scene.end(signal.SIGKILL)
            scene.start()
    return kills_ms


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM] if FULL else [signal.SIGKILL])
def test_retry_after_outlives_the_process(make_scene: Callable[..., Scene], kill: signal.Signals) -> None:
    """After a Retry-After of 8 s the process is restarted: no request for 8 s, then a price at once."""
    scene = make_scene()
    scene.start()
    eventually(scene.newest_ms)
    scene.server.faults = FaultPlan([Fault("rate_limit", times=1, retry_after_s=8)])
    eventually(lambda: scene.server.requests[-1].status == 429)
    refused_ms = scene.server.requests[-1].time_ms
    time.sleep(0.5)
    scene.end(kill)
    scene.start()
    eventually(lambda: scene.server.requests[-1].time_ms > refused_ms)
    waited_ms = min(request.time_ms for request in scene.server.requests if request.time_ms > refused_ms) - refused_ms
    assert 8_000 <= waited_ms <= 9_500
    eventually(lambda: scene.newest_ms() > refused_ms + 8_000)


def test_a_server_that_comes_back_is_polled_within_the_back_off(make_scene: Callable[..., Scene]) -> None:
    """After a minute without a server a price comes within half a minute; the process never exits."""
    scene = make_scene()
    scene.start()
    eventually(scene.newest_ms)
    port = int(scene.server.url.split(":")[2].split("/")[0])
    scene.server.stop()
    time.sleep(60 if FULL else 15)
    assert scene.health().progress.wait_reason == message("source.silent")
    with FaultyMarketServer(scene.server.market, port=port) as server:
        back_ms = server.clock()
        eventually(lambda: scene.newest_ms() > back_ms, 31)
        assert scene.end(signal.SIGTERM) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 3 MB; only root can mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount(folder, "size=3m")
    except subprocess.CalledProcessError:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["/usr/bin/env", "umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_reported_and_nothing_is_lost(make_scene: Callable[..., Scene], small_disk: Path) -> None:
    """On a disk that is full for half a minute polls go on, and all their prices are stored in the end."""
    scene = make_scene(small_disk / "data")
    scene.server.faults = plan = storm(0.0, 1)
    scene.start()
    eventually(lambda: scene.health().progress.backfill_done == 4)
    filler = small_disk / "filler"
    for _ in range(2):
        fill(filler)
        polled = len(scene.server.requests) + 3
        eventually(functools.partial(lambda count: len(scene.server.requests) >= count, polled))
    stored_ms = scene.newest_ms()
    assert scene.server.clock() - stored_ms > 5_000
    filler.unlink()
    freed_ms = scene.server.clock()
    eventually(lambda: scene.newest_ms() > freed_ms)
    assert scene.end(signal.SIGTERM) == 0
    stored = scene.stored()
    assert not wrong_values(scene.server, stored)
    assert not lost_values(scene.server, plan, stored)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(b"x" * 4096):
            continue


def test_the_collector_waits_for_a_read_only_folder(make_scene: Callable[..., Scene], small_disk: Path) -> None:
    """While the folder is read-only the process waits; afterwards it stores prices without a restart."""
    mount(small_disk, "remount,ro")
    scene = make_scene(small_disk / "data")
    scene.start()
    time.sleep(4)
    assert scene.process is not None
    assert scene.process.poll() is None
    mount(small_disk, "remount,rw")
    eventually(scene.newest_ms)
    assert scene.end(signal.SIGTERM) == 0


def mount(folder: Path, options: str) -> None:
    """Mount, or change how it is mounted."""
    command = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
