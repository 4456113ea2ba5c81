"""A picture of suspected label errors, each with its label and what was read. No MXNet."""

from collections.abc import Sequence

from PIL import Image

from ctc_ocr.errors import InputError
from ctc_ocr.experiments.audit import Suspect
from ctc_ocr.images.contact_sheet import contact_sheet
from ctc_ocr.images.files import read_image
from ctc_ocr.rendering.fonts import find_fonts


def suspects_sheet(suspects: Sequence[Suspect]) -> Image.Image:
    """An RGB picture of one or more suspects, row by row, best first: below each its number, its label and what was
    read, as in `1: 3B7 > 387`. Raises InputError for none, and for an image that cannot be read any more."""
    if not suspects:
        raise InputError("no suspects to show")
    images = [read_image(each.sample.read_bytes(), each.sample.place, channels=3) for each in suspects]
    labels = [f"{number}: {each.label} > {each.suggestion}" for number, each in enumerate(suspects, 1)]
    return contact_sheet(images, labels, find_fonts(None))
