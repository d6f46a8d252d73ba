"""Sessions whose page has closed leave nothing behind."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo

from bench.page_client import open_page
from dashboard.shell.ended_sessions import forget_ended
from tests.support.waiting import wait_until
from tests.support.workspace import SampleWorkspace


class _Session:
    """Stands in for what Streamlit keeps of a page."""

    id = "closed a while ago"


@pytest.mark.parametrize(("seconds", "is_kept"), [(0.0, False), (1000.0, True)])
def test_only_sessions_that_cannot_come_back_are_dropped(seconds: float, is_kept: bool) -> None:
    """A session goes when its time is over, although no other page has closed since."""
    storage = MemorySessionStorage(ttl_seconds=seconds)  # type: ignore[arg-type]
    session = _Session()
    seen = weakref.ref(session)
    storage.save(SessionInfo(client=None, session=session))  # type: ignore[arg-type]
    del session
    forget_ended(SimpleNamespace(_session_storage=storage))
    assert (seen() is not None) == is_kept


@pytest.mark.slow
def test_closed_pages_leave_no_open_files(
    running: SampleWorkspace, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten pages that were drawn and closed hold files; shortly after their time is over, all are closed again."""
    monkeypatch.setenv("STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL", "5")
    server = serve(running.settings)
    process = psutil.Process(server.process.pid)
    page = "pagina=moeda&moeda=bitcoin"
    with open_page(server.port, page):
        pass
    one_closed = process.num_fds()
    for number in range(10):
        with open_page(server.port, page) as client:
            client.redraw(f"change {number}")
    assert process.num_fds() >= one_closed + 10
    wait_until(lambda: process.num_fds() <= one_closed)
