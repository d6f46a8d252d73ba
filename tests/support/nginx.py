"""Runs a real nginx with a site's configuration on ports of the test, and nothing outside a folder."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from core.settings import PROJECT

__all__ = ["NGINX", "listening", "listens", "on_ports", "plain_open_data", "running_nginx"]

NGINX: Final = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
_PATIENCE_S: Final = 60.0


def on_ports(site: str, ports: Mapping[int, int]) -> str:
    """The configuration of a site that listens at other ports: the shipped one to that of the test."""
    for shipped, port in ports.items():
        site = re.sub(rf"listen (\[::\]:)?{shipped}\b", rf"listen \g<1>{port}", site)
    return site


def plain_open_data(port: int, api_port: int) -> str:
    """The shipped configuration for open data before the API at a port, without TLS and without its limits."""
    site = (PROJECT / "ops" / "nginx" / "open-data.conf").read_text(encoding="utf-8")
    site = re.sub(r"server \{\n    listen 80;.*?\n\}\n", "", site, flags=re.S)
    site = re.sub(r"^ *(ssl_|limit_).*\n", "", site, flags=re.M).replace(" ssl http2", "")
    return on_ports(site, {443: port}).replace("127.0.0.1:8000", f"127.0.0.1:{api_port}")


@contextmanager
def running_nginx(folder: Path, site: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run nginx with a site inside the smallest possible configuration, until the block ends.

    Args:
        folder: empty, for everything that it writes.
        site: its configuration.
        port: one at which the site listens.
    """
    assert NGINX is not None
    (folder / "site.conf").write_text(site.replace("/var/cache/nginx", f"{folder}/cache"), encoding="utf-8")
    (folder / "cache").mkdir()
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"user root; daemon off; pid {folder}/pid; error_log stderr; events {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; {temporary} include {folder}/site.conf; }}\n",
        encoding="utf-8",
    )
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    subprocess.run([*command, "-t"], check=True)
    with listening(command, port, end=subprocess.Popen.terminate) as process:  # its workers end too
        yield process


@contextmanager
def listening(
    command: list[str], port: int, end: Callable[[subprocess.Popen[bytes]], None], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it listens when the block begins."""
    with subprocess.Popen(command, **options) as process:
        try:
            deadline = time.monotonic() + _PATIENCE_S
            while not listens(port):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process
        finally:
            end(process)


def listens(port: int) -> bool:
    """Whether a server of this machine takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
