"""Images to compare two forms of a model on, where the user names none."""

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.sections import Data
from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.rendering.wild import WildRenderer

NUM_IMAGES = 32
MAX_CHARACTERS = 8
DIGITS = "0123456789"


def sample_images(alphabet: Alphabet, seed: int = 0) -> list[Pixels]:
    """RGB images (H, W, 3) of one to eight characters, in the font of the captcha package: of the alphabet's, as far as
    the font has them, or else digits."""
    fonts, generator = find_fonts(None), np.random.default_rng(seed)
    characters = "".join(unit for unit in alphabet.units if len(unit) == 1 and not unit.isspace())
    drawn, characters = _renderer(fonts, characters) or _renderer(fonts, DIGITS) or _no_font()
    images = []
    for _ in range(NUM_IMAGES):
        count = int(generator.integers(1, MAX_CHARACTERS + 1))
        text = "".join(generator.choice(list(characters), count))
        images.append(drawn.render(text, generator))
    return images


def _renderer(fonts: tuple[str, ...], characters: str) -> tuple[WildRenderer, str] | None:
    """The renderer of these characters, without those that no font has; None if none is left."""
    known = [each for each in characters if _has(fonts, each)]
    if not known:
        return None
    return WildRenderer(fonts, Data(alphabet="".join(known), channels=3, ink="auto")), "".join(known)


def _has(fonts: tuple[str, ...], character: str) -> bool:
    try:
        WildRenderer(fonts, Data(alphabet=character, channels=3))
    except InputError:
        return False
    return True


def _no_font() -> tuple[WildRenderer, str]:
    raise InputError("has no digits", "the font of the captcha package")
