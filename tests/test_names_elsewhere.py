"""Every name that the product writes can be written on Windows and macOS, whatever the coins are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any, Final, cast

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.store import AlertStore
from core.aside import set_aside
from core.backup import make_backup
from core.price_rules import COIN_ID
from core.price_store import Coin, Price, open_writer
from core.processes import health_schema
from core.processes.heartbeat import Heartbeat
from core.publishing.manifest import Manifest
from core.publishing.publisher import Publisher
from core.reading.csv_export import file_name, safe_name
from core.settings import Settings, Source, load_settings
from core.workspace import open_workspace, publish_source
from dashboard.exports.files import Format, export_name
from etl.recordings.recording import read_recording
from model.loop.registry import ModelRegistry
from suite.log_file import LogFile

RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
NASTY: Final = ("con", "nul.", "aux.x", "com1", "lpt9.csv", "a.", "prn-", "a" * 100)
"""Ids that COIN_ID allows."""


def problems(names: Iterable[str]) -> list[str]:
    """Which of these names of files and folders Windows does not take, or takes for another."""
    return [
        name
        for name in names
        if RESERVED.fullmatch(name) or FORBIDDEN.search(name) or name != name.rstrip(". ") or not name.isascii()
    ]


def write_everything(settings: Settings) -> None:
    """Let each writer of the product write what it writes, of coins with nasty ids."""
    workspace = open_workspace(settings)
    publish_source(settings, workspace, None)
    with open_writer(workspace.database) as writer:
        writer.update_coins([Coin(coin, coin, coin, rank, 1) for rank, coin in enumerate(NASTY, 1)])
        writer.store([Price(coin, 1_767_225_600_000, 1.0) for coin in NASTY])
    with AlertStore(workspace.alerts):
        pass
    publisher = Publisher(workspace.processed)
    table = pa.table({"coin": list(NASTY)})
    publisher.publish({"latest": table, "score_state": table}, {"log": (0, 0, table), "scores": (0, 0, table)})
    publisher.compact("log", 10**12, lambda merged: merged)
    with workspace.hold_pipeline():
        pass
    ModelRegistry(workspace.models).save(0, ("range",), {}, trained_ms=0)
    schemas = [one for one in vars(health_schema).values() if isinstance(one, health_schema.Process)]
    for process in [*schemas, *map(health_schema.api_worker, range(1, 17))]:
        with Heartbeat(settings.run_dir, cast("Any", process)):
            pass
    set_aside(workspace.root / "workspace.json")
    with LogFile(settings.data_dir / "suite.log", max_bytes=10) as log:
        for line in ("one", "more than ten characters", "again more than ten"):
            log.write(line)


def test_what_is_written_can_be_written_on_windows(tmp_path: Path) -> None:
    """No reserved name, no character that it forbids, and none of the names is that of a coin."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    write_everything(settings)
    make_backup(open_workspace(settings), tmp_path / "copy")
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*")]
    assert len(written) > 40
    assert problems({part for path in written for part in path.parts}) == []
    assert not {part for path in written for part in path.parts} & set(NASTY)


def test_no_two_names_differ_in_their_letters_case_alone(tmp_path: Path) -> None:
    """Windows and macOS take `A` and `a` for one file."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    write_everything(settings)
    names = Counter(str(path).casefold() for path in tmp_path.rglob("*"))
    assert names.most_common(1)[0][1] == 1


def test_coins_that_differ_in_case_alone_are_one_coin(tmp_path: Path) -> None:
    """An id has small letters alone, in recordings too."""
    (tmp_path / "r.csv").write_text("timestamp,coin,price\n2026-01-01,Bitcoin,1\n2026-01-02,bitcoin,2\n")
    assert list(read_recording(tmp_path / "r.csv").series) == ["bitcoin"]
    assert not COIN_ID.fullmatch("Bitcoin")


@given(coin=st.from_regex(COIN_ID, fullmatch=True) | st.sampled_from(NASTY), source=st.sampled_from(Source))
def test_downloads_have_names_that_every_system_takes(coin: str, source: Source) -> None:
    """Of the API's lists and of the dashboard's exports, whatever the coin is called."""
    workspace = cast("Any", SimpleNamespace(source=source))
    named = Coin(coin, coin, coin, 1, 1)
    names = [
        f"{file_name('historico', named, workspace)}.csv",
        export_name("precos", [coin], "x", workspace, Format.CSV),
    ]
    assert problems(names) == []


@given(st.lists(st.text(max_size=200), min_size=1, max_size=4))
def test_a_name_made_of_anything_leads_nowhere(parts: list[str]) -> None:
    """It has one part, on Windows and elsewhere."""
    name = f"x{safe_name(parts)}"
    assert PureWindowsPath(name).parts == PurePosixPath(name).parts == (name,)
    assert not PureWindowsPath(name).drive


@given(st.text(max_size=60))
def test_what_a_manifest_may_name_is_a_file_below_its_folder_on_every_system(file: str) -> None:
    """A path that is taken has neither drive nor root, nor leads upwards, on Windows and elsewhere."""
    entry = {"latest": {"file": f"{file}.parquet", "rows": 1, "updated_ms": 1}}
    value = {"version": 1, "published_ms": 1, "entries": entry, "parts": {}}
    try:
        taken = Manifest.from_json(value).entries["latest"].file
    except Exception:
        return
    for kind in (PureWindowsPath, PurePosixPath):
        path = kind(taken)
        assert not path.anchor
        assert ".." not in path.parts
        assert path.as_posix() == taken


@pytest.mark.parametrize("name", ["con", "NUL.parquet", "com1.x", "a:b", "a\\b", "a.", "a ", "é"])
def test_the_rules_of_this_test_find_what_windows_refuses(name: str) -> None:
    """A check that finds nothing would prove nothing."""
    assert problems([name]) == [name]
