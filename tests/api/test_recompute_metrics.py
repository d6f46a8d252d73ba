"""A stranger recomputes /metricas from the API alone: docs/recompute_metrics.ipynb does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from core.price_store import open_reader
from core.settings import PROJECT
from core.times import HOUR_MS
from model.scoring.live_scorer import LiveScorer
from tests.support.workspace import COINS, SampleWorkspace

NOTEBOOK = PROJECT / "docs" / "recompute_metrics.ipynb"


def _cells() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_finds_the_published_metrics(sample: SampleWorkspace, serve: Callable[..., str]) -> None:
    """Its cells, run one after another against a server, give the scores that the pipeline published."""
    sample.fill_prices(30)
    sample.publish_log(3)
    with open_reader(sample.workspace.database) as prices:
        scored = LiveScorer(sample.publisher).step(prices)
    assert scored.num_rows > 100
    address = serve(sample.settings)
    known: dict[str, Any] = {}
    for cell in _cells():
        exec(cell.replace("http://127.0.0.1:8000", address), known)  # noqa: S102 - the notebook is the thing tested
    comparison = known["comparison"]
    names = set(comparison.index.get_level_values(0))
    assert {"previsoes", "ganho", "cobertura 80", "brier", "acerto_de_direcao", "winkler_relativo"} <= names
    assert len(comparison) == len(names) * (1 + 12 + len(COINS))
    assert comparison["diferença"].max() < 1e-9
    assert comparison.loc[("previsoes", "geral", ""), "api"] > 1000
    assert known["prices"]["bitcoin"]["horario"].max() - known["prices"]["bitcoin"]["horario"].min() > 29 * HOUR_MS
