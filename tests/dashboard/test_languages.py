"""Each page is in one language: no word of the other one and no `None` is to be read on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import pytest

from core.wording import sentences
from dashboard.i18n.texts import catalogue
from dashboard.views import VIEWS
from tests.support.dashboard_page import open_page
from tests.support.visible_text import visible_texts
from tests.support.workspace import SampleWorkspace

_NAMES: Final = ("Crypto Forecasting Pipeline", "Idioma / Language")
"""What is the same on every page: the name of the project, and the switch between the languages."""


def words(texts: Iterable[str]) -> set[str]:
    """Words of two letters and more, in lower case, without placeholders, addresses, colours and names of icons."""
    plain = (re.sub(r"\{\w*\}|%\{[^}]*\}|https?\S+|:\w+/\w+:|<[^>]+>|`[^`]*`|[#&]\w+", " ", text) for text in texts)
    return {word for text in plain for word in re.findall(r"[^\W\d_]{2,}", text.lower())}


def _without_names(text: str) -> str:
    for name in _NAMES:
        text = text.replace(name, "")
    return text


def vocabulary(language: str) -> set[str]:
    """The words of all texts of a language."""
    return words([*catalogue(language).values(), *sentences(language).values()])


@pytest.mark.parametrize(("language", "other"), [("pt", "en"), ("en", "pt")])
def test_no_page_has_words_of_the_other_language(running: SampleWorkspace, language: str, other: str) -> None:
    """No text, label, help, table or chart has a word that only the other catalogue knows, nor the word None.

    The files of Exportar have Portuguese columns in either language, as that page says.
    """
    foreign = vocabulary(other) - vocabulary(language)
    for view in VIEWS:
        page = open_page(pagina=view, idioma=language, carteira="bitcoin:1")
        technical = catalogue(language)["table.technical_name"]  # names of files, in English as on the disk
        texts = visible_texts(page, tables=view != "exportar", without_column=technical)
        assert len(texts) > 10, view
        found = {word: text for text in texts for word in words([_without_names(text)]) & foreign}
        assert found == {}, view
        assert not [text for text in texts if re.search(r"\bNone\b", text)], view


def test_the_scan_sees_both_languages() -> None:
    """The vocabularies differ by hundreds of words, so that a sentence of the other language is found."""
    assert len(vocabulary("pt") - vocabulary("en")) > 300
    assert len(vocabulary("en") - vocabulary("pt")) > 300
    assert words(["Não há {count} previsões :material/x: em https://x.org"]) == {"não", "há", "previsões", "em"}
