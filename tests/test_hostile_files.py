"""Files that are none: devices and named pipes; and small ones that unfold to more than a process may take."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image, ImageOps

from ctc_ocr.checkpoint.training_state import load_training_state
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.csv_files.text import find_encoding
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.font_characters import font_characters
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.rendering.wild_glyphs import GlyphCache
from ctc_ocr.runtime.input_files import read_bytes
from tests.fonts import font_with
from tests.test_large_files import measured

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20
MAX_GROWTH = 500  # MiB, of any image file that is accepted or not
SECONDS = 60  # a command, which on a busy machine takes some seconds to start


# --- devices and pipes ------------------------------------------------------------------------------------------------

SAID = "expected a file"


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/urandom"])
def test_nothing_is_read_from_devices_and_named_pipes(tmp_path: Path, name: str) -> None:
    """A named pipe has nobody who writes to it: opening it the usual way would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    for read in (read_bytes, read_image, find_encoding, find_fonts, font_characters):
        with pytest.raises(InputError, match=SAID):
            read(path)
    for suffix in ("a.csv", "a.txt", "labels.json", "a.json", "a.rec"):
        (tmp_path / suffix).symlink_to(path)
        if suffix == "a.rec":
            (tmp_path / "a.idx").write_text("0\t0\n")
            (tmp_path / "a.json").unlink()
            (tmp_path / "a.json").write_text('{"alphabet": {"1": 1}}')
        with pytest.raises(InputError, match=SAID):
            check_source(tmp_path / suffix)
    (tmp_path / "ocr-0001.state.npz").symlink_to(path)
    with pytest.raises(InputError, match=SAID):
        load_training_state(tmp_path / "ocr", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        "infer --csv pipe",
        "data check pipe",
        "data check . --lookup pipe",
        "data check . --config pipe",
        "generate pipe x.png",
    ],
)  # fmt: skip
def test_commands_say_so_at_once(tmp_path: Path, arguments: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = subprocess.run(
        [sys.executable, "-m", "ctc_ocr", *arguments.split()],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 2
    assert SAID in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_pipe_of_the_shell_is_read(tmp_path: Path) -> None:
    """As of --config <(command), which the user has typed."""
    read, write = os.pipe()
    os.write(write, b"12345")
    os.close(write)
    try:
        assert read_bytes(f"/dev/fd/{read}") == b"12345"
    finally:
        os.close(read)


# --- images -----------------------------------------------------------------------------------------------------------

CANVAS = b"RIFF\xae\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + (16_383).to_bytes(3, "little") * 2
LARGEST: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rgba.png": ("RGBA", "PNG", {"compress_level": 1}),
    "palette.png": ("P", "PNG", {"transparency": 0, "compress_level": 1}),
    "sixteen.png": ("I;16", "PNG", {"compress_level": 1}),
    "cmyk.tif": ("CMYK", "TIFF", {"compression": "tiff_deflate"}),
}


@pytest.mark.parametrize("name", LARGEST)
@pytest.mark.slow
def test_the_largest_images_take_less_than_half_a_gigabyte(tmp_path: Path, name: str) -> None:
    """50 megapixels, in as little as 27 KB."""
    mode, kind, options = LARGEST[name]
    Image.new(mode, (8660, 5770)).save(tmp_path / name, kind, **options)
    said, grown = measured(f"print(read_image({name!r}, channels=3).shape)", tmp_path)
    assert said == "(5770, 8660, 3)\n"
    assert grown < MAX_GROWTH


def test_a_small_webp_file_reserves_nothing(tmp_path: Path) -> None:
    """Its decoder takes memory for the canvas when the file is opened."""
    (tmp_path / "a.webp").write_bytes(CANVAS + bytes(150))
    code = "try:\n    read_image('a.webp')\nexcept InputError as error:\n    print(error)"
    said, grown = measured(code, tmp_path)
    assert said == "a.webp: too large: 16384 x 16384 pixels; the maximum is 25000000 pixels\n"
    assert grown < 20


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_size_of_webp_files_is_found_in_each_kind(lossless: bool, mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (123, 45)).save(buffer, "WEBP", lossless=lossless)
    assert read_image(buffer.getvalue()).shape == (45, 123)
    with pytest.raises(InputError, match="too large: 123 x 45 pixels; the maximum is 5534 pixels"):
        read_image(buffer.getvalue(), max_pixels=123 * 45 - 1)


@pytest.mark.parametrize("orientation", range(10))
def test_images_are_upright(orientation: int) -> None:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    image.getexif()[274] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=image.getexif())
    expected = ImageOps.exif_transpose(Image.open(buffer))
    np.testing.assert_array_equal(read_image(buffer.getvalue()), np.asarray(expected))


# --- fonts ------------------------------------------------------------------------------------------------------------


def test_characters_are_those_that_fonttools_finds(fonts_folder: Path) -> None:
    found = 0
    for path in [*fonts_folder.glob("*.ttf"), *Path("/usr/share/fonts").glob("**/*.ttf"), *map(Path, find_fonts(None))]:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            assert font_characters(path) == frozenset(font.getBestCmap() or ()), path
        found += 1
    assert found >= 5


def with_cmap(source: str, path: Path, subtable: bytes) -> Path:
    """A font with this subtable for all of Unicode."""
    with TTFont(source) as font:
        font.save(path)
    content = bytearray(path.read_bytes())
    table = b"\0\0\0\1\0\3\0\x0a\0\0\0\x0c" + subtable
    for number in range(int.from_bytes(content[4:6], "big")):
        record = 12 + 16 * number
        if content[record : record + 4] == b"cmap":
            content[record + 8 : record + 16] = len(content).to_bytes(4, "big") + len(table).to_bytes(4, "big")
    path.write_bytes(bytes(content) + table)
    return path


def groups(*found: tuple[int, int, int]) -> bytes:
    """A subtable of format 12."""
    body = b"".join(number.to_bytes(4, "big") for group in found for number in group)
    head = b"\0\x0c\0\0" + (16 + len(body)).to_bytes(4, "big") + bytes(4) + len(found).to_bytes(4, "big")
    return head + body


def test_a_table_that_maps_everything_many_times(tmp_path: Path, ubuntu_font: str) -> None:
    many = with_cmap(ubuntu_font, tmp_path / "many.ttf", groups(*[(0, 0x10FFFF, 1)] * 1000))
    said, grown = measured(
        "from ctc_ocr.rendering.fonts import check_glyphs\n"
        "try:\n    check_glyphs(['many.ttf'], '1')\nexcept InputError as error:\n    print(error)",
        many.parent,
    )
    assert said == "many.ttf: cannot read its character table (ranges of characters that overlap)\n"
    assert grown < 200
    sound = with_cmap(ubuntu_font, tmp_path / "sound.ttf", groups((0x30, 0x39, 5), (0x41, 0x41, 0), (0x43, 0x44, 7)))
    assert font_characters(sound) == frozenset([*range(0x30, 0x3A), 0x43, 0x44])
    for cut in (20, 40):
        sound.write_bytes(sound.read_bytes()[:-cut])
        with pytest.raises(InputError, match="truncated"):
            font_characters(sound)


def damaged(source: str, path: Path, unit: str) -> str:
    """A font in which one glyph has a program that cannot be."""
    font_with("0123456789 ", source, path)
    with TTFont(path) as font:
        number = font.getGlyphID(font.getBestCmap()[ord(unit)])
        start = font.reader.tables["glyf"].offset + font["loca"].locations[number]
    content = bytearray(path.read_bytes())
    content[start + 10 : start + 30] = b"\xff" * 20  # ends of contours
    path.write_bytes(bytes(content))
    return str(path)


def test_a_damaged_glyph_is_named_before_anything_is_drawn(tmp_path: Path, ubuntu_font: str) -> None:
    bad = damaged(ubuntu_font, tmp_path / "bad.ttf", "7")
    check_glyphs([bad], "012345")
    with pytest.raises(InputError, match=r"bad\.ttf: cannot draw '7' \("):
        check_glyphs([bad], "0123456789")
    with pytest.raises(InputError, match=r"bad\.ttf: cannot draw '7' \("):
        GlyphCache([bad]).find(0, "7", "plain")


def test_characters_that_are_far_above_the_text(tmp_path: Path, ubuntu_font: str) -> None:
    """The captcha library makes images that end where they do, before they have begun."""
    with TTFont(ubuntu_font) as font:
        font["hhea"].ascent = font["OS/2"].sTypoAscender = -14_000
        font.save(tmp_path / "bad.ttf")
    renderer = CaptchaLibraryRenderer((str(tmp_path / "bad.ttf"),))
    with pytest.raises(InputError, match=r"bad\.ttf: cannot draw '5071' \(Width and height must be >= 0\)"):
        renderer.render("5071", np.random.default_rng(0))


def test_glyphs_that_are_far_too_large(tmp_path: Path, ubuntu_font: str) -> None:
    """An em of 16 units in place of 1,000: a character would have 30 megapixels, and in other fonts a thousand."""
    with TTFont(ubuntu_font) as font:
        font["head"].unitsPerEm = 16
        font.save(tmp_path / "large.ttf")
    with pytest.raises(InputError, match=r"large\.ttf: not a font \(a glyph of \d+ x \d+ pixels in a font of 64\)"):
        find_fonts(tmp_path / "large.ttf")


def test_a_header_that_is_longer_than_a_file_name_can_be(tmp_path: Path) -> None:
    Image.new("L", (20, 10)).save(tmp_path / "a.png")
    (tmp_path / "a.csv").write_text(f"{'x' * 300},{'y' * 5000}\na.png,1\n")
    assert [each.sample.label for each in check_source(tmp_path / "a.csv").samples] == ["1"]
