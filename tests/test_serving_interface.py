"""The interface of the server: OpenAPI, its page, metrics, other sites, and bodies that are none."""

import re
from collections.abc import Iterator

import pytest

from ctc_ocr.serving.answers import Answer, Reading
from tests.browser import CHROMIUM, browsing
from tests.servers import ROOT, STARTER, RunningServer, metrics, serving
from tests.serving_pages import address_of, check_own

SAMPLE = ("a.png", (ROOT / "docs" / "sample.png").read_bytes())
TEXT_FILE = ("notes.txt", b"not an image")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with serving(STARTER) as running:
        yield running


def test_openapi_describes_what_is_answered(server: RunningServer) -> None:
    described = server.get("/openapi.json").json
    paths = {"/read", "/models/{name}/read", "/health", "/models", "/metrics"}
    assert set(described["paths"]) == paths
    for reference in re.findall(r'"\$ref":\s*"#/components/schemas/(\w+)"', server.get("/openapi.json").body.decode()):
        assert reference in described["components"]["schemas"]
    read = described["paths"]["/read"]["post"]
    assert set(read["requestBody"]["content"]) == {
        "multipart/form-data", "application/json", "application/octet-stream", "image/*",
    }  # fmt: skip
    assert set(read["responses"]) >= {"200", "422", "400", "413", "503"}
    assert read["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Answer")
    answer = server.read([SAMPLE, TEXT_FILE], "/read?alternatives=2")
    validated = Answer.model_validate_json(answer.body, strict=True)
    assert isinstance(validated.readings[0], Reading)
    assert validated.model_dump(mode="json") == {
        **answer.json, "readings": [{**each} for each in answer.readings],
    }  # fmt: skip
    assert set(answer.readings[0]) == set(described["components"]["schemas"]["Reading"]["properties"])


def test_the_page_of_the_interface_loads_nothing_from_elsewhere(server: RunningServer) -> None:
    page = server.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert sorted(loaded) == ["docs/openapi.css", "docs/openapi.js", "openapi.json"]
    for each in loaded:
        answer = server.get(f"/{each}")
        assert answer.status == 200
        assert b"//" not in re.sub(rb"(?m)^\s*// .*$", b"", answer.body)
    for other in ("/docs/app.py", "/docs/..%2fapp.py", "/docs/../app.py", "/docs//etc/passwd"):
        assert server.get(other).status == 404


def test_metrics_count_what_was_done(server: RunningServer) -> None:
    before = metrics(server)
    server.read([SAMPLE, TEXT_FILE])
    server.read([TEXT_FILE])
    after = metrics(server)
    expected = {
        'ctc_ocr_requests_total{status="422"}': 1,
        'ctc_ocr_images_total{model="starter",outcome="read"}': 1,
        'ctc_ocr_images_total{model="starter",outcome="unreadable"}': 2,
        'ctc_ocr_batch_images_count{model="starter"}': 1,
        'ctc_ocr_stage_seconds_count{stage="waiting"}': 1,
        'ctc_ocr_stage_seconds_count{stage="decoding_image"}': 3,
        'ctc_ocr_stage_seconds_count{stage="network"}': 1,
        'ctc_ocr_stage_seconds_count{stage="decoding_text"}': 1,
    }
    assert {name: after[name] - before.get(name, 0) for name in expected} == expected
    assert (after["ctc_ocr_queue_images"], after["ctc_ocr_pending_bytes"]) == (0, 0)


def test_other_sites_are_refused(server: RunningServer) -> None:
    sample = [SAMPLE]
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8000", "192.168.0.7:8000"):
        assert server.read(sample, Host=host).status == 200
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "", "[x"):
        answer = server.get("/models", Host=host)
        assert (answer.status, "is not one of this server's names" in answer.error) == (403, True)
    for origin in ("http://evil.example", "null", f"http://localhost:{server.port + 1}", "http://["):
        answer = server.read(sample, Origin=origin)
        assert (answer.status, "a page of another site" in answer.error) == (403, True)
    assert server.read(sample, Origin=f"http://127.0.0.1:{server.port}").status == 200
    answer = server.ask("OPTIONS", "/read", Origin="http://evil.example", Access_Control_Request_Method="POST")
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"x", "text/plain", 415, "content type text/plain; accepted: multipart/form-data"),
        (b"", "image/png", 400, "no image in the request"),
        (b"{", "application/json", 400, "not JSON"),
        (b"\xff", "application/json", 400, "not JSON"),
        (b'{"images": []}', "application/json", 400, "no image in the request"),
        (b'{"images": [1]}', "application/json", 400, 'expected {"images"'),
        (b'{"images": "x"}', "application/json", 400, 'expected {"images"'),
        (b'{"images": ["x"], "more": 1}', "application/json", 400, 'expected {"images"'),
        (b"[" * 100_000, "application/json", 400, 'expected {"images"'),
        (b"x", "multipart/form-data", 400, "multipart/form-data without a boundary"),
        (b"x", f"multipart/form-data; boundary={'b' * 300}", 400, "broken multipart/form-data"),
        (b"x" * 99, "multipart/form-data; boundary=b", 400, "broken multipart/form-data"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 400, "no image in the request"),
        (b"--b\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nx", "multipart/form-data; boundary=b", 400,
         "broken multipart/form-data: it ends before its last boundary"),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400,
         "a part of multipart/form-data is no file"),
    ],
)  # fmt: skip
def test_bodies_that_are_none(server: RunningServer, body: bytes, kind: str, status: int, reason: str) -> None:
    answer = server.ask("POST", "/read", body, Content_Type=kind)
    assert answer.status == status
    assert answer.error.startswith(reason)


def test_a_compressed_body_is_refused(server: RunningServer) -> None:
    answer = server.ask("POST", "/read", b"x", Content_Type="image/png", Content_Encoding="gzip")
    assert (answer.status, answer.error) == (415, "a body with a content encoding is not accepted")


def test_base64_that_is_none(server: RunningServer) -> None:
    answer = server.ask("POST", "/read", '{"images": ["?", "é"]}'.encode(), Content_Type="application/json")
    assert answer.status == 422
    assert [each["error"] for each in answer.readings] == ["not base64"] * 2


def test_paths_and_methods_that_are_none(server: RunningServer) -> None:
    assert (server.get("/nothing").status, server.get("/nothing").error) == (404, "Not Found")
    assert server.get("/read").status == 405
    with server.socket() as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_of_the_interface_shows_every_request(server: RunningServer) -> None:
    with browsing() as browser:
        browser.open(f"{address_of(server)}docs")
        browser.wait("document.querySelectorAll('h2').length >= 5")
        headings = browser.run("[...document.querySelectorAll('h2')].map((each) => each.textContent)")
        assert headings == ["POST /read", "POST /models/{name}/read", "GET /health", "GET /models", "GET /metrics"]
        assert "character_confidence" in browser.run("document.body.textContent")
        check_own(server, browser, "Failed to load resource")
