"""Scoring as a step: logged forecasts that came due are compared with outcomes. `python -m model.score`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from core.accuracy.scores import MetricsBlock
from core.accuracy.summary import summarise
from core.price_store import open_reader
from core.processes.command_line import CommandLine, run_command
from core.publishing.publisher import Publisher
from core.settings import Settings
from core.wording import message, say
from core.workspace import workspace_for_step
from model.scoring.live_scorer import LiveScorer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Score once what is due and print the scores."""
    return run_command(CommandLine("model.score"), _score_once, arguments)


def _score_once(settings: Settings, _given: Namespace) -> int:
    workspace = workspace_for_step(settings)
    with open_reader(workspace.store) as prices, workspace.hold_pipeline():
        scorer = LiveScorer(Publisher(workspace.processed))
        rows = scorer.step(prices)
    print(_report(summarise(rows), scorer.pending))  # noqa: T201 - the answer to the person who asked
    return 0


def _report(block: MetricsBlock | None, pending: int) -> str:
    """The new scores as a table."""
    waiting = say(message("score.waiting", pending=pending))
    if block is None:
        return f"{say(message('score.nothing'))} {waiting}"
    lines = [say(message("score.header"))]
    for name, score in [*((f"{h} min", s) for h, s in block.by_horizon.items()), ("all", block.overall)]:
        label = say(message("score.all")) if name == "all" else name
        ratio = "-" if score.relative_pinball is None else f"{score.relative_pinball:.3f}"
        lines.append(f"{label:>9} {score.forecasts:>9} {ratio:>16} {100 * score.coverage[80]:>13.1f}%")
    if block.excluded_stable_coins:
        lines.append(say(message("score.apart", coins=", ".join(block.excluded_stable_coins))))
    return "\n".join([*lines, say(message("score.meaning")), waiting])


if __name__ == "__main__":
    sys.exit(main())
