"""What an image file may cost: its bytes; and, found before it is decoded, its pixels, tiles and scans."""

from PIL import Image

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.input_files import MIB

MAX_FILE_BYTES = 256 * MIB  # more than MAX_PIXELS in three channels, uncompressed
MAX_PIXELS = 50_000_000
MAX_WEBP_PIXELS = 25_000_000  # its decoder keeps four copies in four channels
MAX_SCANS = 100  # of a progressive JPEG file, whose every scan passes over the whole image; usual are about ten
TILE_SIZE = (322, 323)  # tags of TIFF: width and height of its tiles


def check_header(encoded: bytes, max_pixels: int = MAX_PIXELS) -> None:
    """Raises InputError for a WebP file of too many pixels: its decoder takes memory for them when it is opened."""
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
        _check_pixels(*_webp_size(encoded), "", min(max_pixels, MAX_WEBP_PIXELS))


def _webp_size(encoded: bytes) -> tuple[int, int]:
    """Width and height in the first chunk of a WebP file (RFC 9649); 0, 0 if it has none."""
    kind, fields = encoded[12:16], encoded[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return 1 + int.from_bytes(fields[4:7], "little"), 1 + int.from_bytes(fields[7:10], "little")
    if kind == b"VP8L":
        sizes = int.from_bytes(fields[1:5], "little")
        return 1 + sizes % 2**14, 1 + (sizes >> 14) % 2**14
    if kind == b"VP8 ":
        return int.from_bytes(fields[6:8], "little") % 2**14, int.from_bytes(fields[8:10], "little") % 2**14
    return 0, 0


def check_costs(image: Image.Image, encoded: bytes, max_pixels: int = MAX_PIXELS) -> None:
    """Raises InputError for an image, opened and not loaded, that would take too much memory or time."""
    _check_pixels(image.width, image.height, "", max_pixels)
    if image.format == "TIFF":
        width, height = (getattr(image, "tag_v2", {}).get(tag, 0) for tag in TILE_SIZE)
        _check_pixels(width, height, "tiles of ", max_pixels)  # each is decoded as a whole, whatever the image's size
    if image.format in ("JPEG", "MPO") and (scans := _num_scans(encoded)) > MAX_SCANS:
        raise InputError(f"too many scans: {scans}; the maximum is {MAX_SCANS}")


def _check_pixels(width: int, height: int, what: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InputError(f"too large: {what}{width} x {height} pixels; the maximum is {max_pixels} pixels")


def _num_scans(encoded: bytes) -> int:
    """Scans of a JPEG file, from the first one to the end of the image: thumbnails before it and what is appended are
    not counted. In the data of a scan, a byte FF is followed by 00 or a restart."""
    start = _first_scan(encoded)
    end = encoded.find(b"\xff\xd9", start)
    return encoded.count(b"\xff\xda", start, end if end >= 0 else len(encoded))


def _first_scan(encoded: bytes) -> int:
    """Where the first scan begins; the segments before it are skipped by their lengths."""
    position = 2
    while position + 4 <= len(encoded) and encoded[position + 1] != 0xDA:
        fills = encoded[position + 1] == 0xFF
        position += 1 if fills else 2 + int.from_bytes(encoded[position + 2 : position + 4], "big")
    return position
