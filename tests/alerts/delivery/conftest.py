"""What the tests of the delivery share: alerts, and a store of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.alert import Alert, AlertKind, Sight

START_MS = 1_767_225_600_000
MakeAlert = Callable[..., Alert]


@pytest.fixture(scope="session")
def make_alert() -> MakeAlert:
    """A function that makes an alert by its number."""

    def make(number: int = 0, *channels: str) -> Alert:
        sight = Sight("bitcoin", START_MS + number % 1000, {"price": 100_000.5 + number, "level": 100_000.0})
        name, key = "Bitcoin acima de 100 mil", f"{number:032x}"
        return Alert(key, "rule1", name, "preco_acima", AlertKind.FIRED, (sight,), "coingecko", channels)

    return make


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the alerts of the test are stored."""
    return tmp_path / "alerts.db"
