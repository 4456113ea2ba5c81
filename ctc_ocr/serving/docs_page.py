"""The page of the interface: what openapi.json says, for people. It loads nothing from other hosts."""

from pathlib import Path

from fastapi import FastAPI

from ctc_ocr.serving.static_files import add_files

FOLDER = Path(__file__).parent / "openapi_page"
FILES = {
    "/docs": ("index.html", "text/html; charset=utf-8"),
    "/docs/openapi.js": ("openapi.js", "text/javascript; charset=utf-8"),
    "/docs/openapi.css": ("openapi.css", "text/css; charset=utf-8"),
}


def add_docs_page(app: FastAPI) -> None:
    add_files(app, FOLDER, FILES)
