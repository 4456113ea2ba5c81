"""What a server refuses: each limit, each kind of abuse, with a reason and without memory."""

import io
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.servers import MULTIPART, STARTER, RunningServer, all_of, metrics, multipart, received, serving

SAMPLE = ("a.png", (Path(__file__).resolve().parent.parent / "docs" / "sample.png").read_bytes())
KEY = "a-key-of-the-tests"
MAX_BYTES, MAX_PIXELS, MAX_IMAGES, MAX_CONNECTIONS = 400_000, 1_000_000, 8, 12


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    limits = (
        f"--max_request_bytes={MAX_BYTES}", "--max_pending_bytes=800000", f"--max_pixels={MAX_PIXELS}",
        f"--max_images={MAX_IMAGES}", f"--max_queue={MAX_IMAGES}", f"--max_connections={MAX_CONNECTIONS}",
        "--body_seconds=2", "--threads=1",
    )  # fmt: skip
    with serving(STARTER, *limits) as running:
        running.read([SAMPLE] * MAX_IMAGES)
        yield running


def image_file(width: int, height: int, kind: str = "PNG", noise: bool = False) -> bytes:
    buffer = io.BytesIO()
    image = Image.new("L", (width, height), 255)
    if noise:
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8))
    image.save(buffer, kind, **{"compression": "tiff_lzw"} if kind == "TIFF" else {})
    return buffer.getvalue()


def works(server: RunningServer) -> bool:
    return bool(server.read([SAMPLE]).readings[0]["text"] == "0089")


def test_bytes_of_a_request(server: RunningServer) -> None:
    reason = "too large: 0.4 MiB; the maximum is 0.38147 MiB"
    for kind in ("image/png", MULTIPART, "application/json"):
        answer = server.ask("POST", "/read", b"x" * (MAX_BYTES + 1), Content_Type=kind)
        assert (answer.status, answer.error) == (413, reason)
    # Counted as they come, where the length is not said first.
    answer = server.ask("POST", "/read", iter([b"x" * 50_000] * 20), Content_Type="image/png")
    assert (answer.status, answer.error[:10]) == (413, "too large:")
    assert works(server)


def test_pixels_of_an_image_are_known_before_it_is_decoded(server: RunningServer) -> None:
    large = [(f"{kind}.x", image_file(1001, 1000, kind)) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP")]
    reason = f"too large: 1001 x 1000 pixels; the maximum is {MAX_PIXELS} pixels"
    answer = server.read([("bomb.png", image_file(10_000, 10_000)), *large[:1], SAMPLE])
    assert answer.status == 200
    assert answer.readings[0]["error"] == f"too large: 10000 x 10000 pixels; the maximum is {MAX_PIXELS} pixels"
    assert (answer.readings[1]["error"], answer.readings[2]["text"]) == (reason, "0089")
    for name, content in large:
        answer = server.ask("POST", "/read", content, Content_Type="image/x")
        assert (answer.status, answer.readings) == (422, [{"image": None, "error": reason}]), name


def test_images_of_a_request(server: RunningServer) -> None:
    reason = f"too many images in a request; the maximum is {MAX_IMAGES}"
    assert server.read([SAMPLE] * MAX_IMAGES).status == 200
    for images in ([("x", b"")] * 1000, [("x", b"")] * (MAX_IMAGES + 1)):
        answer = server.read(images)
        assert (answer.status, answer.error) == (413, reason)
    for count in (MAX_IMAGES + 1, 10_000):
        answer = server.read_json([b"x"] * count)
        assert (answer.status, answer.error) == (413, reason)
    assert works(server)


def test_a_slow_sender(server: RunningServer) -> None:
    with server.socket() as raw:
        raw.sendall(b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nx")
        time.sleep(0.3)
        raw.sendall(b"x")
        answer = all_of(raw)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"error":"the body of the request did not arrive within 2 s"}')


@pytest.mark.parametrize("head", [b"", b"POST /read HTTP/1.1\r\nHost:"])
def test_a_connection_that_says_nothing_is_closed(server: RunningServer, head: bytes) -> None:
    with server.socket() as raw:
        raw.sendall(head)
        assert all_of(raw) == b""


def test_what_is_sent_after_a_refusal_is_not_read_for_ever(server: RunningServer) -> None:
    with server.socket() as raw:
        raw.sendall(b"POST /read HTTP/1.1\r\nHost: x.example\r\nContent-Length: 99999999\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 403 ")
        with pytest.raises(OSError, match="reset|pipe"):
            send_for(raw, seconds=30)


def send_for(raw: socket.socket, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        raw.sendall(b"x" * 1000)
        time.sleep(0.05)


def test_as_many_connections_as_are_accepted(server: RunningServer) -> None:
    held = [server.socket() for _ in range(MAX_CONNECTIONS)]
    try:
        for each in held:
            each.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert [all_of(each)[:12] for each in held] == [b"HTTP/1.1 200"] * MAX_CONNECTIONS
    finally:
        for each in held:
            each.close()
    assert eventually_works(server)


def test_more_connections_than_are_accepted(server: RunningServer) -> None:
    held = [server.socket() for _ in range(MAX_CONNECTIONS)]
    try:
        for _ in range(100):
            with server.socket() as raw:
                answer = all_of(raw)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"error": "too many connections"}
    finally:
        for each in held:
            each.close()
    assert eventually_works(server)


def eventually_works(server: RunningServer) -> bool:
    """What clients have closed, the server sees a moment later."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        # What they had asked for may still be in the queue.
        if server.get("/health").status == 200 and (answer := server.read([SAMPLE])).status != 503:
            return bool(answer.readings[0]["text"] == "0089")
        time.sleep(0.05)
    return False


def test_a_full_queue_is_told_with_when_to_come_again(server: RunningServer) -> None:
    slow = [(f"{number}.png", image_file(600, 600, noise=number == 0)) for number in range(MAX_IMAGES)]
    with ThreadPoolExecutor(MAX_CONNECTIONS // 2) as threads:
        answers = list(threads.map(lambda _: server.read(slow), range(30)))
    statuses = {each.status for each in answers}
    assert statuses == {200, 503}
    for each in answers:
        if each.status == 503:
            assert each.headers["retry-after"] == "1"
            assert "the queue is full: " in each.error or "bytes of other requests are waiting" in each.error
        else:
            assert len(each.readings) == MAX_IMAGES
    assert works(server)


def test_bytes_of_all_requests(server: RunningServer) -> None:
    """Of requests whose bodies have not arrived yet too."""
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {MAX_BYTES}\r\n\r\n"
    held = [server.socket() for _ in range(2)]
    try:
        for each in held:
            each.sendall(head.encode() + b"x" * (MAX_BYTES - 1))
        while metrics(server)["ctc_ocr_pending_bytes"] < 2 * (MAX_BYTES - 1):
            time.sleep(0.01)
        refused = server.ask("POST", "/read", b"x" * 100_000, Content_Type="image/png")
    finally:
        for each in held:
            each.close()
    assert refused.status == 503
    assert refused.error.endswith("bytes of other requests are waiting; the maximum is 800000")
    assert refused.headers["retry-after"] == "1"
    assert eventually_works(server)


def test_clients_that_go_away(server: RunningServer) -> None:
    body = multipart([SAMPLE] * 4)
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    for sent in (body[:1000], body):
        for _ in range(20):
            with server.socket() as raw:
                raw.sendall(head.encode() + sent)
    assert eventually_works(server)


def test_a_client_that_takes_no_answer_is_left(server: RunningServer) -> None:
    """Its requests are answered until the system holds no more, and then no longer."""
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with server.socket() as raw:
        raw.setblocking(False)
        with pytest.raises(OSError, match="reset|pipe"):
            send_and_receive_nothing(raw, request, seconds=60)
    assert eventually_works(server)


def send_and_receive_nothing(raw: socket.socket, request: bytes, seconds: float) -> None:
    left, end = request, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            left = left[raw.send(left) :] or request
        except BlockingIOError:
            time.sleep(0.01)


def test_memory_is_as_before(server: RunningServer) -> None:
    bomb = [("bomb.png", image_file(10_000, 10_000))]
    json_bomb = b'{"images": [' + b"[],[" * 90_000
    before = server.memory()
    with ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            jobs = [threads.submit(server.read, bomb) for _ in range(4)]
            jobs += [threads.submit(server.read, [("x", b"")] * 2000) for _ in range(2)]
            jobs += [threads.submit(server.ask, "POST", "/read", json_bomb, Content_Type="application/json")]
            assert {each.result().status for each in jobs} <= {413, 422, 503}
    assert server.memory() < before + 20
    assert works(server)


def test_requests_one_after_another_on_one_connection(server: RunningServer) -> None:
    connection = server.connect()
    for _ in range(3):
        connection.request("POST", "/read", b"x" * (MAX_BYTES + 1), {"Content-Type": "image/png"})
        assert received(connection).status == 413
        connection.request("POST", "/read", SAMPLE[1], {"Content-Type": "image/png"})
        assert received(connection).readings[0]["text"] == "0089"
    connection.close()


def test_the_api_key(tmp_path: Path) -> None:
    """One of a file counts, and not that of the environment."""
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="ascii")
    with serving(STARTER, f"--api_key_file={tmp_path / 'key'}", CTC_OCR_API_KEY="another") as server:
        for headers in ({}, {"X_API_Key": "another"}, {"X_API_Key": KEY[:-1]}, {"Authorization": f"Basic {KEY}"}):
            for answer in (server.read([SAMPLE], **headers), server.get("/models", **headers)):
                assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
                assert answer.error.startswith("expected the API key")
            for path in ("/metrics", "/openapi.json", "/read", "/nothing"):
                assert server.get(path, **headers).status == 401
        for headers in ({"X_API_Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer {KEY}"}):
            assert server.read([SAMPLE], **headers).readings[0]["text"] == "0089"
            assert server.get("/models", **headers).status == 200
        assert server.get("/health").status == 200
        assert server.get("/docs").status == 200
    with serving(STARTER, CTC_OCR_API_KEY=KEY) as server:
        assert server.get("/models").status == 401
        assert server.get("/models", X_API_Key=KEY).status == 200


def test_an_answer_that_takes_too_long() -> None:
    with serving(STARTER, "--answer_seconds=0.001") as server:
        answer = server.read([SAMPLE] * 8)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.error == "the images were not read within 0.001 s"
