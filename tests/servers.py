"""Servers under test: the real command in a process of its own, and requests to it."""

import base64
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "ctc_ocr" / "models" / "starter.onnx"
BOUNDARY = "a-boundary"
SECONDS = 60  # until a test gives up
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
Images = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def readings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json["readings"]
        return found

    @property
    def error(self) -> str:
        assert set(self.json) == {"error"}
        return str(self.json["error"])


@dataclass(frozen=True)
class RunningServer:
    process: subprocess.Popen[str]
    said: str  # on its start
    port: int
    host: str

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)

    def socket(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=SECONDS)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """One request on a connection of its own; headers with `_` for `-`."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named, encode_chunked=not isinstance(body, bytes | str | None))
            return received(connection)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Response:
        return self.ask("GET", path, **headers)

    def read(self, images: Images, path: str = "/read", **headers: str) -> Response:
        """Images as multipart/form-data."""
        return self.ask("POST", path, multipart(images), Content_Type=MULTIPART, **headers)

    def read_json(self, images: Sequence[bytes], path: str = "/read") -> Response:
        body = json.dumps({"images": [base64.b64encode(each).decode() for each in images]})
        return self.ask("POST", path, body.encode(), Content_Type="application/json")

    def memory(self) -> float:
        """MiB that the process has in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """(exit status, what it said on stderr)."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, stderr


def received(connection: http.client.HTTPConnection) -> Response:
    answer = connection.getresponse()
    return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def metrics(server: RunningServer) -> dict[str, float]:
    """{name with its labels: value} of /metrics."""
    lines = server.get("/metrics").body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def all_of(raw: socket.socket) -> bytes:
    """What a connection gives until its end."""
    parts = []
    while part := raw.recv(10_000):
        parts.append(part)
    return b"".join(parts)


def multipart(images: Images) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'.encode() + content
        for name, content in images
    ]
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


@contextmanager
def serving(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> Iterator[RunningServer]:
    """`ctc-ocr serve` with these arguments at a free port. Ends it if the test has not done so."""
    command = [sys.executable, "-m", "ctc_ocr", "serve", "--port=0", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, process.communicate()[1]
        *_, host, port = re.split(r"http://|:(?=\d+$)", said.strip())
        yield RunningServer(process, said, int(port), host.strip("[]"))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
