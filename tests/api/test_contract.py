"""Answers to generated requests match the OpenAPI description."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.support.running_suite import RunningSuite

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
]
FULL: Final = bool(os.environ.get("CRYPTO_FULL_FAULTS"))
EXAMPLES: Final = 2_000 if FULL else 12
"""Of each operation with parameters, and as many again that it must refuse."""

TIMEOUT_S: Final = 3_600 if FULL else 300
"""Of one operation, and of the first one with the start of the suite."""

READY = "/saude/pronto"
"""Answers 503 on purpose as soon as the sample's data are old."""

WITHOUT_PARAMETERS = ("/saude", "/saude/vivo", READY, "/metricas")
WITH_PARAMETERS = (
    "/status",
    "/moedas",
    "/prever",
    "/prever/{moeda}",
    "/probabilidade/{moeda}",
    "/risco",
    "/previsoes/{moeda}",
    "/historico/{moeda}",
    "/metricas/{moeda}",
)


@pytest.fixture(scope="module")
def described(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    """The document that the server gives: that of a running suite in the long form, else one over fixed files."""
    if not FULL:
        yield schemathesis.openapi.from_url(f"{request.getfixturevalue('served')}/openapi.json")
        return
    suite = RunningSuite(
        tmp_path_factory.mktemp("suite"), "--demo", "--no-browser", "--coins", "bitcoin,ethereum,solana"
    )
    try:
        suite.wait(lambda: suite.forecasts(("bitcoin", "ethereum", "solana")))
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{suite.api_port}/openapi.json")
        assert not any(child.restarts for child in suite.children().values()), suite.output
    finally:
        suite.end(signal.SIGTERM)


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize(
    ("path", "mode"),
    [(path, GenerationMode.POSITIVE) for path in (*WITHOUT_PARAMETERS, *WITH_PARAMETERS)]
    + [(path, GenerationMode.NEGATIVE) for path in WITH_PARAMETERS],
)
def test_answers_are_as_described(described: BaseSchema, path: str, mode: GenerationMode) -> None:
    """Status codes, content types and bodies are the documented ones, and no request is answered with 5xx."""
    operation = described[path]["GET"]
    examples = EXAMPLES if path in WITH_PARAMETERS else 3

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=[check for check in CHECKS if check is not not_a_server_error or path != READY])

    ask()


def test_no_operation_is_left_out(described: BaseSchema) -> None:
    """Each described path is tested above, but for the stream of events, whose answer does not end."""
    assert set(described.raw_schema["paths"]) == {*WITHOUT_PARAMETERS, *WITH_PARAMETERS, "/eventos"}
