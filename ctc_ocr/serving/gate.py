"""Around the whole application: who may ask, counting, the log, and answers to what went wrong."""

import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ctc_ocr.serving.answers import as_bytes
from ctc_ocr.serving.guard import Guard
from ctc_ocr.serving.metrics import Metrics
from ctc_ocr.serving.refusals import Refusal

logger = logging.getLogger("ctc_ocr.serving")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]


class Gate:
    """An ASGI application around another one. With `stopping`, answers end their connections."""

    def __init__(self, app: ASGIApp, guard: Guard, metrics: Metrics, log_requests: bool) -> None:
        self._app, self._guard, self._metrics, self._log = app, guard, metrics, log_requests
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                closing = [(b"connection", b"close")] if self.stopping else []
                message["headers"] = [*message["headers"], *HEADERS, *closing]
            await send(message)

        try:
            self._guard.check(scope["method"], scope["path"], scope["headers"])
            await self._app(scope, receive, send_on)
        except Refusal as error:
            await _refuse(send_on, error)
        except Exception:
            logger.exception("a request failed")
            if not status:
                await _refuse(send_on, Refusal(500, "the server failed; its log says why"))
        finally:
            self._count(scope, status, time.perf_counter() - start)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        """status: 0 if the client has left."""
        self._metrics.requests.labels(str(status or "left")).inc()
        self._metrics.latency.observe(seconds)
        if self._log:
            client = (scope.get("client") or ("-",))[0]
            path = scope["raw_path"].decode("ascii", "backslashreplace")  # with its escapes: no line has a second one
            logger.info("%s %s %s %s %.1f ms", client, scope["method"], path, status or "left", 1000 * seconds)


async def _refuse(send: Send, error: Refusal) -> None:
    body = as_bytes({"error": error.reason})
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((name.encode(), value.encode()) for name, value in error.headers.items()),
    ]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    start: dict[str, Any] = {"type": "http.response.start", "status": error.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
