"""Progress of the first data collection, shown instead of empty charts."""

from __future__ import annotations

from typing import Final

import streamlit as st

from core.errors import ConfigurationError, DamagedFile, NotReady
from core.processes.health_schema import CollectorProgress, PipelineProgress
from core.processes.heartbeat import Health
from core.reading.status import SuiteStatus, assess_suite
from core.wording import message
from dashboard.i18n.texts import Texts
from dashboard.shell.context import ViewContext, escape_markdown

__all__ = ["steps_to_data", "waiting_view"]

_EVERY: Final = "2s"


def waiting_view(view: ViewContext) -> None:
    """Draw the progress until the first price arrives; the layout then draws the views."""
    st.fragment(_steps, run_every=_EVERY)(view)


def steps_to_data(status: SuiteStatus, texts: Texts) -> list[tuple[str, float | None]]:
    """The steps left before the first chart: a sentence each, and the share done (0-1) if known."""
    collector, pipeline = status.processes.collector, status.processes.pipeline
    if status.source is None and not collector.alive:
        return [(texts("waiting.source" if status.processes.suite.alive else "waiting.start"), None)]
    doing, share = _doing(collector, texts), None
    done, total = collector.progress.backfill_done, collector.progress.backfill_total
    if collector.alive and total:
        doing, share = texts("waiting.backfill", state=doing, done=done, total=total), min(done / total, 1.0)
    steps = [(texts("waiting.collector", state=doing), share)]
    if collector.last_error:
        steps.append((texts("waiting.error", message=texts.translate(collector.last_error.message)), None))
    steps.append((texts("waiting.pipeline", state=_doing(pipeline, texts)), None))
    return steps


def _steps(view: ViewContext) -> None:
    st.markdown(f"## :material/hourglass_top: {view.texts('waiting.title')}")
    status = assess_suite(view.settings, view.readers)
    for sentence, share in steps_to_data(status, view.texts):
        if share is None:
            st.markdown(f":material/pending: {escape_markdown(sentence)}")
        else:
            st.progress(share, text=escape_markdown(sentence))
    try:
        view.readers.quotes()
    except (NotReady, ConfigurationError) as reason:
        st.caption(escape_markdown(view.texts.translate(reason.message)))
    except DamagedFile as error:
        st.error(
            escape_markdown(view.texts("errors.damaged", file=view.texts.translate(error.message))),
            icon=":material/broken_image:",
        )


def _doing(process: Health[CollectorProgress] | Health[PipelineProgress], texts: Texts) -> str:
    """The message of a process about its work, or its state."""
    if not process.alive:
        return texts("waiting.not_running")
    if process.progress.message:
        return texts.translate(process.progress.message)
    return texts.translate(message(f"state.{process.state}"))
