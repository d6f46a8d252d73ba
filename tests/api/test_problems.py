"""Refusals are problem documents (RFC 9457) in the language that the request prefers."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from api.declared_parameters import check_parameters
from api.problems import Problem, ProblemCode, preferred_language
from core.wording import LANGUAGES, message, say


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "pt"),
        ("en", "en"),
        ("en-GB, pt;q=0.9", "en"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("fr, en;q=0.5, pt;q=0.1", "en"),
        ("EN;Q=0.3", "en"),
        ("en;q=0", "pt"),
        ("fr", "pt"),
        ("*", "pt"),
        ("en;q=high", "pt"),
        (", ;;=,", "pt"),
    ],
)
def test_the_preferred_language_is_chosen(header: str, language: str) -> None:
    """The weights decide; Portuguese where neither language is asked for."""
    assert preferred_language(header) == language


def test_every_code_has_a_title_in_each_language() -> None:
    """No code is shown in place of a text."""
    for code in ProblemCode:
        for language in LANGUAGES:
            assert say(message(f"refusal.title.{code}"), language) != f"refusal.title.{code}"


@pytest.mark.parametrize(
    ("address", "code", "parameters", "suggestion"),
    [
        ("/prever/bitconi", "unknown_coin", ["moeda"], "bitcoin"),
        ("/previsao/btc", "unknown_path", [], "/previsoes/{moeda}"),
        ("/xyz", "unknown_path", [], None),
        ("/historico/btc?limite=0", "invalid_parameter", ["limite"], None),
        ("/historico/btc?limit=1", "unknown_parameter", ["limit"], "limite"),
        ("/historico/btc?from=2020&limite=x", "unknown_parameter", ["from"], None),
        ("/prever/btc?xyz=1", "unknown_parameter", ["xyz"], None),
        ("/saude?x", "unknown_parameter", ["x"], None),
        ("/previsoes/btc?limite=1&limite=2", "repeated_parameter", ["limite"], None),
    ],
)
def test_a_refusal_says_its_kind_to_programs(
    client: TestClient, address: str, code: str, parameters: list[str], suggestion: str | None
) -> None:
    """Code, type, parameters and suggestions are fields of their own."""
    answer = client.get(address)
    body = answer.json()
    assert (body["codigo"], body["type"]) == (code, f"urn:crypto-forecasting:problem:{code}")
    assert (body["status"], body["parametros"]) == (answer.status_code, parameters)
    assert suggestion in body["sugestoes"] if suggestion else body["sugestoes"] == []


@pytest.mark.parametrize(
    ("address", "portuguese", "english"),
    [
        (
            "/historico/btc?formato=xml",
            "deve ser 'json', 'csv', 'parquet' ou 'arrow'",
            "must be 'json', 'csv', 'parquet' or 'arrow'",
        ),
        ("/historico/btc?inicio=ontem", "deve ser uma data", "must be a date"),
        ("/prever/bitconi", "moeda desconhecida", "unknown coin"),
        ("/nada", "endereço não encontrado", "path not found"),
    ],
)
def test_a_refusal_speaks_the_language_of_the_request(
    client: TestClient, address: str, portuguese: str, english: str
) -> None:
    """Accept-Language chooses title and detail, never code and type; caches are told."""
    answers = {language: client.get(address, headers={"Accept-Language": language}) for language in LANGUAGES}
    assert portuguese in answers["pt"].json()["detail"]
    assert english in answers["en"].json()["detail"]
    assert answers["pt"].json()["codigo"] == answers["en"].json()["codigo"]
    assert {answer.headers["vary"] for answer in answers.values()} == {"Accept-Language"}
    assert answers["en"].headers["content-language"] == "en"


def test_no_route_ignores_an_unknown_parameter(client: TestClient) -> None:
    """Every documented path refuses a parameter that the document does not declare, even for an unknown coin."""
    for path in client.get("/openapi.json").json()["paths"]:
        answer = client.get(path.replace("{moeda}", "bitconi"), params={"desconhecido": "1"})
        assert (answer.status_code, answer.json()["codigo"]) == (422, "unknown_parameter")


@pytest.mark.parametrize(
    ("given", "declared", "said"),
    [
        (["Limite"], ["limite"], "parâmetro 'Limite': não existe neste endereço; o mais próximo é 'limite'"),
        (["z"], ["fim", "inicio"], "parâmetro 'z': não existe neste endereço, que tem: fim, inicio"),
        (["z"], [], "parâmetro 'z': não existe: este endereço não tem parâmetros"),
        (["fim", "fim"], ["fim"], "parâmetro 'fim': vem mais de uma vez"),
    ],
)
def test_a_refused_parameter_is_explained(given: list[str], declared: list[str], said: str) -> None:
    """The sentence names the nearest parameter, or those that exist."""
    with pytest.raises(Problem) as caught:
        check_parameters(given, declared)
    assert [say(detail) for detail in caught.value.details] == [said]
