"""Readers give API and dashboard what was published and re-read only what has changed."""

from __future__ import annotations

import threading
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import DamagedFile, NotReady, UnknownCoin
from core.forecast_schema import FORECAST_SCHEMA, HORIZONS_MIN, KIND_MODEL
from core.price_store import Coin, Price, open_writer
from core.publishing.parquet import sorted_by
from core.publishing.publisher import Publisher
from core.reading.readers import Readers
from core.reading.tables import Page
from core.settings import Source, load_settings
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, now_ms
from core.workspace import open_workspace, publish_source
from tests.support.refusals import refusal
from tests.support.workspace import COINS, SampleWorkspace, forecast_rows

FOREVER = 2**60


def _append_log(publisher: Publisher, *origins: tuple[str, int], price: float = 100.0) -> None:
    rows = [row for coin, origin in origins for row in forecast_rows(coin, origin, price, "demo")]
    times = [origin for _, origin in origins]
    publisher.publish(appended={"log": (min(times), max(times), pa.Table.from_pylist(rows, FORECAST_SCHEMA))})


def test_before_the_source_is_decided_readers_wait(tmp_path: Path) -> None:
    """Without source.json there is no workspace; the version is still given."""
    readers = Readers(load_settings(data_dir=tmp_path))
    with pytest.raises(NotReady):
        readers.workspace()
    assert readers.publication_version() == "0"
    assert readers.version().endswith("-0")


def test_an_empty_workspace_is_not_ready(readers: Readers) -> None:
    """Prices, forecasts and metrics are not ready; the list of files has one entry without rows."""
    for read in (readers.quotes, readers.forecasts, readers.metrics, lambda: readers.resolve("btc")):
        with pytest.raises(NotReady):
            read()
    assert [(info.name, info.size_bytes, info.updated_ms) for info in readers.files()] == [("crypto.db", 0, None)]


def test_a_store_without_coins_is_not_ready(sample: SampleWorkspace, readers: Readers) -> None:
    """Before the first poll no coin can be called unknown."""
    open_writer(sample.workspace.database).close()
    assert readers.quotes() == []
    with refusal(NotReady, match="moedas"):
        readers.resolve("bitcoin")


def test_quotes_come_by_rank_with_the_change_of_a_day(sample: SampleWorkspace, readers: Readers) -> None:
    """The change is against the price 24 hours before the newest; a coin without prices has none."""
    now = sample.now
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins([COINS[1], COINS[0], COINS[2]])
        writer.store([Price("bitcoin", now - DAY_MS - MINUTE_MS, 50.0), Price("bitcoin", now, 55.0)])
        writer.store([Price("ethereum", now - DAY_MS - 16 * MINUTE_MS, 2.0), Price("ethereum", now, 3.0)])
    bitcoin, ethereum, dogecoin = readers.quotes()
    assert (bitcoin.id, bitcoin.price, bitcoin.updated_ms) == ("bitcoin", 55.0, now)
    assert bitcoin.change_24h_percent == pytest.approx(10.0)
    assert (ethereum.price, ethereum.change_24h_percent) == (3.0, None)
    assert (dogecoin.price, dogecoin.updated_ms) == (None, None)


def test_a_new_price_is_seen_at_once(sample: SampleWorkspace, readers: Readers) -> None:
    """Each of several commits within a millisecond changes the version and the quotes."""
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(COINS[:1])
        seen = {readers.version()}
        for step in range(200):
            writer.store([Price("bitcoin", sample.now - 1000 + step, 1.0 + step)])
            assert readers.quotes()[0].price == 1.0 + step
            seen.add(readers.version())
    assert len(seen) == 201


def test_unchanged_data_are_not_read_again(sample: SampleWorkspace, readers: Readers) -> None:
    """Two calls give the same objects until something is published."""
    sample.fill()
    first = (readers.quotes(), readers.forecasts(), readers.metrics().live)
    again = (readers.quotes(), readers.forecasts(), readers.metrics().live)
    assert all(one is two for one, two in zip(first, again, strict=True))
    version = readers.publication_version()
    sample.publish_forecasts(sample.now + 1000)
    assert readers.publication_version() != version
    assert readers.forecasts() is not first[1]
    assert readers.quotes() is first[0]


def test_what_nobody_made_for_long_is_made_again(readers: Readers) -> None:
    """Values of thousands of names do not stay for ever; the newest ones do, also one that is made again and again."""
    for number in range(3_000):
        readers.cached("always", number, str)
        readers.cached(f"coin {number}", 0, str)
    made: list[str] = []
    for name, key in (("always", 2_999), ("coin 2999", 0), ("coin 0", 0)):
        readers.cached(name, key, partial(made.append, name))
    assert made == ["coin 0"]


def test_an_old_token_is_not_valid_after_a_restart(sample: SampleWorkspace, readers: Readers) -> None:
    """Tokens of two processes differ, although each counts commits from 0."""
    sample.fill()
    other = Readers(sample.settings)
    assert other.version() != readers.version()
    assert other.publication_version() == readers.publication_version()
    other.close()


@pytest.mark.parametrize("name", ["bitcoin", "BTC", " btc ", "Bitcoin"])
def test_a_coin_is_found_by_id_or_symbol_in_any_case(sample: SampleWorkspace, readers: Readers, name: str) -> None:
    """Ids and symbols are found in upper and lower case."""
    sample.fill_prices(1)
    assert readers.resolve(name).id == "bitcoin"


def test_the_larger_of_two_coins_has_the_symbol_and_an_id_wins_over_a_symbol(
    sample: SampleWorkspace, readers: Readers
) -> None:
    """`btc` means the larger coin; an id that is another coin's symbol means its own coin."""
    coins = [Coin("btc-copy", "btc", "Copy", 900, 1), *COINS, Coin("eth", "xeth", "Odd", 800, 1)]
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(coins)
    assert readers.resolve("btc").id == "bitcoin"
    assert readers.resolve("eth").id == "eth"


def test_an_unknown_coin_is_answered_with_the_nearest_names(sample: SampleWorkspace, readers: Readers) -> None:
    """A typing error suggests its coin, nonsense the largest coins; long input is cut."""
    sample.fill_prices(1)
    with refusal(UnknownCoin, match=r"'bitconi'.*bitcoin"):
        readers.resolve("bitconi")
    with refusal(UnknownCoin, match="bitcoin, ethereum, dogecoin"):
        readers.resolve("\x00?" * 400)


def test_history_is_newest_first_within_bounds(sample: SampleWorkspace, readers: Readers) -> None:
    """The interval includes both ends, and the limit keeps the newest prices."""
    sample.fill_prices(1)
    now = sample.now
    rows = readers.history("bitcoin", now - 3 * MINUTE_MS, now - MINUTE_MS, 100)
    assert [row.ts_ms for row in rows] == [now - MINUTE_MS, now - 2 * MINUTE_MS, now - 3 * MINUTE_MS]
    assert [row.ts_ms for row in readers.history("bitcoin", 0, FOREVER, 2)] == [now, now - MINUTE_MS]


def test_a_series_keeps_the_last_price_of_each_step(sample: SampleWorkspace, readers: Readers) -> None:
    """With steps of five minutes each step with prices gives its last one."""
    sample.fill_prices(1)
    start = sample.now - 30 * MINUTE_MS
    every, values = readers.series("bitcoin", start)
    thinned, _ = readers.series("bitcoin", start, 5 * MINUTE_MS)
    assert len(every) == len(values) == 31
    expected = {ts // (5 * MINUTE_MS): ts for ts in every}
    assert thinned == list(expected.values())


def test_a_forecast_comes_back_as_it_was_published(sample: SampleWorkspace, readers: Readers) -> None:
    """Twelve horizons in order, with their quantiles, target times and the training time of the file."""
    publisher = Publisher(sample.workspace.processed)
    rows = forecast_rows("bitcoin", sample.now, 100.0, "demo")
    table = pa.Table.from_pylist(rows[::-1], FORECAST_SCHEMA).replace_schema_metadata({"trained_ms": "123"})
    publisher.publish({"latest": table})
    view = readers.forecast("bitcoin")
    assert [step.horizon_min for step in view.steps] == list(HORIZONS_MIN)
    assert [step.target_ms for step in view.steps] == [sample.now + h * MINUTE_MS for h in HORIZONS_MIN]
    assert view.steps[11].quantiles["q10"] == rows[11]["q10"]
    assert (view.trained_ms, view.price_origin, view.source) == (123, 100.0, "demo")
    with refusal(NotReady, match="dogecoin"):
        readers.forecast("dogecoin")


def test_the_forecasts_of_the_first_release_read_the_same(sample: SampleWorkspace, readers: Readers) -> None:
    """The kind "forest", as version 0.1.0 published it, is read as "model"."""
    rows = [{**row, "kind": "forest"} for row in forecast_rows("bitcoin", sample.now, 100.0, "demo")]
    Publisher(sample.workspace.processed).publish({"latest": pa.Table.from_pylist(rows, FORECAST_SCHEMA)})
    assert readers.forecast("bitcoin").kind == KIND_MODEL


def test_the_log_joins_forecasts_with_their_outcomes(sample: SampleWorkspace, readers: Readers) -> None:
    """An outcome is known an hour later, but not in a gap or before the hour is over."""
    now = sample.now
    origins = [now - 3 * HOUR_MS, now - 2 * HOUR_MS, now - HOUR_MS // 2]
    publisher = Publisher(sample.workspace.processed)
    for origin in origins:
        _append_log(publisher, ("bitcoin", origin))
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(COINS[:1])
        writer.store([Price("bitcoin", origins[0] + HOUR_MS - MINUTE_MS, 80.0), Price("bitcoin", now, 120.0)])
    pending, in_gap, known = readers.logged("bitcoin", 0, FOREVER, 10)
    assert [row.origin_ms for row in (pending, in_gap, known)] == origins[::-1]
    assert (pending.actual, in_gap.actual, known.actual) == (None, None, 80.0)
    assert known.error_percent == pytest.approx(100 * (100.01 - 80) / known.price_origin)
    assert pending.error_percent is None


def test_the_log_is_the_same_before_and_after_its_parts_are_merged(sample: SampleWorkspace, readers: Readers) -> None:
    """Slots, hours and days of several coins give the same rows in the same order, with any limit."""
    publisher = Publisher(sample.workspace.processed)
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(COINS)
    start = (sample.now // DAY_MS - 1) * DAY_MS - 2 * HOUR_MS
    origins = list(range(start, start + 5 * HOUR_MS, 20 * MINUTE_MS))
    for origin in origins:
        _append_log(publisher, ("bitcoin", origin), ("ethereum", origin + 1000))
    before = {limit: readers.logged("ethereum", 0, FOREVER, limit) for limit in (1, 4, 100)}
    assert [row.origin_ms for row in before[100]] == [origin + 1000 for origin in reversed(origins)]
    while publisher.compact("log", sample.now + DAY_MS, sorted_by("coin", "origin", "horizon_min")):
        pass
    assert {part.level for part in publisher.manifest.parts["log"]} == {"day"}
    assert {limit: readers.logged("ethereum", 0, FOREVER, limit) for limit in (1, 4, 100)} == before


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_tables_say_the_same_as_rows(sample: SampleWorkspace, readers: Readers, limit: int) -> None:
    """Columns of prices and of the log have the values of the rows, in the same order, for any limit and span."""
    sample.fill()
    start, end = sample.now - 40 * MINUTE_MS, sample.now - 10 * MINUTE_MS
    prices = readers.price_table("bitcoin", Page(start, end, limit))
    rows = readers.history("bitcoin", start, end, limit)
    assert [(_ms(row["time"]), row["price"], row["volume"], _ms(row["fetched"])) for row in prices.to_pylist()] == [
        (price.ts_ms, price.price, price.volume, price.fetched_ms) for price in rows
    ]
    logged = readers.log_table("ethereum", Page(start, end, limit))
    assert [
        (_ms(row["origin"]), _ms(row["target"]), row["mean"], row["q10"], row["q90"], row["actual"])
        for row in logged.to_pylist()
    ] == [
        (row.origin_ms, row.target_ms, row.mean, row.low_80, row.high_80, row.actual)
        for row in readers.logged("ethereum", start, end, limit)
    ]
    nothing = Page(0, 1, limit)
    assert readers.log_table("ethereum", nothing).num_rows == readers.price_table("bitcoin", nothing).num_rows == 0


def test_a_coin_far_behind_the_others_hides_no_row(sample: SampleWorkspace, readers: Readers) -> None:
    """A part with an old and a new origin is found for both, even with a limit of one."""
    publisher = Publisher(sample.workspace.processed)
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(COINS)
    now = sample.now
    _append_log(publisher, ("bitcoin", now - 5 * MINUTE_MS))
    _append_log(publisher, ("bitcoin", now), ("ethereum", now - HOUR_MS))
    assert [row.origin_ms for row in readers.logged("bitcoin", 0, FOREVER, 1)] == [now]
    late = readers.logged("ethereum", now - 2 * HOUR_MS, now - 30 * MINUTE_MS, 5)
    assert [row.origin_ms for row in late] == [now - HOUR_MS]


def test_the_log_is_limited_to_the_interval(sample: SampleWorkspace, readers: Readers) -> None:
    """The interval includes both ends; before the first and after the last origin there are no rows."""
    sample.fill()
    newest = readers.logged("bitcoin", 0, FOREVER, 1)[0].origin_ms
    step = 5 * MINUTE_MS
    rows = readers.logged("bitcoin", newest - 2 * step, newest - step, 100)
    assert [row.origin_ms for row in rows] == [newest - step, newest - 2 * step]
    assert readers.logged("bitcoin", newest + 1, FOREVER, 100) == []
    assert readers.logged("no-such-coin", 0, FOREVER, 100) == []


def test_metrics_keep_live_and_backtest_apart(sample: SampleWorkspace, readers: Readers) -> None:
    """Live scores are added from their parts, the backtest is one entry, a coin has its own scores."""
    sample.publish_forecasts()
    assert (readers.metrics().live, readers.metrics().backtest) == (None, None)
    sample.publish_scores(4)
    sample.publish_scores(4)
    sample.publish_backtest(4)
    metrics, one = readers.metrics(), readers.metrics("bitcoin")
    assert metrics.live is not None
    assert metrics.backtest is not None
    assert one.live is not None
    assert (metrics.live.overall.forecasts, metrics.backtest.overall.forecasts) == (2 * 3 * 4 * 144, 3 * 4 * 144)
    assert one.live.overall.forecasts == 2 * 4 * 144
    assert list(one.live.by_coin) == ["bitcoin"]


def test_the_spans_of_scores_lie_within_what_happened(sample: SampleWorkspace, readers: Readers) -> None:
    """Live ones begin with the first forecast and end by the publication, and so does a backtest without live ones."""
    sample.publish_backtest(1)
    assert (alone := readers.metrics().backtest) is not None
    assert alone.overall.end_ms <= now_ms()
    sample.publish_log(1)
    sample.publish_scores(1)
    before_ms = now_ms()
    metrics = readers.metrics()
    assert metrics.live is not None
    first_ms = min(part.start_ms for part in readers.manifest()[1].parts["log"])
    for score in (metrics.live.overall, *metrics.live.by_coin.values()):
        assert score.start_ms == first_ms
        assert first_ms < score.end_ms <= before_ms


def test_the_backtest_counts_no_hour_of_live_forecasts(sample: SampleWorkspace, readers: Readers) -> None:
    """Of a stored backtest that reaches into live time the hours before the first live forecast count, to the sum."""
    sample.publish_backtest(30)
    whole = readers.metrics().backtest
    assert whole is not None
    sample.publish_log(20)
    first_ms = readers.manifest()[1].oldest_ms("log")
    for part, before in ((readers.metrics().backtest, whole), (readers.metrics("bitcoin").backtest, whole)):
        assert part is not None
        assert part.overall.end_ms == first_ms // HOUR_MS * HOUR_MS
        assert part.overall.hours == (part.overall.end_ms - before.overall.start_ms) // HOUR_MS
        assert part.overall.forecasts == len(part.by_coin) * 144 * part.overall.hours
    sample.publish_log(40)
    assert readers.metrics().backtest is None


def test_the_files_page_counts_rows_and_sizes(sample: SampleWorkspace, readers: Readers) -> None:
    """Every published table has an entry with its files, rows, size and last update."""
    sample.fill()
    infos = {info.name: info for info in readers.files()}
    assert set(infos) == {"crypto.db", "latest", "backtest", "log", "scores", "scaled_hours"}
    assert infos["latest"].rows == 12 * len(COINS)
    assert infos["log"].files == 13
    assert all(info.size_bytes > 0 and info.updated_ms for info in infos.values())


def test_a_damaged_database_is_named_and_its_successor_is_read(sample: SampleWorkspace, readers: Readers) -> None:
    """Readers report the damage, and read the new database once the collector has created it."""
    sample.fill_prices(1)
    assert len(readers.quotes()) == len(COINS)
    database = sample.workspace.database
    database.unlink()
    database.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(DamagedFile, match=r"crypto\.db"):
        readers.quotes()
    assert readers.version().endswith(readers.publication_version())
    with open_writer(database) as writer:
        writer.update_coins(COINS[:1])
        writer.store([Price("bitcoin", sample.now, 7.0)])
        assert [quote.price for quote in readers.quotes()] == [7.0]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe"])
def test_a_damaged_manifest_is_named(sample: SampleWorkspace, readers: Readers, content: bytes) -> None:
    """An invalid manifest raises DamagedFile, never another error."""
    sample.fill()
    (sample.workspace.processed / "manifest.json").write_bytes(content)
    with pytest.raises(DamagedFile, match="manifest"):
        readers.forecasts()


def test_a_damaged_table_is_named(sample: SampleWorkspace, readers: Readers) -> None:
    """A flipped byte in the published forecasts is found by its checksum."""
    sample.fill()
    path = sample.workspace.processed / sample.publisher.manifest.entries["latest"].file
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="latest"):
        readers.forecasts()


def test_readers_follow_the_source_the_suite_decides_on(sample: SampleWorkspace, readers: Readers) -> None:
    """After another choice of the source its folder is shown, and nothing of the old one."""
    sample.fill_prices(1)
    assert readers.quotes()[0].price is not None
    live = sample.settings.model_copy(update={"source": Source.COINGECKO})
    publish_source(live, open_workspace(live), None)
    assert readers.workspace().source is Source.COINGECKO
    with pytest.raises(NotReady):
        readers.quotes()


def test_a_replay_is_hashed_once(tmp_path: Path) -> None:
    """The folder of a recording is found even after the recording was deleted."""
    recording = tmp_path / "gravação.csv"
    recording.write_text("timestamp,coin,price\n")
    sample = SampleWorkspace.make(tmp_path / "data", source=Source.REPLAY, replay=recording)
    readers = Readers(sample.settings)
    assert readers.workspace().root.parent.name == "replay"
    recording.unlink()
    assert readers.workspace() == sample.workspace


def test_threads_share_connections_while_the_writer_writes(sample: SampleWorkspace, readers: Readers) -> None:
    """Eight threads read without errors, and each sees the prices only grow."""
    errors: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        last = 0.0
        try:
            while not done.is_set():
                price = readers.quotes()[0].price or 0.0
                assert price >= last
                last = price
                readers.history("bitcoin", 0, FOREVER, 10)
        except Exception as error:
            errors.append(error)

    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(COINS[:1])
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for step in range(300):
            writer.store([Price("bitcoin", sample.now - 1000 + step, 1.0 + step)])
        done.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_a_series_reaches_back_over_the_hourly_prices_of_the_first_start(tmp_path: Path) -> None:
    """Hourly prices come before the first stored price, never between or after."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    with open_writer(open_workspace(settings).database) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
        writer.store([Price("bitcoin", 5_000, 5.0), Price("bitcoin", 9_000, 9.0)])
        writer.store_hourly("bitcoin", [(1_000, 1.0), (4_000, 4.0), (6_000, 6.0)])
    assert Readers(settings).series("bitcoin", 2_000) == ([4_000, 5_000, 9_000], [4.0, 5.0, 9.0])
