"""Clients that generators make from the OpenAPI document work, and linters find nothing in it.

The generators come from the package indexes, in versions that are fixed here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DOCUMENT = PROJECT / "docs" / "openapi.json"
NPX = shutil.which("npx")
PYTHON_GENERATOR = "openapi-python-client==0.29.1"
PYTHON_NEEDS = ("httpx==0.28.1", "attrs==26.1.0", "python-dateutil==2.9.0.post0")
TYPESCRIPT_GENERATOR = "openapi-typescript@7.13.0"
TYPESCRIPT = "typescript@5.9.3"
LINTER = "@stoplight/spectral-cli@6.16.3"
VALIDATOR = "openapi-spec-validator==0.9.0"

PYTHON_PROGRAM = """
import sys
from datetime import datetime, timedelta
from generated import Client
from generated.api.moedas import historico, moedas
from generated.api.previsoes import prever
from generated.models import Previsao, PrevisaoFonte, Problema, ProblemaCodigo

client = Client(base_url=sys.argv[1])
forecast = prever.sync("btc", client=client)
assert isinstance(forecast, Previsao), forecast
assert isinstance(forecast.horario, datetime) and forecast.horario.utcoffset() == timedelta(0)
assert forecast.fonte is PrevisaoFonte.DEMO
assert forecast.intervalos["80"].minimo < forecast.intervalos["80"].maximo
problem = prever.sync("bitconi", client=client)
assert isinstance(problem, Problema) and problem.codigo is ProblemaCodigo.UNKNOWN_COIN, problem
assert "bitcoin" in problem.sugestoes
rows = historico.sync("btc", client=client, inicio=forecast.horario - timedelta(minutes=10))
assert len(rows) == 11 and rows[0].horario == forecast.horario, rows
tag = moedas.sync_detailed(client=client).headers["ETag"]
assert moedas.sync_detailed(client=client, if_none_match=tag).status_code == 304
print("ok")
"""

TYPESCRIPT_PROGRAM = """
import type { components, operations } from "./schema";

type Forecast = components["schemas"]["Forecast"];
type Problem = operations["prever"]["responses"][404]["content"]["application/problem+json"];

export function told(answer: Forecast | Problem): string {
  if ("codigo" in answer) {
    const code: "unknown_coin" | "unknown_path" | string = answer.codigo;
    return `${code}: ${answer.sugestoes.join(", ")}`;
  }
  const source: "coingecko" | "demo" | "replay" = answer.fonte;
  const low: number = answer.intervalos["80"]?.minimo ?? answer.preco_atual;
  // @ts-expect-error a price is a number
  const wrong: string = answer.preco_atual;
  return `${source} ${low} ${wrong}`;
}
"""


def _run(*command: str, cwd: Path) -> str:
    """Output of a command, which must succeed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _npx(*command: str, packages: tuple[str, ...], cwd: Path) -> str:
    if NPX is None:
        pytest.skip("Node.js is not installed")
    return _run(NPX, "--yes", *(f"--package={package}" for package in packages), *command, cwd=cwd)


def _uv(*command: str, cwd: Path) -> str:
    return _run(sys.executable, "-m", "uv", *command, cwd=cwd)


def test_a_generated_python_client_works(served: str, tmp_path: Path) -> None:
    """Forecasts, problems, times, choices and ETags come as types of their own."""
    target = ("--path", str(DOCUMENT), "--output-path", str(tmp_path / "generated"), "--meta", "none")
    _uv("tool", "run", "--from", PYTHON_GENERATOR, "openapi-python-client", "generate", *target, cwd=tmp_path)
    names = [path.name for path in (tmp_path / "generated").rglob("*.py")]
    assert [name for name in names if not name.isascii()] == []
    needs = [word for need in PYTHON_NEEDS for word in ("--with", need)]
    assert _uv("run", "--no-project", *needs, "python", "-c", PYTHON_PROGRAM, served, cwd=tmp_path) == "ok\n"


def test_generated_typescript_types_pass_the_strict_compiler(tmp_path: Path) -> None:
    """A program over the types compiles with --strict, and a wrong use of them does not."""
    _npx("openapi-typescript", str(DOCUMENT), "-o", "schema.ts", packages=(TYPESCRIPT_GENERATOR,), cwd=tmp_path)
    (tmp_path / "program.ts").write_text(TYPESCRIPT_PROGRAM, encoding="utf-8")
    _npx("tsc", "--strict", "--noEmit", "program.ts", packages=(TYPESCRIPT,), cwd=tmp_path)


def test_linters_find_nothing(tmp_path: Path) -> None:
    """The document is valid OpenAPI, and Spectral's rules give neither error nor warning."""
    _uv("tool", "run", "--from", VALIDATOR, "openapi-spec-validator", str(DOCUMENT), cwd=tmp_path)
    rules = ("--ruleset", str(PROJECT / ".spectral.yaml"), "--fail-severity", "hint")
    _npx("spectral", "lint", *rules, str(DOCUMENT), packages=(LINTER,), cwd=tmp_path)
