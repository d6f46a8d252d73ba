"""Server of the dashboard: `python -m streamlit run dashboard/app.py`, from any folder.

Streamlit finds `app` here and runs page_script.py for every visitor. This module adds a heartbeat, which shows that the
dashboard is alive, and a sentence instead of a traceback for unexpected errors.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

PROJECT = Path(__file__).resolve().parent.parent
if str(PROJECT) not in sys.path:
    sys.path.insert(0, str(PROJECT))

import streamlit as st  # noqa: E402 - after the project's folder is on the path
from starlette.middleware import Middleware  # noqa: E402 - as above
from streamlit.starlette import App  # noqa: E402 - as above

from core.errors import ConfigurationError  # noqa: E402 - as above
from core.processes.event_loop_heartbeat import loop_heartbeat  # noqa: E402 - as above
from core.processes.health_schema import DASHBOARD  # noqa: E402 - as above
from dashboard.i18n.texts import Texts  # noqa: E402 - as above
from dashboard.shell import service  # noqa: E402 - as above
from dashboard.shell.admission import Admission  # noqa: E402 - as above
from dashboard.shell.assets import asset_route  # noqa: E402 - as above
from dashboard.shell.change_feed import ChangeFeed  # noqa: E402 - as above
from dashboard.shell.compression import CompressedFiles  # noqa: E402 - as above
from dashboard.shell.ended_sessions import end_sessions  # noqa: E402 - as above
from dashboard.shell.framing import Framing  # noqa: E402 - as above
from dashboard.shell.page_frame import PageFrame  # noqa: E402 - as above
from dashboard.shell.warm_up import warm_up  # noqa: E402 - as above

_log = logging.getLogger("dashboard")

_MOST_SESSIONS: Final = 100
"""Sessions at once, so that a flood of them is bounded in memory and threads."""


def _stamp() -> str:
    """Name the state of the data; what this imports is heavy, so it waits until a page asks."""
    return str(import_module("dashboard.shell.live").state_stamp(service.settings()))


changes = ChangeFeed(_stamp)


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[None]:
    """Write heartbeats, look for changes and for ended sessions; import the views early for the first visitor."""
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    try:
        run_dir = service.settings().run_dir
    except ConfigurationError as error:
        _log.error("%s", error)  # the page shows it too
        yield
        return
    async with loop_heartbeat(run_dir, DASHBOARD):
        tasks = [asyncio.create_task(changes.watch()), asyncio.create_task(end_sessions())]
        yield
        for task in tasks:
            task.cancel()


def show_unexpected_error(error: Exception) -> bool:
    """Log an unexpected error and show a sentence in its place; True tells Streamlit that it is handled."""
    _log.error("error while drawing the page", exc_info=error)
    language = str(st.session_state.get("idioma", "pt"))
    st.error(Texts(language)("errors.unforeseen", kind=type(error).__name__), icon=":material/error:")
    return True


def embed_origins() -> tuple[str, ...]:
    """The sites that may frame the dashboard; none while the settings are wrong, which the page shows."""
    try:
        return service.settings().embed_origins
    except ConfigurationError:
        return ()


app = App(
    Path(__file__).with_name("page_script.py"),
    lifespan=lifespan,
    routes=[asset_route(), changes.route()],
    middleware=[
        Middleware(Framing, origins=embed_origins()),
        Middleware(Admission, most=_MOST_SESSIONS),
        Middleware(PageFrame),
        Middleware(CompressedFiles),
    ],
    on_script_error=show_unexpected_error,
)
