"""A channel of Apprise: Telegram, e-mail, ntfy, Discord and a hundred others, each by one URL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import IO, Final, cast

from pydantic import SecretStr

from alerts.alert import Alert
from alerts.delivery.failure import Failure
from alerts.delivery.reason import Reason
from core.settings import PROJECT

__all__ = ["AppriseChannel"]

_ANSWER_S: Final = 90.0
"""Apprise itself waits up to 60 s, and longer between two messages where a service asks for it."""

_SHOWN_DIGITS: Final = 8
"""Of the alert's key, by which a person recognises a repetition."""

_END_S: Final = 5.0
_COMMAND: Final = (sys.executable, "-m", "alerts.delivery.apprise_child")
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class AppriseChannel:
    """Sends through a child process, which gets the URL by a pipe and lives until `rest`; for one thread at a time.

    Args:
        url: the service with its secrets, in Apprise's form.
        allow_internal: whether the service may be on this machine or its network, or behind a proxy.
    """

    def __init__(self, url: SecretStr, *, allow_internal: bool) -> None:
        self._url = url
        self._allow_internal = allow_internal
        self._child: subprocess.Popen[str] | None = None

    def send(self, alert: Alert, text: str, now_ms: int) -> Failure | None:
        """Send an alert once; None once the service has taken it."""
        del now_ms
        child = self._child = self._child or self._start()
        limit = Timer(_ANSWER_S, child.kill)
        limit.daemon = True
        limit.start()
        try:
            answer = _ask(child, {"title": alert.name, "body": f"{text}\nref. {alert.key[:_SHOWN_DIGITS]}"})
        finally:
            limit.cancel()
        if answer is None:
            self.rest()
            return Failure(Reason.CHILD_ENDED)
        return Failure(Reason(answer)) if answer else None

    def rest(self) -> None:
        """End the child; the next alert starts another one."""
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                cast("IO[str]", pipe).close()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _start(self) -> subprocess.Popen[str]:
        child = subprocess.Popen(  # noqa: S603 - a fixed command
            _COMMAND,
            cwd=PROJECT,
            env=_environment(os.environ, allow_internal=self._allow_internal),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        url = self._url.get_secret_value()
        _write(child, {"url": url, "allow_internal": self._allow_internal, "parent": os.getpid()})
        return child


def _environment(variables: Mapping[str, str], *, allow_internal: bool) -> dict[str, str]:
    """What the child needs of the environment: no settings and secrets of the project, no way around the rule."""
    kept = {name: value for name, value in variables.items() if not name.startswith("CRYPTO_")}
    if not allow_internal:
        kept = {name: value for name, value in kept.items() if name.lower() not in _PROXIES}
    return {**kept, "PYTHONUTF8": "1"}


def _ask(child: subprocess.Popen[str], message: Mapping[str, object]) -> str | None:
    """The answer to a message; None if the child has ended, or was ended because it took too long."""
    _write(child, message)
    line = cast("IO[str]", child.stdout).readline()
    return str(json.loads(line)) if line else None


def _write(child: subprocess.Popen[str], message: Mapping[str, object]) -> None:
    pipe = cast("IO[str]", child.stdin)
    with suppress(BrokenPipeError):  # the answer that does not come says the same
        pipe.write(json.dumps(message) + "\n")
        pipe.flush()
