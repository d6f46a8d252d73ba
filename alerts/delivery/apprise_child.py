"""The process that sends with Apprise: `python -m alerts.delivery.apprise_child`, fed by its standard input.

Apprise with its services takes 30 MB, and a service that hangs cannot be stopped in a thread, so it lives apart and
only while something is to be sent. The first line is `{"url": …, "allow_internal": …, "parent": …}`, each further one
`{"title": …, "body": …}`; each message is answered with one line, a reason or "" for sent. Nothing else is printed,
because whatever a service logs could hold a secret. Once its parent has ended it sends nothing more: the next one will.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import TextIO

from alerts.delivery.addresses import guard_connections
from alerts.delivery.reason import Reason

__all__ = ["main"]

Send = Callable[[str, str], Reason | None]


def main() -> None:
    """Answer messages until the input ends."""
    logging.disable()
    answers, sys.stdout = sys.stdout, sys.stderr
    first = json.loads(sys.stdin.readline())
    send = _sender(first["url"], allow_internal=first["allow_internal"])
    for line in sys.stdin:
        if os.name != "nt" and os.getppid() != first["parent"]:
            return
        message = json.loads(line)
        _tell(answers, send(message["title"], message["body"]))


def _sender(url: str, *, allow_internal: bool) -> Send:
    """Prepare the service of `url`; internal addresses and redirects are refused from here on."""
    refusals: list[None] = []
    if not allow_internal:
        guard_connections(lambda: refusals.append(None))
    try:
        import apprise  # noqa: PLC0415 - an optional package, and one that only this process loads
    except ImportError:
        return lambda _title, _body: Reason.NOT_INSTALLED
    storage = apprise.PersistentStoreMode.MEMORY
    asset = apprise.AppriseAsset(
        async_mode=False, http_redirects=False, storage_mode=storage, pgp_autogen=False, pem_autogen=False
    )
    services = apprise.Apprise(asset=asset)
    if not services.add(url):
        return lambda _title, _body: Reason.SERVICE_ADDRESS

    def send(title: str, body: str) -> Reason | None:
        refusals.clear()
        if services.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT):
            return None
        return Reason.INTERNAL_ADDRESS if refusals else Reason.SERVICE

    return send


def _tell(answers: TextIO, reason: Reason | None) -> None:
    answers.write(json.dumps(reason.value if reason else "") + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
