"""What a server says of a request that it refuses or cannot answer: asked in the process of the test, which counts what
is said, where the tests of whole servers see the answers alone."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from ctc_ocr.errors import InputError
from ctc_ocr.serving.answers import answer
from ctc_ocr.serving.app import make_app
from ctc_ocr.serving.gate import Gate
from ctc_ocr.serving.guard import Guard
from ctc_ocr.serving.jobs import Upload
from ctc_ocr.serving.metrics import Metrics
from ctc_ocr.serving.models import ServedModel, load_models
from ctc_ocr.serving.reading_threads import ReadingThreads
from ctc_ocr.serving.settings import Limits, Settings
from tests.servers import BOUNDARY, MULTIPART, STARTER, multipart

SAMPLE = (Path(__file__).resolve().parent.parent / "docs" / "sample.png").read_bytes()
TEXT = "0089"
KEY = "a-key-of-the-tests"
JSON, PNG = "application/json", "image/png"
FAILED = "the server failed; its log says why"


@dataclass(frozen=True)
class Request:
    """parts: of the body, as they arrive. is_whole: the last of them is the body's last one. leaves: the client closes
    the connection after them."""

    content_type: str = PNG
    parts: Sequence[bytes] = (SAMPLE,)
    path: str = "/read"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True
    leaves: bool = False


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(app: ASGIApp, request: Request) -> Answer:
    """One request, as an ASGI server hands it to an application."""
    headers = {"host": "localhost", "x-api-key": KEY, "content-type": request.content_type, **request.headers}
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "query_string": b"",
        "method": request.method, "path": request.path, "raw_path": request.path.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": not request.is_whole or number < len(request.parts)}
        for number, part in enumerate(request.parts, 1)
    ]
    coming += [{"type": "http.disconnect"}] if request.leaves else []
    sent: list[Any] = []

    async def receive() -> Any:
        if not coming:
            await asyncio.Event().wait()  # nothing more comes
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], named, b"".join(each["body"] for each in sent[1:]))


@asynccontextmanager
async def reading(app: ASGIApp) -> AsyncIterator[None]:
    """Within this, the threads of an application read."""
    given: asyncio.Queue[Any] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()

    async def live() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, given.get, said.put)

    living = asyncio.create_task(live())
    await given.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await given.put({"type": "lifespan.shutdown"})
        await living
    assert said.get_nowait()["type"] == "lifespan.shutdown.complete"


async def counted(app: ASGIApp) -> dict[str, float]:
    """{name with its labels: value} of /metrics."""
    lines = (await ask(app, Request(path="/metrics", method="GET"))).body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


async def waiting(app: ASGIApp, request: Request) -> "asyncio.Task[Answer]":
    """A request whose image waits to be read: no thread runs yet, as if all were busy."""
    task = asyncio.create_task(ask(app, request))
    while not (await counted(app))["ctc_ocr_queue_images"]:
        await asyncio.sleep(0)
    return task


@pytest.fixture(scope="module")
def models() -> list[ServedModel]:
    return load_models([str(STARTER)])


def as_json(*images: str) -> list[bytes]:
    return [json.dumps({"images": images}).encode()]


FORM = multipart([("a.png", SAMPLE)])
FIELD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n--{BOUNDARY}--\r\n'.encode()
EXPECTED = 'expected {"images": ["<base64>", ...]}'
ACCEPTED = "accepted: multipart/form-data, application/json, application/octet-stream or image/*"
KEY_EXPECTED = "expected the API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`"
OTHER_SITE = "a page of another site; expected no Origin, or that of this server"
TOO_MANY = "too many images in a request; the maximum is 2"
BROKEN = "broken multipart/form-data: "
SLOW = "the body of the request did not arrive within 0.05 s"
REFUSED: dict[str, tuple[Request, int, str]] = {
    "another name of the server": (
        Request(headers={"host": "x.example"}), 403,
        "host 'x.example' is not one of this server's names (--allowed_host)",
    ),
    "another site": (Request(headers={"origin": "http://x.example"}), 403, OTHER_SITE),
    "no key": (Request(headers={"x-api-key": ""}), 401, KEY_EXPECTED),
    "another key": (Request(headers={"authorization": "Bearer another"}), 401, KEY_EXPECTED),
    "another model": (Request(path="/models/none/read"), 404, "no model 'none'; there are: starter"),
    "a compressed body": (
        Request(headers={"content-encoding": "gzip"}), 415, "a body with a content encoding is not accepted"
    ),
    "text": (Request("text/plain"), 415, f"content type text/plain; {ACCEPTED}"),
    "no type": (Request(""), 415, f"content type not given; {ACCEPTED}"),
    "an empty body": (Request(parts=[b""]), 400, "no image in the request"),
    "an empty list": (Request(JSON, as_json()), 400, "no image in the request"),
    "a form without a boundary": (
        Request("multipart/form-data", [FORM]), 400, "multipart/form-data without a boundary"
    ),
    "no form": (Request(MULTIPART, [b"x" * 50]), 400, BROKEN),
    "a form that was cut off": (
        Request(MULTIPART, [FORM[:60], FORM[60:-9]]), 400, f"{BROKEN}it ends before its last boundary"
    ),
    "a field": (Request(MULTIPART, [FIELD]), 400, "a part of multipart/form-data is no file: it has no filename"),
    "three files": (Request(MULTIPART, [multipart([("a.png", b"x")] * 3)]), 413, TOO_MANY),
    "three images in JSON": (Request(JSON, as_json("", "", "")), 413, TOO_MANY),
    "JSON within JSON": (Request(JSON, [b'{"images": [["eA=="]]}']), 400, EXPECTED),
    "JSON of numbers": (Request(JSON, [b'{"images": [7]}']), 400, EXPECTED),
    "JSON of another name": (Request(JSON, [b'{"image": "eA=="}']), 400, EXPECTED),
    "a client that stops": (Request(parts=[SAMPLE[:9]], is_whole=False), 408, SLOW),
    "a client that leaves": (Request(parts=[SAMPLE[:9]], is_whole=False, leaves=True), 499, "the client has left"),
    "a client that leaves after its request": (Request(leaves=True), 499, "the client has left"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_told_why(name: str, models: list[ServedModel]) -> None:
    request, status, reason = REFUSED[name]

    async def test() -> None:
        app = make_app(models, Limits(max_images=2, body_seconds=0.05), Settings(api_key=KEY, threads=1))
        found = await ask(app, request)
        assert (found.status, found.headers["content-type"], list(found.json)) == (status, JSON, ["error"])
        said = found.json["error"]
        assert said == reason or (reason == BROKEN and said.startswith(reason))
        assert (found.headers.get("connection") == "close") == (status == 408)
        assert (found.headers.get("www-authenticate") == "Bearer") == (status == 401)
        figures = await counted(app)
        assert figures[f'ctc_ocr_requests_total{{status="{status}"}}'] == 1
        assert figures["ctc_ocr_pending_bytes"] == 0

    asyncio.run(test())


def test_an_application_needs_a_model() -> None:
    with pytest.raises(InputError, match="^models: expected at least one model$"):
        make_app([])


def test_more_images_than_may_wait(models: list[ServedModel]) -> None:
    async def test() -> None:
        app = make_app(models, Limits(max_images=2, max_queue=2), Settings(threads=1))
        first = await waiting(app, Request())
        refused = await ask(app, Request(MULTIPART, [multipart([("a.png", SAMPLE)] * 2)]))
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.json == {"error": "the queue is full: 1 images; the maximum is 2"}
        async with reading(app):
            assert (await first).json["readings"][0]["text"] == TEXT

    asyncio.run(test())


def test_more_bytes_than_may_wait(models: list[ServedModel]) -> None:
    size, most = len(SAMPLE), len(SAMPLE) + 10

    async def test() -> None:
        app = make_app(models, Limits(max_request_bytes=most, max_pending_bytes=most), Settings(threads=1))
        first = await waiting(app, Request())
        refused = await ask(app, Request(parts=[SAMPLE[:10], SAMPLE[10:]]))
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.json == {"error": f"{size} bytes of other requests are waiting; the maximum is {most}"}
        assert (await counted(app))["ctc_ocr_pending_bytes"] == size
        async with reading(app):
            assert (await first).json["readings"][0]["text"] == TEXT

    asyncio.run(test())


def test_images_that_are_not_read_in_time_are_not_read_later(models: list[ServedModel]) -> None:
    async def test() -> None:
        app = make_app(models, Limits(answer_seconds=0.05), Settings(threads=1))
        late = await ask(app, Request())
        assert (late.status, late.headers["retry-after"]) == (503, "1")
        assert late.json == {"error": "the images were not read within 0.05 s"}
        assert (await counted(app))["ctc_ocr_queue_images"] == 1
        async with reading(app):
            pass
        figures = await counted(app)
        assert figures["ctc_ocr_queue_images"] == figures['ctc_ocr_stage_seconds_count{stage="network"}'] == 0
        assert figures['ctc_ocr_stage_seconds_count{stage="decoding_image"}'] == 1

    asyncio.run(test())


def test_what_is_left_while_it_waits_for_its_batch_is_not_read(models: list[ServedModel]) -> None:
    """What threads do, step by step."""
    uploads = [Upload("a.png", SAMPLE)]

    async def test() -> None:
        metrics = Metrics()
        threads = ReadingThreads(models, Limits(), Settings(threads=1), metrics)
        threads._loop = asyncio.get_running_loop()
        job = threads.submit(models[0], uploads, 1)
        for _ in ("decode the image", "read the batch"):
            task, _ = threads._chosen(time.perf_counter())
            assert task is not None
            task()
            job.abandoned = True
        await job.done
        status, content = answer(job, uploads)
        assert (status, json.loads(content)["readings"]) == (422, [{"image": "a.png", "error": "not read"}])
        assert b'ctc_ocr_stage_seconds_count{stage="network"} 0.0' in metrics.text()

    asyncio.run(test())


def test_what_is_left_while_it_waits_to_be_decoded_takes_no_memory(models: list[ServedModel]) -> None:
    async def test() -> None:
        threads = ReadingThreads(models, Limits(), Settings(threads=1), Metrics())
        threads._loop = asyncio.get_running_loop()
        left, waiting = (threads.submit(models[0], [Upload("a.png", SAMPLE)] * 2, 1) for _ in range(2))
        threads.abandon(left)
        assert [(each.job, each.upload is None) for each in threads._encoded] == [
            (left, True), (left, True), (waiting, False), (waiting, False),
        ]  # fmt: skip
        for _ in range(2):
            task, _ = threads._chosen(time.perf_counter())
            assert task is not None
            task()
        await left.done
        assert not waiting.done.done()

    asyncio.run(test())


def test_images_that_are_not_base64(models: list[ServedModel]) -> None:
    async def test() -> None:
        app = make_app(models, settings=Settings(threads=1))
        async with reading(app):
            found = await ask(app, Request(JSON, as_json("#", base64.b64encode(SAMPLE).decode(), "é")))
            alone = await ask(app, Request(JSON, as_json("#")))
        wrong = {"image": None, "error": "not base64"}
        first, second, third = found.json["readings"]
        assert (found.status, first, second["text"], third) == (200, wrong, TEXT, wrong)
        assert (alone.status, alone.json["readings"]) == (422, [wrong])

    asyncio.run(test())


@pytest.mark.parametrize("place", ["the application", "the connection"])
def test_a_failure_is_told_without_its_details(
    place: str, models: list[ServedModel], caplog: pytest.LogCaptureFixture
) -> None:
    """The log has them."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret of the server")

    app = make_app(models, settings=Settings(threads=1))

    async def of_a_broken_connection(scope: Scope, receive: Receive, send: Send) -> None:
        async def broken_receive() -> Any:
            await broken(scope, receive, send)

        await app(scope, broken_receive, send)

    around = Gate(broken, Guard(Settings()), Metrics(), log_requests=False)

    async def test() -> None:
        found = await ask(around if place == "the application" else of_a_broken_connection, Request())
        assert (found.status, found.json) == (500, {"error": FAILED})

    asyncio.run(test())
    assert "a request failed" in caplog.text
    assert "RuntimeError: a secret of the server" in caplog.text
