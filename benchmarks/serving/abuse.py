"""What should be refused, many times over, and the server's memory before and after."""

import base64
import http.client
import io
import json
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from benchmarks.common import table
from benchmarks.serving.client import BOUNDARY, multipart_request
from benchmarks.serving.servers import Server, ours

HEAD = b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
BODY_SECONDS = 2
Answer = tuple[int, str]


def abused(model: Path, sample: bytes, times: int) -> str:
    """A table: for each kind of abuse, what was answered, and the memory in MiB before, at most, and after."""
    rows = []
    with ours(model, f"--body_seconds={BODY_SECONDS}") as server:
        post(server, "image/png", sample)
        for name, job in cases(sample).items():
            before = server.memory()
            server.forget_peak()
            with ThreadPoolExecutor(8) as threads:
                answers = [each for found in threads.map(job, [server] * times) for each in found]
            time.sleep(1)
            said = sorted({f"{status} {reason}"[:90] for status, reason in answers})
            rows.append([name, "; ".join(said) or "nothing", *_mib(before, server.memory(peak=True), server.memory())])
        status, _ = post(server, "image/png", sample)
        rows.append(["afterwards, an image", str(status), "", "", *_mib(server.memory())])
    return table(("abuse", "answers", "before", "peak", "after"), rows)


def _mib(*values: float) -> list[str]:
    return [f"{each:.0f}" for each in values]


def cases(sample: bytes) -> dict[str, Callable[[Server], Sequence[Answer]]]:
    """Each is one attempt."""
    large, bomb, at_limit = png(10_000, 10_000), png(30_000, 30_000), png(4400, 4400)
    many = multipart_request("/read", [sample] * 10_000).partition(b"\r\n\r\n")[2]
    many_json = json.dumps({"images": [base64.b64encode(sample).decode()] * 10_000}).encode()
    form = f"multipart/form-data; boundary={BOUNDARY}"
    return {
        "PNG of 100 megapixels": lambda server: [post(server, "image/png", large)],
        "PNG of 900 megapixels": lambda server: [post(server, "image/png", bomb)],
        "PNG just below the limit": lambda server: [post(server, "image/png", at_limit)],
        "text file": lambda server: [post(server, "image/png", b"text" * 1000)],
        "truncated image": lambda server: [post(server, "image/png", sample[: len(sample) // 2])],
        "10,000 images": lambda server: [post(server, form, many)],
        "10,000 images in JSON": lambda server: [post(server, "application/json", many_json)],
        "JSON of empty lists": lambda server: [post(server, "application/json", b"[" + b"[]," * 10_000_000)],
        "100 MB, not announced": lambda server: [post(server, "image/png", iter([b"x" * 2**20] * 100))],
        "slow sender": slow_sender,
        "client that goes away": leaver,
        "1,000 connections": many_connections,
    }


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (width, height), 1).save(buffer, "PNG")
    return buffer.getvalue()


def post(server: Server, kind: str, body: object) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", "/read", body, {"Content-Type": kind}, encode_chunked=not isinstance(body, bytes))  # type: ignore[arg-type]
        answer = connection.getresponse()
        found = json.loads(answer.read())
        return answer.status, str(found.get("error") or found["readings"][0].get("error", "read"))
    except ConnectionError as error:
        return 0, type(error).__name__
    finally:
        connection.close()


def slow_sender(server: Server) -> Sequence[Answer]:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(HEAD)
        return [parsed(raw.recv(10_000))]


def leaver(server: Server) -> Sequence[Answer]:
    for sent in (HEAD, HEAD + b"x" * 500, HEAD + b"x" * 1000):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(sent)
    return []


def many_connections(server: Server) -> Sequence[Answer]:
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
    refused = []
    try:
        for each in held[-10:]:
            each.settimeout(10)
            refused.append(parsed(each.recv(10_000)))
    finally:
        for each in held:
            each.close()
    return refused


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head[9:12]), json.loads(body)["error"]) if body else (0, "closed")
