"""The command line of the suite, in Portuguese; every value is checked by the settings."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from core.errors import ConfigurationError
from core.settings import Settings, Source, load_settings

__all__ = ["parse_arguments"]

_DESCRIPTION: Final = """\
Coleta preços de criptomoedas, prevê a próxima hora com intervalos de probabilidade e mostra tudo
em uma API e em um painel. Sem opções: preços reais do CoinGecko; sem internet, um mercado simulado."""
_EPILOG: Final = """\
Cada opção também pode ser uma variável de ambiente ou uma linha do arquivo .env (modelo: .env.example).
Para parar: Ctrl+C."""
_INSTALLED_COMMAND: Final = "crypto-forecasting"
_TRANSLATIONS: Final = (
    (r"unrecognized arguments: (.*)", r"opção desconhecida: \1"),
    (r"argument (\S+): expected one argument", r"\1 precisa de um valor"),
    (r"argument (\S+): ignored explicit argument (.*)", r"\1 não aceita valor (\2)"),
)


def parse_arguments(arguments: Sequence[str] | None = None) -> Settings:
    """Settings from the command line, the environment and `.env`, in that order of precedence.

    Raises:
        ConfigurationError: options that contradict each other, or a value out of its range.
        SystemExit: `--help` (0), or an option that does not exist (2).
    """
    given = vars(_parser().parse_args(arguments))
    source = _source(given.pop("source"), demo=given.pop("demo"), replay=given["replay"])
    settings = load_settings(source=source, browser=False if given.pop("no_browser") else None, **given)
    if given["replay_start"] and settings.source is not Source.REPLAY:
        raise ConfigurationError("--replay-start só vale com --replay ARQUIVO")
    return settings


def _source(named: str | None, *, demo: bool, replay: str | None) -> str | None:
    """The source that the options ask for together, or None."""
    asked: dict[str, str] = {}
    if named is not None:
        asked[f"--source {named}"] = named
    if demo:
        asked["--demo"] = Source.DEMO.value
    if replay is not None:
        asked["--replay"] = Source.REPLAY.value
    if len(set(asked.values())) > 1:
        raise ConfigurationError(f"opções que se contradizem: {' e '.join(asked)}")
    return next(iter(asked.values()), None)


class _Help(argparse.RawDescriptionHelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, "uso: " if prefix is None else prefix)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        for english, portuguese in _TRANSLATIONS:
            message = re.sub(english, portuguese, message)
        self.exit(2, f"Erro: {message}\nVeja as opções com --help.\n")


def _parser() -> argparse.ArgumentParser:
    command = _INSTALLED_COMMAND if Path(sys.argv[0]).stem == _INSTALLED_COMMAND else "python run_all.py"
    parser = _Parser(
        prog=command,
        usage=f"{command} [opções]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Help,
        add_help=False,
        allow_abbrev=False,
    )
    _add_market_options(parser)
    _add_service_options(parser)
    parser.add_argument_group("ajuda").add_argument("-h", "--help", action="help", help="mostra esta ajuda e sai")
    return parser


def _add_market_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("preços").add_argument
    add(
        "--source",
        metavar="FONTE",
        help="auto, coingecko, demo ou replay (padrão: auto, que usa o CoinGecko e, se nada responder lá, a simulação)",
    )
    add("--demo", action="store_true", help="mercado simulado, sem internet; o mesmo que --source demo")
    add("--replay", metavar="ARQUIVO", help="toca preços gravados (Parquet, CSV ou crypto.db) como se fossem de agora")
    add("--replay-start", metavar="ISO", help="momento da gravação em que o replay começa, ex.: 2023-04-10T12:00")
    add("--coins", metavar="LISTA", help="ids do CoinGecko separados por vírgula, ou top:N (padrão: dez moedas)")
    add("--currency", metavar="MOEDA", help="moeda das cotações: usd, brl, eur … (padrão: usd)")
    add("--interval", metavar="S", help="segundos entre coletas e entre ciclos de previsão, no mínimo 5 (padrão: 30)")
    add("--seed", metavar="N", help="semente do mercado simulado e do modelo (padrão: 0)")


def _add_service_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("serviços e pastas").add_argument
    add("--host", metavar="HOST", help="endereço da API e do painel (padrão: 127.0.0.1, só esta máquina)")
    add("--api-port", metavar="PORTA", help="porta da API (padrão: 8000)")
    add("--dashboard-port", metavar="PORTA", help="porta do painel (padrão: 8501)")
    add(
        "--data-dir",
        metavar="PASTA",
        help="pasta dos dados, a partir da pasta do projeto, se houver uma (padrão: data)",
    )
    add(
        "--models-dir",
        metavar="PASTA",
        help="pasta dos modelos, a partir da pasta do projeto, se houver uma (padrão: models)",
    )
    add("--no-browser", action="store_true", help="não abre o navegador")
