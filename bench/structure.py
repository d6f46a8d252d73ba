"""`python bench/structure.py [FOLDER]`: files, lines and function lengths per room of a checkout, by `ast` alone.

A line counts unless it is blank, a comment or part of a docstring.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PARTS: Final = {"bench": "bench", "tests": "tests"}
_SILENT: Final = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class _Room:
    files: int = 0
    lines: int = 0
    longest_file: int = 0
    functions: list[int] = field(default_factory=list)

    def add(self, lines: set[int], functions: list[int]) -> None:
        self.files += 1
        self.lines += len(lines)
        self.longest_file = max(self.longest_file, len(lines))
        self.functions += functions

    def row(self, name: str) -> str:
        lengths = sorted(self.functions) or [0]
        middle, high = (lengths[min(int(share * len(lengths)), len(lengths) - 1)] for share in (0.5, 0.9))
        counts = f"{self.files:6} {self.lines:7} {self.longest_file:8} {len(self.functions):10}"
        return f"{name:28} {counts} {middle:5} {high:5} {lengths[-1]:5}"


def _code_lines(source: str, tree: ast.Module) -> set[int]:
    """Numbers of the lines that hold code."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for token in tokens if token.type not in _SILENT for n in range(token.start[0], token.end[0] + 1)}
    return lines - set(_text_lines(tree))


def _text_lines(tree: ast.Module) -> Iterator[int]:
    """Lines of strings that stand alone: docstrings of modules, classes, functions and constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def measure(root: Path) -> tuple[dict[str, _Room], Counter[str]]:
    """Rooms (top folder and the one below) by name, and lines of product, bench and tests."""
    rooms: dict[str, _Room] = {}
    parts: Counter[str] = Counter()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).parts
        if any(name.startswith(".") for name in place):
            continue
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        lines = _code_lines(source, tree)
        found = [node for node in ast.walk(tree) if isinstance(node, _Function)]
        spans = [len(lines & set(range(node.lineno, (node.end_lineno or 0) + 1))) for node in found]
        rooms.setdefault("/".join(place[:-1][:2]) or ".", _Room()).add(lines, spans)
        parts[_PARTS.get(place[0], "product")] += len(lines)
    return rooms, parts


if __name__ == "__main__":
    by_room, totals = measure(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print(f"{'room':28} {'files':>6} {'lines':>7} {'longest':>8} {'functions':>10} {'p50':>5} {'p90':>5} {'max':>5}")
    print("\n".join(room.row(name) for name, room in sorted(by_room.items())))
    print("  ".join(f"{part}: {totals[part]} lines" for part in ("product", "bench", "tests")))
