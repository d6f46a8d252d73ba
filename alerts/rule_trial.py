"""Would a rule fire now? Tells the person who writes it, before it is stored."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.alert import Sight
from alerts.conditions.views import View
from alerts.engine import Engine
from alerts.forecast_view import coverage_view, forecast_view, hours_before
from alerts.market_view import new_ticks, of_the_present, price_views
from alerts.rules.coin_names import CoinName
from alerts.rules.condition import Scope
from alerts.rules.rule import Rule
from alerts.suite_view import present_since_ms, process_view, suite_view
from core.reading.readers import Readers
from core.settings import Settings
from core.times import now_ms

__all__ = ["Trial", "try_rule"]


@dataclass(frozen=True)
class Trial:
    """What a rule says of the newest prices and forecasts.

    Attributes:
        judged: coins, processes, or 1 for the suite, of which enough is known.
        sights: those for which it would fire now; of a rule that tells changes, none: it needs a side to change from.
    """

    judged: int
    sights: tuple[Sight, ...]


def try_rule(rule: Rule, settings: Settings, readers: Readers) -> Trial:
    """Judge a rule on the present state as if it were new; nothing is stored or told.

    Raises:
        NotReady: there are no prices, or no forecasts, for it to judge yet.
    """
    with readers.prices() as prices:
        coins = [CoinName(coin.id, coin.symbol) for coin in prices.coins()]
    engine = Engine([rule], coins)
    scope = rule.condition.SCOPE
    findings = [finding for view in _views(scope, engine, settings, readers) for finding in engine.look(scope, view)]
    return Trial(len(engine.take_changes()), tuple(finding.sight for finding in findings))


def _views(scope: Scope, engine: Engine, settings: Settings, readers: Readers) -> list[View]:
    places, now = {coin: place for place, coin in enumerate(engine.coins)}, now_ms()
    since_ms = present_since_ms(settings, now)
    match scope:
        case Scope.PRICES:
            with readers.prices() as prices:
                ticks = of_the_present(new_ticks(prices, engine.coins, {}), {}, since_ms)
                bands = (lambda seen, at_ms: hours_before(readers, seen, at_ms)) if engine.needs_bands else None
                return list(price_views(ticks, places, prices, engine.spans_ms, bands))
        case Scope.FORECASTS:
            return [forecast_view(readers, places, since_ms)]
        case Scope.COVERAGE:
            return [coverage_view(readers, engine.coins, now)]
        case Scope.PROCESSES:
            return [process_view(settings.run_dir, now)]
        case Scope.SUITE:
            newest_ms = max((price.ts_ms for price in readers.latest_prices().values()), default=None)
            return [suite_view(settings.run_dir, newest_ms, now)]
