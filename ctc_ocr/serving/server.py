"""The server process: sockets, signals, its start and its end."""

import os
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from ctc_ocr.errors import InputError, RunError
from ctc_ocr.serving.connections import LimitedConnection
from ctc_ocr.serving.gate import Gate
from ctc_ocr.serving.settings import Limits

BACKLOG = 128
DRAIN_SECONDS = 1.0  # in which the requests of open connections that are on their way at the signal still arrive
GRACE_SECONDS = 5.0  # for writing what is answered


def run_server(app: Gate, limits: Limits, host: str, port: int, on_start: Callable[[str], None]) -> None:
    """Serve an application of `make_app` until SIGTERM or SIGINT; then answer what was accepted, and return. A second
    signal ends the process at once. Of the main thread.

    port: 0 for a free one. on_start is called with the server's address, as in http://127.0.0.1:8000, when it takes
    requests. Raises InputError for a host that is not known, RunError if it cannot listen there.
    """
    attributes = {"head_seconds": limits.body_seconds, "max_connections": limits.max_connections}
    with _listen(host, port) as listener:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=type("Connection", (LimitedConnection,), attributes),
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=int(limits.body_seconds + limits.answer_seconds + GRACE_SECONDS),
        )
        _Server(config, app, lambda: on_start(_address_of(listener))).run([listener])


class _Server(uvicorn.Server):
    """Ends with exit status 0 after a signal; connections end with their answers from then on."""

    def __init__(self, config: uvicorn.Config, app: Gate, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._on_start = app, on_start
        self._stops_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._stops_at is not None:
            signal.signal(sig, signal.SIG_DFL)
            os.kill(os.getpid(), sig)
        self._stops_at = time.monotonic() + DRAIN_SECONDS

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends the server."""
        if self._stops_at is not None and not self._app.stopping:
            for each in self.servers:
                each.close()
            # Only now: a client whose connection ends must find that nobody listens, and not be in a line that is cut.
            self._app.stopping = True
        over = self._stops_at is not None and time.monotonic() >= self._stops_at
        drained = self._stops_at is not None and not self.server_state.connections
        return await super().on_tick(counter) or over or drained


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputError(f"no such host: {error.strerror or error}", f"--host {host}") from None
    # With its protocol's number: asyncio sends small parts of an answer at once only if it knows that this is TCP.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        listener.close()
        raise RunError(f"cannot listen: {error.strerror or error}", f"{host}:{port}") from None


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
