"""The parsers of what comes from outside, each with valid inputs to start from and the errors that it may raise."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from alerts.rules.toml_file import parse_alerts
from api.parameters import HistoryQuery, LevelQuery, LogQuery, PortfolioQuery, TableQuery
from core.access_tokens import read_secrets
from core.errors import ForecastingError
from core.processes.health_schema import COLLECTOR
from core.processes.heartbeat import read_health
from core.publishing.manifest import MANIFEST, Entry, Manifest, ManifestReader, Part
from core.publishing.parquet import read_table, table_bytes
from core.reading.values import Quote
from core.settings import PROJECT, load_settings
from dashboard.holdings import from_address, parse_holdings
from etl.coingecko.parsing import ReplyTime, hourly_prices, parse_chart, parse_json, parse_markets
from etl.recordings.recording import read_recording
from model.loop.registry import ModelRegistry

__all__ = ["Parser", "parsers"]

_NOW_MS: Final = 1_767_225_600_000
_REPLY: Final = ReplyTime(_NOW_MS, _NOW_MS)
_QUOTES: Final = (Quote("bitcoin", "btc", "Bitcoin", 1, 1.0, None, _NOW_MS),)
_QUERIES: Final[Mapping[type[BaseModel], frozenset[str]]] = {
    query: frozenset(field.alias or name for name, field in query.model_fields.items())
    for query in (TableQuery, LogQuery, HistoryQuery, LevelQuery, PortfolioQuery)
}
_ADDRESSES: Final = (
    b"limite=10&ordem=crescente&cursor=abc&formato=csv&campos=horario,preco&desde=2026-11-22T14:00:00-03:00",
    b"nivel=100.5&horizonte=60&ate=1795356192&intervalo=1h",
    b"carteira=btc:0.5,eth:3&desde=2026-11-22",
)


@dataclass(frozen=True)
class Parser:
    """What is fed to one parser.

    Attributes:
        seeds: valid inputs.
        parse: reads one input; what it returns does not matter.
        share: of all inputs that this parser gets.
        allowed: errors that its callers handle.
    """

    seeds: tuple[bytes, ...]
    parse: Callable[[bytes], object]
    share: float
    allowed: tuple[type[Exception], ...] = (ForecastingError,)


def parsers(folder: Path) -> Mapping[str, Parser]:
    """All parsers, by what they read; those of files read them in the empty `folder`."""
    return {
        "pages of coins": Parser((_page(),), lambda data: _markets(parse_json(data)), 0.17),
        "price charts": Parser((_chart(),), lambda data: parse_chart(parse_json(data), "bitcoin", _REPLY), 0.18),
        "query strings": Parser(_ADDRESSES, _query, 0.15),
        "portfolios typed and in addresses": Parser((b"bitcoin:0.5,ethereum:3", b"0,5 BTC + 3 eth"), _holdings, 0.19),
        "alert rules": Parser((PROJECT.joinpath("alerts.example.toml").read_bytes(),), _alerts, 0.02),
        "manifests": _of_file(folder, MANIFEST, _manifest(), lambda path: ManifestReader(path.parent).current(), 0.08),
        "health files": _of_file(
            folder,
            f"{COLLECTOR.name}.json",
            b'{"name":"coletor","pid":1}',
            lambda path: read_health(path.parent, COLLECTOR),
            0.08,
        ),
        "model cards": _model_cards(folder, 0.03),
        "files of tokens": _of_file(folder, "tokens", b"first-token\nsecond-token\n", read_secrets, 0.05, ValueError),
        "published Parquet": _of_file(folder, "table.parquet", _parquet(), read_table, 0.01),
        "Parquet recordings": _of_file(folder, "recording.parquet", _parquet(), read_recording, 0.01),
        "CSV recordings": _of_file(folder, "recording.csv", _csv(), read_recording, 0.02),
        "SQLite recordings": _of_file(folder, "recording.db", _database(), read_recording, 0.005),
        ".env files": _of_file(folder, "env", PROJECT.joinpath(".env.example").read_bytes(), _settings, 0.005),
    }


def _of_file(
    folder: Path,
    name: str,
    seed: bytes,
    read: Callable[[Path], object],
    share: float,
    *allowed: type[Exception],
) -> Parser:
    path = folder / name

    def parse(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return Parser((seed,), parse, share, (ForecastingError, *allowed))


def _model_cards(folder: Path, share: float) -> Parser:
    """Cards of an intact model; the registry logs what is wrong with one, and the pipeline trains again."""
    models = folder / "models"
    registry = ModelRegistry(models)
    card = registry.save({"weights": [1.0]}, ("feature",), {"seed": 1}, _NOW_MS)
    model = (models / card.file).read_bytes()

    def parse(data: bytes) -> object:
        (models / card.file).write_bytes(model)
        (models / "model.json").write_bytes(data)
        loaded = registry.load(("feature",), {"seed": 1})
        for path in models.glob("*.damaged-*"):
            path.unlink()
        return loaded

    return Parser(((models / "model.json").read_bytes(),), parse, share)


def _markets(value: Any) -> None:
    for row in parse_markets(value, _REPLY):
        hourly_prices(row)


def _query(data: bytes) -> None:
    """Give each kind of query the parameters that it knows; most inputs suit one kind and are refused by another."""
    given = {name: values[-1] for name, values in parse_qs(data.decode("utf-8", "replace")).items()}
    for query, names in _QUERIES.items():
        with suppress(ValidationError):
            read = query.model_validate({name: value for name, value in given.items() if name in names})
            if isinstance(read, PortfolioQuery):
                read.positions()


def _holdings(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    from_address(text)
    for language in ("pt", "en"):
        parse_holdings(text, _QUOTES, language)


def _alerts(data: bytes) -> object:
    return parse_alerts(data.decode("utf-8", "replace"), Path("alerts.toml"))


def _settings(path: Path) -> object:
    return load_settings(_env_file=path)


def _page() -> bytes:
    row = {
        "id": "bitcoin",
        "symbol": "btc",
        "name": "Bitcoin",
        "current_price": 97000.5,
        "market_cap": 1.9e12,
        "market_cap_rank": 1,
        "total_volume": 3e10,
        "high_24h": 98000,
        "low_24h": 96000,
        "last_updated": "2025-12-31T23:59:30.000Z",
        "sparkline_in_7d": {"price": [96500.25, 97000.5, None]},
    }
    return json.dumps([row, {**row, "id": "ethereum", "current_price": None}]).encode()


def _chart() -> bytes:
    rows = [[_NOW_MS - 300_000 * place, 97000.5 + place] for place in range(8, 0, -1)]
    return json.dumps({"prices": rows, "market_caps": rows, "total_volumes": rows}).encode()


def _manifest() -> bytes:
    part = Part("log/2026-01-01/slot-0005-000000001.parquet", 1, _NOW_MS, _NOW_MS, "slot")
    entry = Entry("latest-000000001.parquet", 1, _NOW_MS)
    return json.dumps(Manifest(1, _NOW_MS, {"latest": entry}, {"log": (part,)}).to_json()).encode()


def _rows() -> pa.Table:
    times = [_NOW_MS + 60_000 * place for place in range(20)]
    return pa.table({"timestamp": times, "coin": ["bitcoin", "ethereum"] * 10, "price": [100.0 + x for x in range(20)]})


def _parquet() -> bytes:
    return table_bytes(_rows())


def _csv() -> bytes:
    lines = [f"{row['timestamp']},{row['coin']},{row['price']}" for row in _rows().to_pylist()]
    return "\n".join(["timestamp,coin,price", *lines, ""]).encode()


def _database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE prices (ts_ms INTEGER, coin_id TEXT, price REAL, volume REAL)")
            connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
            rows = [(row["timestamp"], row["coin"], row["price"]) for row in _rows().to_pylist()]
            connection.executemany("INSERT INTO prices VALUES (?, ?, ?, NULL)", rows)
        return path.read_bytes()
