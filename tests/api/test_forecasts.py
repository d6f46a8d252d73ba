"""All forecasts in one answer are those of the coins one by one, in every format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.forecast_schemas import Forecast
from core.forecast_schema import QUANTILES
from core.times import DAY_MS, HOUR_MS, iso
from tests.support.workspace import COINS, SampleWorkspace

ClientFactory = Callable[..., TestClient]
LEVELS = [f"{level:g}" for level in QUANTILES]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values within a JSON object, named as the flat formats name them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}_{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{name}_{place + 1}")
    else:
        yield name, value


@pytest.fixture
def with_last_hour(sample: SampleWorkspace) -> SampleWorkspace:
    """A workspace whose log also has the hour before the newest forecasts, and scores of two days."""
    sample.fill_prices(3)
    sample.publish_log(1.5)
    sample.publish_scores(48)
    sample.publish_forecasts()
    return sample


@pytest.mark.parametrize("query", ["", "?horizonte=15&quantis=0.9,0.025", "?horizonte=5"])
def test_all_forecasts_are_those_of_the_coins_one_by_one(
    with_last_hour: SampleWorkspace, make_client: ClientFactory, query: str
) -> None:
    """The answer from columns equals the answers that are made coin by coin, from row objects."""
    client = make_client(with_last_hour.settings)
    together = client.get(f"/prever{query}{'&' if query else '?'}campos=todos").json()
    one_by_one = [client.get(f"/prever/{coin.id}{query}").json() for coin in COINS]
    assert len(together) == len(COINS)
    for row, expected in zip(together, one_by_one, strict=True):
        assert list(row) == list(expected) == list(Forecast.model_fields)
        found, wanted = dict(_leaves(row)), dict(_leaves(expected))
        assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in wanted.items()}
        assert found == {n: pytest.approx(v, rel=1e-12) if isinstance(v, float) else v for n, v in wanted.items()}
    assert together[0]["hora_incomum"] is not None


def test_horizon_quantiles_and_identity(with_last_hour: SampleWorkspace, make_client: ClientFactory) -> None:
    """The chosen horizon is that of the path; quantiles come by level; the id names source, coin, origin, horizon."""
    client, now = make_client(with_last_hour.settings), with_last_hour.now
    body = client.get("/prever/btc?horizonte=15&quantis=0.9,0.1,0.9").json()
    step = body["trajetoria"][2]
    assert (body["horizonte"], body["horario_previsto"], body["previsao"]) == (15, step["horario"], step["previsao"])
    assert body["intervalos"]["80"] == {"minimo": step["minimo_80"], "maximo": step["maximo_80"]}
    assert body["quantis"] == {"0.1": step["minimo_80"], "0.9": step["maximo_80"]}
    assert list(body["quantis"]) == ["0.1", "0.9"]
    assert body["previsao_proxima_hora"] == body["trajetoria"][-1]["previsao"]
    assert body["id_previsao"] == f"demo.bitcoin.{now}.15"
    assert body["valido_ate"] == iso(now + 450_000)
    assert body["proxima_em"] == iso(now + 1500 + round(1000 * with_last_hour.settings.interval))


def test_trust_is_measured_or_says_why_not(with_last_hour: SampleWorkspace, make_client: ClientFactory) -> None:
    """Two days of scores give coverage and skill; without scores there is a reason."""
    client = make_client(with_last_hour.settings)
    trust = client.get("/prever/btc").json()["confianca"]
    assert (trust["previsoes"], trust["motivo"]) == (48 * 12, None)
    assert trust["cobertura_80"] == pytest.approx(10 / 12)
    assert trust["ganho"] == pytest.approx(0.03)


def test_trust_counts_seven_days_of_a_longer_file(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Of nine days in one file the hours before the first of seven days (UTC) do not count."""
    sample.fill_prices(1)
    sample.publish_scores(9 * 24)
    sample.publish_forecasts()
    trust = make_client(sample.settings).get("/prever/btc").json()["confianca"]
    since_ms = (sample.now // DAY_MS - 6) * DAY_MS
    assert (trust["desde"], trust["previsoes"]) == (iso(since_ms), 12 * ((sample.now - since_ms) // HOUR_MS))


def test_a_coin_without_scores_says_so(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Coverage and skill are null, and the reason is `sem_notas`, or `poucas` with less than a day of scores."""
    sample.fill_prices(1)
    sample.publish_forecasts()
    client = make_client(sample.settings)
    nothing = {"cobertura_80": None, "ganho": None, "previsoes": 0, "desde": None, "motivo": "sem_notas"}
    assert client.get("/prever/btc").json()["confianca"] == nothing
    sample.publish_scores(23)
    client = make_client(sample.settings)
    trust = client.get("/prever/btc").json()["confianca"]
    assert (trust["cobertura_80"], trust["ganho"], trust["previsoes"], trust["motivo"]) == (None, None, 276, "poucas")


def test_numbers_have_eight_digits_and_the_price_all_of_its_own(client: TestClient, filled: SampleWorkspace) -> None:
    """No number of a forecast has more significant digits than eight, and the price is the stored one."""
    for row in client.get("/prever?campos=todos").json():
        numbers = {name: value for name, value in _leaves(row) if isinstance(value, float) and name != "preco_atual"}
        assert numbers == {name: float(f"{value:.8g}") for name, value in numbers.items()}
        assert row["preco_atual"] == filled.prices[row["id"]]


def test_the_path_comes_only_when_asked_for(client: TestClient) -> None:
    """Without `campos` a list has every field but the path; `todos` and its name bring it."""
    usual = client.get("/prever").json()[0]
    assert list(client.get("/prever?campos=todos").json()[0]) == list(Forecast.model_fields)
    assert set(Forecast.model_fields) - set(usual) == {"trajetoria"}
    assert len(client.get("/prever?campos=trajetoria").json()[0]["trajetoria"]) == 12


def test_coins_and_fields_can_be_chosen(client: TestClient) -> None:
    """`moedas` keeps its order and takes each coin once; `campos` keeps the order of the documented fields."""
    rows = client.get("/prever", params={"moedas": "doge,btc,dogecoin", "campos": "previsao,id"}).json()
    assert [list(row) for row in rows] == [["id", "previsao"]] * 2
    assert [row["id"] for row in rows] == [COINS[2].id, COINS[0].id]


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("moedas=btc,nada", 404, "moedas"),
        ("moedas=btc,", 422, "moedas"),
        ("campos=preco", 422, "campos"),
        ("campos=todos,id", 422, "campos"),
        ("quantis=0.3", 422, "quantis"),
        ("horizonte=7", 422, "horizonte"),
        ("formato=xml", 422, "formato"),
    ],
)
def test_what_does_not_fit_is_refused(client: TestClient, query: str, status: int, parameter: str) -> None:
    """The refusal names the parameter."""
    answer = client.get(f"/prever?{query}")
    assert answer.status_code == status
    assert status == 404 or answer.json()["parametros"] == [parameter]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(range(5, 65, 5)),
    st.lists(st.sampled_from(LEVELS), max_size=3),
    st.lists(st.sampled_from([coin.id for coin in COINS]), max_size=3),
)
def test_every_format_has_the_same_numbers(
    client: TestClient, horizon: int, levels: list[str], coins: list[str]
) -> None:
    """CSV, Parquet and Arrow hold the values of the JSON answer, with currency, source and attribution in every row."""
    params: dict[str, Any] = {"horizonte": horizon, "campos": "todos"}
    params |= {"quantis": ",".join(levels)} if levels else {}
    params |= {"moedas": ",".join(coins)} if coins else {}
    rows = [dict(_leaves(row)) for row in client.get("/prever", params=params).json()]
    answers = {form: client.get("/prever", params={**params, "formato": form}) for form in ("csv", "parquet", "arrow")}
    parquet = pq.read_table(io.BytesIO(answers["parquet"].content))
    arrow = pa.ipc.open_stream(answers["arrow"].content).read_all()
    assert parquet.equals(arrow)
    lines = list(csv.DictReader(io.StringIO(answers["csv"].text)))
    assert len(lines) == len(rows) == arrow.num_rows
    for line, stored, row in zip(lines, arrow.to_pylist(), rows, strict=True):
        assert stored["atribuicao"] == line["atribuicao"] != ""
        assert set(row) - set(line) <= {"hora_incomum"}
        for name in set(row) & set(line):
            value = stored[name]
            if hasattr(value, "timestamp"):
                value = iso(round(value.timestamp() * 1000))
            assert value == row[name], name
            assert line[name] == ("" if value is None else str(value)) or float(line[name]) == value, name


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/json;q=0.5, application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("text/csv;q=0.1, application/json", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_accept_chooses_the_format(client: TestClient, accept: str, kind: str) -> None:
    """The preferred media type decides, `formato` overrules it, and caches are told."""
    answer = client.get("/prever", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    assert "Accept" in answer.headers["vary"]
    assert client.get("/prever?formato=json", headers={"Accept": accept}).headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["text/csv", "application/json"], "text/csv; charset=utf-8"),
        (["text/html", "text/csv"], "text/csv; charset=utf-8"),
        (["text/csv, " + ", ".join(f"application/x-{number:03}" for number in range(20))], "application/json"),
    ],
)
def test_an_unusual_accept_changes_no_other_answer(client: TestClient, lines: list[str], kind: str) -> None:
    """Several lines are one list, more than 256 bytes count as none, and the next client gets its own format."""
    del client.headers["accept"]
    unusual = client.get("/moedas", headers=[("Accept", line) for line in lines])
    assert unusual.headers["content-type"] == kind
    for plain in ({}, {"Accept": "application/json"}):
        assert client.get("/moedas", headers=plain).headers["content-type"] == "application/json"


def test_the_last_hour_is_unknown_without_a_forecast_for_it(
    sample: SampleWorkspace, make_client: ClientFactory
) -> None:
    """`hora_incomum` is null where no forecast was logged within five minutes of an hour before."""
    sample.fill_prices(3)
    sample.publish_log(0.5)
    sample.publish_forecasts()
    client = make_client(sample.settings)
    assert {row["hora_incomum"] for row in client.get("/prever").json()} == {None}
