"""The yardstick of bench/api_latency.py: a FastAPI application whose only route returns an empty object."""

from __future__ import annotations

from fastapi import FastAPI

__all__ = ["app"]

app = FastAPI()


@app.get("/")
def nothing() -> dict[str, str]:
    """An empty object."""
    return {}
