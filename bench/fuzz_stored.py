"""Parsers of what the project itself has stored, in folders and buckets where others may write, and of copies."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from alerts.alert import Alert, AlertKind, Sight, alert_from_json, alert_to_json
from alerts.rules.table import read_rule
from alerts.store import AlertStore
from bench.fuzz_parser import NOW_MS, Parser, of_file
from core.artifacts.bucket import Bucket, Content
from core.artifacts.copying import Download
from core.backup import make_backup, restore_backup
from core.files import json_object
from core.price_store import Coin, Price, open_writer
from core.processes.health_schema import COLLECTOR
from core.processes.heartbeat import read_health
from core.publishing.manifest import MANIFEST, Entry, Manifest, ManifestReader, Part
from core.publishing.parquet import check_content, read_table, table_bytes
from core.publishing.publisher import Publisher
from core.settings import Settings, load_settings
from core.workspace import current_workspace, open_workspace, source_choice
from etl.collector.backfill_queue import BackfillQueue
from etl.collector.call_budget import CallBudget, Clock, Limits
from etl.collector.coin_universe import Universe
from etl.collector.jump_filter import JumpFilter
from model.loop.registry import ModelRegistry

__all__ = ["stored_parsers"]

_LOADING: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What the collector expects of a stored state that it cannot read."""


def stored_parsers(folder: Path) -> Mapping[str, Parser]:
    """All of them, by what they read; `folder` is empty."""
    table = table_bytes(pa.table({"coin": ["bitcoin", "ethereum"] * 10, "price": [100.0 + x for x in range(20)]}))
    return {
        "manifests": of_file(folder, MANIFEST, _manifest(), lambda path: ManifestReader(path.parent).current(), 0.05),
        "manifests of buckets": Parser((_manifest(),), _followed(folder / "followed", table), 0.03),
        "health files": of_file(
            folder,
            f"{COLLECTOR.name}.json",
            b'{"name":"coletor","pid":1}',
            lambda path: read_health(path.parent, COLLECTOR),
            0.05,
        ),
        "workspaces": _workspaces(folder / "workspaces", 0.05),
        "choices of the source": _choices(folder / "choices", 0.05),
        "model cards": _model_cards(folder / "models", 0.03),
        "stored rules": Parser((_rule(),), lambda data: read_rule(json_object(data, "rule")), 0.05),
        "stored alerts": Parser((_alert(),), lambda data: alert_from_json(data.decode("utf-8", "replace")), 0.05),
        "states of the collector": Parser(_states(), _take_state, 0.05, _LOADING),
        "published Parquet": of_file(folder, "table.parquet", table, read_table, 0.01),
        "Parquet of buckets": Parser((table,), lambda data: check_content(data, "table.parquet"), 0.01),
        "copies": _copies(folder / "copies", 0.002),
    }


def _manifest() -> bytes:
    part = Part("log/2026-01-01/slot-0005-000000001.parquet", 1, NOW_MS, NOW_MS, "slot")
    entry = Entry("latest-000000001.parquet", 1, NOW_MS)
    return json.dumps(Manifest(1, NOW_MS, {"latest": entry}, {"log": (part,)}).to_json()).encode()


class _Planted:
    """A bucket with one manifest, and the same table under every other name."""

    def __init__(self, manifest: bytes, table: bytes) -> None:
        self._manifest = manifest
        self._table = table

    def read(self, name: str, known_tag: str | None = None, most_bytes: int = 0) -> Content:
        del known_tag, most_bytes
        return Content("tag", self._manifest if name == MANIFEST else self._table)


def _followed(folder: Path, table: bytes) -> Callable[[bytes], object]:
    """Follow a bucket; whatever its manifest names stays in the folder."""

    def parse(data: bytes) -> object:
        try:
            return Download(cast("Bucket", _Planted(data, table)), folder / "processed").copy()
        finally:
            assert not folder.exists() or [path.name for path in folder.iterdir()] in ([], ["processed"])
            shutil.rmtree(folder, ignore_errors=True)

    return parse


def _settings(folder: Path, source: str = "demo") -> Settings:
    return load_settings(source=source, data_dir=folder / "data", models_dir=folder / "models", _env_file=None)


def _workspaces(folder: Path, share: float) -> Parser:
    settings = _settings(folder)
    root = open_workspace(settings).root
    seed = (root / "workspace.json").read_bytes()
    (root / "workspace-copy.json").unlink()

    def parse(data: bytes) -> object:
        (root / "workspace.json").write_bytes(data)
        return current_workspace(settings)

    return Parser((seed,), parse, share)


def _choices(folder: Path, share: float) -> Parser:
    settings = _settings(folder, "auto")
    open_workspace(_settings(folder))
    settings.run_dir.mkdir()
    seed = b'{"source":"demo","folder":"demo","notice":null,"decided_at":"2026-01-01T00:00:00Z"}'

    def parse(data: bytes) -> object:
        (settings.run_dir / "source.json").write_bytes(data)
        source_choice(settings)
        root = current_workspace(settings).root
        assert root.resolve().is_relative_to(settings.data_dir.resolve())
        return root

    return Parser((seed,), parse, share)


def _model_cards(folder: Path, share: float) -> Parser:
    """Cards of an intact model; the registry logs what is wrong with one, and the pipeline trains again."""
    registry = ModelRegistry(folder)
    card = registry.save({"weights": [1.0]}, ("feature",), {"seed": 1}, NOW_MS)
    model = (folder / card.file).read_bytes()

    def parse(data: bytes) -> object:
        (folder / card.file).write_bytes(model)
        (folder / "model.json").write_bytes(data)
        loaded = registry.load(("feature",), {"seed": 1})
        for path in folder.glob("*.damaged-*"):
            path.unlink()
        return loaded

    return Parser(((folder / "model.json").read_bytes(),), parse, share)


def _rule() -> bytes:
    rule = {"nome": "n", "condicao": "variacao", "moedas": ["btc"], "percentual": 5, "periodo": "1h", "espera": "30m"}
    return json.dumps(rule).encode()


def _alert() -> bytes:
    sight = Sight("bitcoin", NOW_MS, {"price": 101.5, "level": 100.0}, NOW_MS)
    alert = Alert("key", "rule", "name", "preco_acima", AlertKind.FIRED, (sight,), "demo", ("mail",))
    return alert_to_json(alert).encode()


def _states() -> tuple[bytes, ...]:
    return (
        json.dumps(
            {
                "recent_ms": [NOW_MS - 1000, NOW_MS],
                "blocked_until_ms": NOW_MS + 60_000,
                "blocked_s": 60,
                "calls": {"2026-01": 5},
                "reason": "",
            }
        ).encode(),
        json.dumps({"count": 50, "ids": ["bitcoin", "ethereum"], "resolved_ms": NOW_MS}).encode(),
        b'["bitcoin","ethereum"]',
        json.dumps([["bitcoin", NOW_MS, 100.0, 1e9, 1e6, NOW_MS]]).encode(),
    )


@cache
def _top_50() -> Settings:
    return load_settings(coins="top:50", _env_file=None)


def _take_state(data: bytes) -> None:
    """Give a text to each part of the collector that stores one; most suit one and are refused by the others."""
    text = data.decode("utf-8", "replace")
    clock = Clock(lambda: 1000.0, lambda: NOW_MS)
    parts: tuple[Any, ...] = (CallBudget(Limits(), clock), Universe(_top_50()), BackfillQueue(), JumpFilter())
    for part in parts:
        try:
            part.load_state(text)
        except _LOADING:
            continue
        part.dump_state()


def _copies(folder: Path, share: float) -> Parser:
    """Copies with one file changed, given to be restored."""
    source = open_workspace(_settings(folder / "from"))
    with open_writer(source.database) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
        writer.store([Price("bitcoin", NOW_MS, 1.0)])
    with AlertStore(source.alerts):
        pass
    Publisher(source.processed).publish({"latest": pa.table({"coin": ["bitcoin"]})})
    make_backup(source, folder / "copy")
    files = sorted(path for path in (folder / "copy").rglob("*") if path.is_file())
    seeds = tuple(bytes([place]) + path.read_bytes() for place, path in enumerate(files))

    def parse(data: bytes) -> None:
        changed = files[data[0] % len(files)] if data else random.Random(0).choice(files)
        before = changed.read_bytes()
        changed.write_bytes(data[1:])
        try:
            restore_backup(folder / "copy", _settings(folder / "to", "auto"))
        finally:
            changed.write_bytes(before)
            shutil.rmtree(folder / "to", ignore_errors=True)

    return Parser(seeds, parse, share)
