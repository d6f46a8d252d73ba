"""A real PostgreSQL server for tests, with the programs of the system's package."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
import psycopg
import pytest
from pydantic import SecretStr

from core.store_address import ServerAddress
from tests.support.ports import reserve_port

__all__ = ["PostgresServer", "find_programs", "running_server", "server_or_skip"]

_FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
_USER: Final = "postgres"
_PATIENCE_S: Final = "120"


class PostgresServer:
    """A cluster in a folder of its own, listening on this machine alone.

    `url` is that of its owner; `reader_url` that of a role that nobody has granted anything.
    """

    def __init__(self, programs: Path, folder: Path, port: int, options: tuple[str, ...]) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._settings = options
        self._folder = folder
        self.port = port

    def create(self) -> None:
        """Make the cluster, start it, and make the role that reads."""
        self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", _USER, "--no-sync")
        self.start()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE ROLE reader LOGIN")

    @property
    def url(self) -> str:
        """URL of the role that owns everything."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres"

    @property
    def reader_url(self) -> str:
        """URL of the role that may only read what it is granted."""
        return f"postgresql://reader@127.0.0.1:{self.port}/postgres"

    def address(self, port: int | None = None) -> ServerAddress:
        """The address of a schema that does not exist yet; `port` that of a proxy."""
        url = self.url if port is None else self.url.replace(f":{self.port}/", f":{port}/")
        return ServerAddress(SecretStr(url), f"test_{secrets.token_hex(6)}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = " ".join(f"-c {setting}" for setting in (*self._settings, "listen_addresses=127.0.0.1"))
        options = f"-p {self.port} -k {self._folder} {settings}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-D", str(self._data), "-o", options, "-l", log, "-w", "-t", _PATIENCE_S)

    def kill(self) -> None:
        """End the server and all its processes at once, as a power failure does."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        children = postmaster.children(recursive=True)
        postmaster.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs([postmaster, *children], float(_PATIENCE_S))

    def stop(self) -> None:
        """Stop the server."""
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate", "-w", "-t", _PATIENCE_S)

    def is_running(self) -> bool:
        """Whether the server runs."""
        return self._call("pg_ctl", "status", "-D", str(self._data)).returncode == 0

    def promote(self) -> None:
        """Make a copy that follows another server one that can be written to."""
        self._run("pg_ctl", "promote", "-D", str(self._data), "-w", "-t", _PATIENCE_S)

    def dump(self, schema: str) -> tuple[Path, ...]:
        """Dump a schema as its tables, their rows, and their keys, in the order in which a restore loads them."""
        made = []
        for section in ("pre-data", "data", "post-data"):
            made.append(self._folder / f"{section}.sql")
            self._run("pg_dump", "-d", self.url, f"--schema={schema}", f"--section={section}", "-f", str(made[-1]))
        return tuple(made)

    def load(self, dump: Path) -> None:
        """Load a part of a dump."""
        self._run("psql", "-d", self.url, "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(dump))

    @contextmanager
    def copy(self) -> Iterator[PostgresServer]:
        """A server that follows this one; from now on a commit here waits until it is stored there too."""
        with _own_folder() as folder:
            copy = PostgresServer(self._programs, folder, reserve_port(), self._settings)
            copy.follow(self.url)
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                connection.execute("SELECT pg_reload_conf()")
            try:
                yield copy
            finally:
                copy.stop()

    def follow(self, url: str) -> None:
        """Copy the server at `url` and follow it."""
        self._run("pg_basebackup", "-d", url, "-D", str(self._data), "-R", "-X", "stream", "--checkpoint=fast")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        assert done.returncode == 0, done.stdout

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL, which refuses to work as root."""
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [str(self._programs / program), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                user=_USER if os.geteuid() == 0 else None,
                cwd=self._folder,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def find_programs() -> Path | None:
    """The folder of PostgreSQL's programs: the newest of Debian's, or that of `initdb` on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).resolve().parent if program else None


@contextmanager
def running_server(programs: Path, *options: str) -> Iterator[PostgresServer]:
    """A new cluster that runs, and is gone afterwards; `options` as `name=value` instead of those that make it fast."""
    with _own_folder() as folder:
        server = PostgresServer(programs, folder, reserve_port(), options or _FAST)
        server.create()
        try:
            yield server
        finally:
            if server.is_running():
                server.stop()


@contextmanager
def server_or_skip(*options: str) -> Iterator[PostgresServer]:
    """The same, where PostgreSQL is installed; elsewhere the test is skipped."""
    programs = find_programs()
    if programs is None:
        pytest.skip("needs the programs of PostgreSQL: apt-get install postgresql")
    with running_server(programs, *options) as server:
        yield server


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder that the server's user can write to; pytest's own are closed to it."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            os.chown(name, owner.pw_uid, owner.pw_gid)
        yield Path(name)
