"""Pages of long lists: a client that pages or follows gets every row once, with the same numbers in every format."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS
from core.price_store import Price, open_writer
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, iso, parse_iso
from tests.support.workspace import COINS, SampleWorkspace, forecast_rows

ClientFactory = Callable[..., TestClient]
Rows = list[dict[str, Any]]
STEPS = {"1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "1h": HOUR_MS, "1d": DAY_MS}
relaxed = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _next(answer: Response) -> str | None:
    link = answer.links.get("next")
    return None if link is None else urljoin(str(answer.url), link["url"])


def _pages(client: TestClient, address: str) -> Rows:
    """Every row, page after page, until there is no next page or it is empty."""
    rows: Rows = []
    following: str | None = address
    while following is not None:
        answer = client.get(following)
        page = answer.json()
        rows += page
        following = _next(answer) if page else None
    return rows


@relaxed
@given(
    st.sampled_from(["/previsoes/btc?horizonte=15", "/historico/eth?", "/historico/btc?intervalo=5m"]),
    st.integers(1, 40),
    st.sampled_from([0, 1, 2]),
)
def test_pages_hold_every_row_once(client: TestClient, address: str, limit: int, hours: int) -> None:
    """Forwards and backwards, the pages together are what one large page holds, in order."""
    since = parse_iso(client.get("/historico/btc?limite=1").json()[0]["horario"]) - (hours + 1) * HOUR_MS // 2
    address = f"{address}&inicio={since}"
    whole = client.get(f"{address}&limite=50000").json()
    assert _pages(client, f"{address}&limite={limit}") == whole
    forwards = _pages(client, f"{address}&limite={limit}&ordem=asc")
    assert forwards == [row for row in reversed(whole) if row.get("fechado", True)]


def test_a_page_links_to_the_first_and_the_next(client: TestClient) -> None:
    """`Link` keeps the other parameters; the last page backwards has no next one."""
    answer = client.get("/v1/historico/btc?limite=2&ordem=desc")
    assert set(answer.links) == {"first", "next"}
    assert "limite=2&ordem=desc&apos=" in answer.links["next"]["url"]
    later = client.get(_next(answer) or "")
    assert later.json()[0]["horario"] < answer.json()[-1]["horario"]
    assert urljoin(str(later.url), later.links["first"]["url"]) == str(answer.url)
    assert set(client.get("/historico/btc?limite=50000").links) == {"first"}


def test_a_follower_gets_new_rows_once(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Ascending, the link of the last page leads to what comes later, and to nothing before it comes."""
    sample.fill_prices(2)
    sample.publish_log(1)
    client = make_client(sample.settings)
    for address in ("/historico/btc?ordem=asc&limite=50", "/previsoes/btc?ordem=asc&limite=5"):
        answer = client.get(address)
        seen = answer.json()
        while page := (answer := client.get(_next(answer) or "")).json():
            seen += page
        waiting = _next(answer) or ""
        assert client.get(waiting).json() == []
        sample.tick()
        sample.publish_log(0)
        news = client.get(waiting).json()
        assert [row["horario"] for row in news] == [iso(sample.now)]
        times = [row["horario"] for row in seen + news]
        assert times == sorted(set(times))


def test_a_logged_forecast_is_complete(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Each horizon has its nine quantiles, its probability, who made it, and an id, as they were logged."""
    sample.fill_prices(3)
    sample.publish_log(2)
    client = make_client(sample.settings)
    origin = sample.now - HOUR_MS
    stored = forecast_rows("dogecoin", origin, sample.price(COINS[2], origin), "demo")
    for horizon, expected in zip(HORIZONS_MIN, stored, strict=True):
        (row,) = client.get(f"/previsoes/doge?horizonte={horizon}&inicio={origin}&fim={origin}").json()
        assert list(row["quantis"].values()) == [expected[name] for name in QUANTILE_COLUMNS]
        assert list(row["quantis"]) == ["0.025", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.95", "0.975"]
        assert (row["previsao"], row["probabilidade_alta"]) == (expected["mean"], expected["p_up"])
        assert row["modelo"] == {"tipo": "baseline", "versao": "base-1"}
        assert row["id_previsao"] == f"demo.dogecoin.{origin}.{horizon}"
        assert (row["horizonte"], row["horario_previsto"]) == (horizon, iso(origin + horizon * MINUTE_MS))
        assert row["preco_real"] == sample.price(COINS[2], origin + horizon * MINUTE_MS)
        assert row["previsao_proxima_hora"] == (expected["mean"] if horizon == 60 else None)


def _slow_candles(prices: Rows, step_ms: int) -> Rows:
    """Intervals by loops, from prices in order of time."""
    groups: dict[int, list[float]] = {}
    for row in prices:
        groups.setdefault(row["horario"] // step_ms * step_ms, []).append(row["preco"])
    newest = prices[-1]["horario"]
    return [
        {
            "horario": start,
            "fim": start + step_ms,
            "abertura": values[0],
            "maximo": max(values),
            "minimo": min(values),
            "fechamento": values[-1],
            "precos": len(values),
            "fechado": start + step_ms <= newest,
        }
        for start, values in groups.items()
    ]


@pytest.mark.parametrize("name", list(STEPS))
def test_intervals_agree_with_plain_loops(sample: SampleWorkspace, make_client: ClientFactory, name: str) -> None:
    """Open, high, low, close and number are those of the prices within; an interval without prices is absent."""
    sample.fill_prices(0.1)
    times = [
        sample.now - offset for offset in (3 * DAY_MS, 3 * DAY_MS - 1, 2 * HOUR_MS, 95 * MINUTE_MS, 94 * MINUTE_MS)
    ]
    with open_writer(sample.workspace.database) as writer:
        writer.store(Price("bitcoin", time_ms, 100.0 + place) for place, time_ms in enumerate(times))
    client = make_client(sample.settings)
    prices = client.get("/historico/btc?ordem=asc&tempo=unix").json()
    expected = _slow_candles(prices, STEPS[name])
    shared = expected[0].keys()
    found = client.get(f"/historico/btc?intervalo={name}&tempo=unix").json()
    assert [{key: row[key] for key in shared} for row in found] == expected[::-1]
    assert _pages(client, f"/historico/btc?intervalo={name}&tempo=unix&limite=2") == found
    closed = [row for row in expected if row["fechado"]]
    forwards = _pages(client, f"/historico/btc?intervalo={name}&tempo=unix&limite=2&ordem=asc")
    assert [{key: row[key] for key in shared} for row in forwards] == closed


def test_times_may_be_numbers(client: TestClient) -> None:
    """Seconds and milliseconds since 1970 mean the same as ISO 8601, and come back with `tempo=unix`."""
    time = client.get("/historico/btc?limite=5").json()[-1]["horario"]
    ms = parse_iso(time)
    expected = client.get("/historico/btc", params={"inicio": time}).json()
    assert len(expected) == 5
    assert client.get(f"/historico/btc?inicio={ms}").json() == expected
    assert client.get(f"/historico/btc?inicio={ms // 1000}").json() == expected
    numbers = client.get(f"/historico/btc?inicio={ms}&tempo=unix").json()
    assert [row["horario"] for row in numbers] == [parse_iso(row["horario"]) for row in expected]


@relaxed
@given(
    st.sampled_from(
        ["/historico/btc?limite=7&", "/historico/btc?limite=4&intervalo=15m", "/previsoes/eth?horizonte=30", "/moedas?"]
    ),
    st.sampled_from(["iso", "unix"]),
)
def test_every_format_has_the_same_rows(client: TestClient, address: str, form: str) -> None:
    """CSV, Parquet and Arrow hold the values of the JSON answer, with currency, source and attribution."""
    address = f"{address}&tempo={form}"
    rows = client.get(address).json()
    parquet = pq.read_table(io.BytesIO(client.get(f"{address}&formato=parquet").content))
    arrow = pa.ipc.open_stream(client.get(f"{address}&formato=arrow").content).read_all()
    assert parquet.equals(arrow)
    lines = list(csv.DictReader(io.StringIO(client.get(f"{address}&formato=csv").text)))
    for row, stored, line in zip(rows, arrow.to_pylist(), lines, strict=True):
        flat = {f"{n}_{k}": w for n, v in row.items() if isinstance(v, dict) for k, w in v.items()}
        flat |= {name: value for name, value in row.items() if not isinstance(value, dict)}
        assert list(stored) == list(line) == [*stored]
        assert {*flat, "atribuicao"} == set(stored)
        for name, value in flat.items():
            held = stored[name]
            assert (iso(round(held.timestamp() * 1000)) if hasattr(held, "timestamp") else held) == value
            assert line[name] == ("" if value is None else str(value)) or _same(line[name], value)


def _same(text: str, value: Any) -> bool:
    return text == str(value).lower() if isinstance(value, bool) else float(text) == value
