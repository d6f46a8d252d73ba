"""Each route answers with published data in the documented fields, and names their source."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from core.errors import SourceUnavailable
from core.price_store import Price, open_writer
from core.processes.health_schema import COLLECTOR, SIMULATOR, CollectorProgress, ProcessState, SimulatorProgress
from core.processes.heartbeat import Heartbeat
from core.settings import Source
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, iso
from core.wording import message
from tests.support.workspace import COINS, SampleWorkspace

ClientFactory = Callable[..., TestClient]


def test_the_forecast_has_the_documented_fields(client: TestClient, filled: SampleWorkspace) -> None:
    """Origin, target, price, forecast, change, intervals, trajectory, model and source are there."""
    body = client.get("/prever/BTC").json()
    assert list(body) == [
        "moeda",
        "id",
        "horario",
        "horario_previsto",
        "horizonte",
        "preco_atual",
        "previsao_proxima_hora",
        "previsao",
        "variacao_percentual",
        "probabilidade_alta",
        "intervalos",
        "quantis",
        "movimento_esperado_percentual",
        "faixa_80_percentual",
        "regime",
        "regime_percentil",
        "hora_incomum",
        "trajetoria",
        "modelo",
        "confianca",
        "moeda_cotacao",
        "fonte",
        "gerado_em",
        "valido_ate",
        "proxima_em",
        "id_previsao",
    ]
    assert (body["moeda"], body["id"], body["fonte"], body["moeda_cotacao"]) == ("btc", "bitcoin", "demo", "usd")
    assert body["horario"] == iso(filled.now)
    assert body["horario_previsto"] == iso(filled.now + HOUR_MS)
    assert body["preco_atual"] == filled.price(COINS[0], filled.now)
    assert body["variacao_percentual"] == pytest.approx(0.01)
    assert list(body["intervalos"]) == ["50", "80", "95"]
    assert [step["minutos"] for step in body["trajetoria"]] == list(range(5, 65, 5))
    last = body["trajetoria"][-1]
    assert last["previsao"] == body["previsao_proxima_hora"]
    for percent, interval in body["intervalos"].items():
        assert {edge: last[f"{edge}_{percent}"] for edge in ("minimo", "maximo")} == interval
    assert body["modelo"] == {"tipo": "baseline", "versao": "base-1", "treinado_em": iso(filled.now - 5000)}


def test_clients_of_the_first_implementation_keep_working(client: TestClient) -> None:
    """/prever has its fields, /previsoes is a bare list, and an unknown coin is 404 with a detail."""
    forecast = client.get("/prever/btc").json()
    assert forecast["moeda"] == "btc"
    assert all(isinstance(forecast[name], float) for name in ("preco_atual", "previsao_proxima_hora"))
    assert datetime.fromisoformat(forecast["horario"]).utcoffset() is not None
    rows = client.get("/previsoes/btc").json()
    assert isinstance(rows, list)
    assert {"horario", "moeda", "preco_atual", "previsao_proxima_hora"} <= set(rows[0])
    answer = client.get("/prever/nada")
    assert answer.status_code == 404
    assert isinstance(answer.json()["detail"], str)


def test_coins_are_listed_by_rank(client: TestClient, filled: SampleWorkspace) -> None:
    """The list has symbol, name, newest price, its time and its change over a day."""
    body = client.get("/moedas").json()
    assert [coin["moeda"] for coin in body] == ["btc", "eth", "doge"]
    assert body[0]["nome"] == "Bitcoin"
    assert body[0]["preco_atual"] == filled.price(COINS[0], filled.now)
    expected = 100 * (filled.price(COINS[0], filled.now) / filled.price(COINS[0], filled.now - DAY_MS) - 1)
    assert body[0]["variacao_24h"] == pytest.approx(expected)
    assert body[0]["atualizado_em"] == iso(filled.now)


def test_coins_are_listed_before_the_first_forecast_and_before_their_price(
    sample: SampleWorkspace, make_client: ClientFactory
) -> None:
    """A coin without a price has nulls; a forecast is 503 until it is published."""
    client = make_client(sample.settings)
    assert client.get("/moedas").status_code == 503
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(COINS[:1])
    (coin,) = client.get("/moedas").json()
    assert (coin["preco_atual"], coin["variacao_24h"], coin["atualizado_em"]) == (None, None, None)
    answer = client.get("/prever/btc")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "ainda não há previs" in answer.json()["detail"]


def test_the_log_has_outcomes_once_known(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Rows are newest first; an hour-old forecast has price and error, a fresh one nulls."""
    sample.fill_prices(3)
    sample.publish_log(2)
    rows = make_client(sample.settings).get("/previsoes/doge").json()
    assert len(rows) == 25
    assert [row["horario"] for row in rows] == sorted((row["horario"] for row in rows), reverse=True)
    assert (rows[0]["preco_real"], rows[0]["erro_percentual"]) == (None, None)
    oldest = rows[-1]
    actual = sample.price(COINS[2], sample.now - HOUR_MS)
    assert oldest["preco_real"] == actual
    assert oldest["erro_percentual"] == pytest.approx(
        100 * (oldest["previsao_proxima_hora"] - actual) / oldest["preco_atual"]
    )
    assert set(oldest) == {
        *(
            "horario",
            "horario_previsto",
            "horizonte",
            "moeda",
            "id",
            "preco_atual",
            "previsao",
            "previsao_proxima_hora",
        ),
        *("minimo_80", "maximo_80", "quantis", "probabilidade_alta", "modelo", "preco_real", "erro_percentual"),
        *("moeda_cotacao", "fonte", "atribuicao", "gerado_em", "id_previsao"),
    }


def test_history_is_newest_first_and_limited(client: TestClient, filled: SampleWorkspace) -> None:
    """The limit keeps the newest prices; `campos` names which of their fields come, or `todos`."""
    rows = client.get("/historico/eth", params={"limite": 3, "campos": "todos"}).json()
    assert [row["horario"] for row in rows] == [iso(filled.now - step * MINUTE_MS) for step in range(3)]
    assert rows[0] == {
        "horario": iso(filled.now),
        "moeda": "eth",
        "id": "ethereum",
        "preco": filled.price(COINS[1], filled.now),
        "valor_de_mercado": 1e9,
        "volume": 1e6,
        "coletado_em": iso(filled.now + 900),
        "moeda_cotacao": "usd",
        "fonte": "demo",
        "atribuicao": "Mercado simulado: nenhum preço é real",
    }
    bare = client.get("/historico/eth", params={"limite": 3}).json()
    details = ("valor_de_mercado", "volume", "coletado_em")
    assert bare == [{name: value for name, value in row.items() if name not in details} for row in rows]
    chosen = client.get("/historico/eth", params={"limite": 3, "campos": "volume"}).json()
    assert [list(row.items()) for row in chosen] == [[("horario", row["horario"]), ("volume", 1e6)] for row in rows]


def test_fields_of_a_history_are_those_of_its_rows(client: TestClient) -> None:
    """The time always comes; a field of the other kind of row stays out, and one of neither is refused by name."""
    candle = client.get("/historico/btc?intervalo=1h&campos=preco,fechamento&limite=1").json()[0]
    assert list(candle) == ["horario", "fechamento"]
    refusal = client.get("/historico/btc?campos=price")
    assert (refusal.status_code, refusal.json()["parametros"]) == (422, ["campos"])
    assert "valor_de_mercado" in refusal.json()["detail"]
    assert "fechamento" in refusal.json()["detail"]


def test_a_forecast_has_one_id_everywhere(client: TestClient, filled: SampleWorkspace) -> None:
    """The newest forecast, its row in the log and its line of CSV are recognised as the same."""
    given = client.get("/prever/btc").json()["id_previsao"]
    (row,) = client.get("/previsoes/btc?limite=1").json()
    table = pd.read_csv(io.StringIO(client.get("/previsoes/btc?limite=1&formato=csv").text))
    assert given == row["id_previsao"] == table["id_previsao"][0] == f"demo.bitcoin.{filled.now}.60"


@pytest.mark.parametrize("address", ["/historico/btc", "/previsoes/btc"])
def test_tables_also_come_as_csv(client: TestClient, address: str) -> None:
    """CSV has the same rows in the same order, as a download named after coin and source."""
    rows = client.get(address, params={"limite": 5}).json()
    answer = client.get(address, params={"limite": 5, "formato": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    subject = address.split("/")[1]
    assert answer.headers["content-disposition"] == f'attachment; filename="{subject}-bitcoin-demo.csv"'
    assert answer.headers["x-fonte"] == "demo"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert [line["horario"] for line in table] == [row["horario"] for row in rows]
    shared = set(table[0]) & set(rows[0])
    assert {"horario", "moeda", "fonte"} < shared
    assert all(
        line[name] == ("" if row[name] is None else str(row[name]))
        for line, row in zip(table, rows, strict=True)
        for name in shared
    )


def test_metrics_keep_live_and_backtest_apart(client: TestClient) -> None:
    """Both blocks have scores of all coins or of one, with the ratios that the sums give."""
    body = client.get("/metricas").json()
    assert (body["moeda"], body["fonte"]) == (None, "demo")
    assert set(body["ao_vivo"]["por_moeda"]) == {coin.id for coin in COINS}
    assert body["ao_vivo"]["geral"]["pinball_relativo"] == pytest.approx(0.97)
    assert list(body["backtest"]["por_horizonte"]) == [str(minutes) for minutes in range(5, 65, 5)]
    one = client.get("/metricas/ETH").json()
    assert (one["moeda"], list(one["ao_vivo"]["por_moeda"])) == ("eth", ["ethereum"])
    assert one["ao_vivo"]["geral"]["previsoes"] * len(COINS) == body["ao_vivo"]["geral"]["previsoes"]


@pytest.mark.parametrize(
    "address",
    [
        "/status",
        "/moedas",
        "/prever",
        "/prever/btc",
        "/probabilidade/btc?nivel=1",
        "/risco?carteira=btc:1",
        "/previsoes/btc",
        "/historico/btc",
        "/metricas",
        "/metricas/btc",
    ],
)
def test_every_data_route_names_its_source(client: TestClient, address: str) -> None:
    """Header and body name the source, so that simulated data are never taken for real ones."""
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["x-fonte"] == "demo"
    body = answer.json()
    assert all(item["fonte"] == "demo" for item in (body if isinstance(body, list) else [body]))


def test_ready_means_that_there_are_data(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """/saude/pronto is 503 before the first data, then 200 as /saude and /saude/vivo."""
    client = make_client(sample.settings)
    answer = client.get("/saude/pronto")
    assert (answer.status_code, answer.json()["codigo"]) == (503, "not_ready")
    assert int(answer.headers["retry-after"]) > 0
    sample.fill()
    assert client.get("/saude/pronto").json() == client.get("/saude/vivo").json() == client.get("/saude").json()


def test_old_data_are_not_ready(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Data of a past day give 503, and the sentence says how old they are; the process lives."""
    sample.now -= 60 * HOUR_MS
    sample.fill()
    client = make_client(sample.settings)
    answer = client.get("/saude/pronto")
    assert answer.status_code == 503
    assert answer.json()["detail"] == "os preços estão parados há 2\u00a0d; as previsões estão paradas há 2\u00a0d"
    assert client.get("/saude/vivo").status_code == 200


def test_status_before_any_data(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """/status answers 200 with every block before the source is decided."""
    (sample.settings.run_dir / "source.json").unlink()
    answer = make_client(sample.settings).get("/status")
    body = answer.json()
    assert (answer.status_code, body["status"], body["fonte"]) == (200, "aguardando_dados", None)
    assert answer.headers["x-fonte"] == "indefinida"
    assert body["coletor"]["vivo"] is False
    assert body["coletor"]["mensagem"] == "ainda não começou"
    assert body["modelo"]["mensagem"] == "ainda não há previsões"


def test_status_shows_live_and_stopped_processes(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """A live collector has progress, ages and last error; a stopped pipeline is a problem."""
    sample.fill()
    with Heartbeat(sample.settings.run_dir, COLLECTOR) as collector:
        collector.error(SourceUnavailable("HTTP 503"))
        said = message("collector.with_backfill", said=message("collector.searching"), done=3, total=10)
        collector.state(ProcessState.COLLECTING, CollectorProgress(message=said))
        body = make_client(sample.settings).get("/status").json()
    assert body["status"] == "degradado"
    assert body["problemas"] == ["o processo pipeline está parado"]
    assert body["dados_reais"] is False
    assert "simulad" in body["aviso"]
    block = body["coletor"]
    assert (block["vivo"], block["estado"], block["mensagem"]) == (
        True,
        "coletando",
        "procurando as maiores moedas; histórico 3/10",
    )
    assert (block["ultimo_erro"], block["contadores"]) == ("HTTP 503", {"errors": 1})
    assert block["atualizado_em"] == iso(sample.now)
    assert 0 <= block["idade_segundos"] < 60
    assert body["modelo"]["moedas"] == {"baseline": 3}
    assert (body["modelo"]["tipo"], body["modelo"]["treinado_em"]) == ("baseline", iso(sample.now - 5000))


def test_status_of_real_prices_has_no_notice(tmp_path: Path, make_client: ClientFactory) -> None:
    """Live data are marked as real and have no notice."""
    sample = SampleWorkspace.make(tmp_path, source=Source.COINGECKO)
    body = make_client(sample.settings).get("/status").json()
    assert (body["fonte"], body["dados_reais"], body["aviso"]) == ("coingecko", True, None)


def test_status_speaks_english_where_asked(tmp_path: Path, make_client: ClientFactory) -> None:
    """With `idioma=en` notice, problems and messages are English; keys and codes stay."""
    sample = SampleWorkspace.make(tmp_path)
    portuguese, english = (make_client(sample.settings).get(f"/status{query}").json() for query in ("", "?idioma=en"))
    assert english["aviso"] == "Simulated market: no price is real"
    assert english["modelo"]["mensagem"] == "there are no forecasts yet"
    assert "the collector process has stopped" in english["problemas"]
    assert english["codigos_dos_problemas"] == portuguese["codigos_dos_problemas"]
    assert not set(english["problemas"]) & set(portuguese["problemas"])


def test_the_end_of_a_replay_is_shown(tmp_path: Path, make_client: ClientFactory) -> None:
    """`termina_em` comes from the simulator; the notice says that the prices are not current."""
    recording = tmp_path / "gravação.csv"
    recording.write_text("timestamp,coin,price\n")
    sample = SampleWorkspace.make(tmp_path / "data", source=Source.REPLAY, replay=recording)
    with Heartbeat(sample.settings.run_dir, SIMULATOR) as beat:
        beat.state(ProcessState.RUNNING, SimulatorProgress(replay_ends_ms=1_800_000_000_000))
        body = make_client(sample.settings).get("/status").json()
    assert (body["fonte"], body["termina_em"]) == ("replay", "2027-01-15T08:00:00.000+00:00")
    assert "não são de agora" in body["aviso"]


def test_the_api_is_alive_while_it_serves(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """It writes its health file, and /saude answers without any data."""
    client = make_client(sample.settings)
    assert client.get("/saude").json()["status"] == "ok"
    assert (sample.settings.run_dir / "api.json").exists()


def test_a_new_price_and_a_new_forecast_are_served_at_once(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Caches end with the version of the data."""
    sample.fill()
    client = make_client(sample.settings)
    assert client.get("/prever/btc").json()["horario"] == iso(sample.now)
    with open_writer(sample.workspace.database) as writer:
        writer.store([Price("bitcoin", sample.now + 1000, 12_345.5)])
    assert client.get("/moedas").json()[0]["preco_atual"] == 12_345.5
    sample.publish_forecasts(sample.now + 1000)
    assert client.get("/prever/btc").json()["horario"] == iso(sample.now + 1000)


def test_a_get_changes_no_file(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """After requests to every route the files of the workspace are unchanged."""
    sample.fill()
    client = make_client(sample.settings)

    def content() -> dict[str, bytes]:
        folders = (sample.workspace.root / "processed", sample.workspace.database)
        files = [path for folder in folders for path in (folder.rglob("*") if folder.is_dir() else [folder])]
        return {str(path): path.read_bytes() for path in files if path.is_file()}

    before = content()
    level, portfolio = "/probabilidade/btc?nivel=1", "/risco?carteira=btc:1"
    for address in (
        "/status",
        "/moedas",
        "/prever/btc",
        level,
        portfolio,
        "/previsoes/btc",
        "/historico/btc",
        "/metricas",
    ):
        assert client.get(address).status_code == 200
    assert content() == before
