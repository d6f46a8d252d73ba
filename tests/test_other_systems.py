"""What Windows and macOS do differently, simulated: refused files, consoles without arrows, launchers, long paths."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psutil
import pyarrow as pa
import pytest

from alerts.process import _watch_once as watch_once
from alerts.store import AlertStore
from core.artifacts.bucket import Bucket
from core.artifacts.copying import Download
from core.aside import move_aside, set_aside
from core.errors import AlreadyRunning, StorageProblem
from core.files import read_bytes, write_atomically
from core.price_store import Coin, open_writer
from core.processes.child import child_command
from core.processes.health_schema import ALERTS
from core.processes.heartbeat import Heartbeat
from core.processes.lifecycle import WakingEvent, run_main
from core.publishing.parquet import check_footer, check_whole, table_bytes
from core.publishing.publisher import Publisher
from core.reading.published import PublishedData
from core.settings import load_settings
from core.workspace import open_workspace
from model.loop.registry import KEEP_VERSIONS, ModelRegistry
from tests.support.planted_bucket import PlantedBucket

WINDOWS_PATH = 259
"""Characters of a whole path that Windows takes without a change of its settings."""

PROJECT_PATH = 120
"""Characters that our longest names leave for the folder of the project, at the least."""

Refusals = Callable[[str, int], list[Path]]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Refusals:
    """A function that makes a method of Path refuse so many times below tmp_path, as Windows does for an open file."""
    monkeypatch.setattr("core.files._OPEN_FILES_REFUSE", True)

    def refuse(method: str, times: int) -> list[Path]:
        works: Any = getattr(Path, method)
        asked: list[Path] = []

        def refusing(path: Path, *arguments: Any, **options: Any) -> Any:
            if tmp_path in path.parents:  # not those that threads of earlier tests still write
                asked.append(path)
                if len(asked) <= times:
                    raise PermissionError(13, "The process cannot access the file")
            return works(path, *arguments, **options)

        monkeypatch.setattr(Path, method, refusing)
        return asked

    return refuse


def test_a_file_is_replaced_once_its_reader_has_gone(windows: Refusals, tmp_path: Path) -> None:
    """A refused replacement is tried again until it succeeds."""
    asked = windows("replace", 9)
    write_atomically(tmp_path / "manifest.json", b"new")
    assert ((tmp_path / "manifest.json").read_bytes(), len(asked)) == (b"new", 10)


def test_a_file_that_stays_open_keeps_its_content(windows: Refusals, tmp_path: Path) -> None:
    """After half a second the refusal is reported; the old file is whole and no temporary file is left."""
    (tmp_path / "manifest.json").write_bytes(b"old")
    windows("replace", 10)
    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "manifest.json", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("manifest.json", b"old")]


def test_a_reader_waits_for_a_replacement_to_end(windows: Refusals, tmp_path: Path) -> None:
    """A file that is being replaced is read a moment later."""
    (tmp_path / "health.json").write_bytes(b"{}")
    windows("read_bytes", 2)
    assert read_bytes(tmp_path / "health.json") == b"{}"


def test_a_damaged_file_is_set_aside_once_its_reader_has_gone(windows: Refusals, tmp_path: Path) -> None:
    """A refused renaming is tried again."""
    (tmp_path / "crypto.db").write_bytes(b"damaged")
    windows("rename", 3)
    assert set_aside(tmp_path / "crypto.db").read_bytes() == b"damaged"


def test_elsewhere_a_refusal_is_final(windows: Refusals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where open files can be renamed, a refusal means missing rights: it is reported at once."""
    monkeypatch.setattr("core.files._OPEN_FILES_REFUSE", False)
    asked = windows("replace", 1)
    with pytest.raises(PermissionError):
        write_atomically(tmp_path / "manifest.json", b"new")
    assert len(asked) == 1


def test_superseded_files_that_stay_open_are_deleted_later(
    windows: Refusals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A refused deletion is tried again at the next sweep."""
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", 0.0)
    publisher = Publisher(tmp_path)
    for value in (1, 2):
        publisher.publish({"latest": pa.table({"value": [value]})})
    windows("unlink", 1)
    counts = []
    for _ in range(2):
        publisher.sweep()
        counts.append(len(list(tmp_path.glob("*.parquet"))))
    assert counts == [2, 1]


def test_an_old_model_that_is_open_is_deleted_later(windows: Refusals, tmp_path: Path) -> None:
    """A refused deletion does not fail the save; the next one deletes what is left."""
    registry = ModelRegistry(tmp_path)
    windows("unlink", 1)
    counts = []
    for number in range(KEEP_VERSIONS + 2):
        registry.save(number, ("range",), {}, trained_ms=number)
        counts.append(len(list(tmp_path.glob("model-*.joblib"))))
        time.sleep(0.002)  # versions are named by the millisecond
    assert counts[-2:] == [KEEP_VERSIONS + 1, KEEP_VERSIONS]


def test_a_damaged_alerts_db_is_set_aside_once_the_dashboard_has_closed_it(windows: Refusals, tmp_path: Path) -> None:
    """While it is open there, the alert process keeps trying; then rules can be made again."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    workspace = open_workspace(settings)
    workspace.alerts.write_bytes(b"not a database" * 1000)
    windows("rename", 10)
    with Heartbeat(settings.run_dir, ALERTS) as health:
        watch = (settings, PublishedData(settings), workspace, health, threading.Event())
        with pytest.raises(PermissionError):
            watch_once(*watch)
        assert workspace.alerts.exists()
        watch_once(*watch)
    assert len(list(workspace.root.glob("alerts.db.damaged-*"))) == 1
    with AlertStore(workspace.alerts) as store:
        assert store.rules() == []


def test_a_damaged_price_store_is_set_aside_once_readers_have_closed_it(windows: Refusals, tmp_path: Path) -> None:
    """Until then the collector keeps its prices, as on a full disk; nothing is lost or renamed by half."""
    path = tmp_path / "crypto.db"
    with open_writer(path) as writer:
        windows("rename", 10)
        with pytest.raises(StorageProblem):
            writer.renew()
        assert not list(tmp_path.glob("*.damaged-*"))
        writer.renew()
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
    assert len(list(tmp_path.glob("crypto.db.damaged-*"))) >= 1


def test_a_followed_file_that_is_open_is_deleted_later(
    windows: Refusals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A copy of a bucket does not fail because a reader has a superseded file open."""
    monkeypatch.setattr("core.artifacts.copying.KEEP_S", -1.0)
    bucket = PlantedBucket()
    download = Download(cast("Bucket", bucket), tmp_path)
    bucket.publish("latest-1.parquet")
    download.copy()
    windows("unlink", 1)
    counts = []
    for number in (2, 3):
        bucket.publish(f"latest-{number}.parquet")
        assert download.copy() is not None
        counts.append(len(list(tmp_path.glob("*.parquet"))))
    assert counts == [2, 1]


def test_what_is_moved_aside_is_moved_file_by_file(windows: Refusals, tmp_path: Path) -> None:
    """A file that a reader has open for a moment is moved a moment later."""
    folder = tmp_path / "processed"
    Publisher(folder).publish({"latest": pa.table({"value": [1]})})
    windows("rename", 3)
    move_aside(folder, folder.iterdir())
    assert list(folder.iterdir()) == []
    assert len(list(tmp_path.glob("processed.before-*/*"))) == 3


@pytest.mark.parametrize("check", [check_footer, check_whole])
def test_a_damaged_table_is_closed_when_its_error_is_known(check: Callable[[Path], None], tmp_path: Path) -> None:
    """While the error is kept, the file is not open any more: an open one could not be set aside."""
    path = tmp_path / "latest.parquet"
    path.write_bytes(table_bytes(pa.table({"value": [1.0] * 1000}))[:-20] + bytes(20))
    with pytest.raises(pa.ArrowInvalid) as kept:
        check(path)
    assert kept.value.args
    assert str(path) not in {file.path for file in psutil.Process().open_files()}


def test_a_child_has_the_pid_that_its_parent_sees() -> None:
    """On Windows the real interpreter is started, not the launcher of the virtual environment, which is only named."""
    launcher, real = r"C:\p\.venv\Scripts\python.exe", r"C:\Python313\python.exe"
    rest = ("-m", "core.processes.child", "-m", "api.server", "--x")
    asked = ("api.server", "--x")
    assert child_command(*asked, executable=launcher, real=real, platform="win32") == (
        (real, *rest),
        {"__PYVENV_LAUNCHER__": launcher},
    )
    assert child_command(*asked, executable=real, real=real, platform="win32") == ((real, *rest), {})
    assert child_command(*asked, executable="/p/bin/python", real="/usr/bin/python", platform="darwin") == (
        ("/p/bin/python", *rest),
        {},
    )


def test_a_waiting_process_comes_back_for_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """No single wait for the lock is long, and the event's own meaning stays."""
    waits: list[float | None] = []
    plain = threading.Event.wait

    def recorded(event: threading.Event, timeout: float | None = None) -> bool:
        if event is stop:
            waits.append(timeout)
        return plain(event, timeout)

    stop = WakingEvent()
    monkeypatch.setattr(threading.Event, "wait", recorded)
    begun = time.monotonic()
    assert not stop.wait(0.5)
    assert time.monotonic() - begun >= 0.5
    threading.Timer(0.3, stop.set).start()
    assert stop.wait()
    assert all(timeout is not None and timeout <= 0.2 for timeout in waits)
    assert len(waits) >= 4


def test_a_console_without_arrows_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Windows code page lacks becomes a question mark, in what is printed and in refusals."""
    out, error = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="cp1252", write_through=True))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(error, encoding="cp1252", write_through=True))

    def main() -> int:
        print("1,0 → 1,1 · previsão – “fim”…")  # noqa: T201 - what commands do
        raise AlreadyRunning("ação → ₿")

    run_main(main)
    assert out.getvalue().decode("cp1252").strip() == "1,0 ? 1,1 · previsão – “fim”…"
    assert "ação ? ?" in error.getvalue().decode("cp1252")


def test_the_longest_path_leaves_room_for_the_users_folder(tmp_path: Path) -> None:
    """The longest names are a temporary and a damaged piece of a growing table in a replay, and a damaged model."""
    recording = tmp_path / "recording.csv"
    recording.write_text("timestamp,coin,price\n", encoding="utf-8")
    folders = {"data_dir": tmp_path / "data", "models_dir": tmp_path / "models"}
    workspace = open_workspace(load_settings(source="replay", replay=recording, **folders))
    publisher = Publisher(workspace.processed)
    publisher.publish(appended={"features": (0, 0, pa.table({"value": [1]}))})
    ModelRegistry(workspace.models).save(0, ("range",), {}, trained_ms=0)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    names = [path.relative_to(tmp_path) for path in written]
    longest = max(len(str(name)) for name in names)
    affix = max(len("..12345678.tmp"), len(".damaged-20261124T200000000"))
    assert any(name.parts[-3:-1] == ("features", "1970-01-01") for name in names)
    assert longest + affix + 1 + PROJECT_PATH <= WINDOWS_PATH
