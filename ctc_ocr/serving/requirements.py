"""The door to what the extra [serve] installs."""

from ctc_ocr.runtime.extras import require_extra

NEEDED = {
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}


def require_serving() -> None:
    """Raises InputError if something that serving needs is not installed."""
    require_extra("serve", "serving needs it", NEEDED)
