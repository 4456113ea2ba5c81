"""Pages with a box for each character as a source: tables, characters, lines, what is cut."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli.main import main
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.page_samples import PageSample, parse_place
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.pages.boxes import Box, Rectangle
from ctc_ocr.pages.charsets import Charset
from ctc_ocr.pages.cutting import CutSize, PageCache, cut
from ctc_ocr.pages.fetching import fetch_pmjtc_sample
from ctc_ocr.pages.layout import Page, find_books, read_book
from ctc_ocr.pages.reading_order import compare, lines_of
from tests.page_folders import HEADER, SIZE, TEXTS, draw, write_book


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    write_book(folder, "book1")
    write_book(folder, "book2", (TEXTS[0],), seed=9)
    return folder


def labels(folder: Path, **options: object) -> list[str]:
    return [sample.label for sample in read_source(folder, SourceOptions(**options))[0]]  # type: ignore[arg-type]


def pages_of(folder: Path) -> list[Page]:
    return [row for book in find_books(folder) for row in read_book(book) if isinstance(row, Page)]


def test_characters_lines_and_pages(books: Path) -> None:
    assert labels(books / "book2") == list("".join(TEXTS[0]))
    assert labels(books, scope="line") == [*TEXTS[0], *TEXTS[1], *TEXTS[0]]
    assert labels(books / "book1", scope="page") == ["".join(TEXTS[0]), "".join(TEXTS[1])]
    # A label says all that its image shows: lines with other characters are left out.
    assert labels(books, scope="line", charset="hiragana") == ["あいうえおか", "しさかおえ", "あいうえおか"]


def test_sequences_are_neighbours_in_a_line_and_of_the_charset(books: Path) -> None:
    assert labels(books, scope="seq", charset="kana")[:6] == [
        "あいう",
        "えおか",
        "きくけ",
        "アイウ",
        "しさか",
        "こけく",
    ]
    assert labels(books, scope="seq", charset="kana", seq_length=(5, 5))[:2] == ["あいうえお", "アイウさし"]
    several = labels(books, scope="seq", seq_length=(2, 4), seq_seed=1)
    assert {len(label) for label in several} == {2, 3, 4}
    assert several == labels(books, scope="seq", seq_length=(2, 4), seq_seed=1)
    assert several != labels(books, scope="seq", seq_length=(2, 4), seq_seed=2)


@pytest.mark.parametrize(
    ("charset", "expected"),
    [
        ("hiragana", "しさかおえういあこけくき"),
        ("punct", "、"),
        ("kanji,punct", "、川"),
        ("=川お", "お川"),
        ("all", "".join(TEXTS[1])),
    ],
)
def test_charsets(books: Path, charset: str, expected: str) -> None:
    found = [sample for sample in read_source(books, SourceOptions(charset=charset))[0] if "book1_002" in sample.where]
    assert "".join(sample.label for sample in found) == expected


def test_charset_ranges() -> None:
    kana = Charset.parse("kana")
    assert all(each in kana for each in "ぁゖゟァヺヿ･ﾝ")
    assert not any(each in kana for each in "゙・ー山a")
    with pytest.raises(InputError, match=r"charset: no set of characters 'kanzi'; accepted: hiragana, katakana, kana"):
        Charset.parse("kana,kanzi")


def test_rare_characters_are_left_out(books: Path) -> None:
    assert set("".join(labels(books))) - set("".join(labels(books, min_frequency=2))) == set("、川")
    # 、 breaks a sequence, as a character of no charset does.
    assert "うい、" not in labels(books, scope="seq", min_frequency=2)
    folder = books.parent / f"{books.name}_cut"
    assert main(["data", "cut", str(books), str(folder)]) == 0
    assert set("".join(labels(folder))) - set("".join(labels(folder, min_frequency=2))) == set("、川")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "shift_jis", "cp932"])
def test_encodings_are_found_out(tmp_path: Path, encoding: str) -> None:
    table = write_book(tmp_path, "本", (("あい",),), encoding=encoding)
    assert labels(tmp_path) == ["あ", "い"]
    with_mark = table.read_bytes().replace("本_001".encode(encoding.removesuffix("-sig")), "①".encode("cp932"))
    if encoding == "cp932":  # a character that Shift-JIS lacks
        (table.parent / "images" / "本_001.jpg").rename(table.parent / "images" / "①.jpg")
        table.write_bytes(with_mark)
        assert labels(tmp_path) == ["あ", "い"]


def test_bad_rows_are_problems_with_file_and_row(tmp_path: Path) -> None:
    table = write_book(tmp_path, "b", (("あ",),))
    bad = {
        "U+3042,b_001,x,1,B,C,9,9": "X: expected a number of pixels from 0",
        "U+3042,b_001,1,-1,B,C,9,9": "Y: expected",
        "U+3042,b_001,1,1,B,C,0,9": "Width: expected a number of pixels from 1",
        "U+3042,b_001,1,1,B,C,9": "Height: expected",
        "3042,b_001,1,1,B,C,9,9": "Unicode: expected a code point such as U+3042, got '3042'",
        "U+D800,b_001,1,1,B,C,9,9": "Unicode: expected",
        "U+3042,,1,1,B,C,9,9": "Image: names no image",
        "U+3042,b_777,1,1,B,C,9,9": "no image 'b_777' in",
        f"U+3042,b_001,1,1,B,C,9,{'9' * 5000}": "Height: more than 1000 characters",
    }
    table.write_text(table.read_text(encoding="utf-8") + "\n".join(bad), encoding="utf-8")
    samples, problems = read_source(tmp_path)
    assert [sample.label for sample in samples] == ["あ"]
    assert len(problems) == len(bad)
    for number, (problem, reason) in enumerate(zip(problems, bad.values(), strict=True), start=3):
        assert f"b_coordinate.csv, row {number}" in problem.where
        assert reason in str(problem)


def test_columns_may_come_in_any_order_and_images_with_their_suffix(tmp_path: Path) -> None:
    write_book(tmp_path, "b", (("あ",),))
    content = "X,y,WIDTH,Height,Image,Unicode\n240,20,32,32,b_001.jpg,U+3042\n"
    (tmp_path / "b" / "b_coordinate.csv").write_text(content, encoding="utf-8")
    assert labels(tmp_path) == ["あ"]
    (tmp_path / "b" / "b_coordinate.csv").write_text("X,Y\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 1: no column Unicode, Image, Width, Height; expected a header Unicode"):
        read_source(tmp_path)


def test_boxes_outside_of_their_page_and_broken_pages_are_invalid(tmp_path: Path) -> None:
    table = write_book(tmp_path, "b", (("あ",), ("い",)))
    rows = (
        table.read_text(encoding="utf-8") + "U+3046,b_001,300,1,B0001,C0009,9,9\nU+3048,b_001,290,1,B0001,C0010,99,9\n"
    )
    table.write_text(rows, encoding="utf-8")
    (table.parent / "images" / "b_002.jpg").write_bytes(b"no image")
    result = check_source(tmp_path)
    assert [each.sample.label for each in result.samples] == ["あ", "え"]
    assert result.samples[1].size == (10, 9)  # what reaches beyond the page is cut off
    assert [str(problem).partition("; ")[0] for problem in result.invalid] == [
        "b/b_001: B0001 C0009: the box at 300, 1 is outside of its page of 300x260 pixels",
        f"b/b_002: B0001 C0001: {table.parent / 'images' / 'b_002.jpg'}: not an image",
    ]


def test_samples_are_pickled_and_name_their_place(books: Path) -> None:
    sample = read_source(books, SourceOptions(scope="seq"))[0][1]
    again = pickle.loads(pickle.dumps(sample))
    assert isinstance(again, PageSample)
    assert again.read_bytes() == sample.read_bytes()
    place = parse_place(sample.where)
    assert place is not None
    assert place == ("book1", "book1_001", "B0001 C0004 to B0001 C0006")
    assert str(place) == sample.where
    assert parse_place("labels.csv, row 3") is None
    others = [each for each in read_source(books, SourceOptions(scope="seq"))[0] if each.identity == sample.identity]
    assert len(others) == 1


def test_what_is_cut(books: Path) -> None:
    def first(**options: object) -> np.ndarray:
        return read_image(read_source(books, SourceOptions(**options))[0][0].read_bytes(), channels=3)  # type: ignore[arg-type]

    page = read_image(books / "book1" / "images" / "book1_001.jpg", channels=3)
    assert np.array_equal(first(), page[20 : 20 + SIZE, 240 : 240 + SIZE])
    assert first(margin=0.25).shape[:2] == (SIZE + 16, SIZE + 16)
    assert first(cut_size="20x10").shape[:2] == (10, 20)
    assert first(cut_size="0.5").shape[:2] == (SIZE // 2, SIZE // 2)
    assert first(cut_size="x16", scope="line").shape[0] == 16
    assert first(cut_size="16x", scope="line").shape[1] == 16


def test_neighbours_are_painted_over(tmp_path: Path) -> None:
    rows = ["U+3042,p,100,40,B1,C1,40,40", "U+3044,p,100,70,B1,C2,40,40"]
    draw(tmp_path / "b" / "images" / "p.jpg", rows)
    (tmp_path / "b" / "b_coordinate.csv").write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    images = [
        read_image(read_source(tmp_path, SourceOptions(mask_neighbours=mask, margin=0.5))[0][0].read_bytes())
        for mask in (False, True)
    ]
    assert images[0].shape == images[1].shape == (80, 80)
    # Rows 20 to 60 of the cut are the box; the neighbour's, 50 to 80, are halved between the two.
    assert np.array_equal(images[0][:50], images[1][:50])
    assert images[0][60:, 20:60].min() < 100
    assert images[1][60:, 20:60].min() > 200
    assert (images[0][50:60] != images[1][50:60]).any()


def boxes(*rectangles: tuple[int, int, int, int]) -> Page:
    """A page with boxes (x, y, width, height)."""
    found = [
        Box("あ", Rectangle(x, y, x + w, y + h), name=str(number)) for number, (x, y, w, h) in enumerate(rectangles)
    ]
    return Page("b", "p", Path("p.jpg"), found)


def line_lengths(page: Page, order: str) -> list[int]:
    return [len(line) for line in lines_of(page, order)]


def test_lines_end_where_a_box_misses_the_columns() -> None:
    page = boxes((200, 0, 40, 40), (205, 45, 40, 40), (100, 0, 40, 40), (95, 45, 40, 40), (105, 95, 30, 30))
    assert line_lengths(page, "simple") == line_lengths(page, "columns") == [2, 3]


def test_a_box_that_is_written_close_does_not_begin_a_line() -> None:
    page = boxes((100, 0, 40, 60), (100, 55, 30, 60), (110, 52, 40, 70))
    assert line_lengths(page, "simple") == [2, 1]
    assert line_lengths(page, "columns") == [3]


def test_a_note_in_two_narrow_columns_is_two_lines() -> None:
    main = ((100, 0, 50, 50), (100, 55, 50, 50))
    right, left = ((130, 110, 20, 20), (130, 135, 20, 20)), ((100, 110, 20, 20), (100, 135, 20, 20))
    page = boxes(*main, *right, *left, (100, 160, 50, 50), (100, 215, 50, 50))
    assert line_lengths(page, "simple") == [4, 4]
    assert line_lengths(page, "columns") == [2, 2, 2, 2]
    found = compare([page])
    assert (found.num_first, found.num_second, found.num_same) == (2, 4, 0)
    assert [box.name for _, box in found.only_second] == ["2", "6"]
    assert found.only_first == ()


def test_a_line_that_drifts_goes_on() -> None:
    page = boxes(*((200 - 8 * number, 50 * number, 30, 40) for number in range(12)))
    assert line_lengths(page, "columns") == [12]
    assert len(line_lengths(page, "simple")) > 1


def test_unknown_names_are_refused(books: Path) -> None:
    for options, message in (
        ({"scope": "word"}, "scope: no scope 'word'; accepted: char, seq, line, page"),
        ({"scope": "line", "reading_order": "up"}, "reading_order: no rule 'up'; accepted: columns, simple"),
        ({"seq_length": (5, 3)}, "seq_length: expected 1 to 1000, the smaller first, got 5-3"),
        ({"cut_size": "64by64"}, "cut_size: expected 64x64, x64 or 64x"),
        ({"cut_size": "0x0"}, "cut_size: expected"),
        ({"margin": -1.0}, "margin: expected a number from 0 to 1"),
        ({"splitter": "|"}, "splitter has no effect on pages with boxes"),
    ):
        with pytest.raises(InputError) as caught:
            open_source(books, SourceOptions(**options))
        assert message in str(caught.value)


def test_options_of_pages_have_no_effect_elsewhere(tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "a_1.png")
    with pytest.raises(InputError, match="scope, margin has no effect on a source without pages with boxes"):
        read_source(tmp_path, SourceOptions(scope="char", margin=0.5))


def test_the_cache_of_pages_is_bounded(books: Path) -> None:
    paths = sorted(map(str, books.glob("*/images/*.jpg")))
    size = read_image(paths[0], channels=3).nbytes
    cache = PageCache(2 * size)
    first = cache.read(paths[0])
    assert cache.read(paths[0]) is first
    for path in paths:
        cache.read(path)
    assert cache.num_bytes == 2 * size
    assert cache.read(paths[0]) is not first
    small = PageCache(1)
    assert small.read(paths[0]) is small.read(paths[0])  # a page that is larger than the cache is kept too


def test_cut_size_of_shapes() -> None:
    assert CutSize.parse("x30").of(20, 60) == (10, 30)
    assert CutSize.parse("").of(20, 60) == (20, 60)
    assert cut(np.zeros((9, 9, 3), np.uint8), Rectangle(5, 5, 20, 20), [Rectangle(5, 5, 20, 20)], []).shape == (4, 4, 3)


@pytest.mark.long
def test_the_real_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts of the sample, which are known; it is fetched, and is not in this repository."""
    folder = fetch_pmjtc_sample(tmp_path / "sample")
    assert main(["data", "check", str(folder), "--scope", "char", "--charset", "kana"]) == 0
    shown = capsys.readouterr().out
    assert "samples: 1677 valid, 0 invalid" in shown
    assert "alphabet: 71 units" in shown
    every = labels(folder)
    assert (len(every), len(set(every))) == (2631, 559)
    sequences = read_source(folder, SourceOptions(scope="seq", charset="kana", reading_order="simple"))[0]
    assert (len(sequences), sum("hnsd00000" in each.where for each in sequences)) == (377, 12)
    found = compare(pages_of(folder))
    assert (found.num_first, found.num_second, found.num_same) == (206, 219, 190)
    arguments = ["--by", "book", "--test_groups", "hnsd00000", "--counts", "1447,167,0"]
    assert main(["data", "cut", str(folder), str(tmp_path / "cut"), "--charset", "kana"]) == 0
    assert main(["data", "split", str(tmp_path / "cut"), str(tmp_path / "sets"), *arguments]) == 0
    shown = capsys.readouterr().out
    assert all(f": {count} samples" in shown for count in (1447, 167, 63))


def test_a_page_has_a_bounded_number_of_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctc_ocr.pages.layout.MAX_BOXES", 3)
    write_book(tmp_path, "b", (("あいうえお",),))
    samples, problems = read_source(tmp_path)
    assert [sample.label for sample in samples] == ["あ", "い", "う"]
    assert [problem.reason for problem in problems] == ["more than 3 boxes on the page b_001"] * 2
