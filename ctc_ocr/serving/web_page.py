"""The page for people, at /: it sends images to the server that it comes from, and shows what was read."""

from pathlib import Path

from fastapi import FastAPI

from ctc_ocr.serving.static_files import add_files

FOLDER = Path(__file__).parent / "page"
HTML, SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
MODULES = (
    "choosing", "client", "csv", "detail", "elements", "gather", "key", "main", "many", "order", "placement",
    "progress", "queue", "row", "strip", "table", "words",
)  # fmt: skip
FILES = {
    "/": ("index.html", HTML),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/page/{name}.js": (f"{name}.js", SCRIPT) for name in MODULES},
}


def add_page(app: FastAPI) -> None:
    add_files(app, FOLDER, FILES)
