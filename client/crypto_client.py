"""Client of the API of the Crypto Forecasting Pipeline; needs `requests` alone, copy it where you want.

```python
from crypto_client import Client

client = Client("http://127.0.0.1:8000")
print(client.forecast("btc")["previsao"])
for event in client.follow(["btc", "eth"]):
    print(event.kind, event.body)
```
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any, Final

import requests

__all__ = ["ApiProblem", "Client", "Event", "Json"]

Json = dict[str, Any]
"""A body as the API documents it at /docs; times are ISO 8601 in UTC."""

_SILENCE_S: Final = 40.0
"""The API sends a sign of life every 15 s; after this long without one the client connects again."""

_PAUSES_S: Final = (2.0, 4.0, 8.0, 15.0)
"""Before each further try in a row to reach a server that does not answer."""

_POLL_S: Final = (5.0, 9.0)
"""Shortest and longest pause between two polls; after a restart one publication may follow another within seconds."""

_STREAM_AGAIN_S: Final = 300.0
"""How long polling goes on before the stream is tried again."""

_REMEMBERED: Final = 20_000
_STREAM_MISSING: Final = ("unknown_path", "too_many_listeners")


class ApiProblem(Exception):
    """The API refused a request (problem details of RFC 9457).

    Attributes:
        status: HTTP status code.
        code: what went wrong, for programs: `unknown_coin`, `invalid_parameter` …
        parameters: the parameters that caused it.
        suggestions: values that would do, the nearest first.
        retry_after_s: when the same request may succeed; None if the answer does not say.
    """

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: str | None) -> None:
        super().__init__(body.get("detail") or f"HTTP {status}")
        self.status = status
        self.code = str(body.get("codigo", ""))
        self.parameters: list[str] = list(body.get("parametros", ()))
        self.suggestions: list[str] = list(body.get("sugestoes", ()))
        self.retry_after_s = float(retry_after) if retry_after and retry_after.isdecimal() else None

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later; the answer may be a proxy's while the API restarts."""
        return self.status == requests.codes.too_many_requests or self.status >= 500


@dataclass(frozen=True)
class Event:
    """Something new.

    Attributes:
        kind: `preco`, `previsao`, `acerto`, `status`; `lacuna` if events are missing, and then `body["buscar"]` says
            where to fetch them.
        body: what the API says.
        last_id: where to go on later: `follow(last_id=…)`; empty while polling.
    """

    kind: str
    body: Json
    last_id: str


class Client:
    """Asks the API; one for each thread.

    Attributes:
        calls: how many requests were made.
        unanswered: how many connections `follow` lost or did not get; it tried again after each.
    """

    def __init__(
        self, address: str = "http://127.0.0.1:8000", token: str | None = None, timeout_s: float = 20.0
    ) -> None:
        self.calls = 0
        self.unanswered = 0
        self._address = address.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"
        self._kept: dict[str, tuple[str, Any]] = {}

    def coins(self) -> list[Json]:
        """The coins collected, with their newest price."""
        return list(self._get("/moedas"))

    def forecast(self, coin: str, horizon_min: int = 60, quantiles: Iterable[float] = ()) -> Json:
        """The newest forecast of one coin, by id or symbol.

        Raises:
            ApiProblem: the coin is unknown, or there are no data yet.
            requests.RequestException: the API cannot be reached.
        """
        return dict(self._get(f"/prever/{coin}", horizonte=horizon_min, quantis=_list(quantiles)))

    def forecasts(
        self,
        coins: Iterable[str] = (),
        horizon_min: int = 60,
        quantiles: Iterable[float] = (),
        fields: Iterable[str] = (),
    ) -> list[Json]:
        """The newest forecasts of these coins, of all without `coins`.

        Only these fields if any are named; otherwise all but the path, which `todos` brings too.
        """
        chosen = {"moedas": _list(coins), "quantis": _list(quantiles), "campos": _list(fields)}
        return list(self._get("/prever", horizonte=horizon_min, **chosen))

    def history(
        self,
        coin: str,
        start: str | None = None,
        end: str | None = None,
        limit: int = 1000,
        fields: Iterable[str] = (),
    ) -> list[Json]:
        """Stored prices, newest first; `start` and `end` (both included) are ISO 8601 dates or times.

        Market cap, volume and time of the poll come if they are among `fields`, or with `todos`.
        """
        span = {"inicio": start, "fim": end, "campos": _list(fields)}
        return list(self._get(f"/historico/{coin}", limite=limit, **span))

    def follow(
        self,
        coins: Iterable[str] = (),
        kinds: Sequence[str] = ("previsao",),
        last_id: str = "",
        *,
        by_stream: bool = True,
    ) -> Iterator[Event]:
        """What is new, for ever: by stream, and by polling forecasts where the stream is not to be had.

        Every forecast comes once (by `id_previsao`), and none is left out over restarts of the API and lost
        connections: a `lacuna` names what the API does not keep any more.

        Args:
            coins: ids or symbols; none means all.
            kinds: of `preco`, `previsao`, `acerto`, `status`.
            last_id: `Event.last_id` of an earlier run, to go on after it.
            by_stream: whether to try the stream at all; polling tells forecasts alone.

        Raises:
            ApiProblem: the request cannot succeed: a coin is unknown, the token is missing.
        """
        query = {"moedas": _list(coins), "tipos": _list(kinds)}
        place = _Place(last_id)
        failures = 0
        while not by_stream:
            yield from self._poll(query["moedas"], place)
        while True:
            try:
                for event in self._stream(query, place):
                    failures = 0
                    yield event
            except ApiProblem as problem:
                if problem.code in _STREAM_MISSING and "previsao" in kinds:
                    yield from self._poll(query["moedas"], place)
                elif not problem.is_passing:
                    raise
                else:
                    time.sleep(problem.retry_after_s or _pause_s(failures))
            except requests.RequestException:
                self.unanswered += 1
            time.sleep(_pause_s(failures))
            failures += 1

    def _stream(self, query: Mapping[str, str | None], place: _Place) -> Iterator[Event]:
        """The events of one connection that were not seen before."""
        place.next_id = place.last_id
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": place.last_id} if place.last_id else {})}
        self.calls += 1
        with self._session.get(
            f"{self._address}/eventos",
            params=query,
            headers=headers,
            stream=True,
            timeout=(self._timeout_s, _SILENCE_S),
        ) as reply:
            _check(reply)
            kind, data = "", b""
            for line in reply.iter_lines(chunk_size=None):
                field, _, value = line.partition(b": ")
                if field == b"event":
                    kind = value.decode()
                elif field == b"data":
                    data += value
                elif field == b"id":
                    place.next_id = value.decode()
                elif not line:
                    place.last_id = place.next_id
                    if data and place.is_new(kind, body := loads(data)):
                        yield Event(kind, body, place.last_id)
                    kind, data = "", b""

    def _poll(self, coins: str | None, place: _Place) -> Iterator[Event]:
        """Forecasts that were not seen before, by asking for all of them when the next ones are due."""
        ends_at = time.monotonic() + _STREAM_AGAIN_S
        while time.monotonic() < ends_at:
            pause_s = _POLL_S[0]
            try:
                found = list(self._get("/prever", moedas=coins, campos="todos"))
                pause_s = _until_next_s(found)
                yield from (Event("previsao", body, "") for body in found if place.is_new("previsao", body))
            except ApiProblem as problem:
                if not problem.is_passing:
                    raise
                pause_s = problem.retry_after_s or pause_s
            except requests.RequestException:
                self.unanswered += 1
            time.sleep(pause_s)

    def _get(self, path: str, **parameters: str | int | None) -> Any:
        """The body of an answer; the one of last time if it has not changed.

        Raises:
            ApiProblem: the API refused.
            requests.RequestException: the API cannot be reached.
        """
        key = f"{path} {parameters}"
        tag, body = self._kept.get(key, ("", None))
        headers = {"If-None-Match": tag} if tag else {}
        self.calls += 1
        reply = self._session.get(self._address + path, params=parameters, headers=headers, timeout=self._timeout_s)
        if reply.status_code == requests.codes.not_modified:
            return body
        _check(reply)
        body = reply.json()
        self._kept.pop(key, None)
        self._kept = {key: (reply.headers.get("ETag", ""), body), **dict(list(self._kept.items())[:50])}
        return body


class _Place:
    """How far a follower has come: the last id, and which forecasts, prices and outcomes it has had."""

    def __init__(self, last_id: str) -> None:
        self.last_id = self.next_id = last_id
        self._seen: dict[tuple[str, str, str], None] = {}

    def is_new(self, kind: str, body: Json) -> bool:
        """Whether this is the first time; states and gaps are always new."""
        if kind not in ("preco", "previsao", "acerto"):
            return True
        key = (kind, str(body.get("id") or body["moeda"]), str(body["horario"]))
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True


def _check(reply: requests.Response) -> None:
    """Raise what a refusal says."""
    if reply.status_code >= 400:
        is_problem = reply.headers.get("Content-Type", "").startswith("application/problem+json")
        raise ApiProblem(reply.status_code, reply.json() if is_problem else {}, reply.headers.get("Retry-After"))


def _list(values: Iterable[object]) -> str | None:
    return ",".join(str(value) for value in values) or None


def _pause_s(failures: int) -> float:
    return _PAUSES_S[min(failures, len(_PAUSES_S) - 1)]


def _until_next_s(forecasts: Sequence[Json], now: Callable[[], float] = time.time) -> float:
    """Seconds until the next forecasts are expected, within the limits of polling."""
    shortest, longest = _POLL_S
    due = [datetime.fromisoformat(forecast["proxima_em"]).timestamp() for forecast in forecasts]
    wait_s = min(due) - now() + 1.0 if due else shortest
    return min(max(wait_s, shortest), longest)
