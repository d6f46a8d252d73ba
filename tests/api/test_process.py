"""The API as a process, started as run_all.py does or by uvicorn."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.errors import EXIT_CONFIGURATION, EXIT_REFUSED
from core.settings import PROJECT
from tests.support.ports import reserve_port

MAX_START_S = 60


def _environment(data_dir: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRYPTO_")}
    return {**kept, "CRYPTO_DATA_DIR": str(data_dir), "PYTHONUTF8": "1", **variables}


@contextmanager
def _started(command: list[str], environment: dict[str, str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block, also where the test fails."""
    with subprocess.Popen(command, cwd=PROJECT, env=environment, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def _status(port: int) -> dict[str, object]:
    deadline = time.monotonic() + MAX_START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _commands(port: int) -> list[list[str]]:
    return [
        [sys.executable, "-m", "api.server"],
        [sys.executable, "-m", "uvicorn", "api.main:app", "--port", str(port), "--log-level", "warning"],
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_it_serves_an_empty_folder_and_stops_on_sigterm(tmp_path: Path, which: int) -> None:
    """It answers /status before there are data; its health file records start and stop."""
    port = reserve_port()
    data_dir = tmp_path / "dados com espaço é"
    environment = _environment(data_dir, CRYPTO_API_PORT=str(port))
    with _started(_commands(port)[which], environment) as process:
        assert _status(port)["status"] == "aguardando_dados"
        health = json.loads((data_dir / "run" / "api.json").read_bytes())
        assert (health["pid"], health["state"]) == (process.pid, "serving")
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    assert json.loads((data_dir / "run" / "api.json").read_bytes())["state"] == "stopped"
    assert [path.name for path in data_dir.rglob("*") if path.is_file()] == ["api.json"]


@pytest.mark.parametrize(
    ("variables", "said", "which"),
    [
        ({"CRYPTO_HOST": "0.0.0.0"}, "CRYPTO_API_TOKEN", 0),  # noqa: S104 - refused
        ({"CRYPTO_INTERVAL": "NaN"}, "CRYPTO_INTERVAL", 0),
        ({"CRYPTO_API_TOKEN": "ã"}, "CRYPTO_API_TOKEN", 1),
    ],
)
def test_invalid_settings_end_it_with_one_line(
    tmp_path: Path, variables: dict[str, str], said: str, which: int
) -> None:
    """The code is that of a refusal, or of configuration errors under uvicorn; the only line names the variable."""
    command = _commands(reserve_port())[which]
    environment = _environment(tmp_path, **variables)
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == (EXIT_REFUSED, EXIT_CONFIGURATION)[which]
    assert done.stderr.startswith("Erro: Configuração inválida: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_importing_reads_no_settings_and_no_pandas(tmp_path: Path) -> None:
    """The module imports even with invalid settings, and without the heavy libraries."""
    code = "import sys, api.main; print([m for m in ('pandas', 'sklearn', 'streamlit') if m in sys.modules])"
    environment = _environment(tmp_path, CRYPTO_INTERVAL="nada")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_second_api_leaves_the_first_one_alone(tmp_path: Path) -> None:
    """On a port in use it ends with one sentence and exit code 2, and the health file of the first stays as it was."""
    port = reserve_port()
    environment = _environment(tmp_path, CRYPTO_API_PORT=str(port))
    command = [sys.executable, "-m", "api.server"]
    with _started(command, environment) as first:
        _status(port)
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        health = json.loads((tmp_path / "run" / "api.json").read_bytes())
    assert done.returncode == EXIT_REFUSED
    assert done.stderr.startswith(f"Erro: não é possível atender em 127.0.0.1:{port}")
    assert (health["pid"], health["state"]) == (first.pid, "serving")


def test_the_command_explains_itself(tmp_path: Path) -> None:
    """`--help` is Portuguese, and an unknown option is refused before anything is served."""
    for option, code in (("--help", 0), ("--foo", EXIT_REFUSED)):
        command = [sys.executable, "-m", "api.server", option]
        done = subprocess.run(
            command, cwd=PROJECT, env=_environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code
        assert ("API REST com Swagger" in done.stdout) if code == 0 else ("opção desconhecida: --foo" in done.stderr)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    """SIGINT ends the process with exit code 0 and no output."""
    port = reserve_port()
    command = [sys.executable, "-m", "api.server"]
    environment = _environment(tmp_path, CRYPTO_API_PORT=str(port))
    with _started(command, environment, stderr=subprocess.PIPE) as process:
        _status(port)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")


def test_malformed_requests_do_not_fill_the_log(tmp_path: Path) -> None:
    """Ten of them within a minute leave one line."""
    port = reserve_port()
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        command, environment = _commands(port)[0], _environment(tmp_path, CRYPTO_API_PORT=str(port))
        with _started(command, environment, stdout=output, stderr=subprocess.STDOUT) as process:
            _status(port)
            for _ in range(10):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
                    line.sendall(b"\x00\x01\r\n\r\n")
                    assert line.recv(100).startswith(b"HTTP/1.1 400")
            process.send_signal(signal.SIGTERM)
            process.wait(15)
    assert log.read_text(encoding="utf-8").count("Invalid HTTP request") == 1
