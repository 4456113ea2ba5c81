"""Messages about files, images, labels, packs, fonts and pages that are seldom met, each provoked by a real input."""

import io
import os
import struct
from pathlib import Path
from typing import Any

import captcha.image
import numpy as np
import pytest
from captcha.image import ImageCaptcha
from numpy.typing import NDArray
from PIL import Image

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.main import main
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.captcha_files import CaptchaWriter
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.datasets.page_cutting import cut_pages
from ctc_ocr.datasets.page_pictures import write_page_pictures
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.experiments.suspects_file import correct_labels, write_suspects
from ctc_ocr.export.samples import sample_images
from ctc_ocr.images import font_characters
from ctc_ocr.images.files import read_image
from ctc_ocr.images.limits import MAX_PIXELS, MAX_SCANS
from ctc_ocr.inference.text_files import write_text
from ctc_ocr.rendering.fast import FastRenderer
from ctc_ocr.rendering.fonts import check_glyphs
from tests.page_folders import HEADER, write_book
from tests.test_hostile_files import groups, with_cmap
from tests.test_large_files import record, write_pack


def encoded(kind: str = "PNG", level: int = 0, **options: Any) -> bytes:
    """A small image as a file."""
    buffer = io.BytesIO()
    Image.new("L", (20, 10), level).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with two labelled images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.png").write_bytes(encoded(level=90 * number))
    (folder / "labels.csv").write_text("image,label\n1.png,1\n2.png,2\n", encoding="utf-8")
    return folder


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_text_beside_an_image_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_text(tmp_path / "a.png", "first")
    with pytest.raises(InputError, match=r"a\.txt: exists already: replace it with overwrite$"):
        write_text(tmp_path / "a.png", "second")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "first\n"
    write_text(tmp_path / "a.png", "second", overwrite=True)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "second\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_to_a_full_disk_is_a_failed_run(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        status = main(["data", "check", str(images)])
        monkeypatch.undo()
    assert status == RunError.exit_status
    assert "error: the output cannot be written: No space left on device\n" in capsys.readouterr().err


# --- images -----------------------------------------------------------------------------------------------------------


def test_a_frame_that_is_larger_than_its_gif_file_says(tmp_path: Path) -> None:
    """Pillow itself refuses the frame, before its size is looked at."""
    content = bytearray(encoded("GIF"))
    frame = content.index(b",", 13 + 3 * 2 ** ((content[10] & 7) + 1))  # after the table of colours
    content[frame + 5 : frame + 9] = b"\xff" * 4  # width and height
    (tmp_path / "a.gif").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_image(tmp_path / "a.gif")
    assert str(error.value) == f"{tmp_path / 'a.gif'}: too large; the maximum is {MAX_PIXELS} pixels"


def test_a_jpeg_file_of_very_many_scans(tmp_path: Path) -> None:
    content = encoded("JPEG", progressive=True)
    usual = content.count(b"\xff\xda")
    scan = content[content.rindex(b"\xff\xda") : -2]
    path = tmp_path / "a.jpg"
    path.write_bytes(content[:-2] + scan * (MAX_SCANS - usual) + content[-2:])
    assert read_image(path).shape == (10, 20)
    path.write_bytes(content[:-2] + scan * (MAX_SCANS - usual + 1) + content[-2:])
    with pytest.raises(InputError, match=rf"a\.jpg: too many scans: {MAX_SCANS + 1}; the maximum is {MAX_SCANS}$"):
        read_image(path)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_images_of_an_alphabet_that_nobody_gives(images: Path) -> None:
    with pytest.raises(InputError, match=r"^--only_alphabet: needs an alphabet \(--lookup or --alphabet\)$"):
        check_source(images, only_alphabet=True)
    assert check_source(images, only_alphabet=True, alphabet=Alphabet(("1",))).num_skipped == 1


def test_half_of_a_surrogate_pair_in_a_row(images: Path) -> None:
    """An emoji, written as two escapes, that was cut after the first."""
    (images / "labels.csv").write_text("image,label\n1.png,1\n2.png,\\ud83d\n", encoding="utf-8")
    samples, problems = read_source(images / "labels.csv", SourceOptions(encoding="raw_unicode_escape"))
    assert [sample.label for sample in samples] == ["1"]
    assert [str(each) for each in problems] == [
        f"{images / 'labels.csv'}, row 3: not valid Unicode: it has half of a surrogate pair"
    ]


def test_a_name_that_several_columns_have(images: Path) -> None:
    (images / "labels.csv").write_text("image,text,text\n1.png,1,one\n2.png,2,two\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_source(images / "labels.csv", SourceOptions(label_column="text"))
    assert error.value.reason == (
        "several columns are named 'text'; there are column 1 'image' (as in '1.png'), column 2 'text' (as in '1'), "
        "column 3 'text' (as in 'one')"
    )
    samples, _ = read_source(images / "labels.csv", SourceOptions(label_column=3))
    assert [sample.label for sample in samples] == ["one", "two"]


def test_labels_of_a_pack_are_not_corrected(images: Path, tmp_path: Path) -> None:
    """A CSV file names images, and those of a pack are no files."""
    pack_source(images, tmp_path / "pack")
    write_suspects(tmp_path / "suspects.csv", [])
    with pytest.raises(InputError, match="its images are not files that a CSV file can name; correct what it was"):
        correct_labels(tmp_path / "pack.rec", tmp_path / "suspects.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


# --- packs ------------------------------------------------------------------------------------------------------------


def written(content: bytes) -> bytes:
    """A record of these bytes, as they are."""
    file = io.BytesIO()
    recordio.write_record(file, content)
    return file.getvalue()


def test_a_record_of_millions_of_empty_parts_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordio, "MAX_RECORD_BYTES", 800)
    content = recordio.PART.pack(recordio.MAGIC, recordio.FIRST << recordio.LENGTH_BITS) * 101
    with pytest.raises(ValueError, match="^damaged pack: a record of more than 800 bytes at byte 800$"):
        recordio.read_record(content, 0)


def test_damaged_records_are_invalid_each_for_its_reason(tmp_path: Path) -> None:
    too_long = bytearray(record([1], encoded(level=100)))
    struct.pack_into("<I", too_long, 4, recordio.MAX_RECORD_BYTES + 1)
    many = recordio.MAX_LABELS + 1
    records = {
        record([1, 2], encoded()): "",
        bytes(too_long): f"a record of more than {recordio.MAX_RECORD_BYTES} bytes at byte ",
        written(recordio.HEADER.pack(many, 0.0, 2, 0)): (
            f"a record with {many} labels; the maximum is {recordio.MAX_LABELS}"
        ),
        written(recordio.HEADER.pack(50, 0.0, 3, 0)): "a record that is shorter than its labels",
        written(b"short"): "a record without a header",
    }
    rec = write_pack(tmp_path, list(records))
    os.truncate(rec, rec.stat().st_size + recordio.MAX_RECORD_BYTES)  # a hole, which takes no space
    result = check_source(rec)
    assert [each.sample.label for each in result.samples] == ["12"]
    found = {each.where: each.reason for each in result.invalid}
    expected = {f"{rec}, record {key}": reason for key, reason in enumerate(records.values()) if reason}
    assert found.keys() == expected.keys()
    for where, reason in expected.items():
        assert found[where].startswith(f"damaged pack: {reason}")


def test_a_pack_that_is_replaced_after_its_labels_were_read(tmp_path: Path) -> None:
    rec = write_pack(tmp_path, [record([1], encoded()), record([2], encoded(level=100))])
    samples, _ = read_source(rec)
    (tmp_path / "pack.idx").write_text("0\t0\n", encoding="utf-8")
    os.utime(tmp_path / "pack.idx", ns=(0, 0))
    assert samples[0].read_bytes() == encoded()
    with pytest.raises(InputError) as error:
        samples[1].read_bytes()
    assert str(error.value) == f"{rec}, record 1: no record 1 in this pack"


def test_a_pack_that_is_cut_off_in_the_middle_of_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the length of a record, which still fits into the file, and its bytes."""
    rec = write_pack(tmp_path, [record([1], bytes(4 * recordio.READ_AHEAD))])
    (sample,), _ = read_source(rec)
    part, end = recordio._part, recordio.READ_AHEAD

    def late(buffer: recordio.Buffer, offset: int) -> tuple[int, int, int]:
        found = part(buffer, offset)
        os.truncate(rec, end)
        return found

    monkeypatch.setattr(recordio, "_part", late)
    with pytest.raises(InputError) as error:
        sample.read_bytes()
    assert str(error.value) == f"{rec}, record 0: damaged pack: it ends at byte {end}, and was longer"


def test_a_record_is_shorter_than_what_its_length_can_say() -> None:
    """The bytes are never touched, so that they take no memory."""
    file = io.BytesIO()
    with pytest.raises(ValueError, match=r"^536870912 bytes; a record has less than 536870912$"):
        recordio.write_record(file, bytes(2**29))
    assert file.getvalue() == b""


# --- fonts and captchas -----------------------------------------------------------------------------------------------


def subtable(kind: int, *numbers: int) -> bytes:
    """A subtable of 32-bit numbers, as formats from 8 on have them."""
    return struct.pack(f">HHII{len(numbers)}I", kind, 0, 0, 0, *numbers)


TABLES = {
    "16,777,228 bytes; the maximum is 16,777,216": bytes(font_characters.MAX_TABLE_BYTES),  # and 12 before them
    "characters beyond Unicode": subtable(10, 0x10FFFF, 2) + bytes(4),
    "of format 2; accepted: 0, 4, 6, 10, 12, 13": subtable(2),
    "ranges of characters that overlap": groups(*[(0, 0x10FFFF, 1)] * 2),
    "the table is truncated": subtable(12, 3),
}


@pytest.mark.parametrize("reason", TABLES)
def test_a_damaged_table_of_characters(tmp_path: Path, ubuntu_font: str, reason: str) -> None:
    font = with_cmap(ubuntu_font, tmp_path / "font.ttf", TABLES[reason])
    with pytest.raises(InputError) as error:
        check_glyphs([str(font)], "1")
    assert str(error.value) == f"{font}: cannot read its character table ({reason})"


def test_a_font_without_a_table_of_characters(tmp_path: Path, ubuntu_font: str) -> None:
    content = Path(ubuntu_font).read_bytes()
    (tmp_path / "font.ttf").write_bytes(content.replace(b"cmap", b"xmap", 1))
    with pytest.raises(InputError, match=r"font\.ttf: cannot read its character table \(there is none\)$"):
        check_glyphs([str(tmp_path / "font.ttf")], "1")


def test_a_captcha_font_without_digits(tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, an exported model is tried, whatever its alphabet."""
    font = with_cmap(ubuntu_font, tmp_path / "letters.ttf", groups((ord(" "), ord(" "), 3), (ord("a"), ord("z"), 68)))
    monkeypatch.setattr(captcha.image, "DEFAULT_FONTS", [font])
    with pytest.raises(InputError, match="^the font of the captcha package: has no digits$"):
        sample_images(Alphabet(("漢",)))


class Banner:
    """A renderer of the user: images that are wider than a JPEG file can be."""

    def render(self, text: str, generator: np.random.Generator) -> NDArray[np.uint8]:
        return np.zeros((1, 70_000), np.uint8)


def test_an_image_that_its_format_cannot_have(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """OpenCV tells its own reason on stderr."""
    writer = CaptchaWriter(Banner(), Data(), seed=0)
    with pytest.raises(RunError) as error:
        writer.write(tmp_path / "a.jpg", "1")
    assert str(error.value) == f"{tmp_path / 'a.jpg'}: OpenCV cannot write this format"
    assert list(tmp_path.iterdir()) == []
    assert writer.write(tmp_path / "a.png", "1") == "1"
    assert "65500 pixels" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["a", "a.gif", "a.png.txt"])
def test_a_captcha_of_an_unknown_format(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: the name must end in one of \.png, \.jpg, .*, \.pgm$"):
        CaptchaWriter(Banner(), Data(), seed=0).write(tmp_path / name, "1")
    assert list(tmp_path.iterdir()) == []


class Twice(ImageCaptcha):
    """A class of the user whose images are larger than they are asked for."""

    def __init__(self, width: int = 160, height: int = 60, fonts: Any = None, font_sizes: Any = None) -> None:
        super().__init__(2 * width, 2 * height, fonts, font_sizes)


class UpsideDown(ImageCaptcha):
    character_offset_dy = (6, 0)


@pytest.mark.parametrize(
    ("captcha_class", "size", "reason"),
    [
        (Twice, (160, 60), "Twice changes the size given to it"),
        (UpsideDown, (160, 60), r"UpsideDown\.character_offset_dy: minimum above maximum"),
        (ImageCaptcha, (160, 4), "images of 160x4 pixels are too small"),
        (ImageCaptcha, (4, 60), "images of 4x60 pixels are too small"),
    ],
)
def test_captcha_classes_that_the_fast_renderer_cannot_follow(
    captcha_class: type[ImageCaptcha], size: tuple[int, int], reason: str, ubuntu_font: str
) -> None:
    renderer = FastRenderer((ubuntu_font,), *size, captcha_class=captcha_class)
    with pytest.raises(InputError, match=f"^the fast renderer does not support this captcha class: {reason}$"):
        renderer.prepare()


# --- pages ------------------------------------------------------------------------------------------------------------


def test_pages_without_a_box_of_the_charset(tmp_path: Path) -> None:
    write_book(tmp_path / "books", "b", (("あい",),))
    with pytest.raises(RunError, match="books: no boxes of this charset$"):
        write_page_pictures(tmp_path / "books", tmp_path / "out", SourceOptions(charset="katakana"))
    assert not (tmp_path / "out").exists()


def test_pages_of_which_nothing_can_be_cut(tmp_path: Path) -> None:
    table = write_book(tmp_path / "books", "b", (("あい",),))
    content = table.read_text(encoding="utf-8").replace(",240,", ",900,")
    table.write_text(content, encoding="utf-8")
    with pytest.raises(RunError) as error:
        cut_pages(tmp_path / "books", tmp_path / "out")
    assert str(error.value) == (
        f"{tmp_path / 'books'}: none of its 2 samples can be cut; the first: b/b_001: B0001 C0001: the box at 900, 20 "
        "is outside of its page of 300x260 pixels"
    )
    assert not (tmp_path / "out" / "labels.csv").exists()


def test_a_row_that_no_reader_of_csv_files_accepts(tmp_path: Path) -> None:
    """The rows around it are read."""
    table = write_book(tmp_path, "b", (("あい",),))
    header, first, second = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([header, first, "x" * 200_000, second, ""]), encoding="utf-8")
    samples, problems = read_source(tmp_path)
    assert [sample.label for sample in samples] == ["あ", "い"]
    assert [str(each) for each in problems] == [
        f"{table}, row 3: not a row of a CSV file: field larger than field limit (131072)"
    ]


def test_images_with_labels_are_no_pages(images: Path, tmp_path: Path) -> None:
    for write in (cut_pages, write_page_pictures):
        with pytest.raises(InputError, match="images: not pages with boxes: expected a folder with BOOK/images and "):
            write(images, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_line_that_is_wider_than_a_png_file_can_be(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """OpenCV writes a million columns at most."""
    folder = tmp_path / "b" / "images"
    folder.mkdir(parents=True)
    Image.new("L", (1_000_010, 1)).save(folder / "b_001.png")
    rows = ["U+3042,b_001,0,0,B0001,C0001,999999,1", "U+3042,b_001,999999,0,B0001,C0002,9,1"]
    (tmp_path / "b" / "b_coordinate.csv").write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    samples, problems = read_source(tmp_path, SourceOptions(scope="page"))
    assert (len(samples), problems) == (1, [])
    with pytest.raises(InputError, match=": OpenCV cannot write this PNG file$"):
        samples[0].read_bytes()
    (half,), _ = read_source(tmp_path, SourceOptions(scope="page", cut_size="0.5"))
    assert read_image(half.read_bytes()).shape == (1, 10_000)  # the most that is cut
    assert "width exceeds user limit" in capfd.readouterr().err
