"""Where characters are found: `python -m benchmarks.places MODEL... [--images N]`.

Captchas of the captcha package, of the model's alphabet. Where each character is in one, is known from drawing the same
seed again with that character only. The figure is the overlap of the two ranges of columns, intersection over union, of
texts that are read correctly.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray

import ctc_ocr
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer

FONT = str(Path(__file__).resolve().parent.parent / "fonts" / "Ubuntu-M.ttf")
LONGEST = 4
GREY = (130, 130, 130)  # the package lets darker ink shine through
PAPER = 200  # all that is lighter, of a captcha without noise


def only(index: int) -> type[ImageCaptcha]:
    """The captcha package's class, which draws only the character of this index, and no noise."""

    class Only(ImageCaptcha):
        drawn = 0

        def create_captcha_image(self, chars: str, color: Any, background: Any) -> Any:
            self.drawn = 0
            return super().create_captcha_image(chars, GREY, (255, 255, 255))

        def _draw_character(self, c: str, draw: Any, color: Any) -> Any:
            image = super()._draw_character(c, draw, color)
            is_shown = c != " " and self.drawn == index
            self.drawn += c != " "
            if not is_shown:
                image.paste((0, 0, 0, 0), (0, 0, *image.size))
            return image

        @staticmethod
        def create_noise_curve(image: Any, color: Any) -> Any:
            return image

        @staticmethod
        def create_noise_dots(image: Any, color: Any, width: int = 3, number: int = 30) -> Any:
            return image

    return Only


ONLY = [only(index) for index in range(LONGEST)]


def boxes(text: str, seed: int) -> list[tuple[int, int]]:
    """First column of each character's ink, and the one after its last."""
    found = []
    for index in range(len(text)):
        alone = CaptchaLibraryRenderer((FONT,), captcha_class=ONLY[index])
        columns = np.flatnonzero(_grey(alone, text, seed).min(axis=0) < PAPER)
        found.append((int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 0))
    return found


def _grey(renderer: CaptchaLibraryRenderer, text: str, seed: int) -> NDArray[np.uint8]:
    return np.asarray(renderer.draw(text, np.random.default_rng(seed)).convert("L"))


def overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, shared) / (max(one[1], other[1]) - min(one[0], other[0]))


def overlaps(model: str, count: int) -> tuple[int, list[float]]:
    """How many images were read correctly, and the overlap of each of their characters."""
    predictor = ctc_ocr.Predictor(model)
    units = [each for each in predictor.alphabet.units if len(each) == 1]
    generator, renderer = np.random.default_rng(0), CaptchaLibraryRenderer((FONT,))
    right, found = 0, list[float]()
    for seed in range(count):
        text = "".join(generator.choice(units, int(generator.integers(3, LONGEST + 1))))
        prediction = predictor.read(np.asarray(renderer.draw(text, np.random.default_rng(seed))))
        if prediction.text == text:
            right += 1
            for each, known in zip(prediction.characters or [], boxes(text, seed), strict=True):
                found.append(overlap((each.left or 0.0, each.right or 0.0), known))
    return right, found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.places", description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    print("| model | read | mean overlap | above 0.5 |\n|---|---:|---:|---:|")
    for model in arguments.models:
        right, found = overlaps(model, arguments.images)
        above = sum(each > 0.5 for each in found) / max(1, len(found))
        print(f"| {model} | {right} | {np.mean(found) if found else 0:.3f} | {above:.3f} |")


if __name__ == "__main__":
    main()
