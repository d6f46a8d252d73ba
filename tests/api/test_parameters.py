"""Bad input gets 422 or 404 and a Portuguese sentence that names the parameter, never 500."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.times import MINUTE_MS, iso, to_datetime
from tests.support.workspace import SampleWorkspace


@pytest.mark.parametrize(
    ("parameters", "name", "reason"),
    [
        ({"limite": "muitas"}, "limite", "número inteiro"),
        ({"limite": "NaN"}, "limite", "número inteiro"),
        ({"limite": "1.5"}, "limite", "número inteiro"),
        ({"limite": "9" * 5000}, "limite", "grande demais"),
        ({"limite": str(2**70)}, "limite", "no máximo 50000"),
        ({"limite": "0"}, "limite", "no mínimo 1"),
        ({"limite": ""}, "limite", "número inteiro"),
        ({"inicio": "ontem"}, "inicio", "ISO 8601"),
        ({"inicio": "0000-01-01"}, "inicio", "ISO 8601"),
        ({"fim": "9999999-01-01"}, "fim", "ISO 8601"),
        ({"fim": "2026-02-30"}, "fim", "ISO 8601"),
        ({"fim": "NaN"}, "fim", "ISO 8601"),
        ({"fim": ""}, "fim", "ISO 8601"),
        ({"inicio": "1" * 60}, "inicio", "no máximo 50 caracteres"),
        ({"inicio": "2026-01-01\x00"}, "inicio", "ISO 8601"),
        ({"formato": "xml"}, "formato", "'json', 'csv', 'parquet' ou 'arrow'"),
    ],
)
@pytest.mark.parametrize("address", ["/historico/btc", "/previsoes/btc"])
def test_a_bad_parameter_is_named(
    client: TestClient, address: str, parameters: dict[str, str], name: str, reason: str
) -> None:
    """The answer is 422 with the parameter's name and the expected value."""
    answer = client.get(address, params=parameters)
    assert answer.status_code == 422
    assert answer.json()["parametros"] == [name]
    assert f"'{name}'" in answer.json()["detail"]
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize(
    ("address", "name", "reason"),
    [
        ("/probabilidade/btc", "nivel", "é obrigatório"),
        ("/probabilidade/btc?nivel=caro", "nivel", "deve ser um número"),
        ("/probabilidade/btc?nivel=0", "nivel", "maior que 0"),
        ("/probabilidade/btc?nivel=-1", "nivel", "maior que 0"),
        ("/probabilidade/btc?nivel=NaN", "nivel", "número finito"),
        ("/probabilidade/btc?nivel=Infinity", "nivel", "número finito"),
        ("/probabilidade/btc?nivel=1e16", "nivel", "no máximo 1e+15"),
        ("/probabilidade/btc?nivel=1&horizonte=0", "horizonte", "no mínimo 5"),
        ("/probabilidade/btc?nivel=1&horizonte=65", "horizonte", "no máximo 60"),
        ("/probabilidade/btc?nivel=1&horizonte=12", "horizonte", "múltiplo de 5"),
        ("/risco", "carteira", "é obrigatório"),
        ("/risco?carteira=", "carteira", "pares moeda:quantidade"),
        ("/risco?carteira=btc", "carteira", "pares moeda:quantidade"),
        ("/risco?carteira=btc:1,", "carteira", "pares moeda:quantidade"),
        ("/risco?carteira=btc:-1", "carteira", "pares moeda:quantidade"),
        ("/risco?carteira=btc:nan", "carteira", "pares moeda:quantidade"),
        ("/risco?carteira=btc:1%0A", "carteira", "pares moeda:quantidade"),
        (f"/risco?carteira={','.join(['btc:1'] * 21)}", "carteira", "de 1 a 20 pares"),
        (f"/risco?carteira={'b' * 3001}", "carteira", "no máximo 3000 caracteres"),
        ("/risco?carteira=btc:0.0", "carteira", "maior que 0"),
    ],
)
def test_a_bad_level_or_portfolio_is_named(client: TestClient, address: str, name: str, reason: str) -> None:
    """The answer is 422 with the parameter's name and the expected value."""
    answer = client.get(address)
    assert (answer.status_code, answer.json()["parametros"]) == (422, [name])
    assert f"'{name}'" in answer.json()["detail"]
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize("address", ["/probabilidade/bitconi?nivel=1", "/risco?carteira=btc:1,bitconi:2"])
def test_an_unknown_coin_of_an_answer_is_unknown(client: TestClient, address: str) -> None:
    """An unknown coin is 404 with the nearest names, also within a portfolio."""
    answer = client.get(address)
    assert answer.status_code == 404
    assert "'bitconi'. Mais próximas: bitcoin" in answer.json()["detail"]


def test_all_bad_parameters_are_named_at_once(client: TestClient) -> None:
    """One answer lists every bad parameter."""
    answer = client.get("/historico/btc", params={"limite": "x", "inicio": "y", "formato": "z"})
    assert answer.json()["parametros"] == ["inicio", "limite", "formato"]


def test_an_overlong_coin_name_is_refused(client: TestClient) -> None:
    """A name of more than a hundred characters is 422; no id is that long."""
    answer = client.get(f"/prever/{'a' * 101}")
    assert (answer.status_code, answer.json()["parametros"]) == (422, ["moeda"])


@pytest.mark.parametrize(
    "raw", ["%FF%FE", "%00", "%C3%28", "%22%3E%3Cscript%3E", "%0d%0aX-Evil:1", "..%5c..", "%F0%9F%92%A9", "%25s"]
)
@pytest.mark.parametrize("address", ["/prever/", "/previsoes/", "/historico/", "/metricas/"])
def test_a_strange_coin_name_is_unknown(client: TestClient, address: str, raw: str) -> None:
    """Any bytes in the name lead to 404 and plain JSON."""
    answer = client.get(address + raw)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x-evil" not in answer.headers
    assert "moeda desconhecida" in answer.json()["detail"]


def test_an_unknown_coin_is_answered_with_the_nearest_names(client: TestClient) -> None:
    """A misspelt name gets the nearest ids."""
    assert "bitcoin" in client.get("/prever/bitconi").json()["detail"]


def test_an_unknown_address_and_another_method_are_refused_in_portuguese(client: TestClient) -> None:
    """404 and 405 have a sentence; 405 also names the allowed method."""
    assert "endereço não encontrado" in client.get("/nada").json()["detail"]
    answer = client.post("/moedas")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert "GET" in answer.json()["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "{:%Y-%m-%dT%H:%M:%S}+00:00",
        "{:%Y-%m-%dT%H:%M:%S} 00:00",
        "{:%Y-%m-%d %H:%M:%S} 0000",
        "{:%Y-%m-%dT%H:%M:%S}Z",
        "{:%Y-%m-%dT%H:%M:%S}",
        "{:%Y%m%dT%H%M%S} 00:00",
        " {:%Y-%m-%d %H:%M:%S} ",
    ],
)
def test_a_time_is_understood_in_every_notation(client: TestClient, filled: SampleWorkspace, text: str) -> None:
    """A plus that became a space, a Z, and no offset at all mean the same time."""
    start = filled.now - 10 * MINUTE_MS
    written = text.format(to_datetime(start))
    for query in (f"inicio={written}", f"inicio={written.replace('+', '%2B')}"):
        answer = client.get(f"/historico/btc?{query}")
        assert answer.status_code == 200, answer.text
        assert len(answer.json()) == 11


def test_an_offset_is_applied(client: TestClient, filled: SampleWorkspace) -> None:
    """A local time with offset -03:00 is three hours later in UTC; both ends are included."""
    end = f"{to_datetime(filled.now - 180 * MINUTE_MS):%Y-%m-%dT%H:%M:%S}-03:00"
    start = f"{to_datetime(filled.now + 120 * MINUTE_MS - MINUTE_MS):%Y-%m-%dT%H:%M:%S} 02:00"
    rows = client.get(f"/historico/btc?inicio={start}&fim={end}").json()
    assert [row["horario"] for row in rows] == [iso(filled.now), iso(filled.now - MINUTE_MS)]


@pytest.mark.parametrize("address", ["/historico/btc", "/previsoes/btc"])
def test_an_interval_that_ends_before_it_begins_is_empty(client: TestClient, address: str) -> None:
    """No row lies in it."""
    assert client.get(f"{address}?inicio=2026-01-02&fim=2026-01-01").json() == []


def test_a_date_as_end_means_its_whole_day(client: TestClient, filled: SampleWorkspace) -> None:
    """The same date as start and end means that day in UTC."""
    day = f"{to_datetime(filled.now):%Y-%m-%d}"
    rows = client.get("/historico/btc", params={"inicio": day, "fim": day, "limite": 5000}).json()
    assert rows[0]["horario"] == iso(filled.now)
    assert all(row["horario"].startswith(day) for row in rows)
    assert client.get("/historico/btc", params={"inicio": "1970-01-01", "fim": "1970-01-02"}).json() == []
    assert (
        client.get("/historico/btc", params={"inicio": "9999-12-31", "fim": "9999-12-31T23:59:59-14:00"}).json() == []
    )
    assert client.get("/historico/btc", params={"fim": "0001-01-01T00:00:00+14:00"}).json() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    moeda=st.sampled_from(["btc", "%", "bitcoin?", "\x00", "é", "a" * 100]) | st.text(min_size=1, max_size=120),
    parameters=st.dictionaries(
        st.sampled_from(["inicio", "fim", "limite", "formato", "outro"]),
        st.text(max_size=60) | st.dates().map(str) | st.datetimes().map(str) | st.integers().map(str),
    ),
)
def test_no_input_breaks_anything(client: TestClient, moeda: str, parameters: dict[str, Any]) -> None:
    """Any request gets a table or a refusal with a sentence."""
    answer = client.get(f"/historico/{quote(moeda, safe='')}", params=parameters)
    assert answer.status_code in (200, 404, 422)
    if answer.status_code != 200:
        assert answer.json()["detail"]
