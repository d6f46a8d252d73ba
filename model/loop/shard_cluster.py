"""Shards on the workers of a Dask cluster: each is an actor there, and a thread here carries its messages.

The cluster starts actors, notices that a worker has gone, and secures the way between machines. What coordinator and
shard say to each other passes through it as it is, pickled, so neither knows where the other is.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final

from distributed import Client, Future
from distributed.actor import BaseActorFuture

from model.loop.shard_messages import Busy, Said
from model.loop.shard_worker import serve

__all__ = ["Cluster", "ClusterLine", "ShardActor"]

_CONNECT_S: Final = 10.0
"""How long the scheduler may take to answer; at a first start a cycle waits for it."""
_PLACE_S: Final = 60.0
"""How long it may take until a worker has a shard: it loads the libraries first."""
_LOOK_EVERY_S: Final = 0.5
"""How often a thread that waits for a shard looks whether its worker is still there."""
_END_S: Final = 1.0
"""How long the end of a shard may hold up the others."""

_log = logging.getLogger(__name__)


class _WorkersEnd:
    """The worker's end of a line: a connection as `shard_worker.serve` wants it."""

    def __init__(self) -> None:
        self.orders: SimpleQueue[bytes | None] = SimpleQueue()
        self.said: SimpleQueue[tuple[bytes, bool]] = SimpleQueue()

    def send(self, said: object) -> None:
        """Say something; whether more will be said before an answer goes with it."""
        self.said.put((pickle.dumps(said, pickle.HIGHEST_PROTOCOL), isinstance(said, Busy)))

    def recv(self) -> Any:
        """Wait for an order or an answer."""
        content = self.orders.get()
        if content is None:
            raise EOFError
        return pickle.loads(content)  # noqa: S301 - who may speak to a worker may run what they like there

    def close(self) -> None:
        """Nothing to free."""


class ShardActor:
    """A shard in the process of a worker, served by a thread that ends once the cluster has dropped this object."""

    def __init__(self) -> None:
        self._end = _WorkersEnd()
        threading.Thread(target=serve, args=(self._end,), name="shard", daemon=True).start()

    async def exchange(self, content: bytes | None) -> tuple[bytes, bool]:
        """Tell the shard something, or nothing; what it says next, and whether it will say more by itself."""
        if content is not None:
            self._end.orders.put(content)
        return await asyncio.to_thread(self._end.said.get)

    def __del__(self) -> None:
        """End the thread."""
        self._end.orders.put(None)


class Cluster:
    """Starts shards on the workers of a cluster (`shard_link.Start`).

    Args:
        address: of the scheduler, `tcp://host:port` or `tls://host:port`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._users = 0
        self._client: Client | None = None

    def __call__(self) -> ClusterLine:
        """A line to a new shard; it ends if none can be had."""
        line = ClusterLine(self)
        line.start()
        return line

    @contextmanager
    def connected(self) -> Iterator[Client]:
        """The one connection to the scheduler, open while anybody uses it."""
        with self._lock:
            if self._client is None or self._client.status == "closed":
                self._client = Client(self.address, timeout=_CONNECT_S, direct_to_workers=True)
            client = self._client
            self._users += 1
        try:
            yield client
        finally:
            with self._lock:
                self._users -= 1
                if not self._users and self._client is not None:  # another one, where that of this user has closed
                    self._client.close()
                    self._client = None


class ClusterLine(threading.Thread):
    """A line (`shard_link.Line`) to an actor; the thread ends with it, and the actor with the thread."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(name="shard-line", daemon=True)
        self._cluster = cluster
        self._orders: SimpleQueue[bytes | None] = SimpleQueue()
        self._said: SimpleQueue[bytes | None] = SimpleQueue()
        self._news: deque[bytes | None] = deque()
        self._is_ended = threading.Event()

    def send(self, content: bytes) -> None:
        """Deliver a message as soon as the shard waits for one."""
        self._orders.put(content)

    def has_news(self, patience_s: float) -> bool:
        """Wait for a message, or for the worker's end."""
        if not self._news:
            with suppress(Empty):
                self._news.append(self._said.get(timeout=patience_s))
        return bool(self._news)

    def receive(self) -> Said:
        """The next message."""
        content = self._news.popleft() if self._news else self._said.get()
        if content is None:
            raise EOFError
        said: Said = pickle.loads(content)  # noqa: S301 - from a shard that this process has started
        return said

    def end(self) -> None:
        """Let the cluster drop the actor, and replace the worker if it does not answer."""
        self._is_ended.set()
        self._orders.put(None)
        self.join(_END_S)

    def run(self) -> None:
        """Have an actor made, and carry messages until either side ends."""
        try:
            with self._cluster.connected() as client:
                self._carry(client, client.submit(ShardActor, actor=True))
        except Exception as error:
            _log.warning("no shard on the cluster at %s: %r", self._cluster.address, error)
        finally:
            self._said.put(None)

    def _carry(self, client: Client, future: Future[Any]) -> None:
        actor = future.result(timeout=_PLACE_S)
        says_more = False
        while not self._is_ended.is_set():
            content = None if says_more else self._orders.get()
            if content is None and not says_more:
                return
            answer = self._wait(actor.exchange(content), future)
            if answer is None:
                client.restart_workers([actor._address], timeout=_CONNECT_S, raise_for_error=False)
                return
            said, says_more = answer
            self._said.put(said)

    def _wait(self, answer: BaseActorFuture[tuple[bytes, bool]], future: Future[Any]) -> tuple[bytes, bool] | None:
        """What the actor says; None if nobody wants to know any more."""
        while not self._is_ended.is_set():
            try:
                return answer.result(timeout=_LOOK_EVERY_S)
            except TimeoutError:
                if future.status != "finished":
                    raise ConnectionError("the worker is gone") from None
        return None
