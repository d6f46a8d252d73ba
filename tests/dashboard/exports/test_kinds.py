"""What each kind of export holds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from core.forecast_schema import FORECAST_SCHEMA
from core.reading.readers import Readers
from core.times import HOUR_MS, to_datetime
from dashboard.exports import kinds
from dashboard.exports.kinds import Kind, Selection, count_rows, tables
from tests.support.workspace import MORE_COINS, SampleWorkspace, forecast_rows


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """Readers of a workspace with everything that can be exported."""
    workspace = SampleWorkspace.make(tmp_path_factory.mktemp("data"), MORE_COINS)
    workspace.fill_prices(hours=26)
    workspace.publish_forecasts()
    workspace.publish_scores()
    workspace.publish_backtest()
    times = range(workspace.now - 8 * HOUR_MS, workspace.now + 1, HOUR_MS // 2)
    log = [
        row
        for ts_ms in times
        for coin in MORE_COINS
        for row in forecast_rows(coin.id, ts_ms, workspace.price(coin, ts_ms), "demo")
    ]
    features = [{"coin": coin.id, "ts": to_datetime(ts_ms), "sigma": 0.1} for ts_ms in times for coin in MORE_COINS]
    schema = pa.schema([("coin", pa.string()), ("ts", pa.timestamp("ms", tz="UTC")), ("sigma", pa.float32())])
    tables = {
        "log": pa.Table.from_pylist(log, FORECAST_SCHEMA),
        "features": pa.Table.from_pylist(features, schema),
    }
    workspace.publisher.publish(appended={name: (times[0], times[-1], table) for name, table in tables.items()})
    readers = Readers(workspace.settings)
    yield readers
    readers.close()


def exported(readers: Readers, kind: Kind, *coins: str, hours: float = 6) -> list[dict[str, Any]]:
    """The rows of an export that ends at the newest price."""
    return [row for table in tables(readers, select(readers, kind, *coins, hours=hours)) for row in table.to_pylist()]


def select(readers: Readers, kind: Kind, *coins: str, hours: float = 6) -> Selection:
    """A selection of the last hours before the newest price."""
    newest_ms = max(quote.updated_ms or 0 for quote in readers.quotes())
    return Selection(kind, tuple(readers.resolve(coin) for coin in coins), round(newest_ms - hours * HOUR_MS))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("hours", [6, 50])
def test_the_count_is_that_of_the_rows(readers: Readers, kind: Kind, hours: float) -> None:
    """What is counted without making the file is what the file has, for whole parts and for parts cut by the period."""
    rows = exported(readers, kind, "bitcoin", "shiba-inu", hours=hours)
    assert len(rows) == count_rows(readers, select(readers, kind, "bitcoin", "shiba-inu", hours=hours)) > 0
    assert {row["id"] for row in rows} == {"bitcoin", "shiba-inu"}


def test_the_origin_of_a_forecast_is_the_stored_price(readers: Readers) -> None:
    """Each exported forecast, of now or of before, starts from a price that the export of prices has at that time."""
    prices = {row["horario"]: row["preco"] for row in exported(readers, Kind.PRICES, "shib", hours=30)}
    for kind in (Kind.CURRENT, Kind.PAST):
        rows = exported(readers, kind, "shib")
        assert {row["horario"]: row["preco_atual"] for row in rows}.items() <= prices.items()


def test_past_forecasts_have_outcomes_and_current_ones_all_quantiles(readers: Readers) -> None:
    """Past forecasts carry the price that came; each coin has twelve current forecasts with ordered quantiles."""
    past = exported(readers, Kind.PAST, "btc")
    assert any(row["preco_real"] for row in past)
    assert [row["horario"] for row in past] == sorted((row["horario"] for row in past), reverse=True)
    current = exported(readers, Kind.CURRENT, "btc", "eth")
    assert [row["minutos"] for row in current] == [*range(5, 65, 5)] * 2
    assert all(row["q025"] <= row["q10"] <= row["q50"] <= row["q90"] <= row["q975"] for row in current)


def test_scores_are_means_and_tell_live_from_backtest(readers: Readers) -> None:
    """Ten of twelve forecasts inside the 80 % range are 83.3 %; live and backtest are told apart."""
    rows = exported(readers, Kind.SCORES, "doge", hours=50)
    assert {row["prova"] for row in rows} == {"ao_vivo", "backtest"}
    assert {(row["previsoes"], row["acerto_80_percentual"]) for row in rows} == {(12, 83.3333)}
    assert all(
        row["erro_pinball_percentual"] == pytest.approx(0.97 * row["erro_pinball_preco_nao_muda_percentual"], rel=1e-4)
        for row in rows
    )


def test_features_have_seven_digits(readers: Readers) -> None:
    """What is stored in 32 bits comes without the digits that 64 bits would add."""
    rows = exported(readers, Kind.FEATURES, "btc", hours=1)
    assert [row["sigma"] for row in rows] == [0.1, 0.1, 0.1]


def test_a_limit_ends_the_export(readers: Readers) -> None:
    """At most so many rows come, the newest of the first coin."""
    found = list(tables(readers, select(readers, Kind.PRICES, "btc", "eth"), limit=5))
    assert [len(table) for table in found] == [5]
    assert set(found[0]["id"].to_pylist()) == {"bitcoin"}


def test_the_count_goes_on_beyond_what_a_file_may_hold(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a file may hold are counted as what they are, so that no file leaves some out in silence."""
    whole = len(exported(readers, Kind.SCORES, "btc", "eth", hours=50))
    monkeypatch.setattr(kinds, "tables", partial(tables, limit=5))
    assert count_rows(readers, select(readers, Kind.SCORES, "btc", "eth", hours=50)) == whole > 5
