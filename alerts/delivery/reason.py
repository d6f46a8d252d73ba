"""Why a delivery can fail; free of imports, because the child that sends with Apprise stays small."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """What stood in the way; its text is `delivery.failure.<value>` in the catalogues. Nothing here can be secret."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    CERTIFICATE = "certificate"
    INTERNAL_ADDRESS = "internal_address"
    STATUS = "status"
    GONE = "gone"
    NOT_HTTP = "not_http"
    SERVICE = "service"
    SERVICE_ADDRESS = "service_address"
    NOT_INSTALLED = "not_installed"
    CHILD_ENDED = "child_ended"
    INCOMPLETE = "incomplete"
    KEY_FORM = "key_form"
    ADDRESS_FORM = "address_form"
    UNKNOWN_CHANNEL = "unknown_channel"
