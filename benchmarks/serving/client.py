"""Load for a server, from a process of its own: as many connections as are asked for, each with a request at a time.

It costs as little as can be, since it shares the machine with the server: requests are bytes that are made once, and of
an answer only its length and its status are looked at, or the texts if they are to be checked.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

BOUNDARY = "b0undary"


@dataclass
class Load:
    """What was found: seconds of each request, statuses, answers that were wrong, requests without an answer."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    wrong: int = 0
    unanswered: int = 0
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.seconds) / self.elapsed

    def percentile(self, percent: int) -> float:
        """Milliseconds."""
        return 1000 * statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


def multipart_request(path: str, images: Sequence[bytes], host: str = "127.0.0.1") -> bytes:
    """A whole request with these image files."""
    body = b""
    for number, image in enumerate(images):
        disposition = f'Content-Disposition: form-data; name="image"; filename="{number}.png"'
        body += f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: image/png\r\n\r\n".encode() + image + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def one_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """(status, body, whether the connection ends)."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(b"content-length:")
    body = await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(head[9:12]), body, b"connection: close" in head


async def run_load(
    port: int,
    requests: Sequence[bytes],
    expected: Sequence[object] | None,
    connections: int,
    count: int,
    event: tuple[int, Callable[[], None]] | None = None,
) -> Load:
    """`count` requests, taken from `requests` in turns; expected: the `texts` of each one's answer, to be checked;
    event: what happens before the request of this number."""
    found, numbers = Load(), _numbers(count, event)
    start = time.perf_counter()
    await asyncio.gather(*(_connection(port, requests, expected, numbers, found) for _ in range(connections)))
    found.elapsed = time.perf_counter() - start
    return found


def _numbers(count: int, event: tuple[int, Callable[[], None]] | None) -> Iterator[int]:
    for number in range(count):
        if event is not None and number == event[0]:
            event[1]()
        yield number


async def _connection(port, requests, expected, numbers, found: Load) -> None:
    """One request after another, until there are no more or the server does not listen. A connection that the server
    ends is opened again. A request without an answer was accepted if it was sent on an open connection."""
    reader = writer = None
    for number in numbers:
        sent = number % len(requests)
        start = time.perf_counter()
        if reader is None or writer is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
        try:
            writer.write(requests[sent])
            status, body, ends = await one_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            found.unanswered += 1
            reader = writer = None
            continue
        found.seconds.append(time.perf_counter() - start)
        found.statuses[status] = found.statuses.get(status, 0) + 1
        if expected is not None and (status != 200 or texts(body) != expected[sent]):
            found.wrong += 1
        if ends:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


def texts(body: bytes) -> list[str | None]:
    """Of an answer of `ctc-ocr serve`."""
    return [each.get("text") for each in json.loads(body)["readings"]]
