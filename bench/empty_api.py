"""A FastAPI application whose only route returns an empty object: the yardstick of the API's answers."""

from __future__ import annotations

from fastapi import FastAPI

__all__ = ["app"]

app = FastAPI()


@app.get("/")
async def nothing() -> dict[str, str]:
    """An empty object."""
    return {}
