"""A failed attempt, as the outbox keeps it and as people read it."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.delivery.reason import Reason
from core.wording import message, say

__all__ = ["Failure", "reason_text"]


@dataclass(frozen=True)
class Failure:
    """An attempt that did not deliver.

    Attributes:
        reason: what stood in the way.
        status: status code of the receiver, if it gave one.
        retry_after_s: seconds for which the receiver asks to be left alone.
        is_final: whether further attempts are useless.
    """

    reason: Reason
    status: int | None = None
    retry_after_s: float | None = None
    is_final: bool = False

    def __str__(self) -> str:
        """The reason as the outbox keeps it: a code, and the status code if there is one."""
        return self.reason.value if self.status is None else f"{self.reason.value} {self.status}"


def reason_text(kept: str, language: str) -> str:
    """What the outbox keeps of a failure, in words; an unknown code stays as it is."""
    code, _, status = kept.partition(" ")
    return say(message(f"delivery.failure.{code}", status=status), language) if code in set(Reason) else kept
