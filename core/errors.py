"""The project's exceptions; each class says what the caller does next.

ForecastingError
├── ConfigurationError          stop: a person must change a setting (exit code 78, not retried but for Unavailable)
│   ├── WorkspaceMismatch       stop: the folder holds another source, currency, seed or recording
│   ├── Unavailable             stop, start again later: a folder, port or file is not to be had (exit code 69)
│   └── CredentialProblem       stop, or ask rarely if it was once accepted: CoinGecko says the key or plan is wrong
├── AlreadyRunning              stop: another process holds the lock of this folder (exit code 75)
├── SourceError                 the price source did not return what was requested
│   ├── SourceUnavailable       wait with back-off, then ask again
│   │   ├── RateLimited         wait as long as the source says, then ask again
│   │   └── Banned              wait at least ten minutes, then ask once
│   ├── BadReply                drop the reply, ask again at the next poll
│   └── RequestRefused          do not repeat this request; continue with the others
│       ├── RequestTooLong      ask for fewer coins at a time
│       └── UnknownCoin         leave this coin out, try again later
├── StorageProblem              keep the data in memory, try to store them again
│   ├── StandingBy              the same, and ask for no prices: another collector stores them
│   ├── StoreChanged            the same, then go on with what is stored: somebody else has written there
│   └── Overtaken               stand by, take over when the other pipeline is silent
├── DamagedFile                 set the file aside, rebuild it
├── NotReady                    wait: another process will provide the data
│   └── OutOfReach              wait: the server that holds the data does not answer
└── BadInput                    refuse the input; say what is wrong and where
"""

from __future__ import annotations

from collections.abc import Sequence

from core.wording import Message, say

__all__ = [
    "EXIT_ALREADY_RUNNING",
    "EXIT_CONFIGURATION",
    "EXIT_DISK",
    "EXIT_REFUSED",
    "EXIT_UNAVAILABLE",
    "AlreadyRunning",
    "BadInput",
    "BadReply",
    "Banned",
    "ConfigurationError",
    "CredentialProblem",
    "DamagedFile",
    "ForecastingError",
    "NotReady",
    "OutOfReach",
    "Overtaken",
    "RateLimited",
    "RequestRefused",
    "RequestTooLong",
    "SourceError",
    "SourceUnavailable",
    "StandingBy",
    "StorageProblem",
    "StoreChanged",
    "Unavailable",
    "UnknownCoin",
    "WorkspaceMismatch",
    "message_of",
]

EXIT_REFUSED = 2
EXIT_UNAVAILABLE = 69
EXIT_CONFIGURATION = 78
EXIT_DISK = 74
EXIT_ALREADY_RUNNING = 75


class ForecastingError(Exception):
    """Base of all exceptions that this project raises on purpose.

    Errors that people read carry a `Message`; errors for logs and programmers carry English text.
    `str(error)` is English.
    """

    def __init__(self, message: Message | str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return say(self.message, "en")

    def in_words(self, language: str = "pt") -> str:
        """The sentence for a person who reads `language`."""
        return say(self.message, language)


class ConfigurationError(ForecastingError):
    """Stop: a person must change a setting; the message says which and how."""


class WorkspaceMismatch(ConfigurationError):
    """Stop: the data folder was made with other settings; the message names the way out."""


class Unavailable(ConfigurationError):
    """Stop, and start again later: the data folder refuses, a port is busy, or a file of secrets is away.

    Another setting would help too, but nobody has to change one.
    """


class CredentialProblem(ConfigurationError):
    """Stop, or ask rarely if they were once accepted: CoinGecko refuses the key or the plan."""


class AlreadyRunning(ForecastingError):
    """Stop: another process already writes to this folder."""


class SourceError(ForecastingError):
    """The price source did not return what was requested."""


class SourceUnavailable(SourceError):
    """Wait with back-off, then ask again: network failure, time-out or a 5xx."""


class RateLimited(SourceUnavailable):
    """Wait `retry_after_s` seconds (None: the source did not say), then ask again."""

    def __init__(self, message: Message | str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Banned(SourceUnavailable):
    """Wait at least ten minutes: CoinGecko's edge servers block this address."""


class BadReply(SourceError):
    """Drop the reply and ask again at the next poll: wrong content type, shape or values."""


class RequestRefused(SourceError):
    """Do not repeat this request: the source will always refuse it."""


class UnknownCoin(RequestRefused):
    """Leave this coin out and try again later: it is not known here, or not to the source; `near` has similar ids."""

    def __init__(self, message: Message | str, near: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.near = tuple(near)


class RequestTooLong(RequestRefused):
    """Ask for fewer coins at a time: the URL is longer than the source accepts."""


class StorageProblem(ForecastingError):
    """Keep the data in memory and try again: the disk is full, read-only or failing."""


class StoreChanged(StorageProblem):
    """Keep the data in memory, store them, and go on with what is stored: somebody else has written there."""


class StandingBy(StorageProblem):
    """Keep the data and ask for no more: another collector writes to this store; take over when it is gone."""


class Overtaken(StorageProblem):
    """Stand by: another pipeline publishes to this bucket; take over, from what it published, when it is silent."""


class DamagedFile(ForecastingError):
    """Set the file aside under a dated name and rebuild it."""


class NotReady(ForecastingError):
    """Wait: the data do not exist yet, and another process will provide them."""


class OutOfReach(NotReady):
    """Wait: the server that holds the data does not answer now."""


class BadInput(ForecastingError):
    """Refuse the input; the message says what is wrong and where."""


def message_of(error: BaseException) -> Message | str:
    """What an error says: a message for people if it is one of ours, otherwise plain text of Python or a library."""
    return error.message if isinstance(error, ForecastingError) else str(error)
