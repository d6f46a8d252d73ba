"""Counts requests, their latencies and the bytes sent, by route; routes that do not exist are one."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from fastapi.routing import iter_route_contexts
from prometheus_client.core import HistogramMetricFamily, Metric
from starlette.routing import BaseRoute

from api.metrics.families import PREFIX, counters, gauge

__all__ = ["UNKNOWN_ROUTE", "RequestMeasures", "RouteNames"]

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
class _Latencies:
    """A histogram: how many requests took at most each bound, and the sum of the times in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        total, result = 0, []
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            result.append((bound, float(total)))
        return result


class RequestMeasures:
    """What the API has answered since it started; for one event loop."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[str] = Counter()
        self._latencies: dict[str, _Latencies] = {}
        self.in_progress = 0

    def record(self, route: str, status: int, seconds: float, size: int) -> None:
        """Count one answer.

        Args:
            route: its template.
            status: of HTTP; 0 if the client left before there was one.
            seconds: from the request to the last byte.
            size: bytes of the body.
        """
        self._answers[route, str(status) if status else "none"] += 1
        self._bytes[route] += size
        if route not in _ENDLESS:
            self._latencies.setdefault(route, _Latencies()).add(seconds)

    def families(self) -> Iterable[Metric]:
        """The metric families of this moment, from any thread."""
        answers, sizes, times = dict(self._answers), dict(self._bytes), dict(self._latencies)
        text = "Requests answered, by route template and status."
        yield from counters("http_requests", text, "route status", answers)
        yield from counters("http_response_size_bytes", "Bytes of bodies sent.", "route", sizes)
        yield from gauge("http_requests_in_progress", "Requests being answered now.", self.in_progress)
        if times:
            text = "Time from a request to the last byte of its answer; without streams of events."
            family = HistogramMetricFamily(f"{PREFIX}http_request_duration_seconds", text, labels=("route",))
            for route, latencies in times.items():
                family.add_metric((route,), latencies.buckets(), latencies.sum_s)
            yield family
