"""Expected move, regime, unusual hour, chance of a level and risk of a portfolio, as programs get them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from scipy import stats

from core.forecast_schema import ACTIVITY_PERCENTILE, FORECAST_SCHEMA, REACH_COLUMNS
from core.times import HOUR_MS, MINUTE_MS, iso
from tests.support.workspace import COINS, SampleWorkspace, forecast_rows

ClientFactory = Callable[..., TestClient]
HOURLY_MOVE = stats.norm(0, 0.004)
"""The law of the sample's log moves over an hour."""


def _publish_as_0_1_0(sample: SampleWorkspace) -> None:
    """Publish forecasts without the columns that version 0.1.0 did not know."""
    rows = forecast_rows("bitcoin", sample.now, sample.prices["bitcoin"], "demo")
    table = pa.Table.from_pylist(rows, FORECAST_SCHEMA).drop_columns([*REACH_COLUMNS, ACTIVITY_PERCENTILE])
    sample.publisher.publish({"latest": table})


def test_the_forecast_says_how_large_a_move_to_expect(client: TestClient) -> None:
    """Expected move and band are those of the published quantiles, a little more than normal tails give."""
    body = client.get("/prever/btc").json()
    assert body["movimento_esperado_percentual"] == pytest.approx(100 * 0.004 * math.sqrt(2 / math.pi), rel=0.05)
    interval = body["intervalos"]["80"]
    half_width = (interval["maximo"] - interval["minimo"]) / 2
    assert body["faixa_80_percentual"] == pytest.approx(100 * half_width / body["preco_atual"])


@pytest.mark.parametrize(("percentile", "regime"), [(12.0, "calmo"), (62.5, "normal"), (99.0, "agitado"), (None, None)])
def test_the_forecast_names_the_regime(
    sample: SampleWorkspace, make_client: ClientFactory, percentile: float | None, regime: str | None
) -> None:
    """The regime follows the published percentile of the activity; both are null when it is unknown."""
    sample.fill_prices(1)
    rows = forecast_rows("bitcoin", sample.now, sample.prices["bitcoin"], "demo")
    rows = [{**row, ACTIVITY_PERCENTILE: percentile} for row in rows]
    sample.publisher.publish({"latest": pa.Table.from_pylist(rows, FORECAST_SCHEMA)})
    body = make_client(sample.settings).get("/prever/btc").json()
    assert (body["regime"], body["regime_percentil"]) == (regime, percentile)


def test_the_last_hour_is_measured_by_the_forecast_made_for_it(client: TestClient, filled: SampleWorkspace) -> None:
    """Change, percentile and probability are those of the move since the forecast logged an hour ago."""
    before = filled.price(COINS[0], filled.now - HOUR_MS)
    move = math.log(filled.price(COINS[0], filled.now) / before)
    hour = client.get("/prever/btc").json()["hora_incomum"]
    assert hour["variacao_percentual"] == pytest.approx(100 * math.expm1(move))
    assert hour["percentil"] == pytest.approx(100 * HOURLY_MOVE.cdf(move), abs=0.3)
    assert hour["probabilidade"] == pytest.approx(2 * HOURLY_MOVE.sf(abs(move)), abs=0.006)


def test_without_a_forecast_of_an_hour_ago_the_last_hour_is_unknown(
    sample: SampleWorkspace, make_client: ClientFactory
) -> None:
    """A log that began half an hour ago says nothing about the last hour."""
    sample.fill_prices(1)
    sample.publish_log(0.5)
    sample.publish_forecasts()
    assert make_client(sample.settings).get("/prever/btc").json()["hora_incomum"] is None


def test_forecasts_of_the_first_release_answer_what_they_can(
    sample: SampleWorkspace, make_client: ClientFactory
) -> None:
    """Without reach and activity, regime and touch are null; everything else is there."""
    sample.fill_prices(1)
    _publish_as_0_1_0(sample)
    client = make_client(sample.settings)
    forecast = client.get("/prever/btc").json()
    assert (forecast["regime"], forecast["regime_percentil"], forecast["hora_incomum"]) == (None, None, None)
    assert forecast["movimento_esperado_percentual"] > 0
    chance = client.get("/probabilidade/btc", params={"nivel": forecast["preco_atual"]}).json()
    assert chance["probabilidade_acima"] == pytest.approx(0.5)
    assert chance["probabilidade_toque"] is None


@pytest.mark.parametrize("horizon", [5, 30, 60])
@pytest.mark.parametrize("score", [-1.5, -0.3, 0.0, 0.8])
def test_the_chance_of_a_level_is_that_of_the_published_law(
    client: TestClient, filled: SampleWorkspace, horizon: int, score: float
) -> None:
    """For the sample's Brownian prices the chances of ending and of touching are the known ones."""
    price = filled.price(COINS[0], filled.now)
    level = price * math.exp(score * 0.004 * math.sqrt(horizon / 60))
    body = client.get("/probabilidade/btc", params={"nivel": level, "horizonte": horizon}).json()
    assert body["probabilidade_acima"] == pytest.approx(stats.norm.sf(score), abs=1e-3)
    assert body["probabilidade_abaixo"] == pytest.approx(stats.norm.cdf(score), abs=1e-3)
    assert body["probabilidade_toque"] == pytest.approx(2 * stats.norm.sf(abs(score)), abs=1e-3)
    assert (body["preco_atual"], body["nivel"], body["horizonte"]) == (price, level, horizon)
    assert body["horario_previsto"] == iso(filled.now + horizon * MINUTE_MS)
    assert (body["moeda"], body["id"], body["moeda_cotacao"]) == ("btc", "bitcoin", "usd")


def test_the_horizon_of_a_level_is_an_hour_unless_given(client: TestClient) -> None:
    """Without a horizon the answer is that of 60 minutes."""
    address = "/probabilidade/btc?nivel=67000"
    assert client.get(address).json() == client.get(f"{address}&horizonte=60").json()


@pytest.mark.parametrize(("level", "beyond"), [(1e15, "probabilidade_acima"), (1e-300, "probabilidade_abaixo")])
def test_a_level_far_outside_has_a_tiny_chance(client: TestClient, level: float, beyond: str) -> None:
    """Its probability is positive and tiny, that of touching it no smaller, and the other one is almost one."""
    body = client.get("/probabilidade/btc", params={"nivel": level}).json()
    other = ({"probabilidade_acima", "probabilidade_abaixo"} - {beyond}).pop()
    assert 0 < body[beyond] <= body["probabilidade_toque"] < 1e-6
    assert body[other] == pytest.approx(1.0)


def test_the_present_price_is_touched_for_certain(client: TestClient, filled: SampleWorkspace) -> None:
    """The price at the origin has touch probability one."""
    body = client.get("/probabilidade/btc", params={"nivel": filled.price(COINS[0], filled.now)}).json()
    assert body["probabilidade_toque"] == 1.0


def test_a_portfolio_of_one_coin_has_the_risk_of_its_forecast(client: TestClient) -> None:
    """Ranges are the published intervals times the units, percentages are those of the value."""
    forecast = client.get("/prever/eth").json()
    body = client.get("/risco?carteira=eth:3").json()
    assert body["valor"] == pytest.approx(3 * forecast["preco_atual"])
    assert body["cenarios"] == 120
    for percent, interval in forecast["intervalos"].items():
        found = body["faixas"][percent]
        expected = [3 * (interval[side] - forecast["preco_atual"]) for side in ("minimo", "maximo")]
        assert [found["minimo"], found["maximo"]] == pytest.approx(expected, rel=0.03)
        assert found["minimo_percentual"] == pytest.approx(100 * found["minimo"] / body["valor"])
    assert body["perda_esperada_95"] > body["valor_em_risco_95"] > 0
    assert body["perda_esperada_95_percentual"] == pytest.approx(100 * body["perda_esperada_95"] / body["valor"])


def test_coins_that_do_not_move_alike_lose_less_together(client: TestClient) -> None:
    """The risk of two coins is less than the sum of their risks, and positions come in the given order."""
    both = client.get("/risco?carteira=eth:20,BTC:1").json()
    alone = [client.get(f"/risco?carteira={position}").json() for position in ("eth:20", "btc:1")]
    assert [position["id"] for position in both["carteira"]] == ["ethereum", "bitcoin"]
    assert both["valor"] == pytest.approx(sum(body["valor"] for body in alone))
    assert 0 < both["perda_esperada_95"] < 0.99 * sum(body["perda_esperada_95"] for body in alone)


def test_units_of_one_coin_are_added(client: TestClient) -> None:
    """A coin that a portfolio names twice, by whatever name, is one position."""
    (position,) = client.get("/risco?carteira=btc:1,BITCOIN:0.5").json()["carteira"]
    assert (position["id"], position["quantidade"]) == ("bitcoin", 1.5)


def test_a_portfolio_waits_for_enough_half_hours(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """With 35 half-hours in common, or a coin without any, the answer is 503; the 36th makes the answer."""
    sample.fill_prices(1)
    sample.publish_forecasts()
    client = make_client(sample.settings)

    def refusal(portfolio: str) -> Any:
        answer = client.get(f"/risco?carteira={portfolio}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        return answer.json()["detail"]

    assert "até agora há 0" in refusal("btc:1")
    sample.publish_scaled_hours(35, COINS[:2])
    assert "até agora há 35" in refusal("btc:1,eth:1")
    assert "até agora há 0" in refusal("btc:1,doge:1")
    sample.publish_scaled_hours(36, COINS[:2])
    assert client.get("/risco?carteira=btc:1,eth:1").status_code == 200


@pytest.mark.parametrize("address", ["/probabilidade/btc?nivel=1", "/risco?carteira=btc:1"])
def test_answers_wait_for_the_first_forecast(sample: SampleWorkspace, make_client: ClientFactory, address: str) -> None:
    """Before a forecast is published the answer is 503 with Retry-After."""
    sample.fill_prices(1)
    answer = make_client(sample.settings).get(address)
    assert answer.status_code == 503
    assert "ainda não há previs" in answer.json()["detail"]
