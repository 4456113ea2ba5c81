"""What reads the files of each target: the package's own functions, as its commands call them. Each function here is
called once, with the folder in which every input will lie, and gives the function that reads it."""

import math
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fuzz.targets import Run

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Prediction

PREFIX = "ocr"
SERVER_SECONDS = 50  # until a server must have answered
MAX_SERVER_MIB = 1024


def image(folder: Path) -> Run:
    from ctc_ocr.images.files import read_image

    def read(folder: Path) -> object:
        for channels in (1, 3):
            pixels = read_image(folder / "input", channels=channels)
            assert pixels.dtype == np.uint8
            assert pixels.ndim == (2 if channels == 1 else 3)
        return pixels

    return read


def model(folder: Path) -> Run:
    from ctc_ocr.inference.predictor import Predictor

    picture = np.full((12, 30), 200, np.uint8)
    picture[3:9, 4:20:3] = 20

    def read(folder: Path) -> object:
        return _check(Predictor(folder / PREFIX, 1).read(picture))

    return read


def bundle(folder: Path) -> Run:
    from ctc_ocr.checkpoint.bundle import find_model
    from ctc_ocr.checkpoint.stored_model import stored_known_images
    from ctc_ocr.inference.predictor import Predictor

    picture = np.full((12, 30), 200, np.uint8)

    def read(folder: Path) -> object:
        stored_known_images(find_model(folder / "ocr.zip"))
        return _check(Predictor(folder / "ocr.zip").read(picture))

    return read


def onnx_model(folder: Path) -> Run:
    from ctc_ocr.inference.predictor import Predictor

    picture = np.full((12, 30), 200, np.uint8)
    return lambda folder: _check(Predictor(folder / "ocr.onnx").read(picture))


def _check(prediction: "Prediction") -> object:
    """A text, with a confidence that is a probability; NaN if the weights lead beyond float32."""
    assert isinstance(prediction.text, str)
    confidence = prediction.confidence
    assert confidence is None or math.isnan(confidence) or 0 <= confidence <= 1
    return prediction


def state(folder: Path) -> Run:
    from ctc_ocr.training.resume import newest

    return lambda folder: newest(str(folder / PREFIX))


def run(folder: Path) -> Run:
    """The tables beside a model."""
    from ctc_ocr.checkpoint import calibration_file, run_files
    from ctc_ocr.checkpoint.stored_model import StoredRun, stored_calibration, stored_known_images
    from ctc_ocr.errors import UserError

    def read(folder: Path) -> object:
        prefix = folder / PREFIX
        problems = []
        for each in (
            lambda: run_files.select_checkpoint(prefix),
            lambda: run_files.epochs_to_calibrate(prefix),
            lambda: calibration_file.has_been_chosen(prefix, 1),
            lambda: stored_known_images(StoredRun(str(prefix), 1)),
        ):
            try:
                each()
            except UserError as error:
                problems.append(error)
        found = stored_calibration(StoredRun(str(prefix), 1))
        if found is not None:
            assert np.isfinite(found.apply([0.0, 0.5, 1.0])).all()
        if problems:
            raise problems[0]
        return found

    return read


def labels(folder: Path) -> Run:
    from ctc_ocr.datasets.checking import check_source
    from ctc_ocr.datasets.samples import SourceOptions
    from ctc_ocr.datasets.summary import problem_lines, summary_lines
    from ctc_ocr.errors import UserError
    from ctc_ocr.inference.image_list import read_image_list

    def read(folder: Path) -> object:
        problems = []
        for each in (
            lambda: check_source(folder / "a.csv"),
            lambda: check_source(folder / "a.csv", SourceOptions(encoding="cp1252", unicode_form="NFC")),
            lambda: check_source(folder / "b.txt"),
            lambda: check_source(folder / "labels.json"),
            lambda: check_source(folder),
            lambda: read_image_list(folder / "a.csv"),
        ):
            try:
                found = each()
                if not isinstance(found, list):
                    "\n".join(summary_lines(found) + problem_lines(found)).encode("utf-8", "surrogateescape")
            except UserError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        return None

    return read


def config(folder: Path) -> Run:
    from ctc_ocr.config.hyperparameters import Hyperparameters, read_sections

    return lambda folder: Hyperparameters.from_dict(read_sections(folder / "ocr.json")).geometry.num_steps


def lookup(folder: Path) -> Run:
    from ctc_ocr.alphabet import UnitSplitter, read_lookups, write_lookup

    def read(folder: Path) -> object:
        found = read_lookups([folder / "lookup.json"])
        UnitSplitter(found).pieces("tte12")
        write_lookup(folder / "written.json", found)
        assert read_lookups([folder / "written.json"]) == found
        return found

    return read


def pack(folder: Path) -> Run:
    from ctc_ocr.datasets.checking import check_source
    from ctc_ocr.datasets.summary import problem_lines, summary_lines

    def read(folder: Path) -> object:
        found = check_source(folder / "a.rec")
        return summary_lines(found) + problem_lines(found)

    return read


def font(folder: Path) -> Run:
    from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer, _library
    from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
    from ctc_ocr.rendering.wild_glyphs import GlyphCache

    def read(folder: Path) -> object:
        fonts = find_fonts(folder / "a.ttf")
        check_glyphs(fonts, "0123456789")
        cache = GlyphCache(fonts)
        for style in ("plain", "hollow"):
            cache.find(0, "7", style)
        _library.cache_clear()  # it keeps fonts by their names
        return CaptchaLibraryRenderer(fonts).render("5071", np.random.default_rng(0))

    return read


def request(folder: Path) -> Run:
    """A server, in a process of its own, that is sent each input as it is."""
    from contextlib import ExitStack

    from tests.servers import STARTER, serving

    stack = ExitStack()
    server = stack.enter_context(serving(STARTER, "--threads=1"))

    def read(folder: Path) -> object:
        with socket.create_connection((server.host, server.port), timeout=SERVER_SECONDS) as connection:
            try:
                connection.sendall((folder / "request").read_bytes())
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
        assert server.process.poll() is None, "the server has ended"
        assert not answer.startswith(b"HTTP/1.1 500"), answer[:200]
        assert server.memory() < MAX_SERVER_MIB, "the server's memory"
        return answer

    read.stack = stack  # type: ignore[attr-defined]
    return read
