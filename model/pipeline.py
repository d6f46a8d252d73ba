"""The 30-second loop: new prices → features → training → forecasts → scores → publication.

`python -m model.pipeline` runs it until it is told to stop. A cycle follows each complete poll of the collector, whose
silence does not stop the cycles. They never overlap: one that would overrun leaves out what can wait (training, scores,
tidying, saving), never the forecasts. After a failed step the last good model, or the baseline, goes on forecasting,
and the health file names the step.
"""

from __future__ import annotations

import logging
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Final, TypeVar

import pyarrow as pa

from core.errors import DamagedFile, NotReady, Overtaken, message_of
from core.forecast_schema import HORIZONS_MIN, KIND_MODEL
from core.processes.command_line import CommandLine, bounded_integer, run_command
from core.processes.free_memory import give_back_memory, leave_out_of_collections
from core.processes.health_schema import PIPELINE, RECENT, Headline, PipelineProgress, ProcessState, Step
from core.processes.heartbeat import PATIENCE_S, Heartbeat
from core.processes.lifecycle import lower_priority, stop_event, watch_parent
from core.settings import MAX_SHARDS, Settings
from core.times import iso, now_ms
from core.wording import Message, message
from model.forecaster.announcements import LAST_DAYS
from model.loop.backtest_process import FirstBacktest
from model.loop.calendar_watch import CalendarWatch
from model.loop.cycle_schedule import CycleSchedule
from model.loop.poll_watch import PollWatch
from model.loop.restart_backoff import RestartBackoff
from model.loop.session import Session, open_session
from model.loop.time_budget import TimeBudget
from model.predict import predict
from model.scoring.live_scorer import LiveScorer
from model.train import SAVE_EVERY_MS, train

__all__ = ["RENEWALS_A_CYCLE", "Pipeline", "main"]

_LOOK_EVERY_S: Final = 0.2
"""How often the loop looks for a new poll between two cycles."""

RENEWALS_A_CYCLE: Final = 150
"""Benchmarks of the scores made in one cycle, each of which reads 14 days of prices: about a second."""

_DISK_RETRY_S: Final = 5.0
_MAX_REASON: Final = 300
"""Characters of an error that the health file shows."""

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


class Pipeline:
    """Runs cycles over one session and reports each in the health file."""

    def __init__(
        self, session: Session, heartbeat: Heartbeat[PipelineProgress], backtest: FirstBacktest | None = None
    ) -> None:
        self.session = session
        self._backtest = backtest
        self._heartbeat = heartbeat
        self._scorer = LiveScorer(session.publisher, RENEWALS_A_CYCLE)
        self._cycles = 0
        self._failed: dict[Step, Message | str] = {}
        self._progress = PipelineProgress()
        self._calendar = CalendarWatch(LAST_DAYS if session.options.use_announcements else {})
        self._calendar.look(now_ms())
        self.budget = TimeBudget(session.settings.interval)
        self.restarts = RestartBackoff(session.settings.interval)

    def run(self, stop: threading.Event) -> None:
        """Run cycles until `stop`, when they are due; a long cycle shortens the pause and never overlaps the next."""
        schedule = CycleSchedule(self.session.settings.interval)
        with closing(PollWatch(self.session.workspace.store)) as polls:
            while not stop.is_set():
                schedule.begin(polls.newest())
                schedule.end(complete=self.cycle(now_ms()))
                self._refuse_old_publication()
                while (wait_s := schedule.wait_s(polls.newest())) > 0 and not stop.wait(min(wait_s, _LOOK_EVERY_S)):
                    self._heartbeat.progress()
        self._attempt(Step.SAVING, self.session.save_model)

    def cycle(self, now: int) -> bool:
        """Run one cycle; whether it has published forecasts."""
        self.budget.begin()
        self._failed = {}
        self._attempt(Step.INSPECTION, self._inspect)
        if self._cycles == 0 and self.session.trained_ms is None:
            self._attempt(Step.EARLY_FORECASTS, lambda: self.session.forecast_early(now))
        with self.budget.step(Step.PRICES):
            taken = self._take_prices(now)
        if not taken:
            return False
        if self.budget.has_time_for(Step.TRAINING, Step.FORECASTS):
            self._attempt(Step.TRAINING, lambda: train(self.session, now))
        forecasts = self._attempt(Step.FORECASTS, lambda: predict(self.session, now))
        if self.budget.has_time_for(Step.SCORES):
            self._attempt(Step.SCORES, lambda: self._scorer.step(self.session.prices(), self.session.judge))
        if self.session.copy is not None and (problem := self.session.copy.problem) is not None:
            self._failed[Step.COPYING] = problem
        if self._backtest is not None:
            self._attempt(Step.BACKTEST, self._backtest.step)
        if self.budget.has_time_for(Step.TIDYING):
            self._attempt(Step.TIDYING, lambda: self.session.forecast_log.tidy(now))
        if self._save_is_due(now) and self.budget.has_time_for(Step.SAVING):
            self._attempt(Step.SAVING, self.session.save_model)
        if forecasts is None:
            self._wait_for_prices()
            return False
        self._cycles += 1
        self._tell(forecasts, now)
        give_back_memory()
        return True

    def _refuse_old_publication(self) -> None:
        """Stop where this pipeline must continue what another one has published: its next start does."""
        if self.session.copy is not None and self.session.copy.takes_over:
            raise Overtaken(message("artifacts.takes_over"))

    def _save_is_due(self, now: int) -> bool:
        """Whether a model was never saved, or long ago, or the clock was set back since."""
        saved_ms = self.session.saved_ms
        if self.session.trained_ms is None:
            return False
        return saved_ms is None or not 0 <= now - saved_ms < SAVE_EVERY_MS

    def _inspect(self) -> None:
        self.session.publisher.inspect()
        self._heartbeat.damaged(self.session.damaged)

    def _take_prices(self, now: int) -> bool:
        """Carry new prices to the engine; False where there are none yet.

        A failure half-way leaves an engine in an unknown state: it is replaced by the stored model, which has to learn
        from all stored prices again. So that an error that repeats does not cost this in every cycle, the next try
        waits for `restarts`.
        """
        self._heartbeat.progress()
        if self.restarts.is_waiting():
            self._failed[Step.FEATURES] = self.restarts.reason or "?"
            return True
        try:
            self.session.pull(now)
            self.restarts.succeeded()
        except NotReady as error:
            self._failed = {}
            self._wait_for_prices(error.message)
            return False
        except DamagedFile as error:
            self.session.connection.close()
            self._fail(Step.PRICES, error)
            self._wait_for_prices()
            return False
        except Exception as error:
            self._fail(Step.FEATURES, error)
            self.restarts.failed(self._failed[Step.FEATURES])
            self._attempt(Step.RESTART, self.session.restart_engine)
        return True

    def _attempt(self, what: Step, step: Callable[[], _Result]) -> _Result | None:
        """Run one step; a failure is reported and left to the next cycle, so that the other steps go on."""
        self._heartbeat.progress()
        try:
            with self.budget.step(what):
                return step()
        except NotReady:
            return None
        except Exception as error:
            self._fail(what, error)
            return None

    def _fail(self, what: Step, error: Exception) -> None:
        _log.error("%s failed: %r", what, error, exc_info=not isinstance(error, OSError | DamagedFile))
        self._heartbeat.error(error)
        self._failed[what] = _reason(error)

    def _wait_for_prices(self, reason: Message | str | None = None) -> None:
        said = Message("text", {"text": reason}) if isinstance(reason, str) else reason
        self._progress = replace(self._progress, failed_steps=dict(self._failed), message=said)
        self._heartbeat.state(ProcessState.WAITING_FOR_PRICES, self._progress)

    def _tell(self, forecasts: pa.Table, now: int) -> None:
        kinds = forecasts["kind"].to_pylist()
        seconds = round(self.budget.elapsed_s, 2)
        self._progress = PipelineProgress(
            message=self._calendar.look(now),
            failed_steps=dict(self._failed),
            cycle=self._cycles,
            cycle_seconds=seconds,
            step_seconds={Step(name): round(seconds, 3) for name, seconds in self.budget.seconds.items()},
            deferred={Step(name): count for name, count in self.budget.deferred.items()},
            coins=len(self.session.executor.origins),
            late=self.session.executor.late,
            model_share=round(sum(kind == KIND_MODEL for kind in kinds) / max(len(kinds), 1), 3),
            forecast_at=iso(now),
            trained_at=None if self.session.trained_ms is None else iso(self.session.trained_ms),
            model_version=self.session.model_version,
            centre_moves=any(part > 0 for part in self.session.shrinkage),
            log_rows=self.session.forecast_log.logged_rows,
            score_rows=self.session.forecast_log.score_rows,
            awaiting_outcome=self._scorer.pending,
            bytes_written=self.session.publisher.bytes_written,
            headline=_headline(forecasts),
            recent_cycle_seconds=(*self._progress.recent_cycle_seconds, seconds)[-RECENT:],
        )
        self._heartbeat.count(cycles=1, forecasts=forecasts.num_rows)
        self._heartbeat.state(ProcessState.CYCLING, self._progress)


def _headline(forecasts: pa.Table) -> Headline:
    """The one-hour forecast of the first coin, for the line that a person reads."""
    row = forecasts.slice(HORIZONS_MIN.index(60), 1).to_pylist()[0]
    return Headline(row["coin"], row["price_origin"], row["mean"], row["q10"], row["q90"])


def _reason(error: Exception) -> Message | str:
    reason = message_of(error)
    return reason[:_MAX_REASON] if isinstance(reason, str) else reason


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the loop until a stop signal."""
    line = CommandLine("model.pipeline")
    line.options()("--shards", type=bounded_integer(1, MAX_SHARDS), value="number")
    return run_command(line, _loop, arguments)


def _loop(settings: Settings, given: Namespace) -> int:
    stop = stop_event()
    watch_parent()
    lower_priority()
    leave_out_of_collections()
    patience_s = settings.interval + PATIENCE_S
    with Heartbeat(settings.run_dir, PIPELINE, patience_s) as heartbeat, ExitStack() as stack:
        if given.shards is not None:
            settings = settings.model_copy(update={"shards": given.shards})
        session = _open(settings, heartbeat, stop, stack)
        if session is not None:
            heartbeat.damaged(session.damaged)
            backtest = stack.enter_context(FirstBacktest(session))
            Pipeline(session, heartbeat, backtest).run(stop)
    return 0


def _open(
    settings: Settings, heartbeat: Heartbeat[PipelineProgress], stop: threading.Event, stack: ExitStack
) -> Session | None:
    """Open the workspace, trying again while the disk refuses; None if stopped first."""
    complained = False
    while not stop.is_set():
        try:
            return stack.enter_context(open_session(settings, heartbeat.progress))
        except OSError as error:
            if not complained:
                _log.error("cannot open the workspace: %s; trying every %.0f s", error, _DISK_RETRY_S)
            complained = True
            heartbeat.error(error)
            failed = {Step.OPENING: _reason(error)}
            heartbeat.state(ProcessState.STORAGE_REFUSED, PipelineProgress(failed_steps=failed))
            stop.wait(_DISK_RETRY_S)
    return None


if __name__ == "__main__":
    sys.exit(main())
