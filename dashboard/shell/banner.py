"""Banner at the top: simulated or replayed prices, and problems of the suite."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from core.reading.status import SuiteStatus
from core.settings import Source
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["Notice", "as_html", "notices", "watermark"]

_STYLES: Final = {
    "simulated": ("#ffb000", "#1a1200"),
    "replayed": ("#6d3bd1", "#ffffff"),
    "problem": ("#b42318", "#ffffff"),
    "news": ("#1d5fbf", "#ffffff"),
}


@dataclass(frozen=True)
class Notice:
    """One bar of the banner; `kind` decides its colours."""

    kind: str
    title: str
    lines: tuple[str, ...] = ()


def notices(status: SuiteStatus, texts: Texts, formats: Formats) -> list[Notice]:
    """The bars for this state of the suite, most important first; none while live data flow."""
    bars = []
    notice = texts.translate(status.notice) if status.notice else None
    if status.source is Source.DEMO:
        bars.append(Notice("simulated", texts("banner.simulated"), (notice or texts("banner.simulated_why"),)))
    elif status.source is Source.REPLAY:
        ends = status.replay_ends_ms
        until = (texts("banner.replay_ends", moment=formats.date_time(ends)),) if ends else ()
        bars.append(Notice("replayed", texts("banner.replayed"), (texts("banner.replayed_why"), *until)))
    elif notice:
        bars.append(Notice("news", notice))
    if status.problems:
        sentences = tuple(_sentence(texts.translate(problem)) for problem in status.problems)
        bars.append(Notice("problem", texts("banner.problems"), sentences))
    return bars


def as_html(bars: list[Notice]) -> str:
    """The bars as HTML; every text is escaped."""
    return "".join(_bar(bar) for bar in bars)


def watermark(source: Source | None, texts: Texts) -> str | None:
    """The text written across charts whose prices are not live, or None."""
    keys = {Source.DEMO: "banner.simulated", Source.REPLAY: "banner.replayed"}
    return texts(keys[source]) if source in keys else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _bar(bar: Notice) -> str:
    """One line; a click or Enter opens it where the words need more."""
    background, colour = _STYLES[bar.kind]
    role = "alert" if bar.kind == "problem" else "status"
    lines = "".join(f" <span>{escape(line)}</span>" for line in bar.lines)
    style = f"background:{background};color:{colour}"
    return (
        f'<div class="notice" role="{role}" data-notice="{bar.kind}" style="{style}"><details>'
        f"<summary><strong>{escape(bar.title)}</strong>{lines}</summary></details></div>"
    )
