"""A page of a Streamlit server without a browser: cheap enough to draw thousands of times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

__all__ = ["PageClient", "open_page"]

_PATIENCE_S: Final = 600.0
_ENDS: Final = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
_COMPONENT: Final = re.compile(rb"\$\$ID-[0-9a-f]{32}-page")
"""The part of the dashboard's page that hears of changes (dashboard/shell/live.py); a bare page has none."""
_TRIGGER: Final = "$$STREAMLIT_INTERNAL_KEY_{component}__events"


class PageClient:
    """One visitor's page, drawn when it is made over a connection to the server."""

    def __init__(self, line: ClientConnection, query: str) -> None:
        self._line = line
        self._asked = BackMsg()
        self._asked.rerun_script.query_string = query
        self._component = ""
        self._ask()

    def redraw(self, stamp: str) -> None:
        """Ask, as the browser does when `stamp` tells of a change, for the live parts; for the whole of a bare page."""
        if self._component:
            del self._asked.rerun_script.widget_states.widgets[:]
            trigger = self._asked.rerun_script.widget_states.widgets.add()
            trigger.id = _TRIGGER.format(component=self._component)
            trigger.json_trigger_value = json.dumps([{"event": "changed", "value": stamp}])
        self._ask()

    def _ask(self) -> None:
        """Send what is asked for, and take in answers until the page is drawn."""
        self._line.send(self._asked.SerializeToString())
        while not self._is_last(self._line.recv(timeout=_PATIENCE_S, decode=False)):
            pass

    def _is_last(self, content: bytes) -> bool:
        told = ForwardMsg.FromString(content)
        kind = told.WhichOneof("type")
        if kind == "delta" and (found := _COMPONENT.search(content)):
            self._component = found[0].decode()
            self._asked.rerun_script.fragment_id = told.delta.fragment_id
        elif kind == "new_session":
            self._asked.rerun_script.page_script_hash = told.new_session.page_script_hash
        return kind == "script_finished" and told.script_finished in _ENDS


@contextmanager
def open_page(port: int, query: str) -> Iterator[PageClient]:
    """Open the page of a server at `port` with these choices in its address, and close it."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    with connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) as line:
        yield PageClient(line, query)
