"""The fast renderer against the captcha library given the same random numbers, and against Pillow step by step."""

import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import captcha.image
import cv2
import numpy as np
import pytest
from captcha.image import ImageCaptcha
from numba import njit
from PIL import Image, ImageDraw, ImageFont

from ctc_ocr.errors import InputError
from ctc_ocr.rendering import fast_kernels
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.factory import make_renderer
from ctc_ocr.rendering.fast import FastRenderer
from ctc_ocr.rendering.fast_glyphs import Atlas
from ctc_ocr.rendering.fast_parameters import can_follow, dot_pixels

ROOT = Path(__file__).resolve().parent.parent
FONT = str(ROOT / "fonts" / "Ubuntu-M.ttf")
OTHER_FONT = str(ROOT / "fonts" / "Ubuntu-R.ttf")


@pytest.fixture(autouse=True, scope="module")
def _given_to_numba() -> None:
    """As after the first image: whichever of these tests a process runs first."""
    for each in list(vars(fast_kernels).values()):
        if hasattr(each, "given"):
            each.given()


# Helpers of the kernels are only callable from compiled functions.


@njit
def sine_cosine(degrees: Any) -> Any:
    return fast_kernels.sine_cosine(degrees)


@njit
def draw_arc(canvas: Any, width: Any, height: Any, box: Any, start: Any, end: Any, ink: Any) -> None:
    fast_kernels.draw_arc(canvas, width, height, box[0], box[1], box[2], box[3], start, end, ink)


@njit
def warp_glyph(pixels: Any, glyph: Any, opacity: Any, degrees: Any, shifts: Any, floats: Any, ints: Any) -> Any:
    levels = np.zeros(40000, np.int16)
    fast_kernels.warp_glyph(
        pixels, glyph, 0, 0, opacity, degrees, shifts, floats[0], floats[1], floats[2], ints[0], ints[1], levels
    )
    return levels


class Stream:
    """Replaces the module `secrets`: SplitMix64 from one seed, written independently of the kernel."""

    def __init__(self, seed: int) -> None:
        self._state = int(seed)

    def randbits(self, count: int) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) % 2**64
        z = self._state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return (z ^ (z >> 31)) >> (64 - count)

    def randbelow(self, limit: int) -> int:
        return self.randbits(32) * limit >> 32

    def choice(self, values: Any) -> Any:
        return values[self.randbelow(len(values))]


class Tilted(ImageCaptcha):
    character_offset_dx = (2, 3)
    character_rotate = (100, 250)
    character_warp_dx = (0.0, 0.5)
    character_warp_dy = (0.1, 0.6)
    word_space_probability = 0.2
    word_offset_dx = 0.6
    lookup_table = [0, *(255 - i // 2 for i in range(255))]


class Upright(ImageCaptcha):
    character_rotate = (90, 90)

    def __init__(self, width: int = 160, height: int = 60, fonts: Any = None, font_sizes: Any = None) -> None:
        super().__init__(width, height, fonts, (20, 33))


class OtherDots(ImageCaptcha):
    @staticmethod
    def create_noise_dots(image: Any, color: Any, width: int = 3, number: int = 30) -> Any:
        return image


def draw_fast(renderer: FastRenderer, texts: list[str], seeds: list[int]) -> np.ndarray:
    out = np.empty((len(texts), renderer.height, renderer.width), np.uint8)
    renderer.render_batch(texts, np.array(seeds, np.uint64), out)
    return out


def draw_library(renderer: FastRenderer, text: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    library = renderer.captcha_class(renderer.draw_width, renderer.draw_height, fonts=list(renderer.fonts))
    with monkeypatch.context() as patch:
        patch.setattr(captcha.image, "secrets", Stream(seed))
        image = np.asarray(library.generate_image(text))
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (renderer.width, renderer.height))


def random_texts(count: int, alphabet: str, max_length: int) -> tuple[list[str], list[int]]:
    generator = np.random.default_rng(0)
    texts = ["".join(generator.choice(list(alphabet), generator.integers(1, max_length + 1))) for _ in range(count)]
    return texts, generator.integers(0, 2**64, count, dtype=np.uint64).tolist()


@pytest.mark.parametrize(
    ("renderer", "alphabet", "max_length", "tolerance"),
    [
        (FastRenderer((FONT,)), "0123456789", 4, 0.5),
        (
            FastRenderer((FONT, OTHER_FONT), 160, 60, 160, 60),
            "jJfgQ@|.-il W",
            9,
            1.2,
        ),  # overhanging characters, a text wider than the image
        (FastRenderer((FONT,), 101, 37, 64, 29), "7aK", 3, 1.0),  # characters taller than the image
        (FastRenderer((FONT,), captcha_class=Tilted), "0123456789j", 4, 1.0),
        (FastRenderer((FONT,), 90, 120, 90, 50, Upright), "Ax4", 5, 0.8),
    ],
    ids=["digits", "letters", "sizes", "tilted", "upright"],
)
def test_same_random_numbers_give_the_library_image(
    renderer: FastRenderer, alphabet: str, max_length: int, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, seeds = random_texts(60, alphabet, max_length)
    ours = draw_fast(renderer, texts, seeds).astype(int)
    theirs = np.stack([draw_library(renderer, *each, monkeypatch) for each in zip(texts, seeds, strict=True)])
    difference = ours - theirs
    assert abs(difference).mean() < tolerance
    assert abs(difference.mean()) < tolerance / 4
    # Rounding changes single pixels at edges; a misplaced character would change many.
    assert (abs(difference) > 12).mean((1, 2)).max() < 0.05
    # For scale: images of other seeds differ much more.
    assert abs(ours - np.roll(theirs, 1, axis=0)).mean() > 8


def test_an_image_depends_on_its_own_seed_only() -> None:
    renderer = FastRenderer((FONT, OTHER_FONT))
    texts, seeds = random_texts(40, "0123abc", 5)
    whole = draw_fast(renderer, texts, seeds)
    order = np.random.default_rng(1).permutation(40)
    assert (draw_fast(renderer, [texts[i] for i in order], [seeds[i] for i in order]) == whole[order]).all()
    alone = np.concatenate([draw_fast(renderer, [text], [seed]) for text, seed in zip(texts, seeds, strict=True)])
    assert (alone == whole).all()
    assert (draw_fast(renderer, texts, [seed ^ 1 for seed in seeds]) != whole).any((1, 2)).all()


def test_render_draws_its_seed_from_the_generator() -> None:
    renderer = FastRenderer((FONT,))
    one, other = (renderer.render("123", np.random.default_rng(seed)) for seed in (5, 5))
    seed = np.random.default_rng(5).integers(0, 2**64, size=1, dtype=np.uint64)
    assert one.shape == (30, 80)
    assert one.dtype == np.uint8
    assert (one == other).all()
    assert (one == draw_fast(renderer, ["123"], seed.tolist())[0]).all()
    assert (renderer.render(["1", "2", "3"], np.random.default_rng(5)) == one).all()


def test_another_process_renders_equal_images() -> None:
    renderer = FastRenderer((FONT,), captcha_class=ImageCaptcha)
    code = (
        "import pickle, sys, numpy as np\n"
        "renderer = pickle.loads(sys.stdin.buffer.read())\n"
        "sys.stdout.buffer.write(renderer.render('4711', np.random.default_rng(3)).tobytes())\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'mxnet']\n"
    )
    run = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(renderer), capture_output=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout == renderer.render("4711", np.random.default_rng(3)).tobytes()


def test_seeds_and_out_may_be_strided() -> None:
    renderer = FastRenderer((FONT,))
    buffer = np.zeros((3, 30, 100), np.uint8)
    renderer.render_batch(["12", "345", "6"], np.arange(6, dtype=np.uint64).reshape(2, 3).T[:, 0], buffer[:, :, 10:90])
    versions = len(fast_kernels.render_batch.signatures)
    assert (buffer[:, :, 10:90] == draw_fast(renderer, ["12", "345", "6"], [0, 1, 2])).all()
    assert not buffer[:, :, :10].any()
    assert not buffer[:, :, 90:].any()
    assert len(fast_kernels.render_batch.signatures) == versions == 1


def test_a_full_atlas_is_cleared_and_glyphs_stay_equal() -> None:
    font = ImageFont.truetype(FONT, 50)
    small = Atlas([font], limit=3000)
    found = [small.find(0, unit) for unit in "AB"]
    ink = {unit: _pixels(small, index) for unit, index in zip("AB", found, strict=True)}
    small.find(0, "C")
    assert small.full()
    small.clear()
    assert not small.full()
    assert (_pixels(small, small.find(0, "B")) == ink["B"]).all()
    many = Atlas([font])
    indices = {unit: many.find(0, unit) for unit in map(chr, [*range(33, 127), *range(161, 400)])}
    assert (_pixels(many, indices["A"]) == ink["A"]).all()


def _pixels(atlas: Atlas, index: int) -> np.ndarray:
    glyph = atlas.glyphs[index]
    shape = (glyph["ink_height"], glyph["ink_width"])
    return atlas.pixels[glyph["start"] : glyph["start"] + shape[0] * shape[1]].reshape(shape).copy()


@pytest.mark.slow
def test_a_character_is_rotated_and_resized_as_pillow_does_it() -> None:
    font = ImageFont.truetype(FONT, 50)
    atlas = Atlas([font])
    floats, ints = np.zeros((3, 40000), np.float32), np.zeros((2, 400), np.int64)
    generator = np.random.default_rng(0)
    for unit in "0123456789gW.|":
        glyph = atlas.glyphs[atlas.find(0, unit)]
        opacity, degrees = int(generator.integers(220, 256)), float(generator.uniform(-180, 180))
        shifts = tuple(generator.integers(-6, 7, 4).tolist())
        image = Image.new("RGBA", (80, 80))
        ImageDraw.Draw(image).text((10, 5), unit, font=font, fill=(90, 90, 90, opacity))
        image = image.crop(image.getbbox()).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
        width = int(glyph["width"]) + abs(shifts[0]) + abs(shifts[2])
        height = int(glyph["height"]) + abs(shifts[1]) + abs(shifts[3])
        expected = np.asarray(image.resize((width, height)))[:, :, 3].astype(int)
        levels = warp_glyph(atlas.pixels, glyph, opacity, degrees, shifts, floats, ints)
        got = np.minimum(levels[: width * height].reshape(height, width), 255)
        # Pillow also clips after the first of the two passes, so a few pixels differ in brightness.
        assert abs(got - expected).mean() < 0.2
        assert (abs(got - expected) > 1).mean() < 0.05


def test_the_arc_is_pillow_s_to_the_pixel() -> None:
    generator = np.random.default_rng(0)
    for width, height in ((160, 60), (60, 100), (20, 9)):
        for _ in range(150):
            x1, y1 = generator.integers(0, width), generator.integers(0, height)
            x2, y2 = generator.integers(x1, width + 1), generator.integers(y1, height + 1)
            start, end = int(generator.integers(0, 21)), int(generator.integers(160, 201))
            box = (int(x1), int(y1), int(x2), int(y2))
            image = Image.new("L", (width, height))
            ImageDraw.Draw(image).arc(box, start, end, fill=255)
            canvas = np.zeros(width * height, np.float32)
            draw_arc(canvas, width, height, box, start, end, np.float32(255))
            assert (np.asarray(image) == canvas.reshape(width, height).T).all(), (box, start, end)


def test_a_dot_is_pillow_s_wherever_it_lies() -> None:
    dot = dot_pixels()
    for x, y in ((5, 5), (0, 0), (0, 7), (12, 0), (12, 9), (3, 9), (12, 1)):
        image = Image.new("L", (12, 9))
        ImageDraw.Draw(image).line(((x, y), (x - 1, y - 1)), fill=255, width=3)
        expected = np.argwhere(np.asarray(image).T).tolist()
        assert sorted([a, b] for a, b in (dot + (x, y)).tolist() if 0 <= a < 12 and 0 <= b < 9) == expected


def test_sine_and_cosine() -> None:
    for degrees in (0.0, 90.0, -90.0, 180.0, 270.0, 29.99, 45.0, -45.0, 133.7, -200.25, 359.0):
        sine, cosine = sine_cosine(degrees)
        assert sine == pytest.approx(np.sin(np.radians(degrees)), abs=1e-14)
        assert cosine == pytest.approx(np.cos(np.radians(degrees)), abs=1e-14)


def test_each_parameter_reaches_the_image() -> None:
    texts, seeds = random_texts(6, "0123456789j", 4)
    default = draw_fast(FastRenderer((FONT,)), texts, seeds)
    for name, value in {
        "character_offset_dx": (1, 2),  # cuts off less of a j
        "character_offset_dy": None,
        "character_rotate": (-10, 10),
        "character_warp_dx": (0.0, 0.1),
        "character_warp_dy": (0.0, 0.9),
        "lookup_table": list(range(256)),
        "word_offset_dx": 0.9,
        "word_space_probability": 1.0,
    }.items():
        changed = type("Changed", (ImageCaptcha,), {} if value is None else {name: value})
        images = draw_fast(FastRenderer((FONT,), captcha_class=changed), texts, seeds)
        # The vertical offset has no effect in the library either, which crops characters to their ink afterwards.
        assert (images != default).any() == (value is not None), name


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"create_noise_dots": OtherDots.create_noise_dots}, "overrides create_noise_dots"),
        ({"_draw_character": ImageCaptcha._draw_character, "truefonts": property(list)}, "overrides"),
        ({"__getattribute__": lambda self, name: object.__getattribute__(self, name)}, "overrides __getattribute__"),
        ({"character_rotate": property(lambda self: (-5, 5))}, "computes character_rotate"),
        ({"character_offset_dx": (4, 0)}, "minimum above maximum"),
        ({"character_offset_dx": (0.5, 4)}, "library's type"),
        ({"character_warp_dx": 0.2}, "library's type"),
        ({"lookup_table": [1, 2, 3]}, "library's type"),
        ({"lookup_table": [1] * 256}, "where there is no ink"),
        ({"word_offset_dx": -0.5}, "negative"),
        ({"__init__": lambda self: None}, "fails"),
    ],
)
def test_an_unsupported_class_falls_back_to_the_library(
    attributes: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    changed = type("Changed", (ImageCaptcha,), attributes)
    assert reason in str(can_follow(changed))
    with pytest.raises(InputError, match=reason):
        FastRenderer((FONT,), captcha_class=changed).prepare()
    with caplog.at_level(logging.WARNING):
        renderer = make_renderer("fast", (FONT,), captcha_class=changed)
    assert isinstance(renderer, CaptchaLibraryRenderer)
    assert renderer.captcha_class is changed
    assert [reason in record.getMessage() for record in caplog.records] == [True]


def test_make_renderer(caplog: pytest.LogCaptureFixture) -> None:
    assert make_renderer("fast", (FONT,), 100, 50, 40, 20, Tilted) == FastRenderer((FONT,), 100, 50, 40, 20, Tilted)
    assert make_renderer("captcha", (FONT,), 100, 50, 40, 20) == CaptchaLibraryRenderer((FONT,), 100, 50, 40, 20)
    assert not caplog.records
    with pytest.raises(InputError, match="slow.*fast, captcha"):
        make_renderer("slow", (FONT,))


def test_bad_fonts_are_named() -> None:
    with pytest.raises(InputError, match="no_such.ttf"):
        FastRenderer(("no_such.ttf",)).prepare()


def test_kernels_compile_without_a_writable_cache_directory(tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    text = (ROOT / "ctc_ocr" / "rendering" / "fast_kernels.py").read_text(encoding="utf-8")
    (kernels / "small_kernels.py").write_text(text, encoding="utf-8")
    (kernels / "__pycache__").write_text("a file, where numba would make a folder")
    environment = {**os.environ, "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/x", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("NUMBA_CACHE_DIR", None)
    code = (
        "import numpy as np; from small_kernels import choose_fonts as f; fonts = np.full(1, -1)\n"
        "f(np.zeros(1, np.uint64), np.array([0, 1]), 1, 0.5, fonts); print(fonts, type(f.given()._cache).__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=kernels, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[0] NullCache"
