# ruff: noqa: E402 (the threads are limited before NumPy is loaded)
"""Do the fast renderer's images have the distribution of the captcha library's?

Statistics of images are compared: their mean and variance, the fraction of ink, the profiles of columns and rows in
grey and in ink, and the histograms of pixels and of the differences between neighbours. The distance of two sets of
images in a statistic is the mean, over its components, of the squared difference of the two means in units of its
standard error (1 if only chance makes the difference). Three questions:

1. How far is the library from itself? 10,000 of its images are split into halves at random, again and again; the
   maximum distance of each statistic is the bound.
2. Does the fast renderer, 5,000 images against 5,000 of the library's, keep all bounds?
3. Does each parameter of the captcha class, changed by a fifth, break one? What ImageCaptcha's methods have as
   constants is changed in a derived class that the library draws.

The warp moves corners by a pixel or two; between all that varies, a fifth of that drowns. So all is asked a second time
of a probe: images of one text in one size, upright, without spaces and overlap.

    python benchmarks/rendering_distribution.py [--images 5000] [--splits 300] [--font fonts/Ubuntu-M.ttf]
"""

import argparse
import os
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
import numpy.typing as npt
from captcha import image as captcha_image
from captcha.image import ImageCaptcha

from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.fast import FastRenderer

Images = npt.NDArray[np.uint8]
Statistics = dict[str, npt.NDArray[np.float64]]
CONTRAST = 20  # levels of grey by which ink is darker than the lightest pixel
FIFTH = 1.2


def changed(name: str, value: Any, base: type[ImageCaptcha] = ImageCaptcha) -> type[ImageCaptcha]:
    return type(f"Changed_{name}", (base,), {name: value})


class Probe(ImageCaptcha):
    character_rotate = (0.0, 0.0)
    word_space_probability = 1.0
    word_offset_dx = 0.0

    def __init__(self, width: int = 160, height: int = 60, fonts: Any = None, font_sizes: Any = None) -> None:
        super().__init__(width, height, fonts, (50,))


def larger_fonts(self: Any, width: int = 160, height: int = 60, fonts: Any = None, font_sizes: Any = None) -> None:
    ImageCaptcha.__init__(self, width, height, fonts, (50, 60, 67))


# Drawn by the fast renderer, which follows these.
FOLLOWED = {
    "rotation": changed("character_rotate", (-30 * FIFTH, 30 * FIFTH)),
    "spaces": changed("word_space_probability", 0.5 * FIFTH),
    "overlap": changed("word_offset_dx", 0.25 * FIFTH),
    "lookup table": changed("lookup_table", [int(i * 1.97 * FIFTH) for i in range(256)]),
    "font sizes": changed("__init__", larger_fonts),
}
PROBED = {
    "warp, horizontal": changed("character_warp_dx", (0.1 * FIFTH, 0.3 * FIFTH), Probe),
    "warp, vertical": changed("character_warp_dy", (0.2 * FIFTH, 0.3 * FIFTH), Probe),
}
PROBE_TEXT = "7777"
WITHOUT_EFFECT = {
    "offset, horizontal": changed("character_offset_dx", (0, 5)),
    "offset, vertical": changed("character_offset_dy", (0, 7)),
}


class MoreDots(ImageCaptcha):
    @staticmethod
    def create_noise_dots(image: Any, color: Any, width: int = 3, number: int = 30) -> Any:
        return ImageCaptcha.create_noise_dots(image, color, width, round(30 * FIFTH))


class FifthOfCurvesMissing(ImageCaptcha):
    @staticmethod
    def create_noise_curve(image: Any, color: Any) -> Any:
        return image if captcha_image.secrets.randbelow(5) == 0 else ImageCaptcha.create_noise_curve(image, color)


class DarkerPaper(ImageCaptcha):
    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        return super().generate_image(chars, captcha_image.random_color(255 - round(17 * FIFTH), 255), fg_color)


class LighterInk(ImageCaptcha):
    def generate_image(self, chars: str, bg_color: Any = None, fg_color: Any = None) -> Any:
        opacity = captcha_image.secrets.randbelow(36) + 220
        return super().generate_image(chars, bg_color, captcha_image.random_color(10, round(200 * FIFTH), opacity))


# Drawn by the library.
CONSTANTS = {
    "noise dots": MoreDots,
    "noise curve": FifthOfCurvesMissing,
    "paper colours": DarkerPaper,
    "ink colours": LighterInk,
}


def draw(renderer: FastRenderer | CaptchaLibraryRenderer, count: int, seed: int, text: str | None = None) -> Images:
    """(count, 30, 80) uint8 of one text, or of texts of 3 or 4 digits, as the example has them."""
    generator = np.random.default_rng(seed)
    texts = [text or "".join(generator.choice(list("0123456789"), generator.integers(3, 5))) for _ in range(count)]
    if isinstance(renderer, CaptchaLibraryRenderer):
        return np.stack([renderer.render(each, generator) for each in texts])
    images = np.empty((count, renderer.height, renderer.width), np.uint8)
    renderer.render_batch(texts, generator.integers(0, 2**64, size=count, dtype=np.uint64), images)
    return images


def statistics(images: Images) -> Statistics:
    """For each statistic (N, components) float64."""
    grey = images.astype(np.float64)
    ink = images < images.max((1, 2), keepdims=True).astype(np.int16) - CONTRAST
    across = np.abs(np.diff(images.astype(np.int16), axis=2))
    down = np.abs(np.diff(images.astype(np.int16), axis=1))
    return {
        "mean": grey.mean((1, 2))[:, None],
        "variance": grey.var((1, 2))[:, None],
        "ink": ink.mean((1, 2))[:, None],
        "columns": grey.mean(1),
        "rows": grey.mean(2),
        "columns' ink": ink.mean(1),
        "rows' ink": ink.mean(2),
        "histogram": _histograms(images // 8, 32),
        "across": _histograms(np.minimum(across // 4, 31), 32),
        "down": _histograms(np.minimum(down // 4, 31), 32),
    }


def _histograms(bins: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    """(N, count) fraction of each image's pixels in each bin."""
    flat = bins.reshape(len(bins), -1)
    return np.stack([(flat == each).mean(1) for each in range(count)], axis=1)


def distances(one: Statistics, other: Statistics) -> dict[str, float]:
    """The mean squared difference of the means in standard errors, for each statistic."""
    result = {}
    for name, first in one.items():
        second = other[name]
        error = first.var(0) / len(first) + second.var(0) / len(second)
        seen = error > 0
        result[name] = float(np.mean((first.mean(0) - second.mean(0))[seen] ** 2 / error[seen]))
    return result


def bounds(both: Statistics, splits: int) -> dict[str, float]:
    """The maximum distance of each statistic between random halves of one set of images."""
    generator = np.random.default_rng(0)
    maximum = dict.fromkeys(both, 0.0)
    count = len(both["mean"])
    for _ in range(splits):
        order = generator.permutation(count)
        left, right = order[: count // 2], order[count // 2 :]
        found = distances({k: v[left] for k, v in both.items()}, {k: v[right] for k, v in both.items()})
        maximum = {name: max(maximum[name], found[name]) for name in maximum}
    return maximum


def show(name: str, found: dict[str, float], limits: dict[str, float] | None) -> bool:
    """Print one row; returns whether any bound is broken (marked with a star)."""
    broken = {key for key, value in found.items() if limits is not None and value > limits[key]}
    cells = [f"{value:9.1f}{'*' if key in broken else ' '}" for key, value in found.items()]
    print(f"{name:22}" + "".join(cells), flush=True)
    return bool(broken)


def compare(
    base: type[ImageCaptcha],
    variants: dict[str, tuple[type[ImageCaptcha], bool, bool]],
    text: str | None,
    fonts: tuple[str, ...],
    count: int,
    splits: int,
) -> list[str]:
    """Print a table; returns what is not as expected. variants: {name: (class, library draws, breaks a bound)}."""
    library = CaptchaLibraryRenderer(fonts, captcha_class=base)
    one, other = (statistics(draw(library, count, seed, text)) for seed in (1, 2))
    limits = bounds({key: np.concatenate([one[key], other[key]]) for key in one}, splits)
    print(" " * 22 + "".join(f"{key.replace('columns', 'col').replace('rows', 'row')[:9]:>9} " for key in limits))
    show("bound", limits, None)
    show("library", distances(one, other), limits)
    failed = []
    rows = {"fast": (base, False, False), **variants}
    for seed, (name, (each, by_library, breaks)) in enumerate(rows.items(), start=3):
        renderer = (CaptchaLibraryRenderer if by_library else FastRenderer)(fonts, captcha_class=each)
        if show(name, distances(statistics(draw(renderer, count, seed, text)), one), limits) != breaks:
            failed.append(name)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--splits", type=int, default=300)
    parser.add_argument("--font", default="fonts/Ubuntu-M.ttf")
    arguments = parser.parse_args()
    common = ((arguments.font,), arguments.images, arguments.splits)
    print("Texts of 3 or 4 digits. The offsets have no effect: the library crops each character to its ink afterwards.")
    variants = {name: (each, False, True) for name, each in FOLLOWED.items()}
    variants.update((name, (each, True, True)) for name, each in CONSTANTS.items())
    variants.update((name, (each, False, False)) for name, each in WITHOUT_EFFECT.items())
    failed = compare(ImageCaptcha, variants, None, *common)
    print(f"\nThe probe: {PROBE_TEXT!r} in one size, upright, without spaces and overlap.")
    failed += compare(Probe, {name: (each, False, True) for name, each in PROBED.items()}, PROBE_TEXT, *common)
    print("\nnot as expected: " + ", ".join(failed) if failed else "\nall as expected; * breaks a bound")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
