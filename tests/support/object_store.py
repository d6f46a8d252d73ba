"""A real S3 server for tests: SeaweedFS, from its package for Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.artifacts.bucket import Bucket, open_bucket
from core.errors import StorageProblem
from core.store_address import BucketAddress
from tests.support.ports import reserve_port
from tests.support.waiting import wait_until

__all__ = ["ObjectStore", "find_program", "port_options", "running_store"]

_KEY: Final = "test-key"
_SECRET: Final = "test-secret"
_START_S: Final = 60.0
_PORTS: Final = tuple(f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc"))


class ObjectStore:
    """A server whose data outlive it, listening on this machine alone."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._ports = [reserve_port() for _ in _PORTS]
        self._process: subprocess.Popen[bytes] | None = None
        rights = {"name": "test", "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}], "actions": ["Admin"]}
        (folder / "keys.json").write_text(json.dumps({"identities": [rights]}))

    @property
    def port(self) -> int:
        """Port of the S3 interface."""
        return self._ports[0]

    def start(self) -> None:
        """Start the server and wait until it stores something."""
        options = port_options(self._ports)
        options += [f"-{part}.localSocket={self._folder / part}.sock" for part in ("s3", "filer")]
        options += [
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3",
            "-filer",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3.ip.bind=127.0.0.1",
        ]
        options += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=10", f"-dir={self._folder}"]
        with (self._folder / "log").open("ab") as log:
            command = [str(self._program), "server", f"-s3.config={self._folder / 'keys.json'}", *options]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        probe = self.bucket("probe")
        wait_until(lambda: _answers(probe), _START_S)

    def kill(self) -> None:
        """End the server at once, as a power failure of its machine does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def variables(self, port: int | None = None) -> dict[str, str]:
        """What a client needs to know; `port` that of a proxy."""
        endpoint = f"http://127.0.0.1:{port or self.port}"
        return {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _SECRET}

    def bucket(self, prefix: str, port: int | None = None) -> Bucket:
        """A folder of the bucket of this server."""
        return open_bucket(BucketAddress("crypto", prefix), self.variables(port))


def port_options(ports: Sequence[int]) -> list[str]:
    """What lets a server listen on these ports, the first of which is that of S3."""
    return [f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=True)]


def _answers(bucket: Bucket) -> bool:
    try:
        bucket.swap(f"at-{time.monotonic_ns()}", b"", None)
    except StorageProblem:
        return False
    return True


def find_program() -> Path | None:
    """The program of SeaweedFS beside this Python, or on the path."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    return None if found is None else Path(found)


@contextmanager
def running_store(program: Path) -> Iterator[ObjectStore]:
    """A new server that runs, and is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="s3-", ignore_cleanup_errors=True) as folder:
        store = ObjectStore(program, Path(folder))
        try:
            store.start()
            yield store
        finally:
            store.kill()
