"""The command `ctc-ocr serve`: its models, its flags, what it says, and what it does without."""

import importlib.util
import re
import shutil
import socket
from pathlib import Path

import pytest

from ctc_ocr.cli.serve import main
from ctc_ocr.errors import InputError
from ctc_ocr.inference.batch_rows import BATCH_SIZE
from ctc_ocr.serving.models import ONNX_BATCH_SIZE, load_models
from ctc_ocr.serving.settings import Limits, Settings
from tests.commands import Done, run_here
from tests.servers import ROOT, STARTER, serving

SAMPLE = ("a.png", (ROOT / "docs" / "sample.png").read_bytes())


def refused(tmp_path: Path, *arguments: str) -> Done:
    done = run_here(main, tmp_path, *arguments)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    missing = ("uvicorn", "python_multipart")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
    done = refused(tmp_path, str(STARTER))
    assert done.returncode == 2
    assert done.stderr == (
        "ctc-ocr serve: error: uvicorn, python-multipart not installed: serving needs it; "
        "pip install 'ctc_ocr[serve]'\n"
    )


def test_without_mxnet_the_starter_has_the_batches_of_an_onnx_model(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_models(["starter"])[0].predictor.batch_size == BATCH_SIZE
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mxnet" else find(name))
    (served,) = load_models(["starter"])
    assert (served.name, served.format, served.predictor.batch_size) == ("starter", "onnx", ONNX_BATCH_SIZE)
    assert load_models(["starter"], batch_size=3)[0].predictor.batch_size == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nothing.onnx"], "nothing.onnx: No such file or directory"),
        (
            ["a.onnx", "b/a.onnx"],
            "b/a.onnx: another model is named a too; give one of them another name",
        ),
        (["x=a.onnx", "x=b/a.onnx"], "b/a.onnx: another model is named x too"),
        (["a b.onnx"], "a b.onnx: 'a b' cannot be a name; give another one: NAME=a b.onnx"),
        (["a.onnx", "--max_images=2000"], "--max_images: expected at most max_queue (1024), got 2000"),
        (["a.onnx", "--max_pixels=50000001"], "--max_pixels: expected 1 to 50000000, got 50000001"),
        (["a.onnx", "--max_request_bytes=1000000000"], "--max_request_bytes: expected 1 to 268435456"),
        (["a.onnx", "--max_pending_bytes=1"], "--max_request_bytes: expected at most max_pending_bytes (1)"),
        (["a.onnx", "--body_seconds=0"], "--body_seconds: expected 0.001 to"),
        (["a.onnx", "--answer_seconds=nan"], "--answer_seconds: expected 0.001 to"),
        (["a.onnx", "--wait_ms=-1"], "--wait_ms: expected 0 to 1000"),
        (["a.onnx", "--port=65536"], "--port: 65536 is more than 65535"),
        (["a.onnx", "--host=no-such-host.invalid"], "--host no-such-host.invalid: no such host"),
        (["a.onnx", "--api_key_file=nothing"], "nothing: No such file or directory"),
        (["a.onnx", "--api_key_file=empty"], "empty: expected a key of printable ASCII characters without spaces"),
        (["a.onnx", "--api_key_file=two"], "two: expected a key of printable ASCII characters without spaces"),
    ],
)
def test_bad_arguments(arguments: list[str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.onnx", "b/a.onnx", "a b.onnx"):
        shutil.copy(STARTER, tmp_path / name)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("two words")
    done = refused(tmp_path, *arguments)
    assert done.returncode == 2
    assert reason in done.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = refused(tmp_path, str(STARTER), f"--port={port}")
    assert done.returncode == 1
    assert done.stderr == f"ctc-ocr serve: error: 127.0.0.1:{port}: cannot listen: Address already in use\n"


def test_names_of_models(tmp_path: Path) -> None:
    for name in ("plates.v2.onnx", "odd=name.onnx"):
        shutil.copy(STARTER, tmp_path / name)
    first, second = load_models([str(tmp_path / "plates.v2.onnx"), f"other={tmp_path / 'odd=name.onnx'}"])
    assert (first.name, second.name) == ("plates.v2", "other")
    with pytest.raises(InputError, match="'odd=name' cannot be a name"):
        load_models([str(tmp_path / "odd=name.onnx")])


def test_settings_do_not_show_the_key() -> None:
    assert "secret" not in repr(Settings(api_key="secret"))
    with pytest.raises(InputError, match="api_key: expected a key"):
        Settings(api_key="")
    with pytest.raises(InputError, match="max_queue"):
        Limits(max_queue=0)


def test_onnx_models_are_read_without_mxnet_and_numba_and_requests_are_logged() -> None:
    """The files that the process has mapped tell which libraries it has loaded."""
    with serving(STARTER, "--log_requests") as server:
        assert server.read([SAMPLE]).readings[0]["text"] == "0089"
        server.get("/no%0athing?secret=1")
        mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
        status, said = server.stop()
    assert "onnxruntime" in mapped
    assert not re.search("mxnet|llvmlite", mapped)
    lines = [re.sub(r"^[\d:,]+ |[\d.]+ ms$", "", line) for line in said.splitlines()]
    assert lines == ["127.0.0.1 POST /read 200 ", "127.0.0.1 GET /no%0athing 404 "]
    assert status == 0


def test_without_a_model_it_is_the_starter() -> None:
    with serving(cwd=ROOT / "docs") as server:
        assert server.said.startswith("ctc-ocr serve: model starter at ")
        assert server.read([SAMPLE]).readings[0]["text"] == "0089"
        _, said = server.stop()
    assert said == "ctc-ocr serve: no model 'ocr' here: reading with the starter model\n"


def test_other_addresses_and_names() -> None:
    with serving(STARTER, "--host=::1", "--allowed_host=ocr.example") as server:
        assert server.said == f"ctc-ocr serve: model starter at http://[::1]:{server.port}\n"
        answers = [server.get("/health", Host=host) for host in ("ocr.example", "OCR.example:1", "x.ocr.example")]
        assert [each.status for each in answers] == [200, 200, 403]
