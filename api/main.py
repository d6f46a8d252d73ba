"""The application: `app` for other servers (`uvicorn api.main:app`), `create_app(settings)` for tests.

The process that run_all.py starts is `python -m api.server`, which serves this application.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from anyio import to_thread
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api.answer_path import AnswerPath
from api.described_answers import TOKEN_ANSWERS
from api.documentation import DESCRIPTION, TAGS, TITLE, add_pages, describe_source
from api.errors import add_error_answers
from api.events import event_hub
from api.head_requests import HeadRequests
from api.light_page.routes import add_light_page
from api.metrics.page import MetricsPage, metrics_router
from api.metrics.request_measures import RequestMeasures, RouteNames
from api.request_filter import RequestFilter
from api.request_record import RequestRecord
from api.routes import data_router, open_router
from api.security import may_see, require_token
from api.versions import LOOK_EVERY_S, VersionClock
from core.access_tokens import AccessTokens
from core.errors import EXIT_CONFIGURATION, ConfigurationError
from core.processes.event_loop_heartbeat import loop_heartbeat
from core.processes.health_schema import ApiProgress, api_worker
from core.processes.lifecycle import watch_parent
from core.reading.readers import Readers
from core.settings import Settings, load_settings
from core.version import VERSION
from core.wording import message, say

__all__ = ["app", "create_app"]

_EXPOSED: Final = (
    "ETag",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Fonte",
    "X-Request-Id",
    "Content-Disposition",
    "Link",
    "Deprecation",
    "Sunset",
)

_MAKERS: Final = 4
"""Threads that make answers: one interpreter gains nothing from more, and each wait for it costs time."""

app: FastAPI
"""Built on first access: importing this module reads no settings and no files."""


class _FilteredApi(FastAPI):
    """An application whose request filter wraps everything, even the answers to unexpected errors; CORS the filter."""

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.settings
        tokens: AccessTokens = self.state.tokens
        application = super().build_middleware_stack()
        kept = AnswerPath(application, self.state.clock, may_see(tokens), is_private=tokens.are_required)
        self.state.kept_answers = kept
        answers = HeadRequests(kept)
        filtered = RequestFilter(answers, settings, self.state.clock, tokens, self.state.metrics_tokens)
        names = RouteNames(self.routes)
        recorded = RequestRecord(filtered, self.state.measures, names, logs=settings.access_log)
        if not settings.cors_origins:
            return recorded
        return CORSMiddleware(
            recorded,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD"],
            allow_headers=["Authorization", "If-None-Match", "Last-Event-ID", "X-Request-Id"],
            expose_headers=_EXPOSED,
        )


def create_app(settings: Settings | None = None, look_every_s: float = LOOK_EVERY_S, worker: int = 1) -> FastAPI:
    """Build the application over the data folder of `settings` (default: environment and `.env`).

    It looks for new data at most every `look_every_s`. `worker` is the number of its process among those of the API.

    Raises:
        ConfigurationError: The settings are invalid; one line per problem.
    """
    chosen = load_settings() if settings is None else settings
    readers = Readers(chosen)
    api = _FilteredApi(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    api.state.settings, api.state.readers = chosen, readers
    api.state.tokens = AccessTokens(chosen.api_token, chosen.api_token_file)
    api.state.metrics_tokens = AccessTokens(chosen.metrics_token, chosen.metrics_token_file)
    api.state.clock = VersionClock(readers, chosen.interval, look_every_s)
    api.state.events = event_hub(chosen, readers)
    api.state.measures, api.state.worker = RequestMeasures(), worker
    api.state.metrics_page = MetricsPage(chosen, readers, api.state.measures, worker=worker)
    api.include_router(open_router)
    api.include_router(metrics_router)
    if api.state.tokens.are_required:
        api.include_router(data_router, dependencies=[Depends(require_token)], responses=TOKEN_ANSWERS)
    else:
        api.include_router(data_router)
    add_light_page(api)
    add_pages(api, readers)
    add_error_answers(api)
    api.openapi = describe_source(api, readers)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return api


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    """Write heartbeats and look for new data while the API serves; end with the process that started it."""
    watch_parent()
    to_thread.current_default_thread_limiter().total_tokens = _MAKERS
    settings: Settings = api.state.settings
    measures: RequestMeasures = api.state.measures
    record = measures.progress if settings.api_workers > 1 else ApiProgress
    heartbeat = loop_heartbeat(settings.run_dir, api_worker(api.state.worker), record)
    async with heartbeat, api.state.clock.watching(), api.state.kept_answers.renewing():
        yield
    api.state.readers.close()


def __getattr__(name: str) -> FastAPI:
    """Build `app` for the server that imports it; invalid settings end the process with one line."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        built = globals()["app"] = create_app()
    except ConfigurationError as error:
        print(say(message("command.error", problem=error.message)), file=sys.stderr)  # noqa: T201 - for a person
        raise SystemExit(EXIT_CONFIGURATION) from None
    return built
