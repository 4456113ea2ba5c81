"""Pages that come with the package. Their files are listed by name: no path comes from a request."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response

# Such a page loads nothing from other hosts, and no other page can frame it.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
POLICY += "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def add_files(app: FastAPI, folder: Path, files: Mapping[str, tuple[str, str]]) -> None:
    """Serve the files of a folder of the package: {path: (name of the file, media type)}. They are read once."""
    for path, (name, media_type) in files.items():
        app.add_api_route(path, _sender((folder / name).read_bytes(), media_type), include_in_schema=False)


def _sender(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return Response(content, media_type=media_type, headers={"content-security-policy": POLICY})

    return send
