"""Scoring as a step: logged forecasts that came due meet their outcomes. `python -m model.score`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from core.accuracy.scores import MetricsBlock, summarise
from core.errors import NotReady
from core.logs import configure_logging
from core.price_store import PriceReader
from core.processes.lifecycle import run_main
from core.publishing.publisher import Publisher
from core.settings import load_settings
from core.workspace import current_workspace
from model.scoring.live_scorer import LiveScorer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Score once what is due, and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m model.score",
        description="Compara uma vez as previsões registradas que já venceram com os preços observados, "
        "publica as pontuações e mostra-as. Usa as configurações do arquivo .env e do ambiente.",
    )
    parser.parse_args(arguments)
    settings = load_settings()
    configure_logging(settings.log_level)
    try:
        workspace = current_workspace(settings)
        with PriceReader(workspace.database) as prices, workspace.hold_pipeline():
            scorer = LiveScorer(Publisher(workspace.processed))
            rows = scorer.step(prices)
    except NotReady as error:
        print(f"Nada a pontuar: {error}")  # noqa: T201 - the answer to the person who asked
        return 0
    print(_report(summarise(rows), scorer.pending))  # noqa: T201 - as above
    return 0


def _report(block: MetricsBlock | None, pending: int) -> str:
    """What was scored, as a table in Portuguese."""
    waiting = f"{pending} previsões ainda aguardam o preço do seu horário."
    if block is None:
        return f"Nenhuma previsão nova para pontuar. {waiting}"
    lines = [f"{'horizonte':>9} {'previsões':>9} {'pinball relativo':>16} {'cobertura 80 %':>14}"]
    for name, score in [*((f"{h} min", s) for h, s in block.by_horizon.items()), ("todos", block.overall)]:
        ratio = "-" if score.relative_pinball is None else f"{score.relative_pinball:.3f}"
        lines.append(f"{name:>9} {score.forecasts:>9} {ratio:>16} {100 * score.coverage[80]:>13.1f}%")
    if block.apart:
        lines.append(f"À parte, por quase não se moverem: {', '.join(block.apart)}.")
    return "\n".join([*lines, "Pinball relativo abaixo de 1: melhor do que «o preço fica».", waiting])


if __name__ == "__main__":
    sys.exit(run_main(main))
