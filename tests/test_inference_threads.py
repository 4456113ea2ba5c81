"""One Predictor used by several threads: the same predictions as in one thread."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_line_model, save_own_model
from tests.mxnet_network import network_of

THREADS = 8


def random_images(count, widths=(16,), height=12, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (height, rng.choice(widths)), dtype=np.uint8) for _ in range(count)]


def in_threads(function):
    """[function(0), function(1), ...], all of which start at once, each in its own thread."""
    start = threading.Barrier(THREADS)

    def run(number):
        start.wait()
        return function(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


@pytest.fixture(params=["captcha", "line", "beam search"])
def predictor(request, tmp_path):
    """A Predictor that is not bound yet."""
    if request.param == "captcha":
        save_own_model(tmp_path / "m")
    else:
        save_line_model(tmp_path / "m")
    made = Predictor(tmp_path / "m", batch_size=8)
    if request.param == "beam search":
        made.decoder = Decoder(beam_width=10, top_k=3).bind(made.alphabet)
    return made


def in_one_thread(predictor, images):
    """The predictions of a Predictor that is not shared: of single images, and of parts of 5."""
    own = Predictor(predictor.prefix, batch_size=8)
    own.decoder = predictor.decoder
    return [own.read(image) for image in images], in_parts(own, images)


def in_parts(predictor, images):
    return [each for start in range(0, len(images), 5) for each in predictor.predict(images[start : start + 5])]


def test_single_images(predictor):
    images = random_images(60, widths=range(3, 61))
    expected, _ = in_one_thread(predictor, images)
    assert len({each.confidence for each in expected}) > 10

    def read(number):
        order = np.random.default_rng(number).permutation(len(images))
        found = {index: predictor.read(images[index]) for index in order}
        return [found[index] for index in range(len(images))]

    for found in in_threads(read):
        assert found == expected


def test_batches_and_single_images_of_mixed_widths(predictor):
    images = random_images(60, widths=range(3, 61))
    singles, batches = in_one_thread(predictor, images)

    def read(number):
        return [predictor.read(image) for image in images] if number % 2 else in_parts(predictor, images)

    for number, found in enumerate(in_threads(read)):
        assert found == (singles if number % 2 else batches)


def test_one_thread_reads_while_another_binds_new_widths(tmp_path):
    save_line_model(tmp_path / "m")
    images = random_images(20, widths=[20])
    expected = [Predictor(tmp_path / "m").read(image) for image in images]
    for _ in range(3):
        predictor = Predictor(tmp_path / "m")

        def read(number, predictor=predictor):
            if number % 2:
                return [predictor.read(image) for image in images]
            for width in range(number + 1, 61, 7):
                predictor.read(np.full((12, width), 200, np.uint8))
            return expected

        for found in in_threads(read):
            assert found == expected
        assert len(network_of(predictor).bound_sizes) > 10


def test_several_predictors_are_made_at_once(tmp_path):
    save_own_model(tmp_path / "captcha")
    save_line_model(tmp_path / "line")
    images = random_images(20, widths=range(3, 61))
    expected = {
        name: [Predictor(tmp_path / name).predict(images), Predictor(tmp_path / name).read(images[0])]
        for name in ("captcha", "line")
    }

    def make(number):
        name = ("captcha", "line")[number % 2]
        found = []
        for _ in range(4):
            predictor = Predictor(tmp_path / name)
            found.append([predictor.predict(images), predictor.read(images[0])])
        return name, found

    for name, found in in_threads(make):
        assert found == [expected[name]] * 4
