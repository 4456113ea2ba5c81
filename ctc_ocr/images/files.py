"""Image files from outside -> (H, W) uint8 grey images, and what may have to be done to them before they are read."""

import io
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ctc_ocr.errors import InputError

FORMATS = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)
MAX_PIXELS = 50_000_000

Grey = NDArray[np.uint8]
Encoded = bytes | bytearray | memoryview


def read_image(source: str | os.PathLike[str] | Encoded, name: str | None = None, channels: int = 1) -> Grey:
    """The file's (or the encoded bytes') first picture, turned upright by its EXIF orientation: (H, W) uint8 grey, or
    with three channels (H, W, 3) uint8 RGB.

    Colours are weighted as in ITU-R BT.601, alpha lies on white paper, 16-bit grey is scaled to 8. Raises InputError
    that starts with `name` (default: the path) for a missing, empty, truncated, foreign or absurdly large image.
    """
    if isinstance(source, Encoded):
        name, encoded = name or "image", bytes(source)
    else:
        name = name or str(source)
        encoded = _read_bytes(Path(source), name)
    if not encoded:
        raise InputError("the file is empty", name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=list(FORMATS)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
                image.load()
                return _pixels(ImageOps.exif_transpose(image), channels)
    except Image.DecompressionBombError as error:
        raise InputError(f"too large: {error}; at most {MAX_PIXELS} pixels are read", name) from None
    except UnidentifiedImageError:
        raise InputError(f"not an image; accepted: {', '.join(FORMATS)}", name) from None
    except InputError as error:
        raise error.within(name) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on broken files
        raise InputError(f"broken image: {error}", name) from None


def _read_bytes(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(error.strerror), name) from None
    except ValueError as error:  # a path that no system call takes, with a NUL in it say
        raise InputError(str(error), name) from None


def _pixels(image: Image.Image, channels: int) -> Grey:
    if image.mode.startswith("I"):  # I;16 and its byte orders, or 16 bits in 32
        levels = np.asarray(image, dtype=np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise InputError("32-bit grey levels; accepted: 1 to 16 bits a channel")
        image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    if image.mode == "F":
        raise InputError("floating-point grey levels; accepted: 1 to 16 bits a channel")
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        paper = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(paper, coloured)
    if image.mode not in ("1", "L"):
        image = image.convert("RGB")
    return np.array(image.convert("L" if channels == 1 else "RGB"))


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """The paths in their order; a folder stands for the image files in it, by name, sorted.

    Whether a file exists is left to read_image. Raises InputError for a folder without images, or one that may not be
    looked into.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        try:
            found += _images_in(path) if path.is_dir() else [path]
        except OSError as error:
            raise InputError(str(error.strerror), path) from None
    return found


def _images_in(folder: Path) -> list[Path]:
    files = sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
    if not files:
        raise InputError(f"no image files in this folder; accepted: {', '.join(SUFFIXES)}", folder)
    return files


def resize(image: Grey, width: int, height: int) -> Grey:
    """(H, W) uint8, or (H, W, 3), -> (height, width) uint8, or (height, width, 3).

    Bilinear, but an axis that shrinks to less than half is averaged over areas, since bilinear sampling would skip
    pixels of it. (At exactly half, OpenCV's bilinear is the mean over areas too.)
    """
    rows, columns = image.shape[:2]
    averaged = (width if columns > 2 * width else columns, height if rows > 2 * height else rows)
    if averaged != (columns, rows):
        image = cv2.resize(image, averaged, interpolation=cv2.INTER_AREA)
    if averaged != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def looks_inverted(image: Grey) -> bool:
    """Whether an image (H, W) uint8 seems to be light ink on dark paper.

    The paper covers most of an image, so its level is the median: it is nearer to the darkest or to the lightest
    hundredth. An image of one level is judged by that level.
    """
    dark, paper, light = np.percentile(image, (1, 50, 99))
    return bool(paper < (dark + light) / 2 if light - dark >= 16 else paper < 128)


def invert(image: Grey) -> Grey:
    """Light for dark, uint8 of any shape."""
    return np.subtract(255, image, dtype=np.uint8)
