"""View of the state of the system: what is wrong and what to do, then times, calls, disk, processes and details."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from core.errors import NotReady
from core.price_store import SQLITE_VERSION
from core.processes.heartbeat import Health
from core.reading.readers import Readers
from core.reading.status import State, SuiteStatus, assess_suite
from core.reading.values import FileInfo
from core.times import now_ms
from core.version import VERSION
from dashboard.charts.tables import text_table
from dashboard.diagnosis import facts, findings, process_rows, summary
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import ages, live

__all__ = ["VIEW", "log_state", "show"]

_PACKAGES: Final = ("streamlit", "pandas", "pyarrow", "scikit-learn")
_LEAST_POINTS: Final = 2
"""Fewer values are not a line."""


def show(view: ViewContext) -> None:
    """Draw the view, which follows the data."""
    live(_state, "diagnosis")(view)
    with st.expander(view.texts("diagnostics.details"), icon=":material/build:", key="details"):
        live(_details, "diagnosis_details")(view)
        st.markdown(_versions())


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


def _state(view: ViewContext) -> None:
    texts, formats = view.texts, view.formats
    status = assess_suite(view.settings, view.readers)
    _verdict(view, status)
    st.html(ages(status.newest_price_ms, status.forecast_ms, formats, texts))
    with showing_errors(view):
        files = view.readers.files()
        _cards(view, status, sum(file.size_bytes for file in files))
        st.caption(escape_markdown(log_state(files, texts, formats)))
    alarming = (texts("process.dead"), texts("process.unknown"))
    rows = process_rows(status, now_ms(), formats, texts)
    for row in rows:
        del row[texts("process.pid")], row[texts("process.since")]
    st.markdown(f"## {texts('diagnostics.processes')}")
    st.dataframe(text_table(rows, texts("process.state"), alarming), hide_index=True, key="process_table")
    missing = _missing(view.readers)
    if missing:
        st.warning(escape_markdown(texts("diagnostics.missing", coins=", ".join(missing))), icon=":material/help:")


def _verdict(view: ViewContext, status: SuiteStatus) -> None:
    """One line: what is wrong, since when and what to do, or that all is in order; further problems below it."""
    texts, at_ms = view.texts, now_ms()
    found = [escape_markdown(summary(one, at_ms, view.formats, texts)) for one in findings(status, at_ms, texts)]
    if found:
        st.error(f"**{found[0]}**", icon=":material/error:")
        for sentence in found[1:]:
            st.markdown(f":red[:material/error:] {sentence}")
    elif status.state is State.WAITING:
        st.info(texts("diagnostics.starting"), icon=":material/hourglass_top:")
    else:
        st.success(f"**{texts('diagnostics.in_order')}**", icon=":material/check_circle:")


def _cards(view: ViewContext, status: SuiteStatus, data_bytes: int) -> None:
    texts, formats, processes = view.texts, view.formats, status.processes
    collector, pipeline = processes.collector.progress, processes.pipeline.progress
    with st.grid(4, min_column_width=150, gap="small", key="diagnosis_cards"):
        took = pipeline.cycle_seconds
        _card(
            texts("diagnostics.cycle"),
            "—" if took is None else f"{formats.number(took, 2)}\u00a0s",
            texts("diagnostics.cycle_of", seconds=formats.number(view.settings.interval)),
            pipeline.recent_cycle_seconds,
        )
        _card(
            texts("diagnostics.calls_minute"),
            _of_limit(collector.calls_minute, collector.calls_minute_limit, formats, texts),
            points=collector.recent_calls_minute,
        )
        _card(
            texts("diagnostics.calls_month"),
            _of_limit(collector.calls_month, collector.calls_month_limit, formats, texts),
        )
        disk = shutil.disk_usage(view.settings.data_dir)
        _card(
            texts("diagnostics.disk"),
            formats.size(disk.free),
            texts("diagnostics.data_size", size=formats.size(data_bytes)),
        )


def _card(label: str, value: str, note: str | None = None, points: Sequence[float] = ()) -> None:
    """A number with a note and, from two points on, how it went lately."""
    st.metric(
        label,
        escape_markdown(value),
        delta_description=note,
        chart_data=points if len(points) >= _LEAST_POINTS else None,
        chart_type="bar",
        border=True,
        height="stretch",
    )


def _of_limit(calls: int, limit: int | None, formats: Formats, texts: Texts) -> str:
    if limit is None:
        return formats.number(calls)
    return texts("diagnostics.of_limit", calls=formats.number(calls), limit=formats.number(limit))


def _details(view: ViewContext) -> None:
    """Everything under its technical name."""
    texts, formats = view.texts, view.formats
    status = assess_suite(view.settings, view.readers)
    st.dataframe(text_table(process_rows(status, now_ms(), formats, texts)), hide_index=True, key="process_details")
    with showing_errors(view):
        rows = _file_rows(view.readers.files(), formats, texts)
        st.dataframe(text_table(rows), hide_index=True, key="file_table")
    with st.grid(2, min_column_width=330):
        _facts_card(view, "collector", status.processes.collector)
        _facts_card(view, "pipeline", status.processes.pipeline)


def _file_rows(files: Sequence[FileInfo], formats: Formats, texts: Texts) -> list[dict[str, str]]:
    """One row per published table: what it holds, its technical name, records, size, last update."""
    return [
        {
            texts("table.file"): texts.get(f"file.{file.name.replace('.', '_')}", file.name),
            texts("table.technical_name"): file.name,
            texts("table.rows"): "—" if file.rows is None else formats.number(file.rows),
            texts("table.size"): formats.size(file.size_bytes),
            texts("table.files"): formats.number(file.files),
            texts("table.updated"): formats.date_time(file.updated_ms),
        }
        for file in files
    ]


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


def _versions() -> str:
    packages = "".join(f"\n- {name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    return (
        f"- Crypto Forecasting Pipeline {VERSION}\n- Python {platform.python_version()} ({platform.system()})"
        f"\n- SQLite {SQLITE_VERSION}{packages}"
    )


VIEW: Final = View(
    "diagnostico",
    ":material/monitor_heart:",
    position=7,
    show=show,
    also=("diagnosticos", "diagnostics", "status", "saude"),
)
