"""The door to what the extra [serve] installs."""

import importlib.util

from ctc_ocr.errors import InputError

NEEDED = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}
INSTALL_HINT = "pip install 'ctc_ocr[serve]'"


def require_serving() -> None:
    """Raises InputError if something that serving needs is not installed."""
    missing = [name for module, name in NEEDED.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(f"{', '.join(missing)} not installed: serving needs it; {INSTALL_HINT}")
