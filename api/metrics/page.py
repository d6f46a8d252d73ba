"""The page that Prometheus scrapes, made at most once in a few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from api.metrics.data_families import data_families
from api.metrics.request_measures import RequestMeasures, request_families
from api.metrics.suite_families import suite_families
from api.problems import Problem, ProblemCode
from api.security import may_scrape
from core.access_tokens import AccessTokens
from core.processes.health_schema import ApiProgress, api_worker
from core.processes.heartbeat import read_health
from core.reading.readers import Readers
from core.reading.status import assess_suite
from core.settings import Settings
from core.wording import message

__all__ = ["PATH", "MetricsPage", "metrics_router"]

PATH: Final = "/metrics"
_KEPT_S: Final = 2.0

metrics_router = APIRouter()


class MetricsPage(Collector):
    """What is published and what health files say, in the text format of Prometheus; kept for `kept_s`."""

    def __init__(
        self,
        settings: Settings,
        readers: Readers,
        measures: RequestMeasures,
        kept_s: float = _KEPT_S,
        *,
        worker: int = 1,
    ) -> None:
        """Make the page of one process of the API.

        Args:
            settings: of the suite.
            readers: of what is published.
            measures: the requests that this process has answered.
            kept_s: for so long a page is given again.
            worker: number of this process; what the others have answered is in their health files.
        """
        self._settings = settings
        self._worker = worker
        self._kept_s = kept_s
        self._readers = readers
        self._measures = measures
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._lock = threading.Lock()
        self._kept: tuple[float, bytes] | None = None

    def collect(self) -> Iterable[Metric]:
        """Every metric family of this moment."""
        status = assess_suite(self._settings, self._readers)
        yield from request_families(self._requests())
        yield from suite_families(status)
        yield from data_families(self._settings, self._readers, status)

    def _requests(self) -> dict[str, ApiProgress]:
        """What each process of the API has answered, the others up to two seconds ago."""
        others = [api_worker(n) for n in range(1, self._settings.api_workers + 1) if n != self._worker]
        found = {other.name: read_health(self._settings.run_dir, other).progress for other in others}
        return {api_worker(self._worker).name: self._measures.progress(), **found}

    def text(self) -> bytes:
        """The page; from any thread."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] >= self._kept_s:
                self._kept = (time.monotonic(), generate_latest(self._registry))
            return self._kept[1]


@metrics_router.get(PATH, include_in_schema=False)
def get_metrics_page(request: Request) -> Response:
    """The page for Prometheus.

    Raises:
        Problem: the caller may not read it.
    """
    tokens: AccessTokens = request.app.state.metrics_tokens
    if not may_scrape(tokens, dict(request.headers.raw), request.client.host if request.client else None):
        if not tokens.are_required:
            raise Problem(ProblemCode.LOCAL_ONLY, message("refusal.metrics_local"))
        reason = message("refusal.metrics_token")
        raise Problem(ProblemCode.TOKEN_REQUIRED, reason, headers={"WWW-Authenticate": "Bearer"})
    page: MetricsPage = request.app.state.metrics_page
    return Response(page.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})
