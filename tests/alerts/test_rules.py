"""Rules of alerts.toml: what is read, what is refused with which line, and that nothing is lost on the way back."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.rules.coin_conditions import Change, Direction, PriceAbove
from alerts.rules.condition import ConditionKind
from alerts.rules.rule import CONDITIONS
from alerts.rules.settings import AlertSettings, QuietHours
from alerts.rules.table import read_rule, write_rule
from alerts.rules.toml_file import AlertsFileInvalid, parse_alerts, read_alerts
from core.settings import PROJECT
from core.times import parse_iso

EXAMPLES: dict[str, dict[str, object]] = {
    "preco_acima": {"nivel": 100000},
    "preco_abaixo": {"nivel": 0.00002},
    "preco_cruza": {"nivel": 3000},
    "variacao": {"percentual": 5, "periodo": "1h", "direcao": "queda"},
    "fora_da_faixa": {"faixa": 80},
    "movimento_esperado": {"percentil": 90},
    "largura_da_faixa": {"nivel": 2.5},
    "termina_acima": {"nivel": 70000, "probabilidade": 70, "horizonte": 30},
    "termina_abaixo": {"distancia": -2, "probabilidade": 60},
    "toca": {"distancia": 1.5, "probabilidade": 50},
    "regime": {"para": "agitated"},
    "cobertura": {"tolerancia": 12},
    "dados_parados": {"ha": "15m"},
    "processo_parado": {"processos": ["collector"], "ha": "2m"},
    "processo_reiniciado": {},
    "disco_cheio": {"livre_gb": 5},
    "chamadas_no_fim": {"restante": 15},
}
OF_COINS: dict[str, object] = {"moedas": ["btc", "ethereum"]}
ABOUT_SUITE = ("cobertura", "dados_parados", "processo_parado", "processo_reiniciado", "disco_cheio", "chamadas_no_fim")


def table(kind: str, **values: object) -> dict[str, object]:
    """A valid table of a condition."""
    coins: dict[str, object] = {} if kind in ABOUT_SUITE else OF_COINS
    return {"nome": f"regra {kind}", "condicao": kind, **coins, **EXAMPLES[kind], **values}


def problems(text: str) -> list[tuple[int, str]]:
    """Lines and English sentences of what is wrong with a file."""
    with pytest.raises(AlertsFileInvalid) as caught:
        parse_alerts(text, Path("alerts.toml"))
    return [(found.line, str(found.problem)) for found in caught.value.problems]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_rule_of_every_condition_survives_the_way_to_a_table_and_back(kind: str) -> None:
    """Reading what was written gives an equal rule of the same condition and id."""
    rule = read_rule(table(kind, espera="2h", urgente=True))
    assert kind == rule.condition.KIND
    again = read_rule(write_rule(rule))
    assert (again, again.id) == (rule, rule.id)


def test_every_condition_has_a_class_and_an_example() -> None:
    """The words of the conditions, their classes and the examples here are the same set."""
    assert set(EXAMPLES) == {kind.value for kind in ConditionKind} == {kind.value for kind in CONDITIONS}


def test_the_id_says_what_is_watched_and_not_how_it_is_told() -> None:
    """Name and channels leave the id as it is; level, coins and hysteresis change it."""
    rule = read_rule(table("preco_acima"))
    assert read_rule(table("preco_acima", nome="outro", canais=["a"])).id == rule.id
    others: list[dict[str, object]] = [{"nivel": 5}, {"moedas": "todas"}, {"folga": 1}, {"condicao": "preco_abaixo"}]
    assert len({rule.id, *(read_rule(table("preco_acima", **other)).id for other in others)}) == 5


def test_a_whole_file_is_read() -> None:
    """Language, zone, channels, quiet hours and rules come out typed, and a literal secret is in no representation."""
    settings = parse_alerts(
        """
idioma = "en"
fuso = "America/Sao_Paulo"
painel = "http://127.0.0.1:8501/"
[canais.telegram]
tipo = "apprise"
url = "tgram://123456:hidden/42"
[silencio]
das = "23:00"
ate = "07:00"
[[regra]]
nome = "Queda"
condicao = "variacao"
moedas = "todas"
percentual = 5
periodo = "1h"
direcao = "queda"
canais = ["telegram"]
""",
        Path("alerts.toml"),
    )
    assert settings.language == "en"
    assert settings.dashboard_url == "http://127.0.0.1:8501"
    assert settings.quiet == QuietHours(23 * 60, 7 * 60)
    (rule,) = settings.rules
    assert rule.coins is None
    assert rule.condition == Change(percent=5.0, span_ms=3_600_000, direction=Direction.DOWN)
    assert "hidden" not in repr(settings)


def test_everything_wrong_is_said_with_its_line() -> None:
    """One run finds all problems: unknown keys with the nearest one, wrong values, missing and contradicting keys."""
    found = problems(
        """idiomas = "pt"
[canais.x]
tipo = "webhook"
url = "https://exemplo.com"
[[regra]]
nome = "a"
condicao = "preco_acima"
moedas = ["bitcoin"]
nivel = -1
[[regra]]
nome = "b"
condicao = "toca"
moedas = ["bitcoin"]
nivel = 5
distancia = 1
[[regra]]
nome = "c"
condicao = "disco_cheio"
moedas = ["bitcoin"]
canais = ["y"]
"""
    )
    assert found == [
        (1, "idiomas: unknown key; did you mean idioma?"),
        (2, "give exactly one of these keys: segredo_env, segredo_arquivo"),
        (9, "nivel: must lie between 0 and 1e+15"),
        (10, "probabilidade is missing"),
        (10, "give exactly one of these keys: nivel, distancia"),
        (19, "disco_cheio is not about coins: leave out the key moedas"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('nome = "a"\nx = = 2\n', 2, "not TOML"),
        ('[[regra]]\nnome = "a"\ncondicao = "preco"\n', 3, "must be one of"),
        ("regra = 3\n", 1, "[[regra]]"),
        ('fuso = "Marte"\n', 1, "time zone"),
        ('[silencio]\ndas = "25:00"\nate = "07:00"\n', 2, "time of day"),
        ('[[regra]]\nnome="a"\ncondicao="regime"\nmoedas="todas"\ncanais=["z"]\n', 5, "no [canais.z]"),
        (
            '[[regra]]\nnome="a"\ncondicao="preco_cruza"\nnivel=1\nmoedas="todas"\navisar_normal=true\n',
            6,
            "every change",
        ),
    ],
)
def test_a_single_problem_has_its_line(text: str, line: int, word: str) -> None:
    """The first problem of each file stands on the line that causes it."""
    found = problems(text)
    assert found[0][0] == line
    assert word in found[0][1]


def test_rules_that_watch_the_same_are_refused() -> None:
    """The second of two equal rules names the line of the first."""
    rule = '[[regra]]\nnome="{}"\ncondicao="regime"\nmoedas="todas"\n'
    assert problems(rule.format("a") + rule.format("b")) == [(5, "this rule watches the same as the one of line 1")]


@pytest.mark.parametrize(
    ("local", "end"),
    [
        ("2026-11-01T22:59:00-03:00", None),
        ("2026-11-01T23:00:00-03:00", "2026-11-02T07:00:00-03:00"),
        ("2026-11-02T06:59:59-03:00", "2026-11-02T07:00:00-03:00"),
        ("2026-11-02T07:00:00-03:00", None),
    ],
)
def test_quiet_hours_pass_midnight(local: str, end: str | None) -> None:
    """From 23:00 to 07:00 alerts wait until 07:00 of the next morning, in the zone of the settings."""
    settings = AlertSettings(zone=ZoneInfo("America/Sao_Paulo"), quiet=QuietHours(23 * 60, 7 * 60))
    rule = read_rule(table("preco_acima"))
    assert settings.held_until(rule, parse_iso(local)) == (None if end is None else parse_iso(end))
    assert settings.held_until(read_rule(table("preco_acima", urgente=True)), parse_iso(local)) is None


@pytest.mark.parametrize(
    ("start", "end", "local", "expected"),
    [
        ("22:00", "00:30", "2026-11-01T22:30:00-05:00", "2026-11-02T00:30:00-05:00"),
        ("00:00", "01:30", "2026-11-01T01:15:00-05:00", "2026-11-01T01:30:00-05:00"),
        ("22:00", "00:30", "2026-03-07T22:30:00-05:00", "2026-03-08T00:30:00-05:00"),
        ("22:00", "07:00", "2026-03-07T22:30:00-05:00", "2026-03-08T07:00:00-04:00"),
    ],
)
def test_quiet_hours_end_on_time_when_clocks_are_set(start: str, end: str, local: str, expected: str) -> None:
    """The day when a clock is set back has 25 hours, and shows those from 1:00 to 2:00 twice."""
    minutes = (60 * int(text[:2]) + int(text[3:]) for text in (start, end))
    quiet = QuietHours(*minutes)
    assert quiet.end_of(parse_iso(local), ZoneInfo("America/New_York")) == parse_iso(expected)


def test_the_committed_example_is_valid() -> None:
    """alerts.example.toml can be copied as it is, and shows a price rule."""
    path = PROJECT / "alerts.example.toml"
    settings = parse_alerts(path.read_text(encoding="utf-8"), path)
    assert any(isinstance(rule.condition, PriceAbove) for rule in settings.rules)


def test_thousands_of_problems_are_told_in_twenty_lines() -> None:
    """The first ones with their lines, then how many more there are; the sentence for people has them all in order."""
    with pytest.raises(AlertsFileInvalid) as caught:
        parse_alerts("\n".join(f"chave{number} = 1" for number in range(5000)), Path("alerts.toml"))
    told = caught.value.problems
    assert [found.line for found in told] == list(range(1, 22))
    assert str(told[-1].problem) == "and 4980 more problems from here on"
    assert len(caught.value.in_words("pt").splitlines()) == 21


@pytest.mark.timeout(20)
def test_a_line_of_spaces_costs_no_more_than_its_length() -> None:
    """Something like the beginning of a heading, and then half a megabyte of spaces, inside a text."""
    assert problems('x = """\n[' + " " * 500_000 + '\n"""') == [(1, "x: unknown key")]


def test_more_rules_than_can_be_judged_are_refused() -> None:
    """The line is that of the first rule beyond the limit."""
    assert problems("[[regra]]\n" * 2001) == [(2001, "there are more than 2000 rules")]


def test_a_file_that_is_no_file_of_rules_is_not_read(tmp_path: Path) -> None:
    """A folder, and a file of more than a megabyte."""
    with (tmp_path / "long.toml").open("wb") as file:
        file.truncate(2**20 + 1)
    for path in (tmp_path, tmp_path / "long.toml"):
        with pytest.raises(AlertsFileInvalid, match="is not read"):
            read_alerts(path)


@pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 400, "inf", "nan", "1e400"])
def test_a_number_that_no_computer_can_hold_is_refused_with_its_line(number: str) -> None:
    """An integer of hundreds of digits, and what TOML writes for no number at all."""
    rule = f'[[regra]]\nnome = "n"\ncondicao = "preco_acima"\nmoedas = ["btc"]\nnivel = {number}\n'
    assert [line for line, _ in problems(rule)] == [5]
