"""The sensors of docs/integracoes.md: their templates give what a person expects of the API's answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2.sandbox
import pytest
import yaml
from fastapi.testclient import TestClient

from core.settings import PROJECT

PAGES: Final = ("integracoes.md", "integrations.en.md")


class _Loader(yaml.SafeLoader):
    """Reads Home Assistant's `!secret NAME` as the name."""


def _name_of_secret(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


_Loader.add_constructor("!secret", _name_of_secret)


def as_timestamp(value: Any) -> float:
    """Seconds since 1970, as Home Assistant's function of that name gives them."""
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).timestamp()


def home_assistant() -> jinja2.Environment:
    """Sandboxed templates with the functions of Home Assistant that the pages use; strict about missing values."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    environment.globals |= {"now": lambda: datetime.now(UTC), "as_timestamp": as_timestamp}
    environment.filters["round"] = lambda value, precision=0: round(float(value), precision)
    return environment


def resources(page: str) -> list[dict[str, Any]]:
    """The resources of the page's `rest:` block."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return list(yaml.load(found[1], _Loader)["rest"])  # noqa: S506 - a safe loader


def entities(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Sensors and binary sensors of a resource."""
    yield from resource.get("sensor", [])
    yield from resource.get("binary_sensor", [])


@pytest.mark.parametrize("page", PAGES)
def test_every_template_gives_a_state(page: str, client: TestClient) -> None:
    """Each template renders against the answer of its route: numbers for units, True or False for binary sensors."""
    environment, states = home_assistant(), {}
    for resource in resources(page):
        address = urlsplit(resource["resource"])
        answer = client.get(f"{address.path}?{address.query}").json()
        for entity in entities(resource):
            for key in {"value_template", "availability"} & entity.keys():
                states[entity["unique_id"], key] = environment.from_string(entity[key]).render(value_json=answer)
            if "unit_of_measurement" in entity and states[entity["unique_id"], "value_template"] != "None":
                float(states[entity["unique_id"], "value_template"])
    forecast = client.get("/prever/bitcoin").json()
    assert float(states["crypto_bitcoin_price", "value_template"]) == round(forecast["preco_atual"], 2)
    assert float(states["crypto_bitcoin_low", "value_template"]) == round(forecast["intervalos"]["80"]["minimo"], 2)
    assert states["crypto_bitcoin_live", "value_template"] == "False"
    assert states["crypto_problem", "value_template"] in ("True", "False")
    assert {value for (_, key), value in states.items() if key == "availability"} == {"True"}


def test_both_pages_have_the_same_entities() -> None:
    """The pages differ in the names that people read alone."""
    ids = [[entity["unique_id"] for resource in resources(page) for entity in entities(resource)] for page in PAGES]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0]) == 9
