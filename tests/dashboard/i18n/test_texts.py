"""The catalogues: same keys, same placeholders, nothing missing, nothing left over."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import dashboard
from core.reading.status import SENTENCES, Problem
from core.settings import Source, load_settings
from dashboard.i18n.texts import LANGUAGES, Texts, catalogue
from model import pipeline
from suite.source import BACK_NOTICE, FALLBACK_NOTICE, decide

SOURCES = "\n".join(path.read_text("utf-8") for path in sorted(Path(dashboard.__file__).parent.rglob("*.py")))


def placeholders(text: str) -> set[str]:
    """Names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages_say_the_same() -> None:
    """Every text exists in every language, with the same values to fill in."""
    portuguese = catalogue("pt")
    for language in LANGUAGES:
        texts = catalogue(language)
        assert texts.keys() == portuguese.keys()
        for key, text in texts.items():
            assert placeholders(text) == placeholders(portuguese[key]), key


def test_every_text_asked_for_exists() -> None:
    """Keys written out in the code are in the catalogue."""
    asked = set(re.findall(r'texts(?:\.get)?\(\s*"([a-z_]+\.[a-z0-9_]+)"', SOURCES))
    assert len(asked) > 60
    assert asked <= catalogue("pt").keys()


def test_no_text_is_left_over() -> None:
    """Every text is used: by its key, or by a key that the code composes."""
    composed = set(re.findall(r"""f["']([a-z_]+\.[a-z_]*)\{""", SOURCES))
    names = set(re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", SOURCES))
    unused = [key for key in catalogue("pt") if key not in names and not any(key.startswith(part) for part in composed)]
    assert unused == []


@pytest.mark.parametrize("code", SENTENCES)
def test_every_problem_is_said_in_every_language(code: str) -> None:
    """A problem's sentence keeps all its values, and only the Portuguese page has the Portuguese one."""
    problem = Problem(code, {name: f"<{name}>" for name in placeholders(SENTENCES[code])})
    for language in LANGUAGES:
        sentence = Texts(language).problem(problem)
        assert (sentence == problem.text) == (language == "pt")
        assert all(value in sentence for value in problem.values.values())


STEPS = [getattr(pipeline, name) for name in pipeline.__all__ if name.isupper()]


def notice(source: Source) -> str:
    """What the supervisor says of a source that was chosen."""
    settings = load_settings(source=source, replay=Path("any.csv"))
    return decide(settings, reachable=True).notice or ""


def test_steps_and_notices_are_said_in_every_language() -> None:
    """The pipeline's steps and the supervisor's notices have a translation in each language but their own."""
    notices = [FALLBACK_NOTICE, BACK_NOTICE, notice(Source.DEMO), notice(Source.REPLAY)]
    for phrase in (*STEPS, *notices):
        for language in LANGUAGES:
            assert Texts(language).has_translation(phrase), phrase
            assert (Texts(language).translate(phrase) == phrase) == (language == "pt"), phrase


def test_a_phrase_without_translation_stays_as_it_is() -> None:
    """What nobody translated is shown rather than hidden, and known to be Portuguese."""
    texts = Texts("en")
    assert (texts.translate("algo novo"), texts.has_translation("algo novo")) == ("algo novo", False)


def test_unknown_keys_are_errors() -> None:
    """A misspelt key is noticed."""
    with pytest.raises(KeyError):
        Texts("pt")("overview.prise_now")
