"""A stored model is loaded only as this machine wrote it; otherwise a new one is trained."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import joblib
import pytest

from model.loop.registry import KEEP_VERSIONS, STATE_FORMAT, ModelRegistry

FEATURES = ("volatility", "range")
OPTIONS = {"train_days": 14, "seed": 0}


def test_a_saved_model_comes_back(tmp_path: Path) -> None:
    """Save and load give the same state and the card that belongs to it."""
    registry = ModelRegistry(tmp_path)
    card = registry.save({"weights": [1.0, 2.0]}, FEATURES, OPTIONS, trained_ms=5)
    assert registry.load(FEATURES, OPTIONS) == (card, {"weights": [1.0, 2.0]})


def test_a_model_that_joblib_compressed_comes_back(tmp_path: Path) -> None:
    """A file as earlier releases wrote it is read as well."""
    registry = ModelRegistry(tmp_path)
    card = registry.save("state", FEATURES, OPTIONS, trained_ms=5)
    joblib.dump({"weights": [1.0]}, tmp_path / card.file, compress=3)
    digest = hashlib.sha256((tmp_path / card.file).read_bytes()).hexdigest()
    manifest = tmp_path / "model.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "sha256": digest}))
    loaded = registry.load(FEATURES, OPTIONS)
    assert loaded is not None
    assert loaded[1] == {"weights": [1.0]}


def test_an_empty_folder_has_no_model(tmp_path: Path) -> None:
    """Before the first training there is nothing to load."""
    assert ModelRegistry(tmp_path).load(FEATURES, OPTIONS) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights in lists, not in modes")
def test_the_folder_is_private(tmp_path: Path) -> None:
    """Only this user may write into the folder that pickles are loaded from."""
    ModelRegistry(tmp_path / "models")
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700


def test_at_most_five_versions_stay(tmp_path: Path) -> None:
    """Old versions are deleted; the newest is always kept."""
    registry = ModelRegistry(tmp_path)
    cards = [registry.save(number, FEATURES, OPTIONS, trained_ms=number) for number in range(8)]
    assert len(list(tmp_path.glob("model-*.joblib"))) <= KEEP_VERSIONS
    assert registry.load(FEATURES, OPTIONS) == (cards[-1], 7)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 64},
        {"libraries": {"scikit-learn": "0.1"}},
        {"features": ["another"]},
        {"file": "../model-1.joblib"},
        {"file": "missing"},
        {"file": f"model-{'9' * 300}.joblib"},
        {"unknown": 1},
        {"options": {"train_days": 3, "seed": 0}},
        {"state_format": STATE_FORMAT + 1},
        {"options": 5},
        {"options": None},
        {"libraries": [["numpy", "2"]]},
        {"features": 1},
        {"file": None},
    ],
)
def test_a_model_that_does_not_match_its_manifest_is_not_loaded(tmp_path: Path, change: dict[str, Any]) -> None:
    """Another hash, other libraries, other features or a strange name: not unpickled."""
    registry = ModelRegistry(tmp_path)
    registry.save("state", FEATURES, OPTIONS, trained_ms=1)
    manifest = tmp_path / "model.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    assert registry.load(FEATURES, OPTIONS) is None


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_damaged_model_is_set_aside_and_saving_goes_on(tmp_path: Path, content: bytes) -> None:
    """A truncated file is kept under a dated name, and the next save is loaded again."""
    registry = ModelRegistry(tmp_path)
    card = registry.save("state", FEATURES, OPTIONS, trained_ms=1)
    (tmp_path / card.file).write_bytes(content)
    assert registry.load(FEATURES, OPTIONS) is None
    assert len(list(tmp_path.glob("*damaged*"))) == 1
    registry.save("next", FEATURES, OPTIONS, trained_ms=2)
    loaded = registry.load(FEATURES, OPTIONS)
    assert loaded is not None
    assert loaded[1] == "next"


def test_a_torn_manifest_is_set_aside(tmp_path: Path) -> None:
    """A manifest that is not JSON does not stop the pipeline."""
    registry = ModelRegistry(tmp_path)
    registry.save("state", FEATURES, OPTIONS, trained_ms=1)
    (tmp_path / "model.json").write_text("{")
    assert registry.load(FEATURES, OPTIONS) is None


def test_files_half_written_in_a_crash_are_removed(tmp_path: Path) -> None:
    """Temporary files of a process that was killed while saving do not pile up."""
    ModelRegistry(tmp_path).save({"a": 1}, ("x",), {}, 1)
    (tmp_path / ".model-20260101T000000000.joblib.abc.tmp").write_bytes(b"half")
    (tmp_path / ".model.json.abc.tmp").write_bytes(b"half")
    assert ModelRegistry(tmp_path).load(("x",), {}) is not None
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".joblib", ".json"]


def test_a_model_of_version_0_1_0_is_replaced_quietly(tmp_path: Path) -> None:
    """A manifest without a format number is from an older release: not loaded, not damaged, not set aside."""
    registry = ModelRegistry(tmp_path)
    registry.save("state", FEATURES, OPTIONS, trained_ms=1)
    manifest = tmp_path / "model.json"
    card = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({name: card[name] for name in card if name not in ("state_format", "options")}))
    assert registry.load(FEATURES, OPTIONS) is None
    assert registry.damaged == []
    assert list(tmp_path.glob("*damaged*")) == []


def test_the_log_names_the_setting_that_changed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A model made with another option is not loaded, and the log gives the old value and the new one."""
    registry = ModelRegistry(tmp_path)
    registry.save("state", FEATURES, OPTIONS, trained_ms=1)
    with caplog.at_level("INFO"):
        assert registry.load(FEATURES, {**OPTIONS, "train_days": 3}) is None
    assert "train_days 14 → 3" in caplog.text
