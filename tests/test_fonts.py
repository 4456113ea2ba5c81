"""Finding fonts, and the errors for invalid ones."""

import shutil
import string
from pathlib import Path

import pytest

from ctc_ocr.errors import InputError
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from tests.fonts import font_with


@pytest.fixture
def digits_font(tmp_path: Path, ubuntu_font: str) -> str:
    """A real font with only digits and a space."""
    return font_with(string.digits + " ", ubuntu_font, tmp_path / "digits.ttf")


def test_a_file_a_folder_and_the_default(fonts_folder: Path, ubuntu_font: str) -> None:
    assert find_fonts(ubuntu_font) == (ubuntu_font,)
    names = [Path(each).name for each in find_fonts(fonts_folder)]
    assert names == ["Ubuntu-B.ttf", "Ubuntu-M.ttf", "Ubuntu-R.ttf", "UbuntuMono-R.ttf"]
    (default,) = find_fonts(None)
    assert Path(default).is_file()
    check_glyphs([default], string.printable[:95])


def test_folder_takes_otf_and_capital_suffixes(tmp_path: Path, ubuntu_font: str) -> None:
    for name in ("b.OTF", "a.TTF", "c.otf"):
        shutil.copy(ubuntu_font, tmp_path / name)
    (tmp_path / "licence.txt").write_text("not a font")
    assert [Path(each).name for each in find_fonts(tmp_path)] == ["a.TTF", "b.OTF", "c.otf"]


def test_no_such_font(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.ttf: no such font file or folder"):
        find_fonts(tmp_path / "nowhere.ttf")


def test_folder_without_fonts(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no font")
    with pytest.raises(InputError, match="no font in this folder; accepted: .ttf, .otf"):
        find_fonts(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a font at all", b"\x00\x01\x00\x00 and then nothing"])
def test_an_invalid_font(tmp_path: Path, ubuntu_font: str, content: bytes) -> None:
    bad = tmp_path / "z.ttf"
    bad.write_bytes(content)
    with pytest.raises(InputError, match=r"z\.ttf: not a font"):
        find_fonts(bad)
    shutil.copy(ubuntu_font, tmp_path / "a.ttf")
    with pytest.raises(InputError, match=r"z\.ttf: not a font"):
        find_fonts(tmp_path)


@pytest.mark.parametrize("kept", [100, 1000, 20_000, 100_000, 230_000])
def test_a_truncated_font_is_an_input_error(tmp_path: Path, ubuntu_font: str, kept: int) -> None:
    bad = tmp_path / "cut.ttf"
    bad.write_bytes(Path(ubuntu_font).read_bytes()[:kept])
    with pytest.raises(InputError, match=r"cut\.ttf"):
        check_glyphs(find_fonts(bad), string.digits)


def test_missing_glyphs_are_listed_per_font(digits_font: str, ubuntu_font: str) -> None:
    check_glyphs([ubuntu_font, digits_font], string.digits)
    with pytest.raises(InputError) as caught:
        check_glyphs([ubuntu_font, digits_font], "01Ab漢")
    first, second = str(caught.value).splitlines()
    assert first == f"{ubuntu_font}: no glyph for '漢'"
    assert second == f"{digits_font}: no glyph for 'A', 'b', '漢'"


def test_a_space_needs_a_glyph_too(tmp_path: Path, ubuntu_font: str) -> None:
    font = font_with(string.digits, ubuntu_font, tmp_path / "spaceless.ttf")
    with pytest.raises(InputError, match="no glyph for ' '"):
        check_glyphs([font], string.digits)
