"""Image files of many kinds, intact and broken, and operations on pixels."""

import errno
import io
import os
import re
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from ctc_ocr.config.presets import preset
from ctc_ocr.datasets.samples import Sample, SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import FORMATS, read_image
from ctc_ocr.images.folders import find_images
from ctc_ocr.images.grey import grey
from ctc_ocr.images.limits import MAX_PIXELS
from ctc_ocr.images.pixels import has_light_ink, invert, level_at, percentiles, resize, stretch_contrast
from ctc_ocr.images.preparation import prepare

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, size=(30, 80), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, size=(30, 80, 3), dtype=np.uint8)


def encode(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bt601(colour):
    return colour.astype(float) @ [0.299, 0.587, 0.114]


def ink_on_paper(ink=40, paper=230, shape=(30, 80)):
    """Noisy digits drawn with OpenCV."""
    image = np.full(shape, paper, dtype=np.uint8)
    cv2.putText(image, "0123", (5, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 2)
    noise = np.random.default_rng(1).integers(-8, 9, size=shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_grey_image_from_path_and_bytes(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    for source in (path, str(path), path.read_bytes()):
        found = read_image(source)
        assert found.dtype == np.uint8
        assert found.flags.writeable
        np.testing.assert_array_equal(found, GREY)


def test_colour_is_weighted_as_opencv_does(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(COLOUR).save(path)
    np.testing.assert_allclose(read_image(path), bt601(COLOUR), atol=1)
    np.testing.assert_allclose(read_image(path).astype(int), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), atol=1)


def test_palette_image():
    image = Image.fromarray(COLOUR).quantize(16)
    np.testing.assert_allclose(read_image(encode(image)), bt601(np.array(image.convert("RGB"))), atol=1)


def test_palette_image_with_a_transparent_colour_lies_on_white():
    image = Image.new("P", (4, 2), 0)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 1), 1)
    found = read_image(encode(image, "GIF", transparency=0))
    assert found[1, 1] == round(0.299 * 10 + 0.587 * 20 + 0.114 * 30)
    assert (np.delete(found.ravel(), 5) == 255).all()


def test_a_transparent_level_of_16_bits_lies_on_white():
    levels = np.array([[0, 100, 30000, 65535]], np.uint16)
    assert read_image(encode(Image.fromarray(levels), "PNG", transparency=30000)).tolist() == [[0, 0, 255, 255]]
    key = struct.pack(">HHH", 30000, 30000, 30000)
    pixels = np.repeat(levels[..., np.newaxis], 3, axis=2)
    content = cv2.imencode(".png", pixels)[1].tobytes()
    place = content.index(b"IDAT") - 4
    chunk = struct.pack(">I", 6) + b"tRNS" + key + struct.pack(">I", zlib.crc32(b"tRNS" + key))
    assert read_image(content[:place] + chunk + content[place:], channels=3)[0, :, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_lies_on_white_paper(mode):
    alpha = RNG.integers(0, 256, size=GREY.shape, dtype=np.uint8)
    ink = np.zeros_like(COLOUR) if mode == "RGBA" else np.zeros_like(GREY)
    image = Image.fromarray(np.dstack([ink, alpha]))
    assert image.mode == mode
    np.testing.assert_allclose(read_image(encode(image)).astype(int), 255 - alpha.astype(int), atol=1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(kind):
    levels = RNG.integers(0, 65536, size=GREY.shape).astype(np.uint16)
    np.testing.assert_allclose(read_image(encode(Image.fromarray(levels), kind)), levels / 257, atol=0.5)


def test_16_bit_colour_png_written_by_opencv():
    levels = RNG.integers(0, 65536, size=COLOUR.shape).astype(np.uint16)
    _, file = cv2.imencode(".png", levels[:, :, ::-1])
    np.testing.assert_allclose(read_image(file.tobytes()), bt601(levels) / 257, atol=1.5)


def test_1_bit_image():
    bits = GREY > 127
    np.testing.assert_array_equal(read_image(encode(Image.fromarray(bits))), np.where(bits, 255, 0))


def test_cmyk_jpeg():
    image = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 8, 16))
    found = read_image(encode(image, "JPEG", quality=100))
    assert (found[:, 9:] > 245).all()
    assert (found[:, :7] < 10).all()


def test_exif_orientation_is_obeyed():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    found = read_image(encode(Image.fromarray(GREY), "PNG", exif=exif))
    np.testing.assert_array_equal(found, np.rot90(GREY, -1))


def error_of(source, name=None):
    """(where, reason) of the error that reading raises."""
    with pytest.raises(InputError) as raised:
        read_image(source, name)
    return raised.value.where, raised.value.reason


@pytest.mark.parametrize(("mode", "level"), [("I", 100_000), ("F", 100_000), ("I", 200)])
def test_deep_levels_are_refused(mode, level):
    image = Image.new(mode, (4, 4), level)
    where, reason = error_of(encode(image, "TIFF"), name="deep.tif")
    assert where == "deep.tif"
    assert reason.endswith("; accepted: 1 to 16 bits per channel")


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_truncated_files_of_every_format_are_refused(kind, tmp_path, recwarn):
    whole = encode(Image.fromarray(GREY), kind)
    for size in {1, 2, 10, *np.linspace(20, len(whole) * 0.95, 12).astype(int).tolist()}:
        path = tmp_path / f"cut{size}"
        path.write_bytes(whole[:size])
        where, reason = error_of(path)
        assert where == str(path)
        assert reason.startswith(("broken image", "not an image"))
    assert not recwarn.list


def test_other_bad_files_are_named(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no image at all\n" * 50)
    (tmp_path / "folder.png").mkdir()
    expected = {
        "missing.png": "No such file",
        "empty.png": "empty",
        "text.png": "not an image; accepted: .*PNG",
        "folder.png": "directory",
    }
    for name, pattern in expected.items():
        where, reason = error_of(tmp_path / name)
        assert where == str(tmp_path / name)
        assert re.search(pattern, reason)
        assert error_of(tmp_path / name, "row 3") == ("row 3", reason)


def test_paths_that_no_file_can_have_are_refused():
    for path, expected in (("a\0b.png", "null byte"), ("x" * 300 + ".png", "File name too long")):
        where, reason = error_of(path)
        assert where == path
        assert expected in reason


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_encoded_bytes_of_any_kind(kind):
    np.testing.assert_array_equal(read_image(kind(encode(Image.fromarray(GREY)))), GREY)
    assert error_of(kind(b"")) == ("image", "the file is empty")


def test_postscript_is_not_run():
    _, reason = error_of(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    assert reason.startswith("not an image")


def png_header(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_000, 10_000, 60_000])
def test_images_that_are_too_large_are_refused_undecoded(side, recwarn):
    expected = f"too large: {side} x {side} pixels; the maximum is {MAX_PIXELS} pixels"
    assert error_of(png_header(side, side), "bomb.png") == ("bomb.png", expected)
    assert not recwarn.list


def webp_header(width, height):
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_a_webp_file_that_is_too_large(recwarn):
    """Newer plugins of Pillow check the size, and older ones find that the file is truncated."""
    where, reason = error_of(webp_header(16_000, 16_000), "bomb.webp")
    assert where == "bomb.webp"
    assert reason.startswith(("too large", "broken image", "not an image"))
    assert not recwarn.list


def damaged_tiff():
    """An image with one tag whose text lies outside the file."""
    whole = bytearray(encode(Image.fromarray(GREY), "TIFF", tiffinfo={305: "software"}))
    start = struct.unpack_from("<I", whole, 4)[0]
    for index in range(struct.unpack_from("<H", whole, start)[0]):
        entry = start + 2 + 12 * index
        if struct.unpack_from("<H", whole, entry)[0] == 305:
            struct.pack_into("<I", whole, entry + 8, len(whole) + 1000)
    return bytes(whole)


def test_damaged_metadata_is_ignored(recwarn):
    np.testing.assert_array_equal(read_image(damaged_tiff()), GREY)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="another"):
        warnings.warn("another", stacklevel=1)


def test_reading_in_threads_leaves_the_filters_of_warnings_alone():
    read_image(damaged_tiff())
    before = list(warnings.filters)
    whole = encode(Image.fromarray(GREY))
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(read_image, [whole, damaged_tiff()] * 100):
            np.testing.assert_array_equal(found, GREY)
            with pytest.raises(UserWarning, match="another"):
                warnings.warn("another", stacklevel=1)
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("raised", "said"), [(MemoryError(), "not enough memory to decode it"), (EOFError(), "broken image: EOFError")]
)
def test_errors_without_a_text_have_a_reason(monkeypatch, raised, said):
    def load(image):
        raise raised

    encoded = encode(Image.fromarray(GREY))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    with pytest.raises(InputError) as error:
        read_image(encoded, "a.png")
    assert str(error.value) == f"a.png: {said}"


def test_find_images_keeps_the_order_and_sorts_folders(tmp_path):
    for name in ("b.png", "a.JPG", "c.txt", "d.tiff", "sub/deep/e.png", "sub/a.png", ".hidden/f.png", "sub/.g.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    (tmp_path / "empty").mkdir()
    given = [tmp_path / "z.xyz", tmp_path, tmp_path / "b.png"]
    folder = [tmp_path / name for name in ("a.JPG", "b.png", "d.tiff", "sub/a.png", "sub/deep/e.png")]
    assert find_images(given) == [tmp_path / "z.xyz", *folder, tmp_path / "b.png"]
    assert [sample.image for sample in read_source(tmp_path, SourceOptions(pattern="(.)"))[0]] == list(map(str, folder))
    (tmp_path / "empty" / "c.txt").touch()
    with pytest.raises(InputError) as raised:
        find_images([tmp_path / "empty"])
    assert raised.value.where == str(tmp_path / "empty")
    assert re.fullmatch(r"no image files in this folder; accepted: .*\.png.*", raised.value.reason)


def test_a_subfolder_that_cannot_be_read_is_named(tmp_path, monkeypatch, caplog):
    for name in ("ab_1.png", "lost+found/cd_1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    closed, scandir = str(tmp_path / "lost+found"), os.scandir

    def refuse(path):
        if os.fspath(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), closed)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_images([tmp_path]) == [tmp_path / "ab_1.png"]
    expected = f"{closed}: this subfolder is not read: Permission denied"
    assert caplog.messages == [expected]
    for label in (None, "ab_1.txt", "labels.csv"):  # each place where labels are found
        if label:
            (tmp_path / label).write_text("ab" if label == "ab_1.txt" else "image,label\nab_1.png,ab\n")
        rows = open_source(tmp_path)
        assert [row.label for row in rows if isinstance(row, Sample)] == ["ab"]
        assert [str(note) for note in rows.notes] == [expected]


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(InputError) as raised:
        find_images(["x" * 300])
    assert (raised.value.where, raised.value.reason) == ("x" * 300, "File name too long")

    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refuse)
    for options in (None, SourceOptions(), SourceOptions(pattern="(.)")):
        with pytest.raises(InputError) as raised:
            find_images([tmp_path]) if options is None else read_source(tmp_path, options)
        assert (raised.value.where, raised.value.reason) == (str(tmp_path), "Permission denied")


def test_halving_is_the_mean_over_squares():
    found = resize(GREY[:30, :80], 40, 15)
    expected = GREY.reshape(15, 2, 40, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(found, expected, atol=0.51)
    np.testing.assert_array_equal(found, cv2.resize(GREY, (40, 15)))


def test_growing_and_shrinking_a_little_are_bilinear():
    for size in ((100, 40), (60, 20), (80, 31), (80, 30)):
        np.testing.assert_array_equal(resize(GREY, *size), cv2.resize(GREY, size, interpolation=cv2.INTER_LINEAR))


def test_shrinking_much_loses_no_thin_line():
    page = np.full((300, 800), 255, dtype=np.uint8)
    page[:, 40::100] = 0  # lines of one pixel: bilinear sampling at a tenth misses them
    found = resize(page, 80, 30)
    expected = page.reshape(30, 10, 80, 10).mean(axis=(1, 3))
    np.testing.assert_allclose(found, expected, atol=0.51)
    assert (found[:, 4::10] < 255).all()


def test_one_axis_can_shrink_while_the_other_grows():
    found = resize(GREY, 20, 60)
    columns = GREY.reshape(30, 20, 4).mean(axis=2)
    expected = np.array(Image.fromarray(columns.astype(np.float32)).resize((20, 60), Image.Resampling.BILINEAR))
    assert found.shape == (60, 20)
    np.testing.assert_allclose(found, expected, atol=1.01)


@pytest.mark.parametrize(("ink", "paper"), [(40, 230), (20, 100), (150, 250), (0, 255)])
def test_light_ink_on_dark_paper(ink, paper):
    assert not has_light_ink(ink_on_paper(ink, paper))
    assert has_light_ink(invert(ink_on_paper(ink, paper)))
    assert has_light_ink(ink_on_paper(paper, ink))


def test_images_of_one_level_and_with_specks():
    assert not has_light_ink(np.full((30, 80), 250, dtype=np.uint8))
    assert has_light_ink(np.full((30, 80), 5, dtype=np.uint8))
    dull = ink_on_paper(20, 100)
    dull[3, 3] = 255
    assert not has_light_ink(np.array(Image.fromarray(dull).filter(ImageFilter.GaussianBlur(0.5))))


def test_invert_is_its_own_inverse():
    assert invert(np.array([[0, 255, 7]], dtype=np.uint8)).tolist() == [[255, 0, 248]]
    np.testing.assert_array_equal(invert(invert(GREY)), GREY)


def test_grey_gives_the_levels_of_read_image():
    np.testing.assert_array_equal(grey(COLOUR), read_image(encode(Image.fromarray(COLOUR))))
    assert grey(GREY) is GREY


def test_stretched_contrast_has_the_levels_of_paper_and_ink():
    image = np.full((10, 10), 100, dtype=np.uint8)
    image[0] = 40
    found = stretch_contrast(image)
    assert (found[0] == 45).all()
    assert (found[1:] == 225).all()
    image[0] = 99  # a contrast of 1 becomes one of 10
    assert stretch_contrast(image)[0].tolist() == [215] * 10


def test_contrast_is_stretched_by_levels_of_the_image_that_the_network_is_given() -> None:
    """After resizing: whoever has the network's input alone can compute it."""
    generator = np.random.default_rng(0)
    image = generator.integers(0, 200, (97, 230), dtype=np.uint8)
    fixed, stretched = (preset("word", data={"normalise": each}) for each in ("fixed", "image"))
    np.testing.assert_array_equal(prepare(image, stretched), stretch_contrast(prepare(image, fixed)))


@pytest.mark.parametrize("percent", [1, 2, 50, 90, 100])
def test_a_level_is_a_percentile_of_numpy(percent: int) -> None:
    generator = np.random.default_rng(percent)
    for size in (1, 2, 7, 100, 999):
        image = generator.integers(0, 256, size, dtype=np.uint8)
        assert level_at(image, percent) == np.percentile(image, percent, method="inverted_cdf")


def test_percentiles_are_those_of_numpy() -> None:
    generator = np.random.default_rng(0)
    percents = (0, 1, 2, 33.3, 50, 90, 99, 100)
    for size in (1, 2, 3, 7, 100, 40 * 160):
        for highest in (1, 4, 256):
            for _ in range(20):
                image = generator.integers(0, highest, size, dtype=np.uint8)
                assert percentiles(image, percents) == np.percentile(image, percents).tolist()
