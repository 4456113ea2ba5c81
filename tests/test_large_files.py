"""Files that are far too large, or that cost far more than they seem to: one line about them, and no memory.

The large files are real: sparse ones of 4 GB, which take no disk. What a process takes is its own peak.
"""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.limits import MAX_FILE_BYTES, MAX_SCANS
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.input_files import MAX_LINE_BYTES, read_bytes
from tests.models import save_own_model

ROOT = Path(__file__).resolve().parent.parent
SIZE = 4 << 30
MIB = 2**20
MAX_GROWTH = 150  # MiB: far less than any of the files, or than what they unfold to
TOO_LARGE = "too large: 4,096.0 MiB; the maximum is 256 MiB"

# Runs code, and then prints by how many MiB the peak of the process has grown meanwhile.
MEASURED = """
import resource, sys
from ctc_ocr.cli.main import main
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
import ctc_ocr.cli.data, PIL.Image, io
buffer = io.BytesIO()
PIL.Image.new("L", (40, 12), 255).save(buffer, "PNG")
read_image(buffer.getvalue())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{code}
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print("MIB", grown // 1024)
"""


def measured(code: str, folder: Path) -> tuple[str, int]:
    """(what the code printed, growth in MiB), in a process of its own with `folder` as the working directory."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(code=code)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said, mark, grown = (done.stdout + done.stderr).partition("MIB ")
    assert mark, done.stderr
    return said + grown.partition("\n")[2], int(grown.split()[0])


def sparse(path: Path, start: bytes = b"", size: int = SIZE) -> Path:
    """A file of 4 GB that begins with these bytes, and takes no disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(start)
    os.truncate(path, size)
    return path


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or PICTURE).save(buffer, kind, **options)
    return buffer.getvalue()


PICTURE = Image.fromarray(np.tile(np.arange(0, 240, 6, dtype=np.uint8), (12, 1)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images with labels in their names; the second is the beginning of a PNG file of 4 GB."""
    for name in ("12_1.png", "56_1.png"):
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(encoded("PNG", PICTURE.rotate(int(name[:2]))))
    sparse(tmp_path / "images" / "34_1.png", encoded("PNG"))
    return tmp_path


def test_the_check_goes_on_without_the_large_file(folder: Path) -> None:
    said, grown = measured("main(['data', 'check', 'images'])", folder)
    assert "samples: 2 valid, 1 invalid" in said
    assert f"images/34_1.png: {TOO_LARGE}\n" in said
    assert grown < MAX_GROWTH


def test_packing_and_training_drop_it(folder: Path) -> None:
    checked = check_source(folder / "images")
    assert [each.sample.label for each in checked.samples] == ["12", "56"]
    pack = pack_source(folder / "images", folder / "pack")
    assert (pack.num_samples, [each.reason for each in pack.invalid]) == (2, [TOO_LARGE])


def test_predicting_and_evaluating(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ctc_ocr.cli.evaluate import main as evaluate
    from ctc_ocr.cli.infer import main as infer

    prefix = str(folder / "ocr")
    save_own_model(prefix)
    large = folder / "images" / "34_1.png"
    with pytest.raises(InputError) as error:
        Predictor(prefix).read(large)
    assert (error.value.where, error.value.reason) == (str(large), TOO_LARGE)
    assert infer(["--model", prefix, str(folder / "images")]) == 1
    said = capsys.readouterr()
    assert said.out.count("\n") == 2
    assert said.err.startswith(f"ctc-ocr infer: {large}: {TOO_LARGE}\n")
    assert evaluate(["--model", prefix, str(folder / "images")]) == 1
    assert f"ctc-ocr evaluate: invalid sample: {large}: {TOO_LARGE}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("data check large.csv", "a row of more than 1,048,576 characters; expected a text file"),
        ("data check images --lookup large.json", "large.json: too large: 4,096.0 MiB; the maximum is 64 MiB"),
        ("data check images --config large.json", "large.json: too large: 4,096.0 MiB; the maximum is 64 MiB"),
        ("data check labelled", "labelled/1.txt: too large: 4,096.0 MiB; the maximum is 1 MiB"),
        ("data check pack.rec", "pack.idx: too large: 4,096.0 MiB; the maximum is 256 MiB"),
        ("data preview images p.png --font large.ttf", f"large.ttf: {TOO_LARGE}"),
        ("generate large.ttf a.png", f"large.ttf: {TOO_LARGE}"),
        ("infer --csv large.csv", "a row of more than 1,048,576 characters; expected a text file"),
        ("infer --labels large.csv images", "a row of more than 1,048,576 characters; expected a text file"),
    ],
)
def test_other_files(arguments: str, said: str, folder: Path) -> None:
    for name in ("large.csv", "large.json", "large.ttf", "labelled/1.txt", "pack.idx"):
        sparse(folder / name)
    (folder / "labelled" / "1.png").write_bytes(encoded("PNG"))
    (folder / "pack.rec").touch()
    (folder / "pack.json").write_text(json.dumps({"alphabet": {"1": 1}}))
    code = f"main({arguments.split()!r})"
    shown, grown = measured(code, folder)
    assert said in shown
    assert grown < MAX_GROWTH


def test_words_and_language_models(tmp_path: Path) -> None:
    from ctc_ocr.alphabet import Alphabet
    from ctc_ocr.decoding.word_list import WordList

    with pytest.raises(InputError) as error:
        WordList.from_file(sparse(tmp_path / "words.txt"), Alphabet(("a",)))
    assert str(error.value) == f"{tmp_path}/words.txt: {TOO_LARGE}"


def test_a_row_that_is_long_and_one_that_is_too_long(tmp_path: Path) -> None:
    from ctc_ocr.datasets.csv_files.text import read_lines

    table = tmp_path / "table.csv"
    table.write_bytes(b"a.png,1\r\n" + b"x" * (MAX_LINE_BYTES - 1) + b"\nb.png,2")
    assert [len(line) for line in read_lines(table, "utf-8")] == [7, MAX_LINE_BYTES - 1, 7]
    table.write_bytes(b"a.png,1\n" + b"x" * MAX_LINE_BYTES + b"\n")
    with pytest.raises(InputError, match="a row of more than"):
        list(read_lines(table, "utf-8"))


# --- packs ------------------------------------------------------------------------------------------------------------


def write_pack(folder: Path, records: list[bytes]) -> Path:
    """A pack of these parts, written as they are."""
    offsets = np.cumsum([0, *map(len, records)])
    (folder / "pack.rec").write_bytes(b"".join(records))
    (folder / "pack.idx").write_text("".join(f"{key}\t{offsets[key]}\n" for key in range(len(records))))
    (folder / "pack.json").write_text(json.dumps({"alphabet": {"1": 1, "2": 2}}))
    return folder / "pack.rec"


def record(labels: list[int], image: bytes) -> bytes:
    file = io.BytesIO()
    recordio.write_record(file, recordio.pack(labels, 0, image))
    return file.getvalue()


def test_records_whose_lengths_lie(tmp_path: Path) -> None:
    """One states 400 MB, which a sparse file has; another 100 million labels; a third ends after the file."""
    good = record([1, 2], encoded("PNG"))
    long = bytearray(record([1], encoded("PNG", PICTURE.rotate(9))))
    struct.pack_into("<I", long, 4, 400 * 10**6)
    many = bytearray(record([2], encoded("PNG")))
    struct.pack_into("<I", many, 4, 500 * 10**6)
    struct.pack_into("<I", many, 8, 100 * 10**6)
    rec = write_pack(tmp_path, [good, bytes(long), bytes(many)])
    size = rec.stat().st_size
    os.truncate(rec, SIZE)
    with (tmp_path / "pack.idx").open("a") as index:
        index.write(f"3\t{SIZE - 12}\n4\t{SIZE + 12}\n5\t-8\n6\t{size + 8}\n")
    said, grown = measured("main(['data', 'check', 'pack.rec'])", tmp_path)
    assert "samples: 1 valid, 6 invalid" in said
    assert f"pack.rec, record 1: damaged pack: a record of more than {recordio.MAX_RECORD_BYTES} bytes" in said
    assert "pack.rec, record 2: damaged pack: a record with 100000000 labels" in said
    assert grown < MAX_GROWTH


# --- image files that cost more than they seem to ---------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes, after: bytes = b"") -> bytes:
    whole = encoded("PNG")
    end = whole.index(b"IEND") - 4
    return whole[:33] + b"".join(chunks) + whole[33:end] + after + whole[end:]


def tiff(*tags: tuple[int, int, int, int]) -> bytes:
    """A grey TIFF image of 40x12 with these tags (tag, type, count, value), and 100 bytes of deflated pixels."""
    pixels = zlib.compress(bytes(480))
    usual = [(256, 4, 1, 40), (257, 4, 1, 12), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    body = pixels + bytes(len(pixels) % 2)
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted([*usual, *tags]))
    count = struct.pack("<H", len(usual) + len(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + count + entries + bytes(4)


def with_scans(image: Image.Image, number: int) -> bytes:
    """A progressive JPEG file whose last scan is repeated."""
    whole = encoded("JPEG", image, progressive=True)
    start = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[start:-2] * number + whole[-2:]


ZEROS = zlib.compress(bytes(300 * MIB), 9)
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8))
FRAMES = [Image.fromarray(np.roll(np.asarray(PICTURE), number, 1)) for number in range(200)]
PAGE = Image.new("L", (7000, 7000), 255)
READ = "(12, 40)"
COSTLY = {
    "ztxt.png": (png_with(chunk(b"zTXt", b"a\0\0" + ZEROS)), "broken image"),
    "itxt.png": (png_with(chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS)), "broken image"),
    "iccp.png": (png_with(chunk(b"iCCP", b"a\0\0" + ZEROS)), "broken image"),
    "text_after.png": (png_with(after=chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS)), "broken image"),
    "lying_chunk.png": (encoded("PNG")[:33] + struct.pack(">I", 2**31 - 1) + b"iTXtabc", "broken image"),
    "pages.tif": (encoded("TIFF", save_all=True, append_images=[PICTURE] * 300), READ),
    "large_pages.tif": (encoded("TIFF", save_all=True, append_images=[PAGE] * 2, compression="tiff_deflate"), READ),
    "tiles.tif": (
        tiff((322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 8), (325, 4, 1, 12)),
        "too large: tiles of 40000 x 40000 pixels; the maximum is 50000000 pixels",
    ),
    "strip.tif": (tiff((273, 4, 1, 8), (278, 4, 1, 2**32 - 1), (279, 4, 1, 2**32 - 1)), ""),
    "tag.tif": (tiff((273, 4, 1, 8), (278, 4, 1, 12), (279, 4, 1, 12), (305, 2, 2**30, 8)), ""),
    "animation.gif": (encoded("GIF", save_all=True, append_images=FRAMES), READ),
    "animation.webp": (encoded("WEBP", FRAMES[0], save_all=True, append_images=FRAMES, lossless=True), READ),
    "large.webp": (
        encoded("WEBP", Image.new("L", (9000, 6000)), lossless=True, method=0, quality=0),
        "too large: 9000 x 6000 pixels",
    ),
    "canvas.gif": (encoded("GIF")[:6] + struct.pack("<HH", 60_000, 60_000) + encoded("GIF")[10:], "too large"),
    "scans.jpg": (with_scans(NOISE, 400), f"too many scans: 406; the maximum is {MAX_SCANS}"),
    "size.jpg": (encoded("JPEG").replace(b"\0\x0c\0\x28", b"\xfd\xe8\xfd\xe8", 1), "too large: 65000 x 65000"),
    "size.pgm": (b"P5\n70000 70000\n255\n" + bytes(100), "too large: 70000 x 70000"),
    "plain.pgm": (b"P2\n40 12\n255\n" + b"1" * 10**7, "broken image"),
    "size.bmp": (
        b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 2**31 - 1, 99, 1, 8, *[0] * 6),
        "too large: 2147483647 x 99",
    ),
}  # fmt: skip


def test_costly_images_take_no_memory(tmp_path: Path) -> None:
    code = "import pathlib\nfor path in sorted(pathlib.Path('.').iterdir()):\n    try:\n"
    code += "        print(path, read_image(path).shape)\n    except InputError as error:\n        print(error)\n"
    for name, (content, _) in COSTLY.items():
        (tmp_path / name).write_bytes(content)
    shown, grown = measured(code, tmp_path)
    lines = {line.partition(":")[0].partition(" ")[0]: line for line in shown.splitlines()}
    for name, (_, said) in COSTLY.items():
        assert said in lines[name]
    assert grown < MAX_GROWTH


def test_usual_progressive_images_are_read() -> None:
    assert read_image(encoded("JPEG", NOISE, progressive=True)).shape == (48, 64)
    assert read_image(with_scans(NOISE, 90)).shape == (48, 64)


def test_scans_of_thumbnails_and_of_what_is_appended_are_not_counted() -> None:
    whole = encoded("JPEG", NOISE, comment=b"\xff\xda" * 1000)
    assert read_image(whole + b"\xff\xda" * 1000).shape == (48, 64)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_bytes_that_are_too_many() -> None:
    with pytest.raises(InputError, match=r"^photo: too large: 256\.0 MiB; the maximum is 256 MiB$"):
        read_image(bytes(MAX_FILE_BYTES + 1), "photo")


def test_a_file_of_exactly_the_maximum_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(InputError, match="too large"):
        read_bytes(tmp_path / "a", 4)


def test_pipes_and_devices(tmp_path: Path) -> None:
    """A pipe is read up to the maximum; a device never ends."""
    for count, expected in ((5, "read"), (6, "too large")):
        read, write = os.pipe()
        os.write(write, b"x" * count)
        os.close(write)
        try:
            said = "read" if read_bytes(f"/dev/fd/{read}", 5) == b"x" * 5 else ""
        except InputError as error:
            said = error.reason
        os.close(read)
        assert said.startswith(expected)
    with pytest.raises(InputError, match="^/dev/zero: a device; expected a file$"):
        read_image("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a device or a pipe; expected a file"):
        read_bytes(tmp_path / "pipe", pipes=False)
