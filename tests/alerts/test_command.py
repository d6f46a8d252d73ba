"""`python -m alerts`: what it says of a file of rules, and when it refuses to start."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.__main__ import main
from core.errors import EXIT_REFUSED
from core.processes.lifecycle import hold_lock
from core.settings import PARENT_VARIABLE
from core.wording import message
from tests.support.workspace import SampleWorkspace

RULES = """
[canais.casa]
tipo = "apprise"
url = "tgram://123:hidden/4"
[[regra]]
nome = "Queda"
condicao = "variacao"
moedas = ["btc"]
percentual = 5
periodo = "1h"
direcao = "queda"
canais = ["casa"]
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid file of rules, as the settings name it, in a workspace that exists."""
    path = tmp_path / "alerts.toml"
    path.write_text(RULES, encoding="utf-8")
    sample = SampleWorkspace.make(tmp_path / "data", alerts_file=path)
    for name, value in sample.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(PARENT_VARIABLE, raising=False)
    return path


def test_a_valid_file_is_said_in_words_without_its_secrets(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each rule is a line, and the literal address of a channel appears nowhere."""
    assert main(["--check"]) == 0
    said = capsys.readouterr()
    assert "Queda: btc: queda de 5 % ou mais em 1h" in said.out
    assert "(regras: 1, canais: 1)" in said.out
    assert "hidden" not in said.out + said.err


@pytest.mark.parametrize("arguments", [["--check"], []])
def test_a_wrong_file_is_refused_with_its_lines(
    arguments: list[str], rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both the check and a start by hand end with code 2 and name every line; a start never begins."""
    rules.write_text(RULES.replace("percentual = 5", "percentual = -5").replace('["casa"]', '["rua"]'), "utf-8")
    assert main(arguments) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "alerts.toml, linha 9: percentual: deve ficar entre 0 e 10000" in said
    assert "hidden" not in said


def test_no_file_to_check_is_said(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the check ends with code 2 and says where an example is."""
    rules.unlink()
    assert main(["--check"]) == EXIT_REFUSED
    assert "alerts.example.toml" in capsys.readouterr().err


def test_a_second_process_is_refused(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While another process watches the workspace, a start by hand ends with code 2."""
    folder = rules.parent / "data" / "demo"
    with hold_lock(folder / "alerts.lock", message("lock.alerts")):
        assert main([]) == EXIT_REFUSED
    said = capsys.readouterr().err
    assert "o registro de alertas desta pasta já está em uso" in said
    assert "alerts.lock" in said


def test_a_mistyped_coin_is_named_with_the_one_that_was_meant(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check warns of coins that nobody collects, and of none before there are prices."""
    rules.write_text(RULES.replace('["btc"]', '["btc", "bitcoim", "zzzz"]'), encoding="utf-8")
    assert main(["--check"]) == 0
    assert "ATENÇÃO" not in capsys.readouterr().out
    SampleWorkspace.make(rules.parent / "data").fill_prices(hours=0.1)
    assert main(["--check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "ATENÇÃO" in line] == [
        "ATENÇÃO: nenhuma moeda coletada se chama bitcoim; seria bitcoin?",
        "ATENÇÃO: nenhuma moeda coletada se chama zzzz",
    ]
