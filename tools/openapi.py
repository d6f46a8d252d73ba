"""Write docs/openapi.json, the OpenAPI document that a test compares with the API: `python -m tools.openapi`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

from api.main import create_app
from core.settings import Settings

__all__ = ["DOCUMENT", "document_text", "main"]

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def document_text() -> str:
    """The document of an API with default settings and without data."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), api_token=None)  # type: ignore[call-arg]  # of pydantic-settings
        return json.dumps(create_app(settings).openapi(), ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
