"""From what is known of coins at their origins, and the model, to their forecasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from etl.arrays import FloatArray, IntArray
from etl.features.feature_rows import OriginRows
from etl.features.targets import STEP_ROOTS, STEPS
from model.forecaster.forecasts import Forecasts, Spread, quantile_prices
from model.forecaster.online_model import OnlineModel
from model.forecaster.reach import consistent_reach

__all__ = ["AtOrigins", "assemble_forecasts"]

_MIN_HALF_WIDTH: Final = 1e-5 * STEP_ROOTS[:, None] * np.array([0.67, 1.28, 1.64, 1.96])
"""Half-widths of a price with a volatility of a tenth of a basis point per 5 minutes: no interval is narrower."""


@dataclass(frozen=True)
class AtOrigins:
    """What is known of k coins, each at its own origin: all that their forecasts need besides the model.

    Attributes:
        coins: ids (k,).
        origin_ms: origins (k,), in UTC milliseconds.
        rows: feature rows as of the origins, each with a price.
        own: how far the coins that `rows` calls static moved themselves, in their order, in units of the mixed
            volatility; NaN where too few moves are known.
    """

    coins: Sequence[str]
    origin_ms: IntArray
    rows: OriginRows
    own: Spread

    @classmethod
    def joined(cls, shards: Sequence[AtOrigins], numbers: Callable[[Sequence[str]], IntArray]) -> AtOrigins:
        """What is known of the coins of all shards, in the order of their numbers."""
        coins = [coin for one in shards for coin in one.coins]
        rows = OriginRows.joined([one.rows for one in shards])
        order = np.argsort(numbers(coins))
        static = (np.cumsum(rows.static) - 1)[order][rows.static[order]]
        return cls(
            coins=[coins[place] for place in order],
            origin_ms=np.concatenate([one.origin_ms for one in shards])[order],
            rows=rows.part(order),
            own=Spread(
                np.concatenate([one.own.half_widths for one in shards])[static],
                np.concatenate([one.own.reach for one in shards])[static],
            ),
        )


def assemble_forecasts(model: OnlineModel, numbers: IntArray, known: AtOrigins) -> Forecasts:
    """Forecasts of k coins, which the model knows by their numbers (k,), as of their origins."""
    at, origin_ms = known.rows, known.origin_ms
    by_baseline = _baseline_spread(model, numbers, known)
    by_model, scale = model.model_spread(at, numbers, origin_ms)
    is_model = np.isfinite(by_model.half_widths).all(axis=(1, 2)) & model.gate.passes(numbers) & model.is_ready
    mean = np.where(is_model[:, None], model.point.mean(at.x, numbers), 0.0)
    centre = at.price[:, None] * np.exp(mean * at.vol_fast[:, None] * STEP_ROOTS)
    stay = np.repeat(at.price[:, None], STEPS, axis=1)
    baseline_quantiles, baseline_reach = _quantiles_and_reach(by_baseline, stay, at.price)
    model_quantiles, model_reach = _quantiles_and_reach(by_model, centre, at.price)
    return Forecasts(
        coins=known.coins,
        origin_ms=origin_ms,
        price_origin=at.price,
        mean=centre,
        quantiles=np.where(is_model[:, None, None], model_quantiles, baseline_quantiles),
        p_up=model.point.p_up(mean),
        is_model=is_model,
        reach=np.where(is_model[:, None, None], model_reach, baseline_reach),
        activity_percentile=model.activity_history.percentile(origin_ms, numbers, scale),
        baseline_quantiles=baseline_quantiles,
        baseline_reach=baseline_reach,
        model_quantiles=model_quantiles,
    )


def _baseline_spread(model: OnlineModel, numbers: IntArray, known: AtOrigins) -> Spread:
    """How far coins move without a model; static coins as far as they did themselves, once that is known."""
    spread, static = model.baseline_spread(known.rows, numbers), known.rows.static
    scale = (known.rows.vol_mixed[static, None] * STEP_ROOTS)[..., None]
    for values, measured in ((spread.half_widths, known.own.half_widths), (spread.reach, known.own.reach)):
        own = np.maximum.accumulate(measured * scale, axis=1)
        values[static] = np.where(np.isfinite(own), own, values[static])
    return spread


def _quantiles_and_reach(spread: Spread, centre: FloatArray, price: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Price quantiles (k, STEPS, 9) around centres (k, STEPS), and the reach that goes with them, from prices (k,)."""
    quantiles = quantile_prices(centre, np.maximum(spread.half_widths, _MIN_HALF_WIDTH))
    return quantiles, consistent_reach(spread.reach, np.log(quantiles / price[:, None, None]))
