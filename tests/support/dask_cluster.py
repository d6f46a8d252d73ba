"""A real Dask cluster on this machine, whose scheduler and workers can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import psutil

from core.settings import PROJECT
from suite.children import RESOURCE_LIMITS
from tests.support.ports import reserve_port

__all__ = ["DaskCluster", "running_cluster"]

_HOST: Final = "127.0.0.1"
_START_S: Final = 400.0


class DaskCluster:
    """A scheduler and some workers of one thread each, all listening on this machine alone.

    Args:
        workers: number of workers.
        scheme: of its address, tcp or tls.
        variables: more variables of the environment of all its processes.
    """

    def __init__(self, workers: int, scheme: str = "tcp", variables: Mapping[str, str] | None = None) -> None:
        self._port = reserve_port()
        self.address = f"{scheme}://{_HOST}:{self._port}"
        self._environment = {
            **os.environ,
            **RESOURCE_LIMITS,
            "DASK_LOGGING__DISTRIBUTED": "warning",
            **(variables or {}),
        }
        self._count = workers
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start everything, and wait until all workers have the libraries of a shard in memory."""
        from distributed import Client  # noqa: PLC0415 - an extra

        self.start_scheduler()
        options = ["--nthreads", "1", "--memory-limit", "0", "--host", _HOST, "--preload", "model.loop.shard_worker"]
        self._workers = [self._run("worker", self.address, *options) for _ in range(self._count)]
        with Client(self.address, timeout=_START_S) as client:
            client.wait_for_workers(self._count, timeout=_START_S)

    def start_scheduler(self) -> None:
        """Start the scheduler, at the address that it has had before."""
        scheme = self.address.partition(":")[0]
        self._scheduler = self._run("scheduler", "--protocol", scheme, "--host", _HOST, "--port", str(self._port))

    def kill_scheduler(self) -> None:
        """End the scheduler at once."""
        assert self._scheduler is not None
        self._scheduler.kill()
        self._scheduler.wait()

    def workers(self) -> list[psutil.Process]:
        """The processes that shards run in; each has a parent, which replaces it when it ends."""
        parents = [psutil.Process(process.pid) for process in self._workers if process.poll() is None]
        return [child for parent in parents for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]

    def stop(self) -> None:
        """End everything."""
        for process in [*self._workers, self._scheduler]:
            if process is not None and process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
                process.wait()

    def _run(self, role: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "dask",
            role,
            *arguments,
            "--no-dashboard",
            "--dashboard-address",
            f"{_HOST}:0",
        ]
        return subprocess.Popen(command, cwd=PROJECT, env=self._environment, stdin=subprocess.DEVNULL)


@contextmanager
def running_cluster(
    workers: int, scheme: str = "tcp", variables: Mapping[str, str] | None = None
) -> Iterator[DaskCluster]:
    """A new cluster that runs, and is gone afterwards; arguments as of `DaskCluster`."""
    cluster = DaskCluster(workers, scheme, variables)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
