"""Settings for the tests of the suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of this machine."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CRYPTO_{name.upper()}", "")
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Make settings with an empty data folder."""
    return lambda **given: load_settings(data_dir=tmp_path / "data", models_dir=tmp_path / "models", **given)
