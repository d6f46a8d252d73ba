"""View of the state of the system: processes, files, records, collector and model."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import streamlit as st

from core.errors import NotReady
from core.price_store import SQLITE_VERSION
from core.processes.heartbeat import Health
from core.reading.readers import Readers
from core.reading.status import SuiteStatus, judge
from core.reading.values import FileInfo
from core.times import now_ms
from core.version import VERSION
from dashboard.charts.tables import text_table
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors

__all__ = ["HIDDEN", "VIEW", "facts", "log_state", "process_rows", "show"]

_EVERY: Final = "3s"
_ORDER: Final = ("suite", "simulator", "collector", "pipeline", "api", "dashboard")
_PACKAGES: Final = ("streamlit", "plotly", "pandas", "pyarrow", "scikit-learn")
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
    children: Mapping[str, Any] = status.processes["suite"].progress.get("children") or {}
    rows = []
    for name in _ORDER:
        health = status.processes[name]
        if health.pid is None and name in ("suite", "simulator"):
            continue
        child = children.get(name) or {}
        rows.append(
            {
                texts("process.name"): texts(f"process.{name}"),
                texts("process.state"): _state_of(health, texts),
                texts("process.age"): "—" if health.age_s is None else formats.duration(health.age_s),
                texts("process.pid"): "—" if health.pid is None else str(health.pid),
                texts("process.since"): _local_time(health.started_at, formats),
                texts("process.restarts"): str(child.get("restarts", "—")),
                texts("process.errors"): str(health.counters.get("errors", 0)),
            }
        )
    return rows


def facts(health: Health, formats: Formats, texts: Texts) -> list[tuple[str, str]]:
    """Progress and counters of a process as pairs of label and value, with the last error at the end.

    Empty values are left out, and so is a message without a translation: the other facts hold the same information.
    """
    values = {**health.progress, **{name: value for name, value in health.counters.items() if name != "errors"}}
    pairs = [
        (texts.get(f"fact.{name}", name), _fact(value, formats, texts))
        for name, value in values.items()
        if name not in HIDDEN
        and value not in (None, "", [], {})
        and (name != "mensagem" or texts.has_translation(value))
    ]
    if health.last_error:
        at = _local_time(health.last_error.get("at"), formats)
        pairs.append((texts("fact.last_error"), f"{at}: {health.last_error.get('message', '')}"))
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
    status = judge(view.settings, view.readers)
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
        _facts_card(view, "collector", status.processes["collector"])
        _facts_card(view, "pipeline", status.processes["pipeline"])
    missing = _missing(view.readers)
    if missing:
        st.warning(escape_markdown(texts("diagnostics.missing", coins=", ".join(missing))), icon=":material/help:")


def _facts_card(view: ViewContext, name: str, health: Health) -> None:
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


def _state_of(health: Health, texts: Texts) -> str:
    if health.pid is None:
        return texts("process.unknown")
    if not health.alive:
        return texts("process.dead")
    return texts.translate(health.state) if health.state else texts("process.running")


def _fact(value: object, formats: Formats, texts: Texts) -> str:
    """A value as text; lists and tables become one line."""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, int | float):
        return formats.number(value, 0 if float(value).is_integer() else 2)
    if isinstance(value, list):
        return ", ".join(_fact(item, formats, texts) for item in value)
    if isinstance(value, dict):
        return " · ".join(f"{texts.translate(name)} {_fact(item, formats, texts)}" for name, item in value.items())
    return _local_time(texts.translate(str(value)), formats)


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


VIEW: Final = View("diagnostico", ":material/monitor_heart:", position=5, show=show)
