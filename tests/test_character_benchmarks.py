"""The benchmarks of characters: their splits and sets, and a short run of each."""

from pathlib import Path

import pytest

from benchmarks import interpreting, kuzushiji, old_pages
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.captcha_files import CaptchaWriter
from ctc_ocr.datasets.page_samples import PageSample
from ctc_ocr.datasets.samples import Sample

ROOT = Path(__file__).resolve().parent.parent
FONTS = ROOT / "fonts" / "kana"


def samples() -> list[Sample]:
    """Of four books of three pages, one of them the test book."""
    books = ("a", "b", "c", old_pages.TEST_BOOK)
    places = [(book, page, box) for book in books for page in range(3) for box in range(10)]
    return [PageSample(f"{book}/{page}.jpg", ("あ",), f"{book}/{page}: B0001 C{box:04}") for book, page, box in places]


def test_a_split_by_example_has_a_book_for_the_test_and_a_tenth_of_all_for_dev() -> None:
    train, dev, test = old_pages.by_example(samples(), 0)
    assert [len(part) for part in (train, dev, test)] == [78, 12, 30]
    assert {each.where.partition("/")[0] for each in test} == {old_pages.TEST_BOOK}
    assert sorted(each.where for part in (train, dev, test) for each in part) == sorted(
        each.where for each in samples()
    )
    assert [each.where for each in old_pages.by_example(samples(), 0)[1]] == [each.where for each in dev]
    assert [each.where for each in old_pages.by_example(samples(), 1)[1]] != [each.where for each in dev]


def test_each_page_is_held_out_in_one_fold() -> None:
    held_out = []
    for _, train, dev in old_pages.by_page(samples()):
        pages = {each.where.partition(":")[0] for each in dev}
        assert not pages & {each.where.partition(":")[0] for each in train}
        assert len(train) + len(dev) == 120
        held_out += sorted(pages)
    assert len(held_out) == len(set(held_out)) == 12


def test_characters_are_those_of_the_japanese_standard() -> None:
    found = kuzushiji.characters()
    assert len(found) == len(set(found)) == 4_213
    assert found.startswith("ぁあぃい")
    assert {"ン", "亜", "腕", "弌"} <= set(
        found
    )  # the last katakana, the first and last kanji of level 1, one of level 2


@pytest.mark.long
def test_thousands_of_characters_in_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fonts").mkdir()
    (tmp_path / "others").mkdir()
    for name in ("KouzanMouhitsuGyosho-Kana.ttf", "AoyagiSoseki-Kana.ttf"):
        (tmp_path / "fonts" / name).symlink_to(FONTS / name)
    (tmp_path / "others" / "YujiSyuku-Kana.ttf").symlink_to(FONTS / "YujiSyuku-Kana.ttf")
    arguments = ["--fonts", str(tmp_path / "fonts"), "--held_out", str(tmp_path / "others"), "--characters=80"]
    assert kuzushiji.main([str(tmp_path / "out"), *arguments, "--minutes=3", "--samples=2000"]) == 0
    shown = capsys.readouterr().out
    assert "| images of the test | 80 of 1 other fonts |" in shown
    assert "| error | " in shown


def test_an_unknown_experiment_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        old_pages.main([str(tmp_path), str(tmp_path / "out"), "letters"])
    assert "no experiment 'letters'; accepted: characters, baseline, " in capsys.readouterr().err


@pytest.mark.slow
def test_the_memory_of_an_interpretation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = Data("ABC", min_length=2, max_length=3, width=160, height=60)
    CaptchaWriter.create(data, seed=3).write_folder(tmp_path / "images", 12)
    assert interpreting.main(["starter", str(tmp_path / "images"), str(tmp_path / "images")]) == 0
    assert "| images | 24 |" in (shown := capsys.readouterr().out)
    assert "| peak of memory | " in shown
