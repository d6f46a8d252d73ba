"""Counts requests, their latencies and the bytes sent, by process and route; routes that do not exist are one."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from fastapi.routing import iter_route_contexts
from prometheus_client.core import HistogramMetricFamily, Metric
from starlette.routing import BaseRoute

from api.metrics.families import PREFIX, counters, gauges
from core.processes.health_schema import ApiProgress, RouteRequests

__all__ = ["UNKNOWN_ROUTE", "RequestMeasures", "RouteNames", "request_families"]

UNKNOWN_ROUTE: Final = "unknown"

_ENDLESS: Final = frozenset({"/eventos"})
"""Routes whose answer lasts as long as the client likes, which is no latency."""

_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RouteNames:
    """Finds the route template of a path: as many names as there are routes, whatever is requested."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        paths = [context.path_format for context in iter_route_contexts(routes) if context.path_format]
        self._whole = {path for path in paths if "{" not in path}
        self._parted = {path.partition("{")[0]: path for path in paths if "{" in path}

    def name(self, path: str) -> str:
        """The template of the route that serves `path`, as far as its first parts tell."""
        if path in self._whole:
            return path
        return self._parted.get(path[: path.find("/", 1) + 1], UNKNOWN_ROUTE)


@dataclass(slots=True)
class _Route:
    """What was answered on one route: how many requests took at most each bound, and the sum of the times."""

    answers: Counter[str] = field(default_factory=Counter)
    size: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS_S) + 1))
    seconds: float = 0.0


class RequestMeasures:
    """What this process of the API has answered since it started; for one event loop."""

    def __init__(self) -> None:
        self._routes: dict[str, _Route] = {}
        self.in_progress = 0

    def record(self, route: str, status: int, seconds: float, size: int) -> None:
        """Count one answer.

        Args:
            route: its template.
            status: of HTTP; 0 if the client left before there was one.
            seconds: from the request to the last byte.
            size: bytes of the body.
        """
        noted = self._routes.get(route) or self._routes.setdefault(route, _Route())
        noted.answers[str(status) if status else "none"] += 1
        noted.size += size
        if route not in _ENDLESS:
            noted.counts[bisect_left(_BOUNDS_S, seconds)] += 1
            noted.seconds += seconds

    def progress(self) -> ApiProgress:
        """The counts of this moment, from any thread."""
        routes = dict(self._routes)
        counted = {
            name: RouteRequests(
                dict(route.answers), route.size, () if name in _ENDLESS else tuple(route.counts), route.seconds
            )
            for name, route in routes.items()
        }
        return ApiProgress(counted, self.in_progress)


def request_families(workers: Mapping[str, ApiProgress]) -> Iterable[Metric]:
    """The metric families of the requests that each process of the API has answered, by the name of the process.

    Sums would fall when one process starts again, and Prometheus reads a counter that falls as a restart.
    """
    routes = [(worker, name, route) for worker, own in workers.items() for name, route in own.requests.items()]
    answers = {(worker, name, status): n for worker, name, route in routes for status, n in route.answers.items()}
    text = "Requests answered, by process, route template and status."
    yield from counters("http_requests", text, "worker route status", answers)
    sizes = {(worker, name): route.size for worker, name, route in routes}
    yield from counters("http_response_size_bytes", "Bytes of bodies sent.", "worker route", sizes)
    busy = {worker: own.in_progress for worker, own in workers.items()}
    yield from gauges("http_requests_in_progress", "Requests being answered now.", "worker", busy)
    text = "Time from a request to the last byte of its answer; without streams of events."
    family = HistogramMetricFamily(f"{PREFIX}http_request_duration_seconds", text, labels=("worker", "route"))
    for worker, name, route in routes:
        if route.bucket_counts:
            family.add_metric((worker, name), _buckets(route.bucket_counts), route.seconds)
    if family.samples:
        yield family


def _buckets(counts: Sequence[int]) -> list[tuple[str, float]]:
    """How many took at most each bound."""
    bounds = (*map(str, _BOUNDS_S), "+Inf")
    return list(zip(bounds, map(float, accumulate(counts)), strict=True))
