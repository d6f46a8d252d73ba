"""Summed scores: additive, in agreement with a slow oracle, finite with few rows, and stablecoins apart."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.accuracy.scores import SCORE_SCHEMA, SCORE_SUMS, MetricsBlock, Score, add_up, trimmed
from core.accuracy.significance import mean_test
from core.accuracy.summary import condense, join_condensed, summarise, summarise_condensed
from core.times import DAY_MS, HOUR_MS, to_datetime

START = 20_000 * DAY_MS
Row = dict[str, Any]


def _row(
    coin: str = "bitcoin", hour: int = 0, horizon: int = 5, *, n: int = 12, loss: float = 0.9, move: float = 0.002
) -> Row:
    """One cell: `n` forecasts with `loss` times the losses of "the price stays", in a market that moves `move`."""
    naive = {"pinball_naive": 0.3 * move * n, "abs_error_naive": move * n, "winkler_80_naive": 4.0 * move * n}
    own = {name.removesuffix("_naive"): loss * value for name, value in naive.items()}
    inside = {"inside_50": 0.5 * n, "inside_80": 0.75 * n, "inside_90": 0.875 * n, "inside_95": float(n)}
    calls = {"moved": n - 2.0, "hits": n / 2.0, "rises": n / 4.0, "brier": 0.25 * n, "forest": n / 2.0}
    keys = {"coin": coin, "hour": START + hour * HOUR_MS, "horizon_min": horizon, "n": float(n)}
    return {**keys, **naive, **own, **inside, **calls, "width_80": 3.0 * move * n}


def _table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCORE_SCHEMA)


def _block(rows: Sequence[Row]) -> MetricsBlock:
    block = summarise(_table(rows))
    assert block is not None
    return block


def _numbers(value: object) -> Iterator[float]:
    """Every number within scores, mappings and sequences."""
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, Score | MetricsBlock):
        for part in fields(value):
            yield from _numbers(getattr(value, part.name))


def _noisy_rows(hours: int, seed: int = 1, mean: float = 0.9) -> list[Row]:
    rng = random.Random(seed)
    keys = [(coin, hour, horizon) for coin in ("bitcoin", "solana") for hour in range(hours) for horizon in (5, 60)]
    return [_row(*key, n=rng.randint(4, 12), loss=rng.gauss(mean, 0.2), move=rng.uniform(0.001, 0.01)) for key in keys]


def test_an_empty_table_has_no_scores() -> None:
    """An empty table gives None."""
    assert summarise(SCORE_SCHEMA.empty_table()) is None


def test_relative_pinball_is_the_mean_over_coins_of_each_coins_ratio() -> None:
    """A coin that moves fifty times as much has the same weight as the other."""
    rows = [_row("bitcoin", loss=0.8, move=0.001), _row("pepe", hour=1, loss=1.0, move=0.05)]
    overall = _block(rows).overall
    assert overall.relative_pinball == pytest.approx(0.9)
    assert overall.skill == pytest.approx(0.1)
    assert overall.mae_ratio == pytest.approx(0.9)
    assert overall.winkler_ratio == pytest.approx(0.9)


@pytest.mark.parametrize(("hours", "skill"), [(2, 0.1), (23, 0.1), (24, -0.65)])
def test_a_coin_of_less_than_a_day_does_not_outweigh_the_others(hours: int, skill: float) -> None:
    """A coin that joined lately counts in the mean over the coins from its 24th hour on; its forecasts count before."""
    known = [_row("bitcoin", hour, loss=0.9) for hour in range(48)]
    joined = [_row("pepe", hour, loss=2.4) for hour in range(48 - hours, 48)]
    block = _block(known + joined)
    assert block.overall.skill == pytest.approx(skill)
    assert block.by_horizon[5].mae_ratio == pytest.approx(1 - skill)
    assert block.by_day["2024-10-05"].winkler_ratio == pytest.approx(1 - skill)
    assert block.by_coin["pepe"].skill == pytest.approx(-1.4)
    assert block.overall.forecasts == 12 * (48 + hours)
    assert block.young_coins == (() if hours == 24 else ("pepe",))


def test_young_coins_alone_make_the_scores_that_have_no_others() -> None:
    """A day on which only coins of a few hours were forecast has their ratio, and so has a block of such coins."""
    known = [_row("bitcoin", hour, loss=0.9) for hour in range(24)]
    joined = [_row(coin, 30, loss=loss) for coin, loss in (("pepe", 2.4), ("solana", 0.6))]
    block = _block(known + joined)
    assert block.overall.skill == pytest.approx(0.1)
    assert block.by_day["2024-10-05"].skill == pytest.approx(-0.5)
    assert block.by_hour_of_day[6].skill == pytest.approx(0.1)
    alone = _block(joined)
    assert alone.overall.skill == pytest.approx(-0.5)
    assert alone.young_coins == ()


def _slow_score(rows: Sequence[Row], scales: Mapping[str, float], young: Sequence[str]) -> dict[str, Any]:
    """The figures of a score by loops over its rows.

    `scales` are the mean naive losses of all rows of each coin; the `young` coins make no ratio beside others.
    """
    n = sum(row["n"] for row in rows)
    total = {name: sum(row.get(name, 0.0) for row in rows) for name in SCORE_SUMS}
    coins: dict[str, list[Row]] = {}
    hours: dict[int, list[Row]] = {}
    for row in rows:
        coins.setdefault(row["coin"], []).append(row)
        hours.setdefault(row["hour"], []).append(row)

    def ratio(name: str) -> float:
        others = [own for coin, own in coins.items() if coin not in young] or coins.values()
        ratios = [sum(r[name] for r in own) / sum(r[f"{name}_naive"] for r in own) for own in others]
        return math.fsum(ratios) / len(ratios)

    def gain(row: Row) -> float:
        excess: float = row["pinball"] - row["pinball_naive"]
        return excess / scales[row["coin"]]

    gains = [sum(map(gain, hours[hour])) / sum(row["n"] for row in hours[hour]) for hour in sorted(hours)]
    return {
        "forecasts": n,
        "hours": len(hours),
        "start_ms": min(hours),
        "end_ms": max(hours) + HOUR_MS,
        "relative_pinball": ratio("pinball"),
        "skill": 1 - ratio("pinball"),
        "mae_ratio": ratio("abs_error"),
        "winkler_ratio": ratio("winkler_80"),
        "coverage": {percent: total[f"inside_{percent}"] / n for percent in (50, 80, 90, 95)},
        "width_80_percent": 100 * total["width_80"] / n,
        "mae_percent": 100 * total["abs_error"] / n,
        "hit_rate": total["hits"] / total["moved"],
        "rise_share": total["rises"] / total["moved"],
        "ties": n - total["moved"],
        "brier": total["brier"] / n,
        "model_share": total["forest"] / n,
        "better_p_value": tested.p_value if (tested := mean_test(gains)) else None,
    }


def test_every_score_agrees_with_plain_loops() -> None:
    """Each figure of each score equals what loops over its rows give."""
    rows = _noisy_rows(30) + [_row("pepe", hour, loss=2.0 + hour / 99) for hour in range(20, 30)]
    block = _block(rows)
    naive = [(row["coin"], row["pinball_naive"], row["n"]) for row in rows]
    scales = {
        coin: sum(loss for name, loss, _ in naive if name == coin) / sum(n for name, _, n in naive if name == coin)
        for coin in block.by_coin
    }
    day = [f"{to_datetime(row['hour']):%Y-%m-%d}" for row in rows]
    chosen = [(block.overall, rows)]
    chosen += [(score, [r for r in rows if r["horizon_min"] == key]) for key, score in block.by_horizon.items()]
    chosen += [(score, [r for r in rows if r["coin"] == key]) for key, score in block.by_coin.items()]
    chosen += [(score, [r for r, d in zip(rows, day, strict=True) if d == key]) for key, score in block.by_day.items()]
    assert len(chosen) == 1 + 2 + 3 + 2
    for score, own in chosen:
        for name, expected in _slow_score(own, scales, ["pepe"]).items():
            assert getattr(score, name) == (None if expected is None else pytest.approx(expected, rel=1e-9)), name


def test_parts_of_the_block_hold_their_own_rows() -> None:
    """By coin, by horizon and by day each forecast counts once in each view."""
    rows = _noisy_rows(50)
    block = _block(rows)
    total = sum(row["n"] for row in rows)
    assert list(block.by_horizon) == [5, 60]
    assert list(block.by_coin) == ["bitcoin", "solana"]
    assert list(block.by_day) == ["2024-10-04", "2024-10-05", "2024-10-06"]
    for view in (block.by_horizon, block.by_coin, block.by_day):
        assert sum(score.forecasts for score in view.values()) == total == block.overall.forecasts


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(0, 10_000), st.integers(0, 40))
def test_split_and_shuffled_rows_give_the_same_scores(hours: int, seed: int, cut: int) -> None:
    """Splitting cells and shuffling rows changes the scores by rounding errors only."""
    rows = _noisy_rows(hours, seed)
    halves = [{name: value / 2 if name in SCORE_SUMS else value for name, value in row.items()} for row in rows]
    random.Random(seed).shuffle(halves)
    joint = summarise(pa.concat_tables([_table(halves[:cut]), _table(rows[:0]), _table(halves[cut:] + halves)]))
    assert joint is not None
    assert list(_numbers(joint)) == pytest.approx(list(_numbers(_block(rows))), rel=1e-9, abs=1e-9)


def test_parts_condensed_one_by_one_give_the_scores_of_the_whole() -> None:
    """Files may be condensed once each and joined later, and one coin taken from them."""
    rows = _noisy_rows(30)
    joined = join_condensed([condense(_table(rows[:50])), condense(_table([])), condense(_table(rows[50:]))])
    assert list(_numbers(summarise_condensed(joined))) == pytest.approx(list(_numbers(_block(rows))), rel=1e-9)
    one = summarise_condensed(joined.of_coin("solana"))
    own = _block([row for row in rows if row["coin"] == "solana"])
    assert list(_numbers(one)) == pytest.approx(list(_numbers(own)), rel=1e-9)


def test_files_without_levels_count_as_forecasts_that_were_not_judged_by_them() -> None:
    """Cells of version 0.1.0 add nothing to the Brier scores of levels; alone they have none."""
    levels = ["levels", "beyond", "beyond_brier", "touched", "touch_brier"]
    judged = {"levels": 12.0, "beyond": 2.4, "beyond_brier": 1.5, "touched": 6.0, "touch_brier": 2.4}
    old = _table([_row(hour=1)]).drop_columns(levels)
    block = summarise(old)
    assert block is not None
    assert block.overall.touch_brier is None
    assert block.overall.beyond_brier_constant is None
    mixed = pa.concat_tables([old, _table([_row() | judged])], promote_options="default")
    both = summarise(add_up(mixed))
    assert both is not None
    assert both.overall.forecasts == 24
    assert (both.overall.beyond_brier, both.overall.touch_brier) == pytest.approx((1.5 / 12, 0.2))
    assert both.overall.beyond_brier_constant == pytest.approx(0.2 * 0.8)
    assert both.overall.touch_brier_constant == pytest.approx(0.25)


def test_adding_up_leaves_one_row_per_cell_and_changes_no_score() -> None:
    """A table with one row per cell gives the same scores."""
    rows = _noisy_rows(5)
    compact = add_up(_table(rows + rows[:7]))
    assert compact.schema.equals(SCORE_SCHEMA)
    assert compact.num_rows == len(rows)
    assert list(_numbers(summarise(compact))) == pytest.approx(list(_numbers(_block(rows + rows[:7]))))


@pytest.mark.parametrize("hours", [1, 2, 24, 25])
def test_no_figure_is_ever_nan(hours: int) -> None:
    """With few rows some figures are None, but none is NaN or infinite."""
    rows = [*_noisy_rows(hours), _row("frozen", loss=0.0, move=0.0)]
    assert all(math.isfinite(number) for number in _numbers(_block(rows)))


def test_a_coin_that_never_moved_has_no_ratio() -> None:
    """A coin with a naive loss of zero is left out of the mean ratio of the others."""
    block = _block([_row("frozen", move=0.0), _row("bitcoin", loss=0.8)])
    assert block.by_coin["frozen"].relative_pinball is None
    assert block.overall.relative_pinball == pytest.approx(0.8)


def test_stablecoins_are_excluded_from_pooled_scores() -> None:
    """A coin that moves 0.01 % on average counts only in `by_coin`."""
    block = _block([_row("bitcoin", loss=0.8), _row("tether", loss=3.0, move=0.0001)])
    assert block.excluded_stable_coins == ("tether",)
    assert block.overall.relative_pinball == pytest.approx(0.8)
    assert block.by_horizon[5].forecasts == 12
    assert block.by_coin["tether"].relative_pinball == pytest.approx(3.0)


def test_stablecoins_alone_are_not_hidden() -> None:
    """If only stablecoins are collected, they make the overall score."""
    block = _block([_row("tether", loss=1.5, move=0.0001)])
    assert block.excluded_stable_coins == ()
    assert block.overall.relative_pinball == pytest.approx(1.5)


def test_the_caller_may_name_the_excluded_coins() -> None:
    """A part of the rows can be scored without the coins that all rows exclude."""
    block = summarise(_table([_row("bitcoin", loss=0.8), _row("tether", loss=3.0)]), excluded_stable_coins=["tether"])
    assert block is not None
    assert block.overall.relative_pinball == pytest.approx(0.8)


def test_a_clear_gain_is_significant_and_a_loss_is_not() -> None:
    """The p-value is near 0 for better forecasts and near 1 for worse ones."""
    better, worse = _block(_noisy_rows(72, mean=0.8)).overall, _block(_noisy_rows(72, mean=1.2)).overall
    assert better.better_p_value is not None
    assert worse.better_p_value is not None
    assert better.better_p_value < 0.01
    assert worse.better_p_value > 0.99


def test_less_than_a_day_has_no_p_value() -> None:
    """Twenty-three hours are too few for the test."""
    assert _block(_noisy_rows(23)).overall.better_p_value is None


def test_the_hit_interval_counts_hours_not_forecasts() -> None:
    """A hundred times the forecasts in the same hours make the interval no narrower."""
    few, many = ([_row(hour=hour, n=n) for hour in range(10)] for n in (20, 2000))
    for rows in (few, many):
        for row in rows:
            row |= {"moved": row["n"], "hits": 0.6 * row["n"]}
    assert (_block(few).overall.hit_low, _block(few).overall.hit_high) == pytest.approx(
        (_block(many).overall.hit_low, _block(many).overall.hit_high)
    )
    assert _block(few).overall.hit_low == pytest.approx(0.3127, abs=1e-4)


def test_ties_alone_give_no_hit_rate() -> None:
    """Without a forecast direction the hit rate is None."""
    overall = _block([_row() | {"moved": 0.0, "hits": 0.0, "rises": 0.0}]).overall
    assert (overall.hit_rate, overall.hit_low, overall.hit_high, overall.rise_share) == (None, None, None, None)
    assert overall.ties == 12


def test_hours_of_the_day_hold_their_own_rows() -> None:
    """Forecasts of one UTC hour on several days make one score; stablecoins are left out as elsewhere."""
    rows = [_row(hour=hour, loss=0.5 if hour % 24 == 7 else 1.0) for hour in range(72)]
    block = _block([*rows, _row("tether", 7, move=0.0001)])
    assert list(block.by_hour_of_day) == list(range(24))
    assert block.by_hour_of_day[7].relative_pinball == pytest.approx(0.5)
    assert block.by_hour_of_day[8].relative_pinball == pytest.approx(1.0)
    assert {score.hours for score in block.by_hour_of_day.values()} == {3}


def test_the_margin_of_the_skill_needs_a_day() -> None:
    """With 24 hours the skill has a 95 % interval, with 23 none."""
    assert _block(_noisy_rows(23)).overall.skill_margin is None
    score = _block(_noisy_rows(96)).overall
    assert score.skill is not None
    assert score.skill_margin is not None
    assert score.skill - score.skill_margin < 0.1 < score.skill + score.skill_margin


def test_spans_are_trimmed_to_what_happened() -> None:
    """The first hour begins at the first origin that lies in it, the last one ends with the publication."""
    block = summarise(_table([_row(hour=0), _row(hour=1)]))
    assert block is not None
    inside = trimmed(block, START + 1000, START + 2 * HOUR_MS - 5000).overall
    assert (inside.start_ms, inside.end_ms) == (START + 1000, START + 2 * HOUR_MS - 5000)
    outside = trimmed(block, START + HOUR_MS + 1000, START + 9 * HOUR_MS).overall
    assert (outside.start_ms, outside.end_ms) == (block.overall.start_ms, block.overall.end_ms)
