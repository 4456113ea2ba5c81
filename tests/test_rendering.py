"""Captchas from a seed: equal to the captcha library's, without a change to global random numbers."""

# ruff: noqa: NPY002 (users' captcha classes use the legacy functions)

import functools
import io
import os
import pickle
import random
import secrets
import subprocess
import sys
import threading
import types
from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import SystemRandom, randint
from typing import Any

import captcha.image
import cv2
import numpy as np
import pytest
from captcha.image import ImageCaptcha, random_color
from numpy.random import default_rng, normal

from ctc_ocr.errors import InputError
from ctc_ocr.generation.seeds import FILES, TRAIN, VALIDATION, sample_generator
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.reproducible import Sources
from ctc_ocr.rendering.text import random_text

RNG = SystemRandom()
NUMPY_RNG = np.random.default_rng()


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# Captcha classes as users write them, with random sources that have a global state.


class Attributes(ImageCaptcha):
    character_rotate = (-60, 60)
    word_space_probability = 0.0


class Overridden(ImageCaptcha):
    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        image = super().generate_image(chars, random_color(200, 255), random_color(0, 90))
        for _ in range(randint(1, 3)):
            image = self.create_noise_curve(image, self.ink)
        return image

    @property
    def ink(self) -> tuple[int, int, int]:
        return random.randrange(256), secrets.randbelow(256), int(np.random.randint(256))

    @staticmethod
    def create_noise_dots(image: Any, color: Any, width: int = 3, number: int = 30) -> Any:
        return ImageCaptcha.create_noise_dots(image, color, width, 10 + int(abs(normal(0, 9))))


class OldStyleSuper(Overridden):
    palette = [random_color, lambda start, end: (random.randint(start, end),) * 3]  # noqa: RUF012

    def _draw_character(self, c: str, draw: Any, color: Any) -> Any:
        return super(OldStyleSuper, self)._draw_character(c, draw, self.pick())  # noqa: UP008

    @classmethod
    def pick(cls, source: Any = random.choice) -> Any:
        return source(cls.palette)(0, 120)


def _jittered(method: Any) -> Any:
    @functools.wraps(method)
    def wrapper(self: Any, *arguments: Any) -> Any:
        image = method(self, *arguments)
        return image.rotate(random.uniform(-9, 9))

    return wrapper


class Decorated(ImageCaptcha):
    @_jittered
    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        return super().generate_image(chars, bg_color, fg_color)


class Instances(ImageCaptcha):
    """Sources in the module, the class and the object; each image leaves half of a gaussian pair unused."""

    numbers = random.Random(4)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.own = np.random.RandomState(3)

    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        grey = 128 + int(20 * self.own.standard_normal() + 20 * self.numbers.gauss(0, 1))
        ink = RNG.randint(0, 90), int(NUMPY_RNG.integers(90)), int(default_rng().integers(90))
        return super().generate_image(chars, (grey, grey, grey), ink)


@dataclass
class Blots:
    number: int

    def scatter(self, image: Any) -> Any:
        for _ in range(self.number):
            image.putpixel((RNG.randrange(image.width), random.randrange(image.height)), (0, 0, 0))
        return image


class Helpers(ImageCaptcha):
    blots = Blots(20)

    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        from random import choice

        import numpy.random as npr

        assert isinstance(self.blots, Blots)
        assert isinstance(self, Helpers)
        image = self.blots.scatter(super().generate_image(chars))
        Blots(int(npr.poisson(3)) + choice([1, 2])).scatter(image)
        return image


class Abstract(ImageCaptcha, ABC):
    @abstractmethod
    def paper(self) -> Any: ...


class Concrete(Abstract):
    def paper(self) -> Any:
        return random_color(150, 255)

    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        return super().generate_image(chars, self.paper()).convert("L")


class Unseeded(ImageCaptcha):
    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        return super().generate_image(chars, tuple(os.urandom(3)))


class Counting(ImageCaptcha):
    drawn = 0

    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        self.drawn += 1
        return super().generate_image(chars, (150 + self.drawn,) * 3)


CLASSES = [ImageCaptcha, Attributes, Overridden, OldStyleSuper, Decorated, Instances, Helpers, Concrete]


@pytest.mark.parametrize("captcha_class", CLASSES)
def test_images_depend_on_the_seed(captcha_class: type[ImageCaptcha], ubuntu_font: str) -> None:
    renderer = CaptchaLibraryRenderer((ubuntu_font,), captcha_class=captcha_class)
    first = [renderer.draw("0189", _generator(seed)).tobytes() for seed in range(5)]
    assert len(set(first)) == 5
    assert [renderer.draw("0189", _generator(seed)).tobytes() for seed in reversed(range(5))] == first[::-1]


def test_a_pickled_renderer_renders_equal_images_in_another_process(ubuntu_font: str) -> None:
    renderers = [CaptchaLibraryRenderer((ubuntu_font,), captcha_class=each) for each in (ImageCaptcha, Instances)]
    program = (
        "import pickle, sys, numpy as np\n"
        "for each in pickle.load(sys.stdin.buffer):\n"
        "    sys.stdout.buffer.write(each.render('0189', np.random.default_rng(7)).tobytes())"
    )
    there = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(renderers), capture_output=True)
    assert there.stderr == b""
    assert there.stdout == b"".join(each.render("0189", _generator(7)).tobytes() for each in renderers)


@pytest.mark.parametrize("captcha_class", [Unseeded, Counting])
def test_a_class_that_cannot_be_seeded_is_rejected(captcha_class: type[ImageCaptcha], ubuntu_font: str) -> None:
    renderer = CaptchaLibraryRenderer((ubuntu_font,), captcha_class=captcha_class)
    for _ in range(2):
        with pytest.raises(InputError, match=f"{captcha_class.__name__} renders two different images from one seed"):
            renderer.draw("0189", _generator(0))


def test_pixels_are_the_librarys_own(ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library, given the same numbers, renders equal images."""
    renderer = CaptchaLibraryRenderer((ubuntu_font,))
    sources = Sources()
    numbers = types.SimpleNamespace(
        randbelow=lambda n: sources.python.randrange(n),
        choice=sources.python.choice,
        randbits=sources.python.getrandbits,
    )
    library = ImageCaptcha(160, 60, [ubuntu_font])
    for seed in range(20):
        ours = renderer.draw("0189", _generator(seed))
        sources.reseed(_generator(seed))
        with monkeypatch.context() as patched:
            patched.setattr(captcha.image, "secrets", numbers)
            theirs = library.generate_image("0189")
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.slow
def test_distribution_is_the_librarys(ubuntu_font: str) -> None:
    """Means of grey level, darkest grey and contrast over 300 images each, within five standard errors."""
    library, renderer = ImageCaptcha(160, 60, [ubuntu_font]), CaptchaLibraryRenderer((ubuntu_font,))
    theirs = np.array([_statistics(library.generate_image("0189")) for _ in range(300)])
    ours = np.array([_statistics(renderer.draw("0189", sample_generator(5, TRAIN, i))) for i in range(300)])
    standard_error = np.sqrt((theirs.var(axis=0) + ours.var(axis=0)) / 300)
    assert (np.abs(theirs.mean(axis=0) - ours.mean(axis=0)) < 5 * standard_error).all()


def _statistics(image: Any) -> list[float]:
    grey = np.asarray(image.convert("L"), dtype=float)
    return [grey.mean(), grey.min(), grey.std(), (grey < 200).mean()]


def numpy_state() -> list[int]:
    state: Any = np.random.get_state()
    return list(state[1])


def test_global_state_is_unchanged(ubuntu_font: str) -> None:
    random.seed(1)
    np.random.seed(1)
    python_state, state = random.getstate(), numpy_state()
    before = {id(each): dict(vars(each)) for each in (captcha.image, random, secrets, np.random, ImageCaptcha)}
    stop, seen = threading.Event(), set()

    def look() -> None:
        while not stop.is_set():
            seen.add((captcha.image.secrets is secrets, captcha.image.random_color is random_color))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for captcha_class in CLASSES:
            renderer = CaptchaLibraryRenderer((ubuntu_font,), draw_width=150, captcha_class=captcha_class)
            renderer.draw("0189", _generator(0))
    finally:
        stop.set()
        thread.join()
    assert seen == {(True, True)}
    assert random.getstate() == python_state
    assert numpy_state() == state
    for each in (captcha.image, random, secrets, np.random, ImageCaptcha):
        assert dict(vars(each)) == before[id(each)]
    assert Instances.numbers.getstate() == random.Random(4).getstate()


def test_threads_do_not_disturb_each_other(ubuntu_font: str) -> None:
    renderer = CaptchaLibraryRenderer((ubuntu_font,))
    expected = [renderer.render("0189", _generator(seed)).tobytes() for seed in range(30)]
    drawn: dict[int, bytes] = {}

    def draw(seeds: range) -> None:
        for seed in seeds:
            drawn[seed] = renderer.render("0189", _generator(seed)).tobytes()

    threads = [threading.Thread(target=draw, args=(range(start, 30, 3),)) for start in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [drawn[seed] for seed in range(30)] == expected


def test_render_is_the_drawn_image_in_grey_resized(ubuntu_font: str) -> None:
    renderer = CaptchaLibraryRenderer((ubuntu_font,), 200, 70, 100, 32)
    drawn, image = renderer.draw("42", _generator(3)), renderer.render("42", _generator(3))
    assert (drawn.mode, drawn.size) == ("RGB", (200, 70))
    assert image.shape == (32, 100)
    assert image.dtype == np.uint8
    assert np.median(image) > 200  # paper
    assert image.min() < np.median(image) - 30  # ink
    file = io.BytesIO()
    drawn.save(file, "png")
    read = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)
    # libpng rounds down where OpenCV rounds to the nearest.
    assert np.abs(cv2.resize(read, (100, 32)).astype(int) - image).max() <= 1


@pytest.mark.parametrize("k", [0, 1, 8, 53, 54, 200])
def test_random_bits_fill_their_range(k: int) -> None:
    sources = Sources()
    numbers = [sources.python.getrandbits(k) for _ in range(200)]
    assert all(0 <= number < 1 << k for number in numbers)
    for bit in range(k):
        assert len({number >> bit & 1 for number in numbers}) == 2


@pytest.mark.parametrize("n", [1, 3, 1000, 2**40 + 5])
def test_numbers_below_are_uniform(n: int) -> None:
    sources = Sources()
    numbers = [sources.python.randrange(n) for _ in range(4000)]
    assert max(numbers) < n
    # The mean of 4,000 uniform numbers has the standard error n / sqrt(12 * 4000).
    assert abs(np.mean(numbers) - (n - 1) / 2) < 5 * n / np.sqrt(12 * 4000)


def test_random_text_is_uniform_over_lengths_and_units() -> None:
    generator = _generator(0)
    texts = [random_text(generator, ("a", "bc", "d"), 2, 4) for _ in range(3000)]
    for length in (2, 3, 4):
        assert abs(sum(len(text) == length for text in texts) - 1000) < 5 * np.sqrt(3000 * 2 / 9)
    units = [unit for text in texts for unit in text]
    for unit in ("a", "bc", "d"):
        assert abs(units.count(unit) - len(units) / 3) < 5 * np.sqrt(len(units) * 2 / 9)


def test_sample_generators_are_distinct_and_repeatable() -> None:
    keys = [(seed, stream, i) for seed in (0, 1, 2**64 - 1) for stream in (TRAIN, VALIDATION, FILES) for i in range(4)]
    first = [sample_generator(*key).integers(0, 2**63) for key in keys]
    assert len(set(first)) == len(keys)
    assert [sample_generator(*key).integers(0, 2**63) for key in keys] == first


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed: int) -> None:
    with pytest.raises(InputError, match=f"seed: {seed} is not an integer from 0 to"):
        sample_generator(seed, TRAIN, 0)
