"""Lets go of sessions whose page closed for good: Streamlit does so only when the next page closes.

Until then each of them, at most 128, holds three open files and what its page was made of.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from streamlit import config
from streamlit.runtime import get_instance

from core.processes.free_memory import give_back_memory

__all__ = ["end_sessions", "forget_ended"]

_LOOKS: Final = 4
"""How often within the time for which a session outlives its page."""


async def end_sessions() -> None:
    """Look for ended sessions until cancelled, and collect what they and redrawn pages leave in cycles.

    Python collects by itself when a quarter more objects live long. Until then what nobody uses would take new memory,
    which the process keeps. With the modules frozen a collection takes milliseconds. So does giving back what is free.
    """
    while True:
        await asyncio.sleep(config.get_option("server.disconnectedSessionTTL") / _LOOKS)
        forget_ended(get_instance()._session_mgr)
        give_back_memory()


def forget_ended(sessions: Any) -> None:
    """Drop those of Streamlit's sessions that cannot come back; they close what they have open.

    Streamlit has no name for this that programs may use: it is what its storage does before it stores another session.
    """
    sessions._session_storage._cache.expire()
