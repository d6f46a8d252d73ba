"""Parts of the page that follow the data."""

from __future__ import annotations

from datetime import UTC

from core.times import now_ms
from dashboard.i18n.numbers import Formats
from dashboard.shell.live import age, state_stamp
from tests.support.workspace import SampleWorkspace


def test_the_stamp_names_what_pages_show(running: SampleWorkspace) -> None:
    """A price, a publication and a stopped process change the stamp; a second look alone does not."""
    stamps = [state_stamp(running.settings)]
    assert state_stamp(running.settings) == stamps[0]
    running.tick()
    stamps.append(state_stamp(running.settings))
    running.publish_forecasts()
    stamps.append(state_stamp(running.settings))
    running.stop("collector")
    stamps.append(state_stamp(running.settings))
    assert len(set(stamps)) == len(stamps)


def test_an_age_says_since_when() -> None:
    """The browser counts on from the moment that the HTML names."""
    html = age(now_ms() - 90_000, Formats("pt", UTC, "usd"))
    assert html.startswith("<time data-since=")
    assert ">1\u00a0min</time>" in html
