"""Pictures of an interpretation: images as the network reads them, each beside its activation map."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from ctc_ocr.images.contact_sheet import contact_sheet
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.interpretation.interpreting import ConfusedPair, Example
from ctc_ocr.rendering.fonts import find_fonts

if TYPE_CHECKING:
    from ctc_ocr.inference.activation_map import ActivationMaps
    from ctc_ocr.inference.predictor import Predictor

MIN_HEIGHT = 64  # pixels, of an image in a sheet
GAP = 2  # between an image and its map
PAPER = 255


def sheet_fonts(font: str | Path | None) -> tuple[str, ...]:
    """The fonts of the texts: a file or those of a folder (None: the captcha package's). Raises InputError."""
    return find_fonts(font)


def sheet(
    predictor: "Predictor", examples: Sequence[Example], font: str | Path | None = None,
    maps: "ActivationMaps | None" = None,
) -> Image.Image:  # fmt: skip
    """An RGB picture of one or more examples, with label, reading and loss below each, as in `3B7 > 387  2.14`.

    `font`: a file or a folder of fonts for the texts (None: the captcha package's). With `maps`, each image is followed
    by itself under its activation map: red is where the reading rests most. Raises InputError for an image that cannot
    be read any more.
    """
    images = [_shown(predictor, each, maps) for each in examples]
    return contact_sheet(images, [_caption(each) for each in examples], sheet_fonts(font))


def examples_of(pairs: Iterable[ConfusedPair]) -> list[Example]:
    """The examples of pairs, pair by pair, each image once."""
    found = {each.sample.where: each for pair in pairs for each in pair.examples}
    return list(found.values())


def _caption(example: Example) -> str:
    loss = "impossible" if math.isinf(example.loss) else f"{example.loss:.2f}"
    return f"{example.sample.label} > {example.reading or '-'}  {loss}"


def _shown(predictor: "Predictor", example: Example, maps: "ActivationMaps | None") -> Pixels:
    image = predictor.prepare(example.sample.read_bytes(), example.sample.place)
    shown = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    if maps is not None:
        levels = (maps.map_of(image) * 255).astype(np.uint8)
        heat = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
        gap = np.full((shown.shape[0], GAP, 3), PAPER, np.uint8)
        shown = np.concatenate([shown, gap, (shown // 2 + heat // 2).astype(np.uint8)], axis=1)
    factor = -(-MIN_HEIGHT // shown.shape[0])
    return np.ascontiguousarray(shown.repeat(factor, axis=0).repeat(factor, axis=1))
