"""What scores allow to conclude, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from core.accuracy.scores import MetricsBlock, Score
from core.times import MINUTE_MS
from dashboard.charts.verdicts import (
    direction_verdict,
    may_speak,
    ranges_verdict,
    skill_interval,
    skill_verdict,
)
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

FORMATS = Formats("pt", UTC, "usd")
TEXTS = Texts("pt")
SCORE = Score(
    forecasts=1240, hours=48, start_ms=1_763_812_800_000, end_ms=1_763_985_600_000, relative_pinball=0.97, skill=0.03,
    coverage={50: 0.49, 80: 0.796, 90: 0.9, 95: 0.94}, width_80_percent=0.8, winkler_ratio=0.96, mae_percent=0.2,
    mae_ratio=0.998, hit_rate=0.52, hit_low=0.45, hit_high=0.59, brier=0.249, better_p_value=0.01, model_share=1.0,
    skill_margin=0.01,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "colour", "words"),
    [
        ({}, "green", "Melhor que “o preço não muda”: erro 3,00% menor"),
        ({"better_p_value": 0.0000004}, "green", "(p < 0,001)"),
        ({"better_p_value": 0.98, "skill": -0.02}, "red", "erro 2,00% maior"),
        ({"skill": -0.08}, "orange", "erro evitado: -8,00%"),
        ({"better_p_value": 0.98}, "orange", "erro evitado: +3,00%"),
        ({"better_p_value": 0.4}, "orange", "Sem vantagem demonstrada"),
        ({"hours": 3}, "blue", "são só 3 h"),
        ({"better_p_value": None}, "blue", "cedo demais"),
    ],
)
def test_the_verdict_claims_no_more_than_the_test(changes: dict[str, float], colour: str, words: str) -> None:
    """An advantage is claimed only with enough hours, a small p-value, and a skill that does not contradict it."""
    given, sentence = skill_verdict(replace(SCORE, **changes), FORMATS, TEXTS)  # type: ignore[arg-type]  # fields by name
    assert given == colour
    assert words in sentence


@pytest.mark.parametrize(
    ("share", "hours", "colour", "words"),
    [
        (0.796, 48, "green", "De 1.240 faixas de 80% para dali a uma hora, 79,6% acertaram. É o que foi prometido"),
        (0.60, 48, "orange", "estreitas demais"),
        (0.97, 48, "orange", "largas demais"),
        (0.60, 20, "blue", "cedo demais"),
        (0.72, 30, "green", "até onde o acaso deixa ver"),
    ],
)
def test_ranges_are_judged_against_their_promise(share: float, hours: int, colour: str, words: str) -> None:
    """The sentence counts the ranges of an hour ahead, and blames them only beyond what chance explains."""
    score = replace(SCORE, coverage={**SCORE.coverage, 80: share}, hours=hours)
    given, sentence = ranges_verdict(MetricsBlock(SCORE, by_horizon={60: score}), FORMATS, TEXTS)
    assert given == colour
    assert words in sentence


def test_shorter_ranges_do_not_pass_for_those_of_an_hour() -> None:
    """Six minutes after the start the sentence names the horizons that have outcomes, and the span."""
    young = replace(SCORE, hours=1, end_ms=SCORE.start_ms + 6 * MINUTE_MS + 59_000, forecasts=16)
    colour, sentence = ranges_verdict(MetricsBlock(young, by_horizon={5: young, 10: young}), FORMATS, TEXTS)
    assert colour == "blue"
    assert (
        "Nenhuma previsão de uma hora pôde ser conferida ainda. De 16 faixas de 80% para dali a 5 a 10 min" in sentence
    )
    assert "Com 6 min de resultados" in sentence


@pytest.mark.parametrize(
    ("hits", "words"),
    [
        ((None, None, None), "nenhuma previsão apostou"),
        ((0.52, 0.45, 0.59), "52,0% de acertos (de 45,0% a 59,0%) não se distinguem de cara ou coroa"),
        ((0.60, 0.55, 0.65), "mais que cara ou coroa"),
        ((0.40, 0.35, 0.45), "menos que cara ou coroa"),
    ],
)
def test_directions_without_skill_are_called_so(hits: tuple[float | None, ...], words: str) -> None:
    """Only an interval that leaves out one half says something of the direction."""
    score = replace(SCORE, hit_rate=hits[0], hit_low=hits[1], hit_high=hits[2])
    assert words in direction_verdict(score, FORMATS, TEXTS)


def test_the_error_avoided_is_hidden_until_it_may_speak() -> None:
    """With an interval it is shown with it; without one there is a dash and the reason."""
    assert skill_interval(SCORE, FORMATS, TEXTS) == ("+3,0%", "de +2,0% a +4,0%")
    early = replace(SCORE, skill_margin=None)
    assert skill_interval(early, FORMATS, TEXTS) == ("—", "cedo demais: a partir de 24 h de resultados")
    assert may_speak(SCORE)
    assert not may_speak(early)
