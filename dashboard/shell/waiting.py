"""Progress of the first data collection, shown instead of empty charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from core.errors import DamagedFile, NotReady
from core.processes.heartbeat import Health
from core.reading.status import SuiteStatus, judge
from dashboard.i18n.texts import Texts
from dashboard.shell.context import ViewContext, escape_markdown

__all__ = ["steps_to_data", "waiting_view"]

_EVERY: Final = "2s"


def waiting_view(view: ViewContext) -> None:
    """Draw the progress until the first price arrives; the layout then draws the views."""
    st.fragment(_steps, run_every=_EVERY)(view)


def steps_to_data(status: SuiteStatus, texts: Texts) -> list[tuple[str, float | None]]:
    """The steps that remain before the first chart: a sentence each, and the share done (0-1) where it is known."""
    collector, pipeline = status.processes["collector"], status.processes["pipeline"]
    if status.source is None and not collector.alive:
        return [(texts("waiting.source" if status.processes["suite"].alive else "waiting.start"), None)]
    steps = [(_name("waiting.collector", collector, texts), _share(collector.progress))]
    if collector.last_error:
        steps.append((texts("waiting.error", message=collector.last_error.get("message", "")), None))
    steps.append((_name("waiting.pipeline", pipeline, texts), None))
    return steps


def _steps(view: ViewContext) -> None:
    st.markdown(f"#### :material/hourglass_top: {view.texts('waiting.title')}")
    status = judge(view.settings, view.readers)
    for sentence, share in steps_to_data(status, view.texts):
        if share is None:
            st.markdown(f":material/pending: {escape_markdown(sentence)}")
        else:
            st.progress(share, text=escape_markdown(sentence))
    try:
        view.readers.quotes()
    except NotReady as reason:
        st.caption(escape_markdown(view.texts.translate(str(reason))))
    except DamagedFile as error:
        st.error(escape_markdown(view.texts("errors.damaged", file=error)), icon=":material/broken_image:")


def _name(key: str, process: Health, texts: Texts) -> str:
    if not process.alive:
        return texts(key, state=texts("waiting.not_running"))
    message, state = process.progress.get("mensagem"), process.state or texts("waiting.running")
    state = message if message and texts.has_translation(message) else texts.translate(state)
    done, total = _backfill(process.progress)
    return texts(key, state=texts("waiting.backfill", state=state, done=done, total=total) if total else state)


def _share(progress: Mapping[str, Any]) -> float | None:
    """Share of the first back-fill that is done, or None where it is unknown."""
    done, total = _backfill(progress)
    return min(done / total, 1.0) if total else None


def _backfill(progress: Mapping[str, Any]) -> tuple[int, int]:
    return int(progress.get("backfill_done") or 0), int(progress.get("backfill_total") or 0)
