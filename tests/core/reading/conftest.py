"""An empty workspace and the readers of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.reading.readers import Readers
from core.settings import Source
from tests.support.workspace import SampleWorkspace


@pytest.fixture
def sample(tmp_path: Path) -> SampleWorkspace:
    """An empty workspace."""
    return SampleWorkspace.make(tmp_path)


@pytest.fixture
def readers(sample: SampleWorkspace) -> Iterator[Readers]:
    """Readers of that workspace, which find it as the API does: through source.json."""
    made = Readers(sample.settings.model_copy(update={"source": Source.AUTO}))
    yield made
    made.close()
