"""The page for a screen on a wall."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.shell.kiosk import coin_in_turn, turn_seconds
from tests.support.dashboard_page import cards_on, open_page, text_on
from tests.support.workspace import SampleWorkspace


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.integers(5, 3600), st.floats(0, 2e9))
def test_each_coin_has_its_turn(coins: list[str], seconds: int, now_s: float) -> None:
    """Within one round every coin of the list is shown once, in order."""
    start = coins.index(coin_in_turn(coins, seconds, now_s))
    turns = [coin_in_turn(coins, seconds, now_s + turn * seconds) for turn in range(len(coins))]
    assert turns == coins[start:] + coins[:start]


def test_the_length_of_a_turn_is_bounded() -> None:
    """From the address, between 5 s and an hour; 20 s where it names no number."""
    assert [turn_seconds(asked) for asked in ("", "x", "-3", "1", "30", "9999")] == [20, 20, 20, 5, 30, 3600]


def test_a_screen_shows_one_coin_and_nothing_to_choose(running: SampleWorkspace) -> None:
    """Price and banner are there; tabs, language and choices are not."""
    page = open_page(modo="tela", moeda="SHIB")
    assert not page.exception
    assert "# Shiba Inu (SHIB)" in text_on(page)
    assert "DADOS SIMULADOS" in text_on(page)
    assert cards_on(page)["Preço agora"] == "US$\u00a00,00002431"
    assert not [*page.pills, *page.selectbox, *page.segmented_control]


def test_a_list_takes_turns_in_the_language_of_the_address(running: SampleWorkspace) -> None:
    """One of the listed coins is shown, in English."""
    text = text_on(open_page(modo="tela", favoritas="dogecoin,SOL", idioma="en"))
    assert ("Dogecoin (DOGE)" in text) != ("Solana (SOL)" in text)
    assert "SIMULATED DATA" in text


def test_a_screen_does_not_show_another_coin(running: SampleWorkspace) -> None:
    """An unknown coin is named, with the nearest; no price stands in its place."""
    for address in ({"moeda": "bitcoim"}, {"favoritas": "bitcoim,nocoin"}):
        page = open_page(modo="tela", **address)
        assert "bitcoim" in text_on(page)
        assert not page.metric
