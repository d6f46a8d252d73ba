"""Answers to generated requests match the OpenAPI description."""

from __future__ import annotations

import os
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
EXAMPLES: Final = 2_000 if os.environ.get("CRYPTO_FULL_FAULTS") else 12
"""Of each operation with parameters, and as many again that it must refuse."""

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
def described(served: str) -> BaseSchema:
    """The document that the server gives."""
    return schemathesis.openapi.from_url(f"{served}/openapi.json")


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
