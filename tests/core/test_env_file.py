"""A file of settings cannot hold up or exhaust the process that reads it."""

from __future__ import annotations

from pathlib import Path

from core.errors import ConfigurationError
from core.settings import PROJECT, load_settings
from core.settings.env_file import check_env_file
from tests.support.odd_files import make_pipe
from tests.support.refusals import refusal


def test_the_example_passes() -> None:
    """What people copy is far within the limits."""
    check_env_file(PROJECT / ".env.example")


def test_lines_that_repeat_each_other_are_refused(tmp_path: Path) -> None:
    """Forty lines would make a terabyte of sixteen bytes."""
    lines = ["A0=0123456789abcdef", *(f"A{number}=${{A{number - 1}}}${{A{number - 1}}}" for number in range(1, 40))]
    (tmp_path / "env").write_text("\n".join(lines))
    with refusal(ConfigurationError, r"78 vezes"):
        load_settings(_env_file=tmp_path / "env")


def test_some_references_are_replaced_as_ever(tmp_path: Path) -> None:
    """A value may name another one."""
    (tmp_path / "env").write_text("PLACE=brl\nCRYPTO_CURRENCY=${PLACE}\n")
    assert load_settings(_env_file=tmp_path / "env").currency == "brl"


def test_a_file_of_gigabytes_is_refused(tmp_path: Path) -> None:
    """Its length is known before it is read."""
    with (tmp_path / "env").open("wb") as file:
        file.truncate(2**40)
    with refusal(ConfigurationError, r"\.env não se lê"):
        load_settings(_env_file=tmp_path / "env")


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Several processes read the file, some more than once."""
    make_pipe(tmp_path / "env")
    with refusal(ConfigurationError, r"\.env não se lê"):
        load_settings(_env_file=tmp_path / "env")


def test_what_is_no_file_at_all_counts_as_none(tmp_path: Path) -> None:
    """A missing file, and the folder that Docker makes of one."""
    for path in (tmp_path, tmp_path / "none", None):
        assert load_settings(_env_file=path).currency == "usd"
