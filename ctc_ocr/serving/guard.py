"""Who may ask: the first thing that every request meets."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from ctc_ocr.serving.refusals import Refusal
from ctc_ocr.serving.settings import Settings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# What needs no key: a monitor's question, and pages, which are the same in every server.
OPEN_PATHS, OPEN_FOLDERS = ("/health", "/", "/docs"), ("/page/", "/docs/")
BEARER = b"bearer "


class Guard:
    """Checks a request's head against the settings.

    A page of another site that a browser shows can send requests to a server on the same machine. It cannot hide
    the name by which it called the server (Host), nor, in a request that is more than a question, where it is from
    (Origin).
    """

    def __init__(self, settings: Settings) -> None:
        self._allowed = {each.lower() for each in settings.allowed_hosts} | {"localhost"}
        self._key = None if settings.api_key is None else settings.api_key.encode()

    def check(self, method: str, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Raises Refusal."""
        values = dict(headers)
        host = values.get(b"host", b"").decode("latin-1")
        if not self._is_allowed(host):
            raise Refusal(403, f"host {host!r} is not one of this server's names (--allowed_host)")
        origin = values.get(b"origin")
        if origin is not None and method not in SAFE_METHODS and not _is_same(origin.decode("latin-1"), host):
            raise Refusal(403, "a page of another site; expected no Origin, or that of this server")
        if self._key is not None and not _is_open(path) and not self._has_key(values):
            raise Refusal(401, "expected the API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`")

    def _is_allowed(self, host: str) -> bool:
        name = _name_of(host)
        return name is not None and ("*" in self._allowed or name in self._allowed or _is_address(name))

    def _has_key(self, values: dict[bytes, bytes]) -> bool:
        assert self._key is not None
        given = values.get(b"x-api-key", b"")
        authorization = values.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() == BEARER:
            given = authorization[len(BEARER) :].strip()
        return hmac.compare_digest(given, self._key)


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port; None for what is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    """No other site can give itself an address as its name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)
