"""Models behind HTTP: every answer is what the Predictor itself says, however the images were sent and batched."""

import io
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.inference.prediction_json import as_json
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.serving.answers import ModelsAnswer
from tests.models import save_line_model
from tests.servers import MULTIPART, STARTER, RunningServer, metrics, multipart, serving

SAMPLE = Path(__file__).resolve().parent.parent / "docs" / "sample.png"
TEXT_FILE = ("notes.txt", b"not an image")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    """An ONNX model and a checkpoint that MXNet reads, by the names that the server gives them."""
    prefix = tmp_path_factory.mktemp("models") / "lines"
    save_line_model(prefix)
    return {"starter": Predictor(STARTER), "small": Predictor(prefix)}


@pytest.fixture(scope="module")
def server(models: dict[str, Predictor]) -> Iterator[RunningServer]:
    with serving(STARTER, f"small={models['small'].prefix}", "--threads=2") as running:
        yield running


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Captchas of different sizes, colours and formats."""
    folder = tmp_path_factory.mktemp("images")
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(min_length=1, max_length=6), seed=3).write_folder(folder, 24)
    found = []
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        image = Image.open(path).convert(("L", "RGB", "RGBA")[number % 3])
        kind = ("PNG", "BMP", "TIFF", "WEBP")[number % 4]
        buffer = io.BytesIO()
        image.resize((60 + 17 * number, 30 + 5 * (number % 7))).save(buffer, kind)
        found.append((f"{number}.{kind.lower()}", buffer.getvalue()))
    return found


def same(found: Any, expected: Any) -> bool:
    """Whether two values of JSON are equal; batches of other sizes change the last digits of numbers."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-2, abs_tol=1e-4)
    return bool(found == expected)


def check(found: Sequence[dict[str, Any]], sent: Sequence[tuple[str | None, bytes]], predictor: Predictor) -> None:
    """Against the Predictor's own."""
    assert len(found) == len(sent)
    for reading, (name, content) in zip(found, sent, strict=True):
        image = Image.open(io.BytesIO(content))
        expected = {"image": name, **as_json(predictor.read(content)), "width": image.width, "height": image.height}
        assert same(reading, expected), (reading, expected)


def test_what_it_says_on_its_start(server: RunningServer) -> None:
    assert server.said == f"ctc-ocr serve: models starter, small at http://127.0.0.1:{server.port}\n"


@pytest.mark.parametrize("name", ["starter", "small"])
def test_each_form_of_a_body(
    name: str, server: RunningServer, models: dict[str, Predictor], images: list[tuple[str, bytes]]
) -> None:
    path = f"/models/{name}/read"
    answer = server.read(images, path)
    assert (answer.status, answer.json["model"]) == (200, name)
    assert answer.headers["content-type"] == "application/json"
    check(answer.readings, images, models[name])
    contents = [content for _, content in images]
    check(server.read_json(contents[:5], path).readings, [(None, each) for each in contents[:5]], models[name])
    for kind in ("image/png", "application/octet-stream"):
        answer = server.ask("POST", path, contents[7], Content_Type=kind)
        check(answer.readings, [(None, contents[7])], models[name])
    answer = server.ask("POST", path, iter([contents[3][:100], contents[3][100:]]), Content_Type="image/png")
    check(answer.readings, [(None, contents[3])], models[name])


def test_the_first_model_reads_where_none_is_named(server: RunningServer, models: dict[str, Predictor]) -> None:
    answer = server.read([("a.png", SAMPLE.read_bytes())])
    assert answer.json["model"] == "starter"
    check(answer.readings, [("a.png", SAMPLE.read_bytes())], models["starter"])
    assert answer.readings[0]["text"] == "0089"
    answer = server.read([("a.png", SAMPLE.read_bytes())], "/models/other/read")
    assert (answer.status, answer.error) == (404, "no model 'other'; there are: starter, small")


@pytest.mark.slow
def test_requests_from_many_threads_share_batches_and_get_their_own_answers(
    server: RunningServer, models: dict[str, Predictor], images: list[tuple[str, bytes]]
) -> None:
    generator = np.random.default_rng(0)
    requests = []
    for number in range(96):
        chosen = generator.integers(0, len(images), 1 + number % 4)
        requests.append((("starter", "small")[number % 2], [images[index] for index in chosen]))
    before = batches(server)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda each: server.read(each[1], f"/models/{each[0]}/read"), requests))
    for answer, (name, sent) in zip(answers, requests, strict=True):
        assert (answer.status, answer.json["model"]) == (200, name)
        check(answer.readings, sent, models[name])
    count, num_images = (after - first for after, first in zip(batches(server), before, strict=True))
    assert num_images == sum(len(sent) for _, sent in requests)
    assert count < num_images


def batches(server: RunningServer) -> tuple[float, float]:
    """How many batches of all models there were, and the images in them."""
    found = metrics(server)
    return tuple(  # type: ignore[return-value]
        sum(value for name, value in found.items() if name.startswith(f"ctc_ocr_batch_images_{what}"))
        for what in ("count", "sum")
    )


def test_an_image_that_cannot_be_read_has_its_reason_in_its_place(server: RunningServer) -> None:
    sample = ("a.png", SAMPLE.read_bytes())
    answer = server.read([TEXT_FILE, sample, ("b.png", sample[1][:1500]), ("c.png", b"")])
    assert answer.status == 200
    assert answer.readings[1]["text"] == "0089"
    others = [answer.readings[0], *answer.readings[2:]]
    assert [each["image"] for each in others] == ["notes.txt", "b.png", "c.png"]
    assert [set(each) for each in others] == [{"image", "error"}] * 3
    for each, reason in zip(others, ("not an image", "broken image", "the file is empty"), strict=True):
        assert each["error"].startswith(reason)
    answer = server.read([TEXT_FILE, TEXT_FILE])
    assert answer.status == 422
    assert answer.json["model"] == "starter"
    assert all(each["error"].startswith("not an image") for each in answer.readings)


def test_alternatives_are_those_of_a_beam_search(server: RunningServer, models: dict[str, Predictor]) -> None:
    content = SAMPLE.read_bytes()
    with ThreadPoolExecutor(4) as threads:
        paths = [f"/read?alternatives={count}" for count in (1, 3, 20, 3)]
        answers = list(threads.map(lambda path: server.read([("a.png", content)], path), paths))
    assert [len(each.readings[0].get("alternatives", [])) for each in answers] == [0, 3, 20, 3]
    starter = models["starter"]
    search = ctc_ocr.Decoder(top_k=3).bind(starter.alphabet, starter.lengths, starter.decoder.views)
    pixels, origin = models["starter"].prepare_placed(content)
    (expected,) = models["starter"].predict_prepared([pixels], origins=[origin], decoder=search)
    shown = as_json(expected, alternatives=True)["alternatives"]
    assert same(answers[1].readings[0]["alternatives"], shown)
    for count in ("0", "21", "x"):
        answer = server.read([("a.png", content)], f"/read?alternatives={count}")
        assert answer.status == 400
        assert answer.error.startswith("alternatives: ")


def test_models_and_health(server: RunningServer, models: dict[str, Predictor]) -> None:
    assert server.get("/health").json == {"status": "ok"}
    found = ModelsAnswer.model_validate(server.get("/models").json, strict=True).models
    assert [(each.name, each.architecture, each.format) for each in found] == [
        ("starter", "crnn", "onnx"), ("small", "crnn", "checkpoint"),
    ]  # fmt: skip
    for each in found:
        predictor = models[each.name]
        assert (each.alphabet, each.epoch) == (list(predictor.alphabet.units), predictor.epoch)


def test_images_of_a_client_that_has_left_are_not_read(server: RunningServer) -> None:
    body = multipart([("a.png", SAMPLE.read_bytes())] * 250)
    head = f"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\n\r\n"
    before = metrics(server)
    with server.socket() as raw:
        raw.sendall(head.encode() + body)
    end = time.monotonic() + 60
    left = 'ctc_ocr_requests_total{status="499"}'
    while (found := metrics(server)).get(left, 0) == 0 or found["ctc_ocr_queue_images"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    read = 'ctc_ocr_batch_images_sum{model="starter"}'
    assert found[read] - before[read] < 250
