"""View of the state of the system: processes, files, records, collector and model."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import streamlit as st

from core.errors import NotReady
from core.price_store import SQLITE_VERSION
from core.processes.health_schema import Step
from core.processes.heartbeat import Health
from core.reading.readers import Readers
from core.reading.status import SuiteStatus, assess_suite
from core.reading.values import FileInfo
from core.times import now_ms
from core.version import VERSION
from core.wording import Message, message
from dashboard.charts.tables import text_table
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors

__all__ = ["HIDDEN", "VIEW", "facts", "log_state", "process_rows", "show"]

_EVERY: Final = "3s"
_PACKAGES: Final = ("streamlit", "pandas", "pyarrow", "scikit-learn")
HIDDEN: Final = ("headline", "children", "urls")
"""Progress values that are meant for programs or shown elsewhere on the page."""

_MAX_FACT_LENGTH: Final = 300


def show(view: ViewContext) -> None:
    """Draw the view; it refreshes every three seconds."""
    st.fragment(_state, run_every=_EVERY)(view)
    with st.expander(view.texts("diagnostics.versions"), icon=":material/info:"):
        st.markdown(_versions())


def process_rows(status: SuiteStatus, formats: Formats, texts: Texts) -> list[dict[str, str]]:
    """One row per process: its state, the age of its heartbeat, and how often it was restarted."""
    children = status.processes.suite.progress.children
    rows = []
    for name, health in status.processes.by_name().items():
        if health.pid is None and name in ("suite", "simulator"):
            continue
        child = children.get(name)
        rows.append(
            {
                texts("process.name"): texts(f"process.{name}"),
                texts("process.state"): _state_of(health, texts),
                texts("process.age"): "—" if health.age_s is None else formats.duration(health.age_s),
                texts("process.pid"): "—" if health.pid is None else str(health.pid),
                texts("process.since"): _local_time(health.started_at, formats),
                texts("process.restarts"): "—" if child is None else str(child.restarts),
                texts("process.errors"): str(health.counters.get("errors", 0)),
            }
        )
    return rows


def facts(health: Health[Any], formats: Formats, texts: Texts) -> list[tuple[str, str]]:
    """Progress and counters of a process as pairs of label and value, with the last error at the end.

    Empty values are left out.
    """
    said = {field.name: getattr(health.progress, field.name) for field in fields(health.progress)}
    said |= {"damaged": health.damaged}
    said |= {name: value for name, value in health.counters.items() if name != "errors"}
    pairs = [
        (texts(f"fact.{name}"), _fact(value, formats, texts))
        for name, value in said.items()
        if name not in HIDDEN and value not in (None, "", (), {})
    ]
    if health.last_error:
        at = _local_time(health.last_error.at, formats)
        pairs.append((texts("fact.last_error"), f"{at}: {texts.translate(health.last_error.message)}"))
    return [(name, value[:_MAX_FACT_LENGTH]) for name, value in pairs]


def log_state(files: Sequence[FileInfo], texts: Texts, formats: Formats) -> str:
    """One sentence on the size and age of the forecast log."""
    log = next((file for file in files if file.name == "log"), None)
    if log is None:
        return texts("diagnostics.log_empty")
    return texts(
        "diagnostics.log_state",
        rows=formats.number(log.rows or 0),
        files=formats.number(log.files),
        size=formats.size(log.size_bytes),
        updated=formats.date_time(log.updated_ms),
    )


def _file_rows(files: Sequence[FileInfo], at_ms: int, formats: Formats, texts: Texts) -> list[dict[str, str]]:
    """One row per published table: records, size, last update."""
    return [
        {
            texts("table.file"): file.name,
            texts("table.rows"): "—" if file.rows is None else formats.number(file.rows),
            texts("table.size"): formats.size(file.size_bytes),
            texts("table.files"): formats.number(file.files),
            texts("table.updated"): formats.date_time(file.updated_ms),
            texts("table.age"): "—" if file.updated_ms is None else formats.duration((at_ms - file.updated_ms) / 1000),
        }
        for file in files
    ]


def _state(view: ViewContext) -> None:
    texts, formats = view.texts, view.formats
    status = assess_suite(view.settings, view.readers)
    st.markdown(f"#### {texts('diagnostics.processes')}")
    alarming = (texts("process.dead"), texts("process.unknown"))
    rows = process_rows(status, formats, texts)
    st.dataframe(text_table(rows, texts("process.state"), alarming), hide_index=True, key="process_table")
    st.markdown(f"#### {texts('diagnostics.files')}")
    with showing_errors(view):
        files = view.readers.files()
        st.markdown(escape_markdown(log_state(files, texts, formats)))
        st.dataframe(text_table(_file_rows(files, now_ms(), formats, texts)), hide_index=True, key="file_table")
    with st.grid(2, min_column_width=330):
        _facts_card(view, "collector", status.processes.collector)
        _facts_card(view, "pipeline", status.processes.pipeline)
    missing = _missing(view.readers)
    if missing:
        st.warning(escape_markdown(texts("diagnostics.missing", coins=", ".join(missing))), icon=":material/help:")


def _facts_card(view: ViewContext, name: str, health: Health[Any]) -> None:
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{view.texts(f'diagnostics.{name}')}**")
        pairs = facts(health, view.formats, view.texts)
        if not pairs:
            st.caption(view.texts("diagnostics.silent"))
            return
        st.markdown("\n".join(f"- {escape_markdown(label)}: **{escape_markdown(value)}**" for label, value in pairs))


def _missing(readers: Readers) -> list[str]:
    """Names of the coins that are collected and have no price yet."""
    try:
        return [quote.name for quote in readers.quotes() if quote.price is None]
    except NotReady:
        return []


def _state_of(health: Health[Any], texts: Texts) -> str:
    if health.pid is None:
        return texts("process.unknown")
    if not health.alive:
        return texts("process.dead")
    return texts.translate(message(f"state.{health.state}"))


def _fact(value: object, formats: Formats, texts: Texts) -> str:
    """A value as people read it; lists and tables become one line."""
    match value:
        case bool():
            return "✓" if value else "✗"
        case int() | float():
            return formats.number(value, 0 if float(value).is_integer() else 2)
        case tuple():
            return ", ".join(_fact(item, formats, texts) for item in value)
        case Step() | Message():
            return texts.translate(value if isinstance(value, Message) else message(f"step.{value}"))
        case Mapping():
            pairs = value.items()
            return " · ".join(f"{_fact(name, formats, texts)} {_fact(item, formats, texts)}" for name, item in pairs)
    return _local_time(str(value), formats)


def _local_time(text: str | None, formats: Formats) -> str:
    """An ISO time in the visitor's time zone; any other text as it is."""
    if not text:
        return "—"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return formats.date_time(round(instant.timestamp() * 1000)) if instant.tzinfo else text


def _versions() -> str:
    packages = "".join(f"\n- {name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    return (
        f"- Crypto Forecasting Pipeline {VERSION}\n- Python {platform.python_version()} ({platform.system()})"
        f"\n- SQLite {SQLITE_VERSION}{packages}"
    )


VIEW: Final = View("diagnostico", ":material/monitor_heart:", position=6, show=show)
