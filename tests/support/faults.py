"""Faults on demand: what a faulty market server does wrong, in which order, how often, and for which coins.

A plan is plain JSON: `[{"kind": "rate_limit", "times": 3, "retry_after_s": 2}, …]`, or
`{"seed": 1, "faults": […]}`, or `{"seed": 1, "storm": 0.2}` for any fault at all with that probability a request.
Which requests are hit depends on the plan, its seed and the order of the requests alone; the market never knows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from core.errors import BadInput

__all__ = ["ANSWER_KINDS", "CONTENT_KINDS", "MARKET_KINDS", "STORM_KINDS", "TRANSPORT_KINDS", "Fault", "FaultPlan"]

ANSWER_KINDS: Final = (
    "rate_limit",
    "throttled_text",
    "ban_1015",
    "ban_1020",
    "server_error",
    "html_200",
    "empty_object",
    "empty_list",
)
"""The whole answer is another one."""

TRANSPORT_KINDS: Final = ("reset", "slow_body", "cut_body", "wrong_length", "gzip_garbage")
"""The answer is right, its way is not."""

CONTENT_KINDS: Final = (
    "price_null",
    "price_zero",
    "price_negative",
    "price_nan",
    "price_infinity",
    "price_text",
    "spike",
    "future",
    "missing",
    "unordered",
    "holes",
    "empty_arrays",
    "cap_zero",
    "delisted",
)
"""Status and shape are right, values are not."""

MARKET_KINDS: Final = ("renamed", "stale", "frozen")
"""The market is another one: a coin has the id `new_id`; prices stopped `age_s` ago, or at the first hit."""

STORM_KINDS: Final = tuple(
    kind for kind in (*ANSWER_KINDS, *TRANSPORT_KINDS, *CONTENT_KINDS, *MARKET_KINDS) if kind != "renamed"
)
"""What a storm draws from: everything that needs no further particulars."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `times`: for how many requests (None: for ever), after `skip` others; `probability` for each of them;
    `path`: only requests whose path contains it; `coins`: only these ids (none: all of the answer).
    """

    kind: str
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    path: str = ""
    coins: tuple[str, ...] = ()
    status: int = 503
    retry_after_s: int | None = None
    reset_after_s: int | None = None
    delay_s: float = 2.0
    factor: float = 10.0
    age_s: float = 172_800.0
    ahead_s: float = 3_600.0
    new_id: str = ""

    @classmethod
    def from_json(cls, value: object) -> Fault:
        """Check one entry of a plan.

        Raises:
            BadInput: the kind or a field is not known, or a value has the wrong type.
        """
        if not isinstance(value, dict):
            raise BadInput(f"plano de falhas: esperado um objeto, veio {str(value)[:60]!r}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise BadInput(f"plano de falhas: campo desconhecido {unknown[0]!r}")
        kind = value.get("kind")
        if kind not in (*ANSWER_KINDS, *TRANSPORT_KINDS, *CONTENT_KINDS, *MARKET_KINDS):
            raise BadInput(f"plano de falhas: tipo desconhecido {str(kind)[:60]!r}")
        for name, content in value.items():
            _check(name, content)
        fault = cls(**{**value, "coins": tuple(value.get("coins", ()))})
        if kind == "renamed" and (len(fault.coins) != 1 or not fault.new_id):
            raise BadInput("plano de falhas: 'renamed' precisa de uma moeda em 'coins' e de 'new_id'")
        return fault


_TEXTS: Final = ("kind", "path", "new_id")
_OPTIONAL: Final = ("times", "retry_after_s", "reset_after_s")


def _check(name: str, content: object) -> None:
    if name in _TEXTS:
        right = isinstance(content, str)
    elif name == "coins":
        right = isinstance(content, list | tuple) and all(isinstance(coin, str) for coin in content)
    elif content is None:
        right = name in _OPTIONAL
    else:
        right = isinstance(content, int | float) and not isinstance(content, bool) and content >= 0
    if not right:
        raise BadInput(f"plano de falhas: valor inválido em {name!r}: {str(content)[:60]!r}")


class FaultPlan:
    """Deals out faults, request by request; safe to use from several threads.

    `fired` lists what happened, in order: (path, kind).
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._random = np.random.default_rng(seed)
        self._seen = [0] * len(self._faults)
        self._first_ms: dict[int, int] = {}
        self._lock = threading.Lock()
        self.fired: list[tuple[str, str]] = []

    @classmethod
    def storm(cls, probability: float, seed: int = 0, kinds: Iterable[str] | None = None) -> FaultPlan:
        """Each request suffers with this probability, each of `kinds` (default: STORM_KINDS) alike."""
        chosen = tuple(kinds or STORM_KINDS)
        return cls([Fault(kind, probability=probability / len(chosen)) for kind in chosen], seed)

    @classmethod
    def from_json(cls, value: object) -> FaultPlan:
        """A plan as the module describes it.

        Raises:
            BadInput: it is not such a plan; the message says where.
        """
        if isinstance(value, list):
            return cls([Fault.from_json(entry) for entry in value])
        if not isinstance(value, dict) or set(value) - {"seed", "faults", "storm", "kinds"}:
            raise BadInput("plano de falhas: esperada uma lista, ou um objeto com seed, faults, storm, kinds")
        seed, storm = value.get("seed", 0), value.get("storm")
        entries, kinds = value.get("faults", []), value.get("kinds", list(STORM_KINDS))
        if not (isinstance(seed, int) and isinstance(storm, int | float | None)):
            raise BadInput("plano de falhas: seed é um inteiro e storm um número")
        if not (isinstance(entries, list) and isinstance(kinds, list) and kinds):
            raise BadInput("plano de falhas: faults e kinds são listas")
        faults = [Fault.from_json(entry) for entry in entries]
        if storm is not None:
            stormy = cls.storm(float(storm), seed, kinds)
            faults += [Fault.from_json(asdict(fault)) for fault in stormy._faults]
        return cls(faults, seed)

    @classmethod
    def parse(cls, text: str) -> FaultPlan:
        """A plan from the command line: JSON, `storm:0.2`, or `@file` with JSON in it.

        Raises:
            BadInput: neither of these.
        """
        if text.startswith("storm:"):
            text = json.dumps({"storm": _fraction(text.removeprefix("storm:"))})
        try:
            if text.startswith("@"):
                text = Path(text[1:]).read_text(encoding="utf-8")
            return cls.from_json(json.loads(text))
        except (OSError, ValueError) as error:
            raise BadInput(f"plano de falhas: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The plan and what it has done so far."""
        with self._lock:
            return {"seed": self._seed, "faults": [asdict(fault) for fault in self._faults], "fired": list(self.fired)}

    def take(self, path: str, now_ms: int) -> list[tuple[Fault, int]]:
        """The faults that hit this request, each with the moment of its first hit."""
        hits = []
        with self._lock:
            for number, fault in enumerate(self._faults):
                if self._hits(number, fault, path):
                    first_ms = self._first_ms.setdefault(number, now_ms)
                    hits.append((fault, first_ms))
                    self.fired.append((path, fault.kind))
        return hits

    def _hits(self, number: int, fault: Fault, path: str) -> bool:
        if fault.path not in path:
            return False
        if fault.probability < 1 and self._random.random() >= fault.probability:
            return False
        turn = self._seen[number]
        self._seen[number] += 1
        return turn >= fault.skip and (fault.times is None or turn < fault.skip + fault.times)


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"plano de falhas: {text[:40]!r} não é uma probabilidade") from None
