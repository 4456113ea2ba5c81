"""Image files of many kinds, real and broken, and what is done to them before reading."""

import errno
import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import FORMATS, MAX_PIXELS, find_images, invert, looks_inverted, read_image, resize

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


@pytest.mark.parametrize("mode", ["I", "F"])
def test_deep_levels_are_refused(mode):
    image = Image.new(mode, (4, 4), 100_000)
    with pytest.raises(InputError, match=r"deep\.tif: .*1 to 16 bits"):
        read_image(encode(image, "TIFF"), name="deep.tif")


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_truncated_files_of_every_format_are_refused(kind, tmp_path, recwarn):
    whole = encode(Image.fromarray(GREY), kind)
    for size in {1, 2, 10, *np.linspace(20, len(whole) * 0.95, 12).astype(int).tolist()}:
        path = tmp_path / f"cut{size}"
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=f"cut{size}: (broken image|not an image)"):
            read_image(path)
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
    for name, said in expected.items():
        with pytest.raises(InputError, match=f"{name}: .*{said}"):
            read_image(tmp_path / name)


def test_paths_that_no_file_can_have_are_refused():
    for path, said in (("a\0b.png", "null byte"), ("x" * 300 + ".png", "File name too long")):
        with pytest.raises(InputError, match=f"^{path}: .*{said}"):
            read_image(path)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_encoded_bytes_of_any_kind(kind):
    np.testing.assert_array_equal(read_image(kind(encode(Image.fromarray(GREY)))), GREY)
    with pytest.raises(InputError, match="^image: the file is empty"):
        read_image(kind(b""))


def test_postscript_is_not_run():
    with pytest.raises(InputError, match="not an image"):
        read_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")


def png_header(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8_000, 60_000])
def test_absurdly_large_images_are_refused_unread(side, recwarn):
    with pytest.raises(InputError, match=f"bomb.png: too large: .*at most {MAX_PIXELS} pixels"):
        read_image(png_header(side, side), name="bomb.png")
    assert not recwarn.list


def test_find_images_keeps_the_order_and_sorts_folders(tmp_path):
    for name in ("b.png", "a.JPG", "c.txt", "d.tiff"):
        (tmp_path / name).touch()
    (tmp_path / "sub.png").mkdir()
    given = [tmp_path / "z.xyz", tmp_path, tmp_path / "b.png"]
    folder = [tmp_path / "a.JPG", tmp_path / "b.png", tmp_path / "d.tiff"]
    assert find_images(given) == [tmp_path / "z.xyz", *folder, tmp_path / "b.png"]
    (tmp_path / "sub.png" / "c.txt").touch()
    with pytest.raises(InputError, match=r"sub\.png: no image files in this folder; accepted: .*\.png"):
        find_images([tmp_path / "sub.png"])


def test_folders_that_cannot_be_looked_into(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="x{300}: File name too long"):
        find_images(["x" * 300])

    def refuse(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=f"^{tmp_path}: Permission denied"):
        find_images([tmp_path])


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
def test_light_ink_on_dark_paper_is_noticed(ink, paper):
    assert not looks_inverted(ink_on_paper(ink, paper))
    assert looks_inverted(invert(ink_on_paper(ink, paper)))
    assert looks_inverted(ink_on_paper(paper, ink))


def test_images_of_one_level_and_with_specks():
    assert not looks_inverted(np.full((30, 80), 250, dtype=np.uint8))
    assert looks_inverted(np.full((30, 80), 5, dtype=np.uint8))
    dull = ink_on_paper(20, 100)
    dull[3, 3] = 255
    assert not looks_inverted(np.array(Image.fromarray(dull).filter(ImageFilter.GaussianBlur(0.5))))


def test_invert_is_its_own_inverse():
    assert invert(np.array([[0, 255, 7]], dtype=np.uint8)).tolist() == [[255, 0, 248]]
    np.testing.assert_array_equal(invert(invert(GREY)), GREY)
