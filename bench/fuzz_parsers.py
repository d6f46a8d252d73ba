"""The parsers of what comes from outside, each with valid inputs to start from and the errors that it may raise."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from alerts.rules.condition import ConditionKind
from alerts.rules.toml_file import AlertsFileInvalid, parse_alerts
from api.content_coding import choose_coding
from api.event_feed import Place
from api.parameters import HistoryQuery, LevelQuery, LogQuery, PortfolioQuery, TableQuery
from api.table_formats import accepted_format
from bench.fuzz_parser import NOW_MS, Parser, of_file
from bench.fuzz_stored import stored_parsers
from core.access_tokens import read_secrets
from core.errors import ForecastingError
from core.host_names import host_name, is_local
from core.publishing.parquet import table_bytes
from core.rate_limit import network
from core.reading.values import Quote
from core.settings import PROJECT, load_settings
from dashboard.alert_draft import rule_of
from dashboard.holdings import from_address, parse_holdings
from dashboard.shell.page_frame import asked_language
from etl.coingecko.error_replies import refusal
from etl.coingecko.parsing import ReplyTime, hourly_prices, parse_chart, parse_json, parse_markets
from etl.recordings.recording import read_recording

__all__ = ["parsers"]

_REPLY: Final = ReplyTime(NOW_MS, NOW_MS)
_QUOTES: Final = (Quote("bitcoin", "btc", "Bitcoin", 1, 1.0, None, NOW_MS),)
_QUERIES: Final[Mapping[type[BaseModel], frozenset[str]]] = {
    query: frozenset(field.alias or name for name, field in query.model_fields.items())
    for query in (TableQuery, LogQuery, HistoryQuery, LevelQuery, PortfolioQuery)
}
_REFUSALS: Final = (
    b"30\n" + b'{"status":{"error_code":429,"error_message":"Throttled"}}',
    b"Wed, 31 Dec 2025 23:59:59 GMT\n<html><title>error code: 1015</title></html>",
    b"2026-01-01 00:00:00 +0000\n" + b'{"error":{"status":{"error_code":10002}}}',
)
_HEADERS: Final = (
    b"example.com:8000",
    b"[2001:db8::1]:80",
    b"gzip;q=0.5, zstd, *;q=0.1",
    b"text/csv;q=0.9, application/json",
    b"5.1767225600000.live_usd",
    b"pt-BR,pt;q=0.9,en;q=0.8",
    b"idioma=en",
)
_ADDRESSES: Final = (
    b"limite=10&ordem=crescente&cursor=abc&formato=csv&campos=horario,preco&desde=2026-11-22T14:00:00-03:00",
    b"nivel=100.5&horizonte=60&ate=1795356192&intervalo=1h",
    b"carteira=btc:0.5,eth:3&desde=2026-11-22",
)


def parsers(folder: Path) -> Mapping[str, Parser]:
    """All parsers, by what they read; those of files read them in the empty `folder`."""
    (folder / "stored").mkdir()
    return {
        "pages of coins": Parser((_page(),), lambda data: _markets(parse_json(data)), 0.10),
        "price charts": Parser((_chart(),), lambda data: parse_chart(parse_json(data), "bitcoin", _REPLY), 0.10),
        "refusals of CoinGecko": Parser(_REFUSALS, _refused, 0.03),
        "query strings": Parser(_ADDRESSES, _query, 0.08),
        "headers of requests": Parser(_HEADERS, _headers, 0.05),
        "portfolios typed and in addresses": Parser((b"bitcoin:0.5,ethereum:3", b"0,5 BTC + 3 eth"), _holdings, 0.08),
        "rules typed in the dashboard": Parser((b"100.000,5", b"-2.5", b"1e5"), _typed_rule, 0.05),
        "alert rules": Parser((PROJECT.joinpath("alerts.example.toml").read_bytes(),), _alerts, 0.01),
        "files of tokens": of_file(folder, "tokens", b"first-token\nsecond-token\n", read_secrets, 0.03, ValueError),
        "Parquet recordings": of_file(folder, "recording.parquet", _parquet(), read_recording, 0.01),
        "CSV recordings": of_file(folder, "recording.csv", _csv(), read_recording, 0.02),
        "SQLite recordings": of_file(folder, "recording.db", _database(), read_recording, 0.005),
        ".env files": of_file(folder, "env", PROJECT.joinpath(".env.example").read_bytes(), _settings, 0.003),
        **stored_parsers(folder / "stored"),
    }


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


def _refused(data: bytes) -> None:
    """A reply of another status: its first line are the headers that say how long to wait, the rest its body."""
    head, _, body = data.partition(b"\n")
    text = head.decode("latin-1")
    for status in (400, 403, 404, 429, 503):
        refusal(status, dict.fromkeys(("Retry-After", "x-ratelimit-reset", "Date"), text), body, NOW_MS)


def _headers(data: bytes) -> None:
    text = data.decode("latin-1")
    network(host_name(text) or "")
    is_local(text)
    choose_coding(data)
    accepted_format(text)
    Place.parse(text)
    scope = {"type": "http", "query_string": data, "headers": [(b"accept-language", data), (b"accept", data)]}
    asked_language(scope)


def _typed_rule(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    common = {
        "nome": text,
        "moedas": [text],
        "canais": [text],
        "espera": text,
        "avisar_normal": False,
        "urgente": False,
    }
    for kind in (ConditionKind.PRICE_ABOVE, ConditionKind.CHANGE, ConditionKind.TOUCHES):
        for language in ("pt", "en"):
            with suppress(ForecastingError):
                rule_of(kind, {"nivel": text, "percentual": text, "periodo": text}, common, language)


def _holdings(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    from_address(text)
    for language in ("pt", "en"):
        parse_holdings(text, _QUOTES, language)


def _alerts(data: bytes) -> object:
    try:
        return parse_alerts(data.decode("utf-8", "replace"), Path("alerts.toml"))
    except AlertsFileInvalid as error:
        error.in_words("pt")
        raise


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
    rows = [[NOW_MS - 300_000 * place, 97000.5 + place] for place in range(8, 0, -1)]
    return json.dumps({"prices": rows, "market_caps": rows, "total_volumes": rows}).encode()


def _rows() -> pa.Table:
    times = [NOW_MS + 60_000 * place for place in range(20)]
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
