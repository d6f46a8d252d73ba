"""Documentation pages, OpenAPI description, and the answers shown in docs/api.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from api import forecast_schemas, schemas, table_schemas
from api.event_batch import GAP
from api.event_schemas import EventKind
from api.main import create_app
from api.problems import ProblemCode
from core.settings import PROJECT, Source, load_settings
from tests.support.workspace import SampleWorkspace
from tools.openapi import DOCUMENT, document_text

ClientFactory = Callable[..., TestClient]
GUIDE = PROJECT / "docs" / "api.md"


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_loads_everything_from_the_api(client: TestClient, page: str) -> None:
    """Every link in the page is on the API's own address and answers."""
    answer = client.get(page)
    assert 'lang="pt-BR"' in answer.text
    assert "DADOS SIMULADOS" in answer.text
    links = re.findall(r'(?:src|href|spec-url)="([^"]+)"', answer.text)
    assert len(links) >= 4
    for link in links:
        assert ":" not in link
        assert client.get(f"/{link}").status_code == 200


def test_browsers_find_an_icon(client: TestClient) -> None:
    """/favicon.ico leads to a picture."""
    assert client.get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")


def test_the_outline_names_every_route_and_its_addresses_answer(client: TestClient) -> None:
    """/llms.txt has a line for each route; its addresses answer, the stream apart, which never ends."""
    answer = client.get("/llms.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    links = dict(re.findall(r"^- \[(?:GET )?([^]]+)\]\((\S+)\): ", answer.text, re.MULTILINE))
    assert {path for path, _ in _operations()} == {name for name in links if name.startswith("/")}
    for address in links.values():
        if not address.startswith("/eventos?"):
            expected = {200, 503} if address == "/saude/pronto" else {200}  # the sample's data grow old
            assert client.get(address).status_code in expected, address


@pytest.mark.parametrize(
    ("source", "said"),
    [(Source.COINGECKO, "Powered by CoinGecko"), (Source.DEMO, "DADOS SIMULADOS"), (None, "ainda não foi decidida")],
)
def test_the_description_names_the_source(
    tmp_path: Path, make_client: ClientFactory, source: Source | None, said: str
) -> None:
    """Page and OpenAPI description name the source, or say that it is not decided yet."""
    settings = SampleWorkspace.make(tmp_path, source=source).settings if source else load_settings(data_dir=tmp_path)
    client = make_client(settings)
    assert said in client.get("/openapi.json").json()["info"]["description"]
    assert said in client.get("/docs").text


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in create_app(load_settings()).openapi()["paths"].items():
        for operation in item.values():
            yield path, operation


def test_operation_ids_are_stable() -> None:
    """Generated clients depend on these names."""
    assert {path: operation["operationId"] for path, operation in _operations()} == {
        "/saude": "saude",
        "/saude/vivo": "saude_vivo",
        "/saude/pronto": "saude_pronto",
        "/status": "status",
        "/moedas": "moedas",
        "/prever": "prever_todas",
        "/prever/{moeda}": "prever",
        "/probabilidade/{moeda}": "probabilidade",
        "/risco": "risco",
        "/previsoes/{moeda}": "previsoes",
        "/historico/{moeda}": "historico",
        "/eventos": "eventos",
        "/metricas": "metricas",
        "/metricas/{moeda}": "metricas_da_moeda",
    }


def test_every_operation_is_described() -> None:
    """Each operation and each parameter has a description, each operation also a tag and a summary."""
    for _, operation in _operations():
        assert operation["tags"]
        assert operation["summary"]
        assert operation["description"]
        assert all(parameter["description"] for parameter in operation.get("parameters", []))


def test_descriptions_are_in_portuguese() -> None:
    """The description has no default sentence of the framework."""
    text = json.dumps([operation for _, operation in _operations()])
    assert not re.search(r"Successful Response|Validation Error|Unauthorized", text)


@pytest.mark.parametrize(
    "body", [getattr(module, name) for module in (schemas, forecast_schemas, table_schemas) for name in module.__all__]
)
def test_every_example_of_a_field_is_valid(body: type) -> None:
    """Each field accepts its examples, and each body has at least one field with an example."""
    hints = get_type_hints(body, include_extras=True)
    described = TypeAdapter(body).json_schema()["properties"]
    examples = [(hints[field], item["examples"]) for field, item in described.items() if "examples" in item]
    for hint, values in examples:
        for value in values:
            TypeAdapter(hint).validate_python(value)
    assert examples


def test_the_guide_explains_every_problem_code() -> None:
    """docs/api.md has a row for each kind of problem: status, code, when it comes, and what to do."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| [^|]+ \| [^|]+ \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(int(status), code) for status, code in rows] == [(code.status, code.value) for code in ProblemCode]


def _guide_examples() -> list[tuple[str, Any]]:
    text = GUIDE.read_text(encoding="utf-8")
    pairs = re.findall(r"```http\n((?:GET \S+\n)+)```\s+```json\n(.*?)```", text, re.DOTALL)
    return [(line.removeprefix("GET "), json.loads(body)) for lines, body in pairs for line in lines.splitlines()]


def _shape(value: Any) -> Any:
    """Keys and kinds of the values; a list is represented by its first element."""
    match value:
        case dict():
            return {key: _shape(item) for key, item in value.items()}
        case list():
            return [_shape(item) for item in value[:1]]
        case bool() | None:
            return type(value).__name__
        case int() | float():
            return "number"
        case _:
            return "text"


def _fits(documented: Any, real: Any) -> bool:
    if "NoneType" in (documented, real):
        return True
    if isinstance(documented, dict) and isinstance(real, dict):
        return documented.keys() == real.keys() and all(_fits(documented[key], real[key]) for key in documented)
    if isinstance(documented, list) and isinstance(real, list):
        return all(_fits(one, two) for one, two in zip(documented, real, strict=False))
    return bool(documented == real)


def test_the_guide_documents_every_operation() -> None:
    """Every route has an example in docs/api.md, and of the stream every kind of event is named."""
    documented = {path.split("?")[0].replace("/btc", "/{moeda}") for path, _ in _guide_examples()}
    assert {path for path, _ in _operations()} - {"/eventos"} <= documented
    guide = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in guide for name in (*EventKind, GAP))


@pytest.mark.parametrize(("path", "body"), _guide_examples(), ids=[path for path, _ in _guide_examples()])
def test_examples_in_the_guide_match_the_answers(
    filled: SampleWorkspace, make_client: ClientFactory, path: str, body: Any
) -> None:
    """The examples have the same fields and kinds of values as real answers; slow tests do not make the data old."""
    patient = filled.settings.model_copy(update={"interval": 3600})
    real = make_client(patient).get(path).json()
    assert _fits(_shape(body), _shape(real)), real


def test_the_stored_openapi_document_is_up_to_date() -> None:
    """docs/openapi.json is what the API serves; `python -m tools.openapi` writes it."""
    assert DOCUMENT.read_text(encoding="utf-8") == document_text()


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _schemas(item)
    elif isinstance(value, list):
        for item in value:
            yield from _schemas(item)


def test_names_that_generators_use_have_no_accents() -> None:
    """Titles, tags and operation ids become names of classes, modules and functions."""
    document = json.loads(document_text())
    titles = [item["title"] for item in _schemas(document["components"]) if isinstance(item.get("title"), str)]
    tags = [tag for _, operation in _operations() for tag in operation["tags"]]
    assert len(titles) > 100
    assert [name for name in (*titles, *tags) if not name.isascii()] == []


def test_types_say_which_texts_are_times_and_choices() -> None:
    """Every time has `format: date-time`; source, states, kinds and codes list their values."""
    schemas = json.loads(document_text())["components"]["schemas"]
    times = [
        (name, field)
        for name, schema in schemas.items()
        for field, item in schema.get("properties", {}).items()
        if "ISO 8601" in json.dumps(item)
    ]
    assert len(times) > 10
    for name, field in times:
        assert '"date-time"' in json.dumps(schemas[name]["properties"][field]), (name, field)
    for name, field in [
        ("ProblemAnswer", "codigo"),
        ("Forecast", "fonte"),
        ("Forecast", "regime"),
        ("ModelInfo", "tipo"),
        ("ModelStatus", "tipo"),
        ("Status", "status"),
        ("Status", "codigos_dos_problemas"),
    ]:
        assert '"enum"' in json.dumps(schemas[name]["properties"][field]), (name, field)


def test_every_operation_declares_what_it_answers() -> None:
    """Each status code that can come, with its headers, and problem details as the body of each refusal."""
    document = json.loads(document_text())
    for path, operation in _operations():
        answers = operation["responses"]
        assert {"200", "400", "403", "413", "422", "500"} <= answers.keys()
        assert ("429" in answers) is not path.startswith("/saude")
        for status, answer in answers.items():
            assert {"X-Request-Id", "X-Fonte"} <= answer["headers"].keys()
            assert answer["headers"].keys() <= document["components"]["headers"].keys()
            assert int(status) < 400 or list(answer["content"]) == ["application/problem+json"]
    assert [server["url"] for server in document["servers"]] == ["/", "/v1"]


def test_the_links_between_pages_are_declared() -> None:
    """What has pages says so: every operation with `apos` has the header Link, and no other one."""
    for path, operation in _operations():
        has_pages = "apos" in {parameter["name"] for parameter in operation["parameters"]}
        assert ("Link" in operation["responses"]["200"]["headers"]) is has_pages, path
