"""Command-line options, variables and .env as they reach the settings or are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from core.settings import PROJECT, Settings, Source, load_settings
from suite.cli import parse_arguments
from tests.support.refusals import refusal


def test_no_option_leaves_everything_to_settings() -> None:
    """Without options the settings are the defaults."""
    assert parse_arguments([]) == load_settings()


def test_options_reach_the_settings(tmp_path: Path) -> None:
    """Each documented option sets its value."""
    words = (
        f"--coins top:20 --currency BRL --interval 60 --seed 7 --host localhost --api-port 8101 --dashboard-port 8102 \
        --api-workers 2 \
        --data-dir {tmp_path}/d --models-dir {tmp_path}/m --no-browser --source demo".replace("BRL", "brl").split()
    )
    settings = parse_arguments(words)
    assert (settings.top, settings.currency, settings.interval, settings.seed) == (20, "brl", 60.0, 7)
    assert (settings.host, settings.api_port, settings.dashboard_port) == ("localhost", 8101, 8102)
    assert (settings.data_dir, settings.models_dir) == (tmp_path / "d", tmp_path / "m")
    assert (settings.browser, settings.source, settings.api_workers) == (False, Source.DEMO, 2)


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over the variable of the same name; a variable without option counts."""
    monkeypatch.setenv("CRYPTO_API_PORT", "9001")
    monkeypatch.setenv("CRYPTO_DASHBOARD_PORT", "9002")
    settings = parse_arguments(["--api-port", "9003"])
    assert (settings.api_port, settings.dashboard_port) == (9003, 9002)


def test_replay_names_its_source(tmp_path: Path) -> None:
    """`--replay` selects the replay of its file, `--demo` the simulated market."""
    recording = tmp_path / "gravação de abril.parquet"
    settings = parse_arguments(["--replay", str(recording), "--replay-start", "2023-04-10"])
    assert (settings.source, settings.replay, settings.replay_start) == (Source.REPLAY, recording, "2023-04-10")
    assert parse_arguments(["--demo"]).source is Source.DEMO


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--demo", "--replay", "x.csv"], "contradizem"),
        (["--demo", "--source", "coingecko"], "contradizem"),
        (["--source", "replay"], "--replay"),
        (["--source", "marte"], "CRYPTO_SOURCE"),
        (["--replay-start", "2023-04-10"], "--replay-start"),
        (["--interval", "4"], "CRYPTO_INTERVAL"),
        (["--api-port", "x"], "CRYPTO_API_PORT"),
        (["--api-port", "8501"], "8501"),
        (["--host", "192.0.2.1"], "CRYPTO_API_TOKEN"),
        (["--coins", "bit coin"], "bit coin"),
    ],
)
def test_bad_options_are_explained(words: list[str], said: str) -> None:
    """Invalid values and contradictions are refused with a message that names them."""
    with refusal(ConfigurationError, match=re.escape(said)):
        parse_arguments(words)


def test_a_settings_file_in_another_encoding_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .env in Latin-1 gives an error of one line."""
    (tmp_path / ".env").write_bytes("CRYPTO_CONTACT=joão".encode("latin-1"))
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    with refusal(ConfigurationError, match="UTF-8"):
        parse_arguments([])


def test_unknown_options_are_refused_in_portuguese(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown option ends with code 2 and a Portuguese message."""
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(["--demoo"])
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(["--seed"])
    said = capsys.readouterr().err
    assert "opção desconhecida: --demoo" in said
    assert "--seed precisa de um valor" in said


def test_help_is_portuguese_and_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists the documented options and no English text of argparse."""
    with pytest.raises(SystemExit, match="0"):
        parse_arguments(["--help"])
    text = capsys.readouterr().out
    names = (
        "source demo replay replay-start coins currency interval seed host api-port dashboard-port api-workers data-dir"
    )
    assert all(f"--{name} " in text for name in [*names.split(), "models-dir", "no-browser"])
    assert not re.search(r"usage|options|show this|optional", text)


def test_env_example_names_every_setting() -> None:
    """.env.example has each variable once, commented out, with its default value."""
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line.startswith("CRYPTO_"))
    assert list(given) == list(dict.fromkeys(line.split("=")[0] for line in lines if line.startswith("CRYPTO_")))
    assert set(given) == {f"CRYPTO_{name.upper()}" for name in Settings.model_fields}
    overrides = {name.removeprefix("CRYPTO_").lower(): value for name, value in given.items() if value}
    assert load_settings(**overrides) == load_settings()
