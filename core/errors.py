"""The one tree of errors; each class says what happens next.

ForecastingError
├── ConfigurationError          stop: a person must change a setting (exit code 78, never retried)
│   ├── WorkspaceMismatch       stop: the folder belongs to another source, currency, seed or recording
│   └── CredentialProblem       stop: CoinGecko says the key or the plan is wrong
├── AlreadyRunning              stop: another process holds the lock of this folder (exit code 75)
├── SourceError                 the price source did not give what was asked
│   ├── SourceUnavailable       wait with back-off, then ask again
│   │   ├── RateLimited         wait as long as the source says, then ask again
│   │   └── Banned              wait at least ten minutes, then ask once
│   ├── BadReply                drop the reply, ask again at the next turn
│   └── RequestRefused          do not repeat this request; go on with the others
│       ├── RequestTooLong      ask for fewer coins at a time
│       └── UnknownCoin         leave this coin out, look again later
├── StorageProblem              keep in memory what was to be stored, try again
├── DamagedFile                 set the file aside, rebuild it
├── NotReady                    wait: the data will come by themselves
└── BadInput                    refuse the input, naming what and where
"""

from __future__ import annotations

from core.wording import Message, say

__all__ = [
    "EXIT_ALREADY_RUNNING",
    "EXIT_CONFIGURATION",
    "EXIT_DISK",
    "EXIT_REFUSED",
    "AlreadyRunning",
    "BadInput",
    "BadReply",
    "Banned",
    "ConfigurationError",
    "CredentialProblem",
    "DamagedFile",
    "ForecastingError",
    "NotReady",
    "RateLimited",
    "RequestRefused",
    "RequestTooLong",
    "SourceError",
    "SourceUnavailable",
    "StorageProblem",
    "UnknownCoin",
    "WorkspaceMismatch",
]

EXIT_REFUSED = 2
EXIT_CONFIGURATION = 78
EXIT_DISK = 74
EXIT_ALREADY_RUNNING = 75


class ForecastingError(Exception):
    """Anything this project raises on purpose.

    What a person is to read is a `Message`; errors that only logs and programmers see carry plain English text.
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


class CredentialProblem(ConfigurationError):
    """Stop: CoinGecko refuses the key or the plan."""


class AlreadyRunning(ForecastingError):
    """Stop: another process already writes to this folder."""


class SourceError(ForecastingError):
    """The price source did not give what was asked."""


class SourceUnavailable(SourceError):
    """Wait with back-off, then ask again: network failure, time-out or a 5xx."""


class RateLimited(SourceUnavailable):
    """Wait `retry_after_s` seconds (None: the source did not say), then ask again."""

    def __init__(self, message: Message | str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Banned(SourceUnavailable):
    """Wait at least ten minutes: the edge has shut this address out."""


class BadReply(SourceError):
    """Drop the reply and ask again at the next turn: wrong content type, shape or values."""


class RequestRefused(SourceError):
    """Do not repeat this request: the source says that it will never answer it."""


class UnknownCoin(RequestRefused):
    """Leave this coin out and look again later: the source does not know the id."""


class RequestTooLong(RequestRefused):
    """Ask for fewer coins at a time: the address line is longer than the source takes."""


class StorageProblem(ForecastingError):
    """Keep in memory what was to be stored and try again: the disk is full, read-only or out of order."""


class DamagedFile(ForecastingError):
    """Set the file aside under a dated name and rebuild it."""


class NotReady(ForecastingError):
    """Wait: what was asked for is not there yet and will come by itself."""


class BadInput(ForecastingError):
    """Refuse the input; the message says what is wrong and where."""
