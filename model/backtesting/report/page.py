"""A report as one self-contained HTML page, in light or dark as the system asks."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from core.wording import message, say
from model.backtesting.report.parts import Figure, Report, Section, Table
from model.backtesting.report.sections import figures, headline, notes, sections

__all__ = ["html_page"]

_STYLE: Final = Path(__file__).with_name("report.css")
_FULL_TINT: Final = 0.1
"""A ratio this far from 1 has the full tint."""


def html_page(report: Report) -> str:
    """The whole page, without references to other files."""
    title = escape(say(message("report.title")))
    body = [
        f"<h1>{title}</h1><p>{escape(headline(report))}</p>",
        f'<div class="tiles">{"".join(_tile(figure) for figure in figures(report))}</div>',
        f'<p class="soft">{escape(notes(report))}</p>',
        _facts(report),
        *(_section(section) for section in sections(report)),
    ]
    return (
        '<!doctype html>\n<html lang="pt-BR"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _tile(figure: Figure) -> str:
    name, value, note = escape(figure.name), escape(figure.value), escape(figure.note)
    return f'<div class="tile"><span>{name}</span><b>{value}</b><small>{note}</small></div>'


def _facts(report: Report) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in report.facts.items())
    return f'<div class="scroll"><table class="facts">{rows}</table></div>' if rows else ""


def _section(section: Section) -> str:
    tables = "".join(_html_table(table) for table in section.tables)
    title, text = escape(section.title), escape(section.text)
    return f"<section><h2>{title}</h2><p>{text}</p>{''.join(section.charts)}{tables}</section>"


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    body = []
    for place, row in enumerate(table.rows):
        tints = ["", *(_tint(ratio) for ratio in table.ratios[place])] if table.ratios else [""] * len(row)
        body.append(f"<tr>{''.join(_cell(cell, tint) for cell, tint in zip(row, tints, strict=True))}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _cell(text: str, tint: str) -> str:
    return f"<td{tint}>{escape(text)}</td>"


def _tint(ratio: float | None) -> str:
    """Background of a cell: tinted as better below 1, as worse above."""
    if ratio is None:
        return ""
    strength = min(abs(ratio - 1) / _FULL_TINT, 1.0)
    colour = "better" if ratio < 1 else "worse"
    return f' style="background:color-mix(in srgb, var(--{colour}) {45 * strength:.0f}%, transparent)"'
