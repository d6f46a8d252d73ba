"""A simulated month: its clock, its plan, and oracles that must notice what is lost, false, doubled or too much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench.simulated_month.clock import SharedClock
from bench.simulated_month.files import check_files
from bench.simulated_month.log import LogVerdict, check_log
from bench.simulated_month.market import MonthMarket
from bench.simulated_month.plan import DiskFull, Jump, Restart, make_plan
from bench.simulated_month.prices import PriceVerdict, Series, check_prices
from bench.simulated_month.witness import ROW, SLOT_MS, Rows
from core.publishing.publisher import Publisher
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from etl.local_market.api import Request
from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket
from tests.support.faults import Fault

START_MS = 20_700 * DAY_MS
COINS = ("bitcoin", "ethereum")
KEEP_DAYS = 15
MARKET = SimulatedMarket(coins_wanted(",".join(COINS)), 0)


def test_skipped_waits_pass_on_every_clock_and_a_jump_on_the_wall_alone(tmp_path: Path) -> None:
    """After ten skipped minutes and a jump of an hour: ten minutes truly, an hour more on the wall, for all."""
    clock = SharedClock.create(tmp_path / "clock", START_MS)
    before = clock.monotonic()
    clock.skip(600)
    clock.put_ahead(3600)
    other = SharedClock(tmp_path / "clock")
    assert 600 <= other.monotonic() - before < 660
    assert 10 * MINUTE_MS <= other.true_ms - START_MS < 11 * MINUTE_MS
    assert other.machine_ms - other.true_ms == pytest.approx(HOUR_MS, abs=10_000)


def test_a_month_has_its_faults_and_restarts() -> None:
    """320 faults and more, 60 restarts in the first half, none of them while the disk is full."""
    plan = make_plan(START_MS, 30, 320, 60)
    restarts = [at_ms for at_ms, event in plan.events if isinstance(event, Restart)]
    ends = (DiskFull(False), Jump(0))
    others = sum(not isinstance(event, Restart) and event not in ends for _, event in plan.events)
    assert len(restarts) == 60
    assert len(plan.answers) + others >= 320
    assert plan.last_restart_ms < START_MS + 16 * DAY_MS
    full = [at_ms for at_ms, event in plan.events if isinstance(event, DiskFull)]
    for begin_ms, end_ms in zip(full[::2], full[1::2], strict=True):
        assert not any(begin_ms <= at_ms <= end_ms for at_ms in restarts)


def test_a_good_answer_counts_once_the_next_request_comes_and_a_spoiled_one_never() -> None:
    """Three requests: a good one, a spoiled one, and one whose answer a kill excuses."""
    month = MonthMarket(",".join(COINS), lambda: START_MS, [(START_MS + 1, Fault("price_null", times=1))])
    counts = []
    for minute in (0, 1, 2):
        time_ms = START_MS + minute * MINUTE_MS
        month.faults.take("/coins/markets", time_ms)
        month.server.api.content(month.market, Request(time_ms, "/coins/markets", {"vs_currency": "usd"}, {}))
        counts.append(len(month.carried))
    month.excuse()
    month.confirm()
    month.server.stop()
    assert [*counts, len(month.carried)] == [0, 2, 2, 2]
    assert month.faults.hits == 1


def prices(days: int) -> dict[str, Series]:
    """One price a minute, on the minute."""
    times = START_MS + MINUTE_MS * np.arange(1, 1440 * days)
    return {
        coin: Series(times, MARKET.prices(np.full(len(times), place), times), times) for place, coin in enumerate(COINS)
    }


def without(series: Series, *places: int) -> Series:
    """The same without some prices."""
    ts_ms, price, fetched_ms = series.ts_ms, series.price, series.fetched_ms
    return Series(np.delete(ts_ms, places), np.delete(price, places), np.delete(fetched_ms, places))


def test_prices_that_are_lost_false_or_doubled_are_counted() -> None:
    """Of good prices none; then one is left out, one is changed, and one comes twice."""
    stored = prices(1)
    carried = {
        (coin, int(ts_ms)): float(price)
        for coin, series in stored.items()
        for ts_ms, price in zip(series.ts_ms, series.price, strict=True)
    }
    whole = PriceVerdict(stored=2878, carried=2878, lost=(), false=0, doubled=0)
    assert check_prices(stored, carried, MARKET, KEEP_DAYS) == whole
    left_out = {**stored, "bitcoin": without(stored["bitcoin"], 7)}
    assert check_prices(left_out, carried, MARKET, KEEP_DAYS) == replace(
        whole, stored=2877, lost=(("bitcoin", START_MS + 8 * MINUTE_MS),)
    )
    wrong = stored["bitcoin"].price.copy()
    wrong[9] *= 1.001
    changed = {**stored, "bitcoin": replace(stored["bitcoin"], price=wrong)}
    assert check_prices(changed, carried, MARKET, KEEP_DAYS) == replace(
        whole, lost=(("bitcoin", START_MS + 10 * MINUTE_MS),), false=1
    )
    again = Series(*(np.insert(column, 5, column[5]) for column in vars(stored["bitcoin"]).values()))
    assert check_prices({**stored, "bitcoin": again}, carried, MARKET, KEEP_DAYS) == replace(
        whole, stored=2879, doubled=1
    )


def test_of_old_days_the_last_price_of_each_five_minutes_must_stay_alone() -> None:
    """Two days of which one is thinned: nothing wrong; a bar too many is doubled, a bar too early is lost."""
    stored = prices(2)["bitcoin"]
    carried = {("bitcoin", int(ts_ms)): float(price) for ts_ms, price in zip(stored.ts_ms, stored.price, strict=True)}
    old = np.flatnonzero(stored.ts_ms < START_MS + DAY_MS)
    last = np.append(stored.ts_ms[old] % SLOT_MS == 0, False)[:-1]
    last[-1] = True
    thin = without(stored, *old[~last].tolist())
    assert check_prices({"bitcoin": thin}, carried, MARKET, 0) == PriceVerdict(1728, 2879, lost=(), false=0, doubled=0)
    more = without(stored, *old[~last][1:].tolist())
    assert check_prices({"bitcoin": more}, carried, MARKET, 0).doubled == 1
    early = without(stored, *np.setdiff1d(old, np.append(old[last][1:], 3)).tolist())
    assert len(check_prices({"bitcoin": early}, carried, MARKET, 0).lost) == 1


def forecasts(slots: int) -> Rows:
    """One row per slot of the first coin, written down a second later."""
    rows = np.zeros(slots, dtype=ROW)
    rows["origin"] = START_MS + SLOT_MS * np.arange(slots)
    rows["created_at"] = rows["origin"] + 500
    rows["machine_ms"] = rows["true_ms"] = rows["origin"] + 1000
    rows["horizon_min"], rows["mean"] = 60, 100.0
    return rows


def logged(rows: Rows) -> pa.Table:
    """The rows as the product logs them."""
    columns = {name: pa.array(rows[name]) for name in ("horizon_min", "mean", "q10", "q90")}
    moments = {name: pa.array(rows[name]).cast(pa.timestamp("ms", tz="UTC")) for name in ("origin", "created_at")}
    return pa.table({"coin": [COINS[place] for place in rows["coin"].tolist()], **columns, **moments})


def test_forecasts_that_are_missing_doubled_changed_or_too_early_are_counted() -> None:
    """A log of a hundred rows: whole, without one, with one twice, changed, and made before its price."""
    rows = forecasts(100)
    changed = rows.copy()
    changed["mean"][3] = 101.0
    early = rows.copy()
    early["true_ms"][4] -= 5000

    def verdict(found: Rows, witnessed: Rows = rows) -> LogVerdict:
        return check_log(logged(found), witnessed, COINS, set(), KEEP_DAYS)

    whole = LogVerdict(100, 100, missing=0, doubled=0, unknown=0, changed=0, early=0)
    assert verdict(rows) == whole
    assert verdict(np.delete(rows, 5)) == replace(whole, logged=99, missing=1)
    assert verdict(np.append(rows, rows[:1])) == replace(whole, logged=101, doubled=1)
    assert verdict(rows, np.delete(rows, 5)) == replace(whole, expected=99, unknown=1)
    assert verdict(changed) == replace(whole, changed=1)
    assert verdict(rows, early) == replace(whole, early=1)


def test_days_past_retention_must_be_gone_and_rows_of_damaged_files_may_be() -> None:
    """Of 17 days with one forecast each the last 15 stay; the row of a damaged file is not missed."""
    rows = forecasts(17 * 288)[100::288]
    kept = rows[rows["origin"] >= rows["machine_ms"][-1] - KEEP_DAYS * DAY_MS]
    verdict = check_log(logged(kept), rows, COINS, set(), KEEP_DAYS)
    assert (verdict.expected, verdict.missing, verdict.unknown) == (15, 0, 0)
    damaged = {(0, int(kept["origin"][0]) // SLOT_MS)}
    assert check_log(logged(kept[1:]), rows, COINS, damaged, KEEP_DAYS).missing == 0
    assert check_log(logged(kept[1:]), rows, COINS, set(), KEEP_DAYS).missing == 1


def test_parts_that_were_not_merged_and_files_nobody_names_are_counted(tmp_path: Path) -> None:
    """Two parts of a closed day are one too many until they are merged; a stray file is counted too."""
    publisher = Publisher(tmp_path / "processed")
    part = (START_MS, START_MS + 1, pa.table({"coin": ["bitcoin"], "value": [1]}))
    for _ in range(2):
        publisher.publish({}, dict.fromkeys(("log", "features", "scaled_hours", "scores"), part))
    now_ms = START_MS + 2 * DAY_MS
    assert check_files(tmp_path / "processed", tmp_path, now_ms, KEEP_DAYS).problems == 4
    while any(publisher.compact(name, now_ms, lambda table: table) for name in publisher.manifest.parts):
        continue
    assert check_files(tmp_path / "processed", tmp_path, now_ms, KEEP_DAYS).problems == 0
    (tmp_path / "processed" / "empty").mkdir()
    assert check_files(tmp_path / "processed", tmp_path, now_ms, KEEP_DAYS).problems == 1
    assert check_files(tmp_path / "processed", tmp_path, now_ms + 20 * DAY_MS, KEEP_DAYS).old == 4
