"""Image files from outside, decoded to pixels. Safe to call from several threads at once."""

import io
import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from ctc_ocr.errors import InputError
from ctc_ocr.images.limits import MAX_FILE_BYTES, MAX_PIXELS, check_costs, check_header
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.runtime.input_files import read_bytes, too_large
from ctc_ocr.runtime.similar_files import named_similarly

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
PREFIX_BYTES = 16  # by which Pillow's plugins recognise their format
ROWS_PIXELS = 2**20  # that are converted at a time
ORIENTATION = 274  # tag of EXIF
BITS_PER_SAMPLE = 258  # tag of TIFF
DEEP = "32-bit grey levels; accepted: 1 to 16 bits per channel"
# Modules that warn of damaged metadata (EXIF and TIFF tags, animation chunks), which says nothing about the pixels.
METADATA_MODULES = re.compile(r"PIL\.(Jpeg|Png|Tiff)ImagePlugin")
# As warnings.filterwarnings forms them. The size is checked here.
FILTERS = (
    ("ignore", None, UserWarning, METADATA_MODULES, 0),
    ("ignore", None, Image.DecompressionBombWarning, None, 0),
)

Encoded = bytes | bytearray | memoryview


def read_image(
    source: str | os.PathLike[str] | Encoded, name: str | None = None, channels: int = 1, max_pixels: int = MAX_PIXELS
) -> Pixels:
    """The first frame of a file or of encoded bytes, upright by its EXIF orientation: (H, W) uint8 grey, or with three
    channels (H, W, 3) uint8 RGB.

    Colours are weighted as in ITU-R BT.601, alpha lies on white paper, 16-bit grey is scaled to 8. Raises InputError
    with `name` (default: the path) as its place if the file is missing or empty, of another format, truncated, or
    beyond the limits of `ctc_ocr.images.limits`: a file of any size takes no more memory than those allow. An image of
    more than `max_pixels` is refused before it is decoded.
    """
    if isinstance(source, Encoded):
        name, encoded = name or "image", bytes(source)
    else:
        name = name or str(source)
        encoded = read_encoded(source, name)
    try:
        return _decode(encoded, channels, min(max_pixels, MAX_PIXELS))
    except InputError as error:
        raise error.within(name) from None
    except Image.DecompressionBombError:  # from plugins that check the size themselves
        raise InputError(f"too large; the maximum is {MAX_PIXELS} pixels", name) from None
    except MemoryError:
        raise InputError("not enough memory to decode it", name) from None
    except Exception as error:  # Pillow's decoders raise nearly anything on broken files, also without a text
        raise InputError(f"broken image: {str(error) or type(error).__name__}", name) from None


def read_encoded(path: str | os.PathLike[str], name: str) -> bytes:
    """The bytes of an image file. Raises InputError with `name` as its place."""
    try:
        return read_bytes(Path(path), MAX_FILE_BYTES)
    except InputError as error:
        raise named_similarly(error, path, name, SUFFIXES) from None


def _decode(encoded: bytes, channels: int, max_pixels: int) -> Pixels:
    if not encoded:
        raise InputError("the file is empty")
    if len(encoded) > MAX_FILE_BYTES:
        raise InputError(too_large(len(encoded), MAX_FILE_BYTES))
    _ignore_metadata_warnings()
    check_header(encoded, max_pixels)
    image = _open(encoded)
    check_costs(image, encoded, max_pixels)
    _refuse_32_bits(image)
    image.load()
    return np.ascontiguousarray(_upright(_to_pixels(image, channels), image.getexif().get(ORIENTATION)))


@contextmanager
def warnings_as_before() -> Iterator[None]:
    """Around the reading of many images: the filters of warnings that this adds are taken out again.

    Only they are: warnings.catch_warnings would restore the filters of the whole process, and drop those that another
    thread has set in the meantime.
    """
    filters = cast("list[tuple[Any, ...]]", warnings.filters)
    added = [each for each in FILTERS if each not in filters]
    try:
        yield
    finally:
        for each in added:
            with suppress(ValueError):  # somebody else has taken it out
                cast("list[tuple[Any, ...]]", warnings.filters).remove(each)


def _ignore_metadata_warnings() -> None:
    """Add the filters, unless the process has them. They stay: to change them for each image would let the process
    forget which warnings it has shown already."""
    for each in FILTERS:
        if each not in warnings.filters:
            _, _, category, module, _ = each
            warnings.filterwarnings("ignore", category=category, module=module.pattern if module else "")


def _open(encoded: bytes) -> Image.Image:
    """Image.open for FORMATS, without its check of the size, which warns."""
    Image.preinit()
    for kind in FORMATS:
        if kind not in Image.OPEN:
            Image.init()
        if kind not in Image.OPEN:  # this Pillow was built without the format's library
            continue
        factory, accept = Image.OPEN[kind]
        try:
            # A plugin whose library is missing returns a text instead of True.
            if accept is None or accept(encoded[:PREFIX_BYTES]) is True:
                return factory(io.BytesIO(encoded), "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # as in Image.open: not this format after all
            continue
    raise InputError(f"not an image; accepted: {', '.join(FORMATS)}")


def _refuse_32_bits(image: Image.Image) -> None:
    """Raises InputError for a TIFF file of 32 bits: nothing in it says which level is white, 255, 65535 or another."""
    tags = getattr(image, "tag_v2", {})  # only TIFF files have it
    if max(tags.get(BITS_PER_SAMPLE, (1,))) > 16:
        raise InputError(DEEP)


def _to_pixels(image: Image.Image, channels: int) -> Pixels:
    """(H, W) or (H, W, 3) of a loaded image: some rows at a time, since each conversion makes a copy."""
    width, height = image.size
    pixels = np.empty((height, width) if channels == 1 else (height, width, 3), np.uint8)
    rows = max(1, ROWS_PIXELS // max(1, width))
    for top in range(0, height, rows):
        part = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = _converted(part, channels)
    return pixels


def _converted(image: Image.Image, channels: int) -> Pixels:
    if image.mode.startswith("I"):  # I;16 and its byte orders, or 16 bits in 32
        levels = np.asarray(image, dtype=np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise InputError(DEEP)
        scaled = ((levels + 128) // 257).astype(np.uint8)
        scaled[levels == image.info.get("transparency", -1)] = 255  # white paper
        image = Image.fromarray(scaled)
    if image.mode == "F":
        raise InputError("floating-point grey levels; accepted: 1 to 16 bits per channel")
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        image.info["transparency"] = tuple(level >> 8 for level in key)  # of 16 bits, as Pillow reads the pixels
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        paper = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(paper, coloured)
    if image.mode not in ("1", "L", "RGB"):
        image = image.convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _upright(pixels: Pixels, orientation: Any) -> Pixels:
    """A view of an image with its first row at the top, by the orientation in its EXIF data."""
    if orientation in (5, 6, 7, 8):  # rows and columns are exchanged
        pixels = pixels.swapaxes(0, 1)
        orientation = {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    rows, columns = {2: (1, -1), 3: (-1, -1), 4: (-1, 1)}.get(orientation, (1, 1))
    return pixels[::rows, ::columns]
