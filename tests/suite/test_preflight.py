"""Checks of ports and data folder before anything starts."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AlreadyRunning, Unavailable
from core.settings import Settings
from core.wording import say
from suite.ports import free_port, port_problem
from suite.preflight import lock_data_dir, misspelt_variables, refuse_busy_ports
from tests.support.ports import reserve_port
from tests.support.refusals import refusal


def test_a_busy_port_is_refused_and_a_free_one_is_not(settings: Callable[..., Settings]) -> None:
    """The message names the port, its owner and the option to change."""
    with socket.create_server(("127.0.0.1", reserve_port())) as server:
        busy = int(server.getsockname()[1])
        said = port_problem("127.0.0.1", busy)
        assert said is not None
        assert f"{busy} já está em uso" in say(said)
        assert f"pid {os.getpid()}" in say(said)
        with refusal(Unavailable, match=rf"painel.*{busy}.*--dashboard-port \d+"):
            refuse_busy_ports(settings(dashboard_port=busy, api_port=free_port({busy})))
        with refusal(Unavailable, match=rf"API.*{busy}.*--api-port \d+"):
            refuse_busy_ports(settings(api_port=busy))
    assert port_problem("127.0.0.1", busy) is None


def test_a_port_taken_on_all_interfaces_is_busy() -> None:
    """A server on all addresses makes the loopback port busy."""
    with socket.create_server(("", 0)) as server:
        assert port_problem("127.0.0.1", int(server.getsockname()[1])) is not None


def test_a_host_of_another_machine_is_refused() -> None:
    """Addresses and names of other machines are refused."""
    assert port_problem("192.0.2.1", 8000) is not None
    assert port_problem("nada.invalid", 8000) is not None


def test_a_folder_has_one_suite(settings: Callable[..., Settings]) -> None:
    """A second suite in the folder is refused by name until the first one releases the lock."""
    asked = settings()
    with lock_data_dir(asked), pytest.raises(AlreadyRunning, match=re.escape(str(asked.data_dir))):
        lock_data_dir(asked)
    lock_data_dir(asked).release()


def test_who_holds_the_folder_deletes_what_a_killed_writer_left(settings: Callable[..., Settings]) -> None:
    """Half-written files of any process go from run/, and only once no other suite may be writing there."""
    asked = settings()
    with lock_data_dir(asked):
        for name in (".source.json.abc.tmp", ".api_7.json.abc.tmp", "source.json"):
            (asked.run_dir / name).touch()
        with pytest.raises(AlreadyRunning):
            lock_data_dir(asked)
        assert len(list(asked.run_dir.glob(".*.tmp"))) == 2
    lock_data_dir(asked).release()
    assert list(asked.run_dir.glob("*.tmp")) + list(asked.run_dir.glob(".*.tmp")) == []
    assert (asked.run_dir / "source.json").exists()


def test_a_folder_that_is_a_file_is_refused(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """A data folder that cannot be written raises Unavailable."""
    (tmp_path / "data").write_text("")
    with refusal(Unavailable, match="não é possível gravar"):
        lock_data_dir(settings())


def test_a_misspelt_variable_is_told_with_the_name_that_was_meant() -> None:
    """Names near a setting are told; settings in any case, names near none and variables of others are not."""
    others = ("CRYPTO_INTERVAL", "crypto_coins", "CRYPTO_TEST_DATA", "CRYPTO_ALERT_SECRET", "INTERVALL")
    warnings = misspelt_variables(("CRYPTO_INTERVALL", "CRYPTO_RETENTION", *others))
    assert [say(warning) for warning in warnings] == [
        "A variável CRYPTO_INTERVALL não existe e não vale; não seria CRYPTO_INTERVAL?",
        "A variável CRYPTO_RETENTION não existe e não vale; não seria CRYPTO_RETENTION_DAYS?",
    ]
