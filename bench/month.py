"""`python -m bench month`: a month of the collector and the pipeline in an afternoon, with faults and restarts.

A simulated machine runs the real collector and the real pipeline; code takes as long as it takes, waits are skipped.
Meanwhile answers are spoiled, files damaged, clocks set, the disk filled, and the process killed and restarted. Summer
time ends within, in Europe and in America, and so does a month. In the end prices, log, scores and files are compared
with what was computed beside the product, and the slope of memory is fitted over the later half.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.process_cost import cpu_s
from bench.simulated_month.alerts import middle_price, write_rules
from bench.simulated_month.disk import mounted_disk
from bench.simulated_month.life import Life, clock_in
from bench.simulated_month.market import MonthMarket
from bench.simulated_month.plan import Plan, make_plan
from bench.simulated_month.verdict import Month, judge, report
from core.times import parse_iso

__all__ = ["live", "main"]

_KEEP_DAYS: Final = 15


def live(folder: Path, coins: str, interval_s: int, plan: Plan, *, sample: int, seed: int = 0) -> Month:
    """Let a machine live in `folder`, and judge what it leaves.

    Args:
        folder: empty; gets the data too, on a disk of its own where one may be mounted.
        coins: their ids, with commas between them.
        interval_s: seconds between two polls.
        plan: what happens to it, and when.
        sample: how many coins and hours of the scores are computed once more.
        seed: of the instants of kills and of the files that are damaged.
    """
    clock = clock_in(folder, plan.start_ms)
    market = MonthMarket(coins, lambda: clock.true_ms, plan.answers)
    with mounted_disk(folder / "disk") as disk, market.server as server:
        settings = {
            "CRYPTO_SOURCE": "coingecko",
            "CRYPTO_COINGECKO_URL": server.url,
            "CRYPTO_COINGECKO_PLAN": "local",
            "CRYPTO_COINS": coins,
            "CRYPTO_INTERVAL": str(interval_s),
            "CRYPTO_RETENTION_DAYS": str(_KEEP_DAYS),
            "CRYPTO_LOG_LEVEL": "WARNING",
            "CRYPTO_DATA_DIR": str(disk.folder / "data"),
            "CRYPTO_MODELS_DIR": str(disk.folder / "models"),
            "CRYPTO_ALERTS_FILE": str(folder / "alerts.toml"),
        }
        level = middle_price(market.market, plan.start_ms, plan.end_ms)
        write_rules(folder / "alerts.toml", coins.split(",", maxsplit=1)[0], level)
        life = Life(folder, disk, clock, market, tuple(coins.split(",")), plan, random.Random(seed), settings)
        life.run(lambda line: print(line, file=sys.stderr, flush=True))
        return judge(life, _KEEP_DAYS, level, sample)


def main(arguments: Sequence[str] | None = None) -> int:
    """Live, judge and print; 1 if anything is lost, false, doubled or too large, or memory grows."""
    parser = argparse.ArgumentParser(prog="python -m bench month", description=__doc__)
    parser.add_argument("--start", default="2026-10-20T12:40Z", help="first moment (default: 2026-10-20T12:40Z)")
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--faults", type=int, default=320, help="at least as many (default: 320)")
    parser.add_argument("--restarts", type=int, default=60, help="all in the first half (default: 60)")
    parser.add_argument("--coins", default="bitcoin,ethereum,dogecoin")
    parser.add_argument(
        "--interval", type=int, default=300, help="seconds between two polls (default: 300, as with a demo key)"
    )
    parser.add_argument("--awake", type=float, default=24.0, help="hours of each day; then the machine sleeps")
    parser.add_argument("--sample", type=int, default=150, help="coins and hours of the scores computed once more")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="work in this new folder and leave log and witness there")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that disk and machine end too
    plan = make_plan(
        parse_iso(given.start), given.days, given.faults, given.restarts, awake_h=given.awake, seed=given.seed
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        month = live(folder, given.coins, given.interval, plan, sample=given.sample, seed=given.seed)
    print(f"{given.days:g} days of {given.awake:g} hours from {given.start}, {given.coins}")
    print(f"a poll every {given.interval} s, {cpu_s():.0f} CPU-seconds")
    print(report(month))
    if given.json:
        print(json.dumps(asdict(month)))
    return 0 if month.is_whole and month.is_level else 1
