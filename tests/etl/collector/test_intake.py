"""Charts beside polls: a jump the polls have confirmed, one they have not, a chart that is wrong from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import BadReply
from core.price_store import Coin, Price, PriceWriter, open_writer
from core.times import DAY_MS, MINUTE_MS, now_ms
from etl.coingecko.client import Chart, MarketsPage
from etl.coingecko.parsing import MarketRow, ReplyTime
from etl.collector.intake import Intake
from etl.collector.write_buffer import WriteBuffer

CADENCE_S = 30.0
COIN = "ethereum"


class Stage:
    """An intake on a store of its own; `minutes` count from half an hour before now."""

    def __init__(self, writer: PriceWriter) -> None:
        self.writer = writer
        self.buffer = WriteBuffer(writer)
        self.intake = Intake(self.buffer)
        self._start_ms = now_ms() - 30 * MINUTE_MS

    def poll(self, minute: float, price: float) -> None:
        """One poll that brings a quote of `minute`."""
        ts_ms = self._ms(minute)
        row = MarketRow(Coin(COIN, "eth", "Ethereum"), Price(COIN, ts_ms, price, None, None, ts_ms))
        self.intake.take_page(MarketsPage([row], ReplyTime(ts_ms, ts_ms), whole=False), [COIN], CADENCE_S)
        self.buffer.flush()

    def empty_poll(self, minute: float) -> None:
        """One poll that brings nothing of the coin."""
        ts_ms = self._ms(minute)
        self.intake.take_page(MarketsPage([], ReplyTime(ts_ms, ts_ms), whole=False), [COIN], CADENCE_S)
        self.buffer.flush()

    def chart(self, minute: float, rows: dict[float, float]) -> None:
        """A chart that comes at `minute`."""
        ts_ms = self._ms(minute)
        prices = [Price(COIN, self._ms(at), price, None, None, ts_ms) for at, price in sorted(rows.items())]
        self.intake.take_chart(COIN, Chart(prices, ReplyTime(ts_ms, ts_ms)), CADENCE_S)
        self.buffer.flush()

    def stored(self) -> dict[float, float]:
        """Minute → price."""
        return {(ts_ms - self._start_ms) / MINUTE_MS: price for ts_ms, price in self.writer.recent(COIN, 0)}

    def _ms(self, minute: float) -> int:
        return self._start_ms + round(minute * MINUTE_MS)


@pytest.fixture
def new_stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage that knows nothing; its rows say nothing of the price but the price."""
    with open_writer(tmp_path / "crypto.db") as writer:
        yield Stage(writer)


@pytest.fixture
def stage(new_stage: Stage) -> Stage:
    """A stage that has polled 100 for ten minutes."""
    for minute in range(11):
        new_stage.poll(minute, 100)
    return new_stage


def day(until: float, price: float = 100.0) -> dict[float, float]:
    """24 hours of 5-minute rows at one price, up to `until`."""
    first = -(DAY_MS // MINUTE_MS) + 4
    return {minute + 0.1: price for minute in range(first, int(until), 5)}


def test_a_chart_from_before_a_confirmed_jump_is_taken(stage: Stage) -> None:
    """Its rows lie at the old level, as the polls of their time did, and 40 % off the newest price."""
    for minute in (11, 12, 13):
        stage.poll(minute, 60)
    stage.chart(14, day(until=10))
    assert stage.stored().items() > day(until=10).items()


def test_the_first_rows_after_a_confirmed_jump_are_stored(stage: Stage) -> None:
    """One row alone at the new level is no spike when polls of its time agree with it."""
    for minute in (11, 12, 13):
        stage.poll(minute, 60)
    stage.chart(14, {**day(until=10), 11.6: 61.0})
    assert stage.stored()[11.6] == 61.0


def test_a_row_after_a_jump_waits_with_the_polls_and_is_stored_with_them(stage: Stage) -> None:
    """A chart that comes before the jump is confirmed loses nothing, and believes nothing early."""
    stage.poll(11, 60)
    stage.chart(11.4, {**day(until=10), 11.2: 61.0})
    assert 11.2 not in stage.stored()
    stage.poll(12, 60)
    stage.poll(13, 60)
    assert [stage.stored()[minute] for minute in (11, 11.2, 12, 13)] == [60, 61, 60, 60]


def test_a_spike_at_the_end_of_a_chart_leaves_no_trace(stage: Stage) -> None:
    """It waits like any jump, and the next poll at the usual level drops it."""
    stage.chart(11, {**day(until=10), 10.5: 1000.0})
    stage.poll(11, 101)
    for minute in (12, 13, 14):
        stage.poll(minute, 1000 if minute == 13 else 100)
    assert max(stage.stored().values()) == 101


def test_a_chart_that_is_wrong_from_end_to_end_is_refused(stage: Stage) -> None:
    """Ten times too high wherever prices are known: nothing of it is stored."""
    before = stage.stored()
    with pytest.raises(BadReply, match="contradicts"):
        stage.chart(11, day(until=10, price=1000.0))
    assert stage.stored() == before


def test_an_old_spike_at_the_level_of_today_is_still_a_spike(stage: Stage) -> None:
    """That the price is there now proves nothing about hours ago."""
    for minute in (11, 12, 13):
        stage.poll(minute, 60)
    stage.chart(14, {**day(until=10), -600.1: 60.0})
    assert -600.1 not in stage.stored()


def test_a_first_price_with_nothing_beside_it_waits_for_others(new_stage: Stage) -> None:
    """Three polls that agree make it true, and none of them is lost."""
    new_stage.poll(0, 100)
    new_stage.poll(1, 101)
    assert new_stage.stored() == {}
    new_stage.poll(2, 99)
    assert new_stage.stored() == {0: 100, 1: 101, 2: 99}


def test_a_first_price_that_the_chart_confirms_waits_no_longer(new_stage: Stage) -> None:
    """The chart of the first back-fill ends where the poll lies."""
    new_stage.poll(1, 101)
    new_stage.chart(1.2, day(until=0))
    assert new_stage.stored()[1] == 101


def test_a_held_price_counts_as_fetched_with_the_chart_that_confirms_it(new_stage: Stage) -> None:
    """Before that, nobody could read it."""
    new_stage.poll(1, 101)
    new_stage.chart(1.2, day(until=0))
    (newest,) = new_stage.writer.latest().values()
    assert (newest.price, newest.fetched_ms - newest.ts_ms) == (101, 12_000)


def test_a_first_price_that_is_a_spike_leaves_no_trace(new_stage: Stage) -> None:
    """Nothing beside it said so; the polls after it do, and the chart is taken then."""
    new_stage.poll(1, 1000)
    with pytest.raises(BadReply, match="contradicts"):
        new_stage.chart(1.2, day(until=0))
    new_stage.poll(2, 100)
    new_stage.chart(2.2, day(until=0))
    new_stage.poll(3, 100)
    assert new_stage.stored() == {**day(until=0), 2: 100, 3: 100}


def test_a_coin_that_is_no_longer_collected_is_neither_missing_nor_unconfirmed(stage: Stage) -> None:
    """Its jump and its gap go with it, from the stored state too; should it come back, it is new."""
    stage.poll(11, 200)
    assert stage.intake.unconfirmed == [COIN]
    stage.empty_poll(12)
    assert stage.intake.missing == {COIN}
    stage.intake.keep(["bitcoin"])
    stage.buffer.flush()
    assert (stage.intake.unconfirmed, stage.intake.missing, stage.intake.newest_ms) == ([], set(), None)
    assert stage.writer.meta("held") == "[]"


def test_held_first_prices_survive_a_restart(new_stage: Stage) -> None:
    """What was held of a coin without any stored price is confirmed by the next process."""
    new_stage.poll(0, 100)
    new_stage.poll(1, 100)
    held = new_stage.writer.meta("held")
    restarted = Stage(new_stage.writer)
    restarted.intake.resume({})
    restarted.intake.load_state(held or "")
    new_stage.intake = restarted.intake
    new_stage.buffer = restarted.buffer
    new_stage.poll(2, 100)
    assert sorted(new_stage.stored()) == [0, 1, 2]
