"""One run of the whole system: check, decide on the source, start processes, supervise, stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from types import FrameType
from typing import Final

from core.coingecko import PUBLIC_URL
from core.files import remove_temporaries
from core.processes.health_schema import PIPELINE, SUITE, ChildStatus, ProcessState, SuiteProgress
from core.processes.heartbeat import BEAT_S, Heartbeat, read_health
from core.settings import PROJECT, Settings, Source
from core.wording import message
from core.workspace import Workspace, forget_source, open_workspace, publish_source
from suite import children
from suite.banner import addresses, banner
from suite.browser import answers, has_display, open_pages
from suite.console import Console
from suite.cycle_line import CycleReporter
from suite.ports import free_port
from suite.preflight import (
    given_names,
    lock_data_dir,
    misspelt_variables,
    refuse_busy_ports,
    refuse_unreadable_recording,
)
from suite.service_manager import ServiceManager
from suite.source import BACK_NOTICE, Decision, FallbackWatch, Probe, decide, needs_probe, pointing_to_local_server
from suite.supervisor import Supervisor

__all__ = ["Suite"]

_TICK_S: Final = 0.2
_PROBE_AGAIN_S: Final = 300.0
_LOOP_PATIENCE_S: Final = 60.0
"""A main loop without a turn for this long hangs; its longest step, to end a child, takes seconds."""

_SIMULATOR_STARTS_S: Final = 30.0


class Suite:
    """One run of the system in one data folder.

    Args:
        settings: the source may still be `auto`.
        console: where messages and the children's output go.
        coingecko_url: the address that is probed to find out whether live prices can be reached.
        probe_again_s: interval of later probes while simulated prices are shown instead.
    """

    def __init__(
        self,
        settings: Settings,
        console: Console,
        coingecko_url: str = PUBLIC_URL,
        probe_again_s: float = _PROBE_AGAIN_S,
    ) -> None:
        self._settings = settings
        self._console = console
        self._coingecko_url = coingecko_url
        self._probe_again_s = probe_again_s
        self._signals = 0
        self._refusals: set[tuple[str, int | None]] = set()
        self._state = ProcessState.STARTING
        self._progress = SuiteProgress(urls=addresses(settings))
        self._health = Heartbeat(settings.run_dir, SUITE, _LOOP_PATIENCE_S)
        self._service = ServiceManager()
        self._supervisor = Supervisor(console, PROJECT, settings.run_dir, on_change=self._publish_children)
        self._cycles = CycleReporter()

    def run(self) -> int:
        """Run until a signal.

        Returns:
            The exit code, 0 after an orderly stop.

        Raises:
            ConfigurationError: the folder holds another source, or a child refuses its settings.
            Unavailable: a port is busy, or the folder cannot be written.
            AlreadyRunning: another suite runs in this data folder.
        """
        with ExitStack() as stack:
            self._catch_signals()
            for warning in misspelt_variables(given_names()):
                self._console.warn(warning)
            refuse_unreadable_recording(self._settings)
            stack.enter_context(lock_data_dir(self._settings))
            refuse_busy_ports(self._settings)
            stack.enter_context(self._health)
            stack.callback(self._stop)
            decision, workspace = self._start()
            if workspace is not None:
                self._watch(decision, workspace)
        return 0

    @property
    def _stopping(self) -> bool:
        return self._signals > 0

    def _catch_signals(self) -> None:
        """Stop in order on the first signal and at once on the second; ignore SIGHUP under `nohup`."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1

        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
                signal.signal(number, handle)

    def _start(self) -> tuple[Decision, Workspace | None]:
        """Start the front ends at once, and the other processes when the source is decided.

        Returns:
            The decision, and its workspace: None if a signal came before.
        """
        self._health.progress(self._progress)
        forget_source(self._settings)
        if self._settings.source is Source.AUTO:
            self._start_front_ends()
            decision = self._decide()
            if self._stopping:
                return decision, None
            workspace = self._open(decision)
        else:
            decision = decide(self._settings, reachable=False)
            workspace = self._open(decision)
            self._start_front_ends()
        self._start_market(decision.settings, workspace)
        return decision, workspace

    def _start_front_ends(self) -> None:
        for worker in range(1, self._settings.api_workers + 1):
            self._supervisor.start(children.api(self._settings, worker))
        self._supervisor.start(children.dashboard(self._settings))
        threading.Thread(target=self._announce_front_ends, name="announce", daemon=True).start()

    def _decide(self) -> Decision:
        if not needs_probe(self._settings):
            return decide(self._settings, reachable=True)
        self._console.say(message("suite.looking_for_coingecko"))
        probe = Probe(self._coingecko_url)
        self._tick_until(lambda: probe.answer is not None)
        return decide(self._settings, reachable=bool(probe.answer))

    def _open(self, decision: Decision) -> Workspace:
        workspace = open_workspace(decision.settings)
        remove_temporaries(workspace.root, "workspace")
        publish_source(decision.settings, workspace, decision.notice)
        self._report(replace(self._progress, source=workspace.source.value, notice=decision.notice))
        self._console.say(banner(decision.settings, workspace))
        if decision.notice:
            self._console.warn(message("suite.notice", notice=decision.notice))
        return workspace

    def _start_market(self, settings: Settings, workspace: Workspace) -> None:
        if not workspace.is_live:
            port = free_port({settings.api_port, settings.dashboard_port})
            self._supervisor.start(children.simulator(settings, workspace, port))
            settings = pointing_to_local_server(settings, port)
            self._tick_until(lambda: answers(f"{settings.coingecko_url}/ping"), _SIMULATOR_STARTS_S)
        if not self._stopping:
            self._supervisor.start(children.collector(settings))
            self._supervisor.start(children.pipeline(settings))
            self._attempt(self._start_alerts, workspace)
        self._state = ProcessState.RUNNING
        self._health.state(self._state)
        self._service.ready()

    def _start_alerts(self, workspace: Workspace) -> None:
        """Start the alert process once there are rules: a file beside .env, or a store that the dashboard made."""
        if "alerts" in self._supervisor.children():
            return
        if self._settings.alerts_file.exists() or workspace.alerts.exists():
            self._supervisor.start(children.alerts(self._settings))

    def _watch(self, decision: Decision, workspace: Workspace) -> None:
        """Supervise until a signal, and read health files as often as they change."""
        fallback = FallbackWatch(self._coingecko_url, self._probe_again_s) if decision.is_fallback else None
        while not self._stopping:
            self._tick_until(lambda: False, BEAT_S)
            self._attempt(self._report_cycle)
            self._attempt(self._start_alerts, workspace)
            self._attempt(self._keep_source, decision, workspace)
            if fallback is not None and fallback.answers_again():
                fallback = None
                self._report(replace(self._progress, notice=BACK_NOTICE))
                self._attempt(self._keep_source, decision, workspace)
                self._console.warn(message("suite.notice", notice=BACK_NOTICE))

    def _attempt(self, step: Callable[..., None], *given: object) -> None:
        """Take a step that the next turn takes again; why it failed is in the health file, and is told once."""
        try:
            step(*given)
        except OSError as error:
            self._health.error(error)
            refusal = (step.__name__, error.errno)
            if refusal not in self._refusals:
                self._refusals.add(refusal)
                self._console.warn(message("suite.refused_now", reason=str(error)))

    def _keep_source(self, decision: Decision, workspace: Workspace) -> None:
        """Restore source.json if it was lost or damaged: the front ends need it."""
        publish_source(decision.settings, workspace, self._progress.notice)

    def _report_cycle(self) -> None:
        health = read_health(self._settings.run_dir, PIPELINE)
        if health.pid is not None and health.pid == self._supervisor.pid("pipeline"):
            line = self._cycles.line(health.pid, health.progress)
            if line:
                self._console.say(line)

    def _announce_front_ends(self) -> None:
        """Say when both front ends respond, and open them in a browser if there is a display."""
        urls = addresses(self._settings)
        while not (answers(f"{urls['api']}/status") and answers(f"{urls['dashboard']}/_stcore/health")):
            if self._stopping:
                return
            time.sleep(_TICK_S)
        self._console.say(message("suite.both_answer", dashboard=urls["dashboard"], api=urls["api"]))
        if self._settings.browser and has_display():
            open_pages((f"{urls['api']}/docs", urls["dashboard"]))

    def _tick_until(self, done: Callable[[], bool], timeout_s: float = float("inf")) -> None:
        """Supervise the children until `done()`, a signal, or the time limit; at least once."""
        deadline = time.monotonic() + timeout_s
        while not self._stopping:
            self._supervisor.tick()
            self._health.progress()
            self._service.alive()
            time.sleep(_TICK_S)
            if done() or time.monotonic() >= deadline:
                return

    def _publish_children(self, children: Mapping[str, ChildStatus]) -> None:
        self._progress = replace(self._progress, children=children)
        self._health.state(self._state, self._progress)

    def _report(self, progress: SuiteProgress) -> None:
        self._progress = progress
        self._health.progress(progress)

    def _stop(self) -> None:
        self._service.stopping()
        self._console.say(message("suite.stopping"))
        self._state = ProcessState.STOPPING
        self._supervisor.stop(hurry=lambda: self._signals > 1)
        self._console.say(message("suite.stopped"))
