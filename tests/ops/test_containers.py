"""The image and the compose files: well-formed, without secrets, and what they install and start works.

No container engine runs in the tests: the steps of the Dockerfile are done in a folder, with the system's Python, and
what it starts runs there as the user of the image, where everything but its volume and /tmp is read-only.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3
import yaml
from pydantic import SecretStr

from core.settings import PROJECT, Settings
from tests.support.nginx import NGINX, listens, on_ports, running_nginx
from tests.support.ports import reserve_port
from tests.support.served_api import served_api
from tests.support.workspace import SampleWorkspace

DOCKERFILE: Final = (PROJECT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE: Final = ("compose.yaml", "compose.cluster.yaml")
VOLUME: Final = "/var/lib/crypto-forecasting"
BIN: Final = Path(sys.executable).parent
STARTS_S: Final = 180.0
TOKEN: Final = "um-segredo-bem-guardado"
PYTHON: Final = Path("/usr/bin/python3")
"""That of Debian, which every user may run."""

READ_ONLY: Final = """
mount --make-rprivate / && mount --bind "$VOLUME" "$VOLUME" && mount -o remount,ro,bind / && mount -t tmpfs none /tmp
exec setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups --no-new-privs "$@"
"""
"""Runs a command as a user for whom everything but the volume and an empty /tmp is read-only."""


def steps(instruction: str) -> list[str]:
    """What follows each such instruction of the Dockerfile."""
    return re.findall(rf"^{instruction} (.+)$", DOCKERFILE, re.M)


def admitted() -> list[str]:
    """What .dockerignore lets into the image."""
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def compose(name: str) -> dict[str, Any]:
    """A compose file."""
    value: dict[str, Any] = yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
    return value


def test_the_image_holds_the_product_and_nothing_that_is_secret() -> None:
    """All packages of the wheel are admitted, each admitted name exists, and settings, data and tests stay out."""
    packages = re.search(r"^packages = (\[.*\])", (PROJECT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert packages is not None
    assert set(json.loads(packages[1])) <= set(admitted())
    assert [name for name in admitted() if not (PROJECT / name).exists()] == []
    assert not {".env", "secrets", "data", "models", "tests", ".git"} & set(admitted())


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_files_name_settings_that_exist(name: str) -> None:
    """Each CRYPTO_ variable of a service and of the image is a setting, and each secret that it names is mounted."""
    known = {f"CRYPTO_{field.upper()}" for field in Settings.model_fields}
    image = set(re.findall(r"CRYPTO_\w+(?==)", DOCKERFILE))
    for service in compose(name)["services"].values():
        given = service.get("environment", {})
        assert {variable for variable in {*given, *image} if variable.startswith("CRYPTO_")} <= known
        named = {Path(str(value)).name for value in given.values() if str(value).startswith("/run/secrets/")}
        assert named <= set(service.get("secrets", []))


@pytest.mark.parametrize("name", COMPOSE)
def test_services_of_the_image_cannot_write_outside_their_volume(name: str) -> None:
    """Their root is read-only, they have no capabilities and a volume each; their ports stay on this machine."""
    volumes = []
    for service in compose(name)["services"].values():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
        if service["image"] == "crypto-forecasting":
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
            (volume,) = service["volumes"]
            assert volume.endswith(f":{VOLUME}")
            volumes.append(volume)
    assert len(set(volumes)) == len(volumes) > 0


@pytest.mark.slow
def test_the_files_are_well_formed(tmp_path: Path) -> None:
    """Hadolint, yamllint and the schema of the Compose specification find nothing, nor docker-compose where it is."""
    rules = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"
    commands: list[list[Any]] = [
        [BIN / "hadolint", "Dockerfile"],
        [BIN / "yamllint", "--strict", "-d", rules, *COMPOSE],
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", *COMPOSE],
    ]
    if shutil.which("docker-compose"):
        subprocess.run(["sh", "ops/compose/object_keys.sh", tmp_path / "secrets"], cwd=PROJECT, check=True)
        copies = [shutil.copy(PROJECT / name, tmp_path) for name in COMPOSE]
        commands += [["docker-compose", "-f", copy, "config", "-q"] for copy in copies]
    for command in commands:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.skipif(NGINX is None, reason="needs Debian's package nginx")
def test_the_proxy_of_the_cluster_asks_both_replicas(tmp_path: Path) -> None:
    """With its configuration nginx passes requests and tokens on to either replica, and /metrics to none.

    Debian's nginx does not know `resolve`, so here the replicas have addresses instead of names.
    """
    sample = SampleWorkspace.make(tmp_path / "data").fill()
    ports = reserve_port(), reserve_port(), reserve_port()
    site = on_ports((PROJECT / "ops" / "compose" / "nginx.conf").read_text(encoding="utf-8"), {8080: ports[0]})
    for name, port in zip(("api_2", "api_3"), ports[1:], strict=True):
        site = site.replace(f"server {name}:8000 resolve;", f"server 127.0.0.1:{port};")
    settings = sample.settings.model_copy(update={"api_token": SecretStr(TOKEN), "access_log": True})
    (tmp_path / "nginx").mkdir()
    with (
        served_api(settings, ports[1]),
        served_api(settings, ports[2]),
        running_nginx(tmp_path / "nginx", site, ports[0]),
    ):
        answers = [ask(ports[0], "/prever/btc", TOKEN) for _ in range(4)]
        assert (answers, ask(ports[0], "/prever/btc", "outro"), ask(ports[0], "/metrics", TOKEN)) == (
            [200] * 4,
            401,
            404,
        )
        pages = [urllib3.request("GET", f"http://127.0.0.1:{port}/metrics").data.decode() for port in ports[1:]]
        assert all('route="/prever/{moeda}",status="200"' in page for page in pages)


def test_the_proxy_of_the_cluster_follows_replicas_to_other_addresses() -> None:
    """It looks their names up again and again, in Docker's DNS; nginx can do so from 1.27.3 on."""
    site = (PROJECT / "ops" / "compose" / "nginx.conf").read_text(encoding="utf-8")
    upstream = re.findall(r"upstream \w+ \{(.*?)\}", site, re.S)[0]
    assert set(re.findall(r"^ *server (.*);", upstream, re.M)) == {"api_2:8000 resolve", "api_3:8000 resolve"}
    assert re.search(r"^ *zone \w+ \w+;", upstream, re.M)
    assert re.search(r"^resolver 127\.0\.0\.11 valid=\d+s;", site, re.M)
    services = yaml.safe_load((PROJECT / "compose.cluster.yaml").read_text(encoding="utf-8"))["services"]
    found = re.fullmatch(r"nginx:(\d+)\.(\d+)\S*", services["proxy"]["image"])
    assert found is not None
    assert tuple(map(int, found.groups())) >= (1, 28)


def ask(port: int, path: str, token: str) -> int:
    """The status of one answer."""
    headers = {"Authorization": f"Bearer {token}"}
    return urllib3.request("GET", f"http://127.0.0.1:{port}{path}", headers=headers, retries=False).status


def may_be_isolated() -> bool:
    """Whether this machine allows a process its own view of the file system, and has a Python for it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    tries = (["unshare", "--mount", "mount", "--make-rprivate", "/"], [str(PYTHON), "-c", "import ensurepip"])
    return all(subprocess.run(words, capture_output=True, check=False).returncode == 0 for words in tries)


@contextmanager
def built() -> Iterator[tuple[Path, dict[str, str]]]:
    """The root folder of an image, made by the steps of the Dockerfile, and the environment of its processes."""
    root = Path(tempfile.mkdtemp(prefix="image-", dir="/var/tmp"))
    before = os.umask(0o022)  # that of an image; a test in the same process may have left another
    try:
        root.chmod(0o755)
        subprocess.run([PYTHON, "-m", "venv", root / "python"], check=True)
        app = root / "app"
        app.mkdir()
        path = f"{root / 'python' / 'bin'}:{os.environ['PATH']}"
        for instruction, words in re.findall(r"^(COPY|RUN) (.+)$", DOCKERFILE, re.M):
            if instruction == "RUN":
                (root / "var" / "lib").mkdir(parents=True, exist_ok=True)
                command = words.replace(VOLUME, f"{root}{VOLUME}")
                subprocess.run(command, shell=True, cwd=app, env={**os.environ, "PATH": path}, check=True)  # noqa: S602
            else:
                copy(words.split()[:-1], app)
        given = dict(pair.split("=", 1) for words in steps("ENV") for pair in shlex.split(words))
        variables = {name: value.replace(VOLUME, f"{root}{VOLUME}") for name, value in given.items()}
        yield root, {"PATH": path, **variables}
    finally:
        os.umask(before)
        shutil.rmtree(root)


def copy(names: list[str], app: Path) -> None:
    """Copy what COPY names, of what .dockerignore admits."""
    for name in admitted() if names == ["."] else names:
        source, target = PROJECT / name, app / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", app], check=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not may_be_isolated(), reason="needs root, unshare, and Debian's package python3-venv")
def test_what_the_image_installs_and_starts_serves_forecasts() -> None:
    """From wheels alone: the suite of the image forecasts, passes its health check, and writes in its volume alone."""
    with built() as (root, environment):
        user, group = map(int, steps("USER")[0].split(":"))
        ports = {8000: reserve_port(), 8501: reserve_port()}
        token = root / "token"
        token.write_text(TOKEN)
        token.chmod(0o644)
        given = {
            **environment,
            "CRYPTO_API_PORT": str(ports[8000]),
            "CRYPTO_DASHBOARD_PORT": str(ports[8501]),
            "CRYPTO_API_TOKEN_FILE": str(token),
            "CRYPTO_SOURCE": "demo",
            "CRYPTO_COINS": "bitcoin",
            "CRYPTO_INTERVAL": "5",
            "VOLUME": f"{root}{VOLUME}",
            "USER_ID": str(user),
            "GROUP_ID": str(group),
        }
        isolated = ["unshare", "--mount", "sh", "-ec", READ_ONLY, "sh"]
        place: dict[str, Any] = {"cwd": root / "app", "env": given}
        files = contents(root)
        check = json.loads(steps(r"HEALTHCHECK .*? CMD")[0])
        with subprocess.Popen([*isolated, *json.loads(steps("CMD")[-1])], **place) as suite:
            try:
                until_forecast(ports[8000], suite)
                assert Path(f"/proc/{suite.pid}").stat().st_uid == user
                words = [word.replace("8000", str(ports[8000])) for word in check]
                assert subprocess.run(words, **place, timeout=60, check=False).returncode == 0
            finally:
                suite.terminate()
                assert suite.wait(30) == 0
        assert subprocess.run(words, **place, timeout=60, stderr=subprocess.DEVNULL, check=False).returncode != 0
        assert contents(root) == files


def contents(root: Path) -> set[Path]:
    """All files outside the volume."""
    volume = Path(f"{root}{VOLUME}")
    return {path for path in root.rglob("*") if volume not in path.parents}


def until_forecast(port: int, suite: subprocess.Popen[bytes]) -> None:
    """Wait for the first forecast."""
    deadline = time.monotonic() + STARTS_S
    while not (listens(port) and ask(port, "/prever/bitcoin", TOKEN) == 200):
        assert suite.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
