"""What became of a simulated machine: prices, log, scores, files and memory against what was computed beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.simulated_month.alerts import AlertVerdict, check_alerts
from bench.simulated_month.files import FileVerdict, check_files, read_parts, size_of
from bench.simulated_month.life import Life, Reading, slope_per_day
from bench.simulated_month.log import LogVerdict, check_log
from bench.simulated_month.machine import WITNESS
from bench.simulated_month.prices import PriceVerdict, check_prices, read_series
from bench.simulated_month.scores import ScoreVerdict, check_scores
from bench.simulated_month.witness import SLOT_MS, read_rows
from core.times import DAY_MS, HOUR_MS

__all__ = ["Month", "judge", "report"]

_BYTES_A_COIN_AND_DAY: Final = 500_000
"""Log, features and scores, as docs/reliability.md says under "How large it grows"."""

_BYTES_A_PRICE: Final = 100
_PRICES_A_DAY: Final = 1440 + 288
"""One a minute, and those of charts."""

_THINNED_A_DAY: Final = 288
_FIXED_BYTES: Final = 1_000_000
_MOST_MB_AN_HOUR: Final = 0.5


@dataclass(frozen=True)
class Month:
    """What became of a simulated machine.

    Attributes:
        faults: spoiled answers, clock jumps, damaged files and full disks together.
        done: each kind of what befell it, and how often.
        ends: processes that ended by themselves.
        tracebacks: errors in its log that no rule foresees.
        publications: number of the last one.
        sizes: bytes of crypto.db and of the published files, and how large they may be.
    """

    faults: int
    done: dict[str, int]
    ends: list[str]
    tracebacks: int
    publications: int
    prices: PriceVerdict
    log: LogVerdict
    scores: ScoreVerdict
    alerts: AlertVerdict
    files: FileVerdict
    sizes: dict[str, tuple[int, int]]
    readings: list[Reading]

    @property
    def lost(self) -> int:
        """Prices, forecasts and crossings that are missing, and cells of the scores with another count."""
        return len(self.prices.lost) + self.log.missing + self.scores.miscounted + self.alerts.lost

    @property
    def false(self) -> int:
        """Prices, forecasts, scores and alerts that are not what they must be."""
        log = self.log.changed + self.log.unknown + self.log.early
        return self.prices.false + log + self.scores.different + self.alerts.false

    @property
    def doubled(self) -> int:
        """Prices and forecasts that are stored twice."""
        return self.prices.doubled + self.log.doubled

    @property
    def misfits(self) -> int:
        """Files too many or too few, and sizes above their limit."""
        return self.files.problems + sum(size > limit for size, limit in self.sizes.values())

    @property
    def restarts(self) -> int:
        """Kills and orderly restarts."""
        return self.done.get("kills", 0) + self.done.get("orderly restarts", 0)

    @property
    def slope_mb_an_hour(self) -> float:
        """Growth of memory after start-up, in MB per simulated hour."""
        return slope_per_day(self.readings, "memory_mb") / 24

    @property
    def is_level(self) -> bool:
        """Whether memory does not grow faster than it may."""
        return self.slope_mb_an_hour <= _MOST_MB_AN_HOUR

    @property
    def is_whole(self) -> bool:
        """Whether nothing at all is wrong, apart from memory."""
        return not (self.lost or self.false or self.doubled or self.misfits or self.ends or self.tracebacks)


def judge(life: Life, keep_days: int, level: float, sample: int) -> Month:
    """Compare what a life left behind.

    Args:
        life: it has ended.
        keep_days: retention.
        level: that a rule of the alerts watches.
        sample: how many coins and hours of the scores are computed once more.
    """
    processed, witnessed = life.data / "processed", read_rows(life.folder / WITNESS)
    stored, log = read_series(life.data / "crypto.db"), read_parts(processed, "log")
    left_out = {(life.coins[coin], slot * SLOT_MS // HOUR_MS * HOUR_MS) for coin, slot in life.damaged_slots}
    answers = life.market.faults.hits
    others = sum(life.done[name] for name in ("clock jumps", "damaged files", "full disks"))
    return Month(
        faults=answers + others,
        done={"spoiled answers": answers, **life.done},
        ends=life.ends,
        tracebacks=(life.folder / "machine.log").read_text(encoding="utf-8").count("Traceback"),
        publications=life.clock.seen,
        prices=check_prices(stored, life.market.carried, life.market.market, keep_days),
        log=check_log(log, witnessed, life.coins, life.damaged_slots, keep_days),
        scores=check_scores(log, read_parts(processed, "scores"), stored, left_out, sample),
        alerts=check_alerts(life.data / "alerts.db", life.market.market, stored[life.coins[0]], level),
        files=check_files(processed, life.models, int(witnessed["machine_ms"][-1]), keep_days),
        sizes=_sizes(life, keep_days),
        readings=life.later_half(),
    )


def _sizes(life: Life, keep_days: int) -> dict[str, tuple[int, int]]:
    """Bytes of the price store and of the published files, and how many there may be."""
    days = (life.plan.end_ms - life.plan.start_ms) / DAY_MS
    full, coins = min(days, keep_days) + 2, len(life.coins)
    prices = full * _PRICES_A_DAY + max(0.0, days - keep_days) * _THINNED_A_DAY
    return {
        "crypto.db": (
            (life.data / "crypto.db").stat().st_size,
            _FIXED_BYTES + round(coins * prices * _BYTES_A_PRICE),
        ),
        "processed/": (size_of(life.data / "processed"), _FIXED_BYTES + round(coins * full * _BYTES_A_COIN_AND_DAY)),
    }


def report(month: Month) -> str:
    """The table that people read."""
    done = ", ".join(f"{count} {name}" for name, count in month.done.items())
    prices, log, scores, files = month.prices, month.log, month.scores, month.files
    rows = [
        ("faults", f"{month.faults:,}", done),
        ("restarts", f"{month.restarts:,}", f"{len(month.ends)} ends by itself, {month.tracebacks} unforeseen errors"),
        (
            "lost",
            f"{month.lost:,}",
            f"of {prices.carried:,} prices carried, {log.expected:,} forecasts logged, {scores.cells:,} cells scored",
        ),
        (
            "false",
            f"{month.false:,}",
            f"of {prices.stored:,} prices stored, {log.logged:,} forecasts, "
            f"{scores.recomputed:,} scores computed again",
        ),
        ("alerts", f"{month.alerts.told:,}", f"{month.alerts.crossings:,} of them crossings of a level"),
        ("doubled", f"{month.doubled:,}", "prices and forecasts"),
        (
            "files",
            f"{month.misfits:,} misfits",
            ", ".join(f"{name} {count} of {files.expected[name]}" for name, count in files.parts.items())
            + f", {files.models} models",
        ),
        *(
            (name, f"{size / 1e6:.1f} MB", f"at most {limit / 1e6:.1f} MB")
            for name, (size, limit) in month.sizes.items()
        ),
        ("memory", f"{month.slope_mb_an_hour:+.4f} MB/h", _memory(month.readings)),
    ]
    return "\n".join(f"{name:12}{value:>16}  {remark}" for name, value, remark in rows)


def _memory(readings: list[Reading]) -> str:
    sizes, files = [one.memory_mb for one in readings], {one.open_files for one in readings}
    half = max(1, len(sizes) // 2)
    before, after = (sum(part) / len(part) for part in (sizes[:half], sizes[-half:]))
    return (
        f"last process, after start-up: {sizes[0]:.1f} MB at first, {before:.1f} and {after:.1f} in two halves; "
        f"{min(files)} to {max(files)} open files"
    )
