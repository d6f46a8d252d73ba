"""What visitors leave in the dashboard's memory: pages that redraw with each publication, and pages that come and go.

`python -m bench visitors` takes about ten minutes. Pages are websocket clients without a browser, publications come as
fast as an open page draws them, and sessions end seconds after their page, so that minutes hold what else days have.
Beside it a bare Streamlit page with six cards and a chart is drawn as often. Slopes are those of the later half.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from bench.figures import Figure, exit_code, table
from bench.open_pages import COIN_PAGE
from bench.page_client import open_page
from bench.process_cost import private_mb
from bench.serving import Served, serve_page
from core.settings import PROJECT, load_settings
from tests.support.workspace import MORE_COINS, SampleWorkspace

__all__ = ["main"]

_BARE: Final = """
import time
import streamlit as st
now = time.time()
for card in range(6):
    st.metric(f"card {card}", now)
st.plotly_chart({"data": [{"type": "scatter", "x": list(range(360)), "y": [now + i % 7 for i in range(360)]}]})
"""
_SESSION_S: Final = "2"
"""How long a session outlives its page here; a minute of visits then ends as many sessions as it begins."""
_SCORES_EVERY: Final = 10
"""Publications: at usual speed scores come with every tenth, five minutes apart."""
_READINGS: Final = 40
_MOST_PER_1000: Final = 4.0
_MOST_PER_100: Final = 1.5
"""MB that add up to half a megabyte an hour, of 120 publications or of 30 visits."""


def _growth(served: Served, events: int, happen: Callable[[int], None]) -> float:
    """Let so many events happen one after another; by how many MB memory grew for each in the later half."""
    process, every = psutil.Process(served.pid), max(1, events // _READINGS)
    readings = []
    for number in range(events):
        happen(number)
        if number % every == 0:
            readings.append((number, private_mb(process)))
    later = np.array(readings[len(readings) // 2 :])
    return float(np.polyfit(later[:, 0], later[:, 1], 1)[0])


def _of_publications(served: Served, query: str, count: int, publish: Callable[[int], None]) -> float:
    """MB for each publication that an open page draws."""
    with open_page(served.port, query) as page:

        def happen(number: int) -> None:
            publish(number)
            page.redraw(f"{number:016x}")

        return _growth(served, count, happen)


def _of_visits(served: Served, query: str, count: int) -> float:
    """MB for each page that is opened, drawn twice and closed."""

    def happen(number: int) -> None:
        with open_page(served.port, query) as page:
            page.redraw(f"{number:016x}")

    return _growth(served, count, happen)


def _figures(folder: Path, publications: int, visits: int) -> list[Figure]:
    os.environ |= {"CRYPTO_SOURCE": "demo", "CRYPTO_DATA_DIR": str(folder / "data")}
    os.environ["CRYPTO_MODELS_DIR"] = str(folder / "models")
    workspace = SampleWorkspace(load_settings(), MORE_COINS).run()
    variables = {**load_settings().environment(), "CRYPTO_SOURCE": "auto"}
    variables["STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL"] = _SESSION_S
    bare_script = folder / "bare.py"
    bare_script.write_text(_BARE, encoding="utf-8")

    def publish(number: int) -> None:
        workspace.publish_forecasts()
        if number % _SCORES_EVERY == 0:
            workspace.publish_backtest()

    with serve_page(PROJECT / "dashboard" / "app.py", variables) as ours:
        drawn = _of_publications(ours, COIN_PAGE, publications, publish)
        visited = _of_visits(ours, COIN_PAGE, visits)
    workspace.close()
    with serve_page(bare_script, variables) as bare:
        bare_drawn = _of_publications(bare, "", publications, lambda _: None)
        bare_visited = _of_visits(bare, "", visits)
    return [
        Figure("growth for 1,000 publications", 1000 * drawn, "MB", _MOST_PER_1000),
        Figure("growth for 100 visits", 100 * visited, "MB", _MOST_PER_100),
        Figure("bare page: growth for 1,000 redraws", 1000 * bare_drawn, "MB"),
        Figure("bare page: growth for 100 visits", 100 * bare_visited, "MB"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench visitors", description=__doc__)
    parser.add_argument("--publications", type=int, default=1500)
    parser.add_argument("--visits", type=int, default=500)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = _figures(Path(folder), given.publications, given.visits)
    print(table(figures))
    return exit_code(figures)
