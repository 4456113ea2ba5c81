"""What a server accepts, and how it works."""

import math
from dataclasses import dataclass, field, fields

from ctc_ocr.errors import InputError, refuse_other, refuse_single
from ctc_ocr.images.limits import MAX_FILE_BYTES, MAX_PIXELS
from ctc_ocr.runtime.input_files import MIB

MAX_ALTERNATIVES = 20
MAX_THREADS = 1024
MAX_WAIT_MS = 1000.0


@dataclass(frozen=True)
class Limits:
    """What a server accepts. What is beyond is refused with the reason, and takes no memory.

    max_request_bytes: bytes of a request's body, at most 256 MiB.
    max_pending_bytes: bytes of the bodies of all requests that are not answered yet; beyond it, status 503.
    max_pixels: pixels of an image, at most 50 million; known from the header, before an image is decoded.
    max_images: images in a request.
    max_queue: images of all requests that are not read yet; beyond it, status 503.
    body_seconds: in which the head of a request must arrive, and then its body.
    answer_seconds: in which a request whose body has arrived must be answered.
    max_connections: open connections; beyond it, status 503.

    Raises InputError for numbers out of range, and for a request that would fit no queue.
    """

    max_request_bytes: int = 32 * MIB
    max_pending_bytes: int = 256 * MIB
    max_pixels: int = 20_000_000
    max_images: int = 256
    max_queue: int = 1024
    body_seconds: float = 30.0
    answer_seconds: float = 60.0
    max_connections: int = 256

    def __post_init__(self) -> None:
        refuse_other(self, "an integer", [each.name for each in fields(self) if each.type is int])
        refuse_other(self, "a number", [each.name for each in fields(self) if each.type is float])
        most = {"max_request_bytes": MAX_FILE_BYTES, "max_pixels": MAX_PIXELS}
        for each in fields(self):
            _check(getattr(self, each.name), 0.001 if each.type is float else 1, most.get(each.name, 2**40), each.name)
        if self.max_images > self.max_queue:
            raise InputError(f"expected at most max_queue ({self.max_queue}), got {self.max_images}", "max_images")
        if self.max_request_bytes > self.max_pending_bytes:
            raise InputError(
                f"expected at most max_pending_bytes ({self.max_pending_bytes}), got {self.max_request_bytes}",
                "max_request_bytes",
            )


@dataclass(frozen=True)
class Settings:
    """How a server works.

    threads: threads that decode images and run the networks; None: one for each core.
    wait_ms: milliseconds that an image waits for others that are on their way into its batch.
    api_key: what a request must show; None: nothing.
    allowed_hosts: names by which the server may be called, beside `localhost` and addresses; "*" for any. A page of
        another site that a browser shows could otherwise reach the server by a name of its own.
    log_requests: a line for each request in the log `ctc_ocr.serving`.

    Raises InputError for numbers out of range and an empty key.
    """

    threads: int | None = None
    wait_ms: float = 2.0
    api_key: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    log_requests: bool = False

    def __post_init__(self) -> None:
        refuse_other(self, "an integer", ("threads",), or_none=True)
        refuse_other(self, "a number", ("wait_ms",))
        refuse_other(self, "a text", ("api_key",), or_none=True)
        refuse_other(self, "True or False", ("log_requests",))
        refuse_single(self.allowed_hosts, "allowed_hosts")
        if self.threads is not None:
            _check(self.threads, 1, MAX_THREADS, "threads")
        _check(self.wait_ms, 0, MAX_WAIT_MS, "wait_ms")
        if self.api_key == "":
            raise InputError("expected a key, got an empty one", "api_key")


def _check(value: float, minimum: float, maximum: float, name: str) -> None:
    if not (math.isfinite(value) and minimum <= value <= maximum):
        raise InputError(f"expected {minimum} to {maximum}, got {value}", name)
