"""The backtest command: the files it writes, what it may know, what it may not depend on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.forecast_hash import forecast_digest
from core.forecast_schema import ACTIVITY_PERCENTILE, HORIZONS_MIN, QUANTILE_COLUMNS, REACH_COLUMNS
from core.price_store import Coin, Price, open_writer
from etl.recordings.recording import read_recording
from model import backtest
from model.backtesting.forecast_frames import with_outcomes
from tests.support.outcomes import plain_outcome

START = pd.Timestamp("2024-03-01T00:00:00Z")


def _frame(days: float = 2.5, coins: int = 3, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    times = pd.date_range(START, periods=int(days * 288), freq="5min")
    parts = []
    for coin in range(coins):
        spread = 0.002 * np.exp(np.sin(np.arange(len(times)) / 60 + coin))
        price = 50.0 * np.exp(np.cumsum(rng.normal(0, 1, len(times)) * spread))
        parts.append(pd.DataFrame({"timestamp": times, "coin": f"coin{coin}", "price": price}))
    return pd.concat(parts, ignore_index=True)


def _exit_code(frame: pd.DataFrame, folder: Path, *more: str) -> int | str | None:
    folder.mkdir(exist_ok=True)
    data = folder / "data.parquet"
    frame.to_parquet(data)
    try:
        return backtest.main(
            [
                "--data",
                str(data),
                "--out",
                str(folder / "out"),
                "--step-min",
                "60",
                "--refit-min",
                "720",
                "--jobs",
                "1",
                *more,
            ]
        )
    except SystemExit as stop:
        return stop.code


def _run(frame: pd.DataFrame, folder: Path, *more: str) -> pd.DataFrame:
    status = _exit_code(frame, folder, *more)
    assert status == 0
    return pd.read_parquet(folder / "out" / "forecasts.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a backtest of `_frame()` wrote, in the folder `out`; no test changes it."""
    folder = tmp_path_factory.mktemp("backtest")
    _run(_frame(), folder)
    return folder


@pytest.fixture
def made(folder: Path) -> pd.DataFrame:
    """Its forecasts."""
    return pd.read_parquet(folder / "out" / "forecasts.parquet")


def test_forecasts_and_report_are_written(folder: Path, made: pd.DataFrame) -> None:
    """Every column of the contract, an outcome wherever the recording reaches, and the three reports."""
    columns = [
        "coin",
        "origin",
        "horizon_min",
        "price_origin",
        "mean",
        *QUANTILE_COLUMNS,
        "p_up",
        *REACH_COLUMNS,
        ACTIVITY_PERCENTILE,
        "kind",
        "price_actual",
        "price_high",
        "price_low",
    ]
    assert made.columns.tolist() == columns
    assert made["origin"].min() == START + pd.Timedelta(hours=24)
    assert set(made["horizon_min"]) == set(HORIZONS_MIN)
    late = made["origin"] + pd.to_timedelta(made["horizon_min"], unit="min") > START + pd.Timedelta(
        days=2.5, minutes=-5
    )
    assert (made["price_actual"].isna() == late).all()
    assert {"model", "baseline"} >= set(made["kind"])
    report = json.loads((folder / "out" / "report.json").read_text(encoding="utf-8"))
    assert report
    assert (folder / "out" / "report.html").stat().st_size > 5_000


def test_the_number_of_threads_changes_nothing(made: pd.DataFrame, tmp_path: Path) -> None:
    """One thread and two write the same forecasts."""
    pd.testing.assert_frame_equal(made, _run(_frame(), tmp_path, "--jobs", "2"))


@pytest.mark.slow
def test_recordings_side_by_side_forecast_as_one_after_the_other(tmp_path: Path) -> None:
    """Two recordings in two processes write, each in a folder of its own, the very bytes that each writes alone."""
    files = [tmp_path / "calm.parquet", tmp_path / "wild.parquet"]
    for seed, file in enumerate(files):
        _frame(days=1.5, seed=seed).to_parquet(file)
    options = ["--step-min", "60", "--jobs", "2"]
    assert backtest.main(["--data", *map(str, files), "--out", str(tmp_path / "both"), *options]) == 0
    for file in files:
        assert backtest.main(["--data", str(file), "--out", str(tmp_path / file.stem), *options]) == 0
        both = [folder / "forecasts.parquet" for folder in (tmp_path / "both" / file.stem, tmp_path / file.stem)]
        assert len({path.read_bytes() for path in both}) == 1
        assert len({forecast_digest(pq.read_table(path)) for path in both}) == 1
        assert (tmp_path / "both" / file.stem / "report.html").exists()


@pytest.mark.parametrize(
    ("names", "more", "words"),
    [
        (("a/spot.parquet", "b/spot.parquet"), [], "spot"),
        (("a.parquet", "b.parquet"), ["--rival", "A=a.parquet"], "--rival"),
        ((), [], "--data"),
    ],
)
def test_recordings_that_cannot_go_side_by_side_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: Sequence[str], more: list[str], words: str
) -> None:
    """Two of one name, a rival for several, none at all: exit 2 and a sentence in the language of the person."""
    with suppress(SystemExit):
        assert backtest.main(["--data", *names, "--out", str(tmp_path / "out"), *more]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "expected" not in said
    assert not (tmp_path / "out").exists()


def test_prices_after_an_origin_change_no_forecast_up_to_it(made: pd.DataFrame, tmp_path: Path) -> None:
    """With all later prices multiplied at random, forecasts up to the cut stay the same bit for bit."""
    frame = _frame()
    cut = START + pd.Timedelta(hours=50)
    changed = frame.copy()
    later = changed["timestamp"] > cut
    changed.loc[later, "price"] *= np.random.default_rng(1).uniform(0.5, 2.0, int(later.sum()))
    before, after = made, _run(changed, tmp_path)
    columns = [column for column in before.columns if column not in ("price_actual", "price_high", "price_low")]
    up_to = before["origin"] <= cut
    assert up_to.sum() > 20 * 36
    pd.testing.assert_frame_equal(before.loc[up_to, columns], after.loc[up_to, columns])
    assert not before.loc[~up_to, "q50"].equals(after.loc[~up_to, "q50"])


def test_start_end_and_coins_bound_the_origins(tmp_path: Path) -> None:
    """Only the coins named, only origins within the bounds, on multiples of the step."""
    made = _run(
        _frame(),
        tmp_path,
        "--coins",
        "coin2,coin0",
        "--start",
        "2024-03-02T10:30",
        "--end",
        "2024-03-02T20:00:00.000+00:00",
    )
    assert set(made["coin"]) == {"coin0", "coin2"}
    assert made["origin"].min() == pd.Timestamp("2024-03-02T11:00Z")
    assert made["origin"].max() == pd.Timestamp("2024-03-02T20:00Z")


def test_csv_and_the_projects_own_folder_read_alike(tmp_path: Path) -> None:
    """The same prices as Parquet, as CSV with text timestamps, and in crypto.db give the same recording."""
    frame = _frame(days=0.2)
    frame.to_parquet(tmp_path / "data.parquet")
    frame.assign(timestamp=frame["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(
        tmp_path / "data.csv", index=False
    )
    folder = tmp_path / "data"
    folder.mkdir()
    with open_writer(folder / "crypto.db") as writer:
        coins = sorted(set(frame["coin"]))
        writer.update_coins([Coin(coin, coin, coin, None, 0, 0) for coin in coins])
        writer.track(coins)
        stamps = frame["timestamp"].dt.as_unit("ms").astype("int64")
        writer.store(
            Price(coin, int(ts), float(price), None, None, int(ts))
            for coin, ts, price in zip(frame["coin"], stamps, frame["price"], strict=True)
        )
    expected = read_recording(tmp_path / "data.parquet").prices
    for source in (tmp_path / "data.csv", folder):
        found = read_recording(source).prices
        assert list(found) == list(expected)
        for coin in expected:
            np.testing.assert_array_equal(found[coin][0], expected[coin][0])
            np.testing.assert_allclose(found[coin][1], expected[coin][1], rtol=1e-12)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--coins", "nothing"], "nothing"),
        (["--start", "2030-01-01"], "histórico"),
        (["--step-min", "0"], "--step-min"),
    ],
)
def test_unusable_arguments_are_named_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    """An unknown coin, a period without origins, a step of zero: exit 2 and a sentence that names it."""
    assert _exit_code(_frame(days=1.5), tmp_path, *more) == 2
    assert words in capsys.readouterr().err


def _rival_file(made: pd.DataFrame, path: Path) -> Path:
    """First-day forecasts of two coins with twice the width, in the columns that a rival must have."""
    day = made[(made["coin"] != "coin0") & (made["origin"] < START + pd.Timedelta(days=2))]
    median = day["q50"].to_numpy()[:, None]
    wide = median * (day[list(QUANTILE_COLUMNS)].to_numpy() / median) ** 2
    rival = day[["coin", "origin", "horizon_min"]].assign(**dict(zip(QUANTILE_COLUMNS, wide.T, strict=True)))
    elsewhere = rival.assign(coin="not-" + rival["coin"])
    pd.concat([rival.sample(frac=1, random_state=0), elsewhere]).to_parquet(path, index=False)
    return path


def test_rivals_from_files_are_scored_on_what_both_forecast(
    folder: Path, made: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of our forecasts ties; one twice as wide, for fewer forecasts, is worse."""
    wide = _rival_file(made, tmp_path / "wide.parquet")
    itself = folder / "out" / "forecasts.parquet"
    _run(_frame(), tmp_path, "--rival", f"Wide={wide}", "--rival", f"Itself={itself}")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert list(report["rivals"]) == ["EWMA", "Wide", "Itself"]
    same, other = report["rivals"]["Itself"], report["rivals"]["Wide"]
    assert same["difference"]["difference"] == 0
    assert same["score"]["relative_pinball"] == report["overall"]["relative_pinball"]
    assert other["difference"]["forecasts"] == other["score"]["forecasts"] == 2 * 24 * 12
    assert other["difference"]["difference"] < -0.05
    joint = made.drop(columns=list(QUANTILE_COLUMNS)).merge(pd.read_parquet(wide), on=["coin", "origin", "horizon_min"])
    inside = joint["price_actual"].between(joint["q10"], joint["q90"]).mean()
    assert other["score"]["coverage"]["80"] == pytest.approx(inside)
    assert "Wide: " in capsys.readouterr().out
    assert "Wide" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rival: rival.drop(columns="q95"), "faltam colunas: q95"),
        (lambda rival: rival.assign(origin="2024-03-02"), "origin"),
        (lambda rival: rival.assign(horizon_min=5.0), "horizon_min"),
        (lambda rival: rival.assign(q05=np.nan), "finitos: q05"),
        (lambda rival: rival.assign(q05="1"), "finitos: q05"),
        (lambda rival: pd.concat([rival, rival]), "mais de uma"),
        (lambda rival: rival.assign(origin=rival["origin"] + pd.Timedelta("1D")), "Rival: nenhuma previsão em comum"),
        (lambda rival: rival.assign(coin="elsewhere"), "Rival: nenhuma previsão em comum"),
    ],
)
def test_a_rival_that_cannot_be_scored_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[pd.DataFrame], pd.DataFrame],
    words: str,
) -> None:
    """Other columns, other types, the same forecast twice, nothing in common: exit 2, and nothing is written."""
    origin = pd.date_range(START + pd.Timedelta(hours=24), periods=3, freq="h", unit="ms")
    rival = pd.DataFrame({"coin": "coin0", "origin": origin, "horizon_min": 5}).assign(
        **dict.fromkeys(QUANTILE_COLUMNS, 50.0)
    )
    change(rival).to_parquet(tmp_path / "rival.parquet")
    assert _exit_code(_frame(days=1.2, coins=1), tmp_path, "--rival", f"Rival={tmp_path / 'rival.parquet'}") == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rival", "nowhere.parquet"], "NOME=ARQUIVO"),
        (["--rival", "=nowhere.parquet"], "NOME=ARQUIVO"),
        (["--rival", "A=nowhere.parquet"], "nowhere.parquet: arquivo não existe"),
        (["--rival", f"A={__file__}"], "não é um arquivo Parquet"),
        (["--rival", "A=nowhere.parquet", "--rival", "A=elsewhere.parquet"], "nome já usado: A"),
        (["--rival", "EWMA=nowhere.parquet"], "nome já usado: EWMA"),
    ],
)
def test_a_rival_that_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    """No name, no file, no Parquet, a name taken: exit 2 and a sentence that says which."""
    assert _exit_code(_frame(days=1.2, coins=1), tmp_path, *more) == 2
    assert words in capsys.readouterr().err


@given(st.lists(st.integers(1, 5_000), min_size=3, max_size=40, unique=True), st.integers(0, 5_000))
def test_outcomes_follow_the_one_rule(seconds: list[int], origin_s: int) -> None:
    """The outcome of each horizon is the one a plain loop finds."""
    ts = np.array(sorted(seconds), dtype=np.int64) * 1000
    price = np.arange(1.0, len(ts) + 1)
    frame = pd.DataFrame(
        {
            "coin": pd.Categorical(["x"] * 12),
            "origin": pd.to_datetime(np.full(12, origin_s * 1000), unit="ms", utc=True),
            "horizon_min": np.array(HORIZONS_MIN),
        }
    )
    found = with_outcomes(frame, {"x": (ts, price)})["price_actual"]
    for horizon, value in zip(HORIZONS_MIN, found, strict=True):
        expected = plain_outcome(ts.tolist(), price.tolist(), origin_s * 1000 + horizon * 60_000, int(ts[-1]))
        assert (expected is None and np.isnan(value)) or expected == value
