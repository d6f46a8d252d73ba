"""A workspace keeps its source, even if the file that names it is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import NotReady, WorkspaceMismatch
from core.settings import Settings, load_settings
from core.store_address import ServerAddress
from core.workspace import current_workspace, live_store, open_workspace, source_choice
from tests.support.refusals import refusal

Make = Callable[..., Settings]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make settings of a simulated market in one folder."""

    def settings(**options: object) -> Settings:
        return load_settings(**{"source": "demo", "data_dir": tmp_path, "models_dir": tmp_path / "models", **options})

    return settings


def test_a_workspace_is_the_same_at_every_start(make: Make) -> None:
    """The start of the simulation is fixed by the first start."""
    assert open_workspace(make()) == open_workspace(make()) == current_workspace(make())


@pytest.mark.parametrize("options", [{"seed": 1}, {"currency": "brl"}])
def test_other_settings_are_refused_and_change_nothing(make: Make, options: dict[str, object]) -> None:
    """Another seed or currency is refused."""
    workspace = open_workspace(make())
    with pytest.raises(WorkspaceMismatch, match="--data-dir"):
        open_workspace(make(**options))
    assert open_workspace(make()) == workspace


@pytest.mark.parametrize("victim", ["workspace.json", "workspace-copy.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", None])
def test_a_damaged_file_is_set_aside_and_restored(make: Make, victim: str, content: bytes | None) -> None:
    """Readers continue, the next start restores both files, and another market is still refused."""
    workspace = open_workspace(make())
    path = workspace.root / victim
    before = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert current_workspace(make()) == workspace
    with pytest.raises(WorkspaceMismatch):
        open_workspace(make(seed=5))
    assert open_workspace(make()) == workspace
    assert path.read_bytes() == before
    assert len(list(workspace.root.glob(f"{victim}.damaged-*"))) == (content is not None)


def test_with_both_damaged_nothing_is_guessed(make: Make) -> None:
    """If file and copy are damaged, the workspace is refused."""
    workspace = open_workspace(make())
    for name in ("workspace.json", "workspace-copy.json"):
        (workspace.root / name).write_text("?")
    with refusal(WorkspaceMismatch, match="danificados"):
        open_workspace(make())
    with pytest.raises(NotReady):
        current_workspace(make())


@pytest.mark.parametrize(
    "change",
    [
        {"epoch_ms": None},
        {"epoch_ms": 10**30},
        {"epoch_ms": "soon"},
        {"currency": "../../x"},
        {"currency": 5},
        {"source": "bitcoin"},
        {"source": []},
        {"recording": "../.."},
        {"seed": "x"},
    ],
)
def test_values_that_cannot_be_its_own_count_as_damage(make: Make, change: dict[str, object]) -> None:
    """Readers take the copy, and the next start restores the file."""
    workspace = open_workspace(make())
    path = workspace.root / "workspace.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    assert current_workspace(make()) == workspace
    assert open_workspace(make()) == workspace
    assert len(list(workspace.root.glob("workspace.json.damaged-*"))) == 1


@pytest.mark.parametrize("folder", ["..", "../elsewhere", "/etc", "demo/../..", "C:\\x", "replay/x", "", "replay/.."])
def test_the_choice_of_a_source_names_no_folder_elsewhere(make: Make, folder: str) -> None:
    """What the suite could not have written is no choice: readers wait for one."""
    settings = make(source="auto")
    open_workspace(make())
    choice = {"source": "demo", "folder": folder, "notice": None, "decided_at": "2026-01-01T00:00:00Z"}
    settings.run_dir.mkdir()
    (settings.run_dir / "source.json").write_text(json.dumps(choice))
    assert source_choice(settings) is None
    with pytest.raises(NotReady):
        current_workspace(settings)
    (settings.run_dir / "source.json").write_text(json.dumps({**choice, "folder": "demo"}))
    assert current_workspace(settings) == open_workspace(make())


def test_each_workspace_has_a_schema_of_its_own_on_a_server(make: Make, tmp_path: Path) -> None:
    """Live prices share one by currency; a simulation has one from its first moment on."""
    url = "postgresql://db.example/crypto"
    workspace = open_workspace(make(database_url=url))
    assert isinstance(workspace.store, ServerAddress)
    assert workspace.store.schema == f"demo_usd_{workspace.epoch_ms}"
    assert current_workspace(make(database_url=url)).store == workspace.store
    live = live_store(make(source="coingecko", database_url=url, currency="eur"))
    assert isinstance(live, ServerAddress)
    assert live.schema == "live_eur"
    assert live_store(make()) == tmp_path / "crypto.db"


def test_a_url_that_only_reads_is_enough_for_readers(make: Make) -> None:
    """A process that got no other URL reads with it."""
    open_workspace(make())
    store = current_workspace(make(database_read_url="postgresql://reader@db.example/crypto")).store
    assert isinstance(store, ServerAddress)
    assert store.url == store.read_url
