"""Folders as other programs lay them out: labels come from where they are, or the folder is refused."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ctc_ocr.cli.data import main as data
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.captcha_files import CaptchaWriter
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.labels_csv import write_labels
from ctc_ocr.datasets.samples import Problem, SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.datasets.sources.folders import scan_folder
from ctc_ocr.datasets.sources.names import DEFAULT_PATTERN, WITHOUT_COPY, read_names
from ctc_ocr.datasets.sources.two_parts import AFTER_NUMBER, AFTER_UNDERSCORE
from ctc_ocr.errors import InputError
from tests.layouts import COUNT, images, write_json, write_list, write_texts

# The source, {name of an image: label}, and the file that word_012.png's label is in.
Made = tuple[Path, dict[str, str], Path]


def labels(source: Path, **options: str) -> dict[str, str]:
    """{name of an image: label} of a source whose samples are all valid."""
    result = check_source(source, SourceOptions(**options))  # type: ignore[arg-type]
    assert result.invalid == ()
    return {Path(each.sample.image).name: each.sample.label for each in result.samples}


def kraken(folder: Path, font: str) -> Made:
    found = images(folder, font)
    write_texts(folder, found, ".gt.txt")
    return folder, found, folder / "word_012.gt.txt"


def ocropus(folder: Path, font: str) -> Made:
    found = images(folder / "0001", font, "word_{:03}.bin.png".format)
    write_texts(folder / "0001", found, ".gt.txt")
    return folder, found, folder / "0001" / "word_012.gt.txt"


def text_files(folder: Path, font: str) -> Made:
    found = images(folder, font)
    write_texts(folder, found, ".txt")
    return folder, found, folder / "word_012.txt"


def dddd(folder: Path, font: str) -> Made:
    found = images(folder / "images", font)
    return folder, found, write_list(folder / "labels.txt", found)


def list_in_images(folder: Path, font: str) -> Made:
    found = images(folder / "images", font)
    return folder, found, write_list(folder / "images" / "gt.txt", found)


def paddle(folder: Path, font: str) -> Made:
    found = images(folder / "train", font)
    return folder, found, write_list(folder / "rec_gt_train.txt", found, prefix="train/")


def paddle_from_above(folder: Path, font: str) -> Made:
    """Paths start from the folder above the data set."""
    made = paddle(folder / "train_data" / "rec", font)
    return made[0], made[1], write_list(made[2], made[1], prefix="train_data/rec/train/")


def mmocr(folder: Path, font: str) -> Made:
    found = images(folder, font)
    return folder, found, write_list(folder / "train_label.txt", found, " ")


def doctr(folder: Path, font: str) -> Made:
    found = images(folder / "images", font)
    return folder, found, write_json(folder / "labels.json", found)


LAYOUTS = [kraken, ocropus, text_files, dddd, list_in_images, paddle, paddle_from_above, mmocr, doctr]
LISTS = [dddd, list_in_images, paddle, paddle_from_above, mmocr, doctr]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_come_from_where_they_are(layout: Callable[[Path, str], Made], tmp_path: Path, ubuntu_font: str) -> None:
    source, expected, table = layout(tmp_path / "set", ubuntu_font)
    assert len(expected) == COUNT
    assert labels(source) == expected
    if layout in LISTS:
        assert labels(table) == expected
        assert open_source(source).form.startswith(str(table))
    # What was trained on before: the names.
    names = labels(source, pattern=DEFAULT_PATTERN)
    assert set(names.values()) <= {"word", *(f"word_{number:03}" for number in range(COUNT))}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_spoiled_file_is_one_problem_that_names_it(
    layout: Callable[[Path, str], Made], tmp_path: Path, ubuntu_font: str
) -> None:
    source, expected, table = layout(tmp_path / "set", ubuntu_font)
    (image,) = (path for path in source.rglob("word_012.*") if path.suffix == ".png")
    whole = image.read_bytes()
    image.write_bytes(b"no image")
    (problem,) = check_source(source).invalid
    assert "word_012" in str(problem)
    assert "not an image" in problem.reason
    image.write_bytes(whole)
    spoil(table, expected[image.name])
    result = check_source(source)
    assert (len(result.samples), len(result.invalid)) == (COUNT - 1, 1)
    place = {".json": f"{table}, entry 13"}.get(table.suffix, f"{table}, row 13")
    assert result.invalid[0].where == (place if layout in LISTS else str(table))


def spoil(table: Path, label: str) -> None:
    """Make the label of word_012 unreadable: a byte that is not UTF-8, or a number in place of a text."""
    content = table.read_bytes()
    row = content.find(b"word_012")
    at = content.index(label.encode(), max(row, 0) + len("word_012") if row >= 0 else 0)
    if table.suffix == ".json":
        table.write_bytes(content[: at - 1] + b"12" + content[at + len(label) + 1 :])
    else:
        table.write_bytes(content[:at] + b"\xff" + content[at + 1 :])


def test_variants_of_an_image_share_its_text_and_other_files_are_counted(tmp_path: Path, ubuntu_font: str) -> None:
    found = images(tmp_path, ubuntu_font)
    write_texts(tmp_path, found, ".gt.txt")
    for variant in ("bin", "nrm"):
        shutil.copy(tmp_path / "word_000.png", tmp_path / f"word_000.{variant}.png")
    write_texts(tmp_path, dict.fromkeys(found, "predicted"), ".txt")
    (tmp_path / "a.b.png").write_bytes((tmp_path / "word_001.png").read_bytes())
    (tmp_path / "a.b.gt.txt").write_text("own")
    (tmp_path / "alone.gt.txt").write_text("alone")
    samples, problems = read_source(tmp_path)
    read = {Path(sample.image).name: sample.label for sample in samples}
    first = found["word_000.png"]
    assert read == {**found, "word_000.bin.png": first, "word_000.nrm.png": first, "a.b.png": "own"}
    assert [Path(problem.where).name for problem in problems] == ["alone.gt.txt"]
    assert open_source(tmp_path).form == "the .gt.txt files beside the images; not read: 30 .txt"
    (tmp_path / "word_001.gt.txt").unlink()
    assert "there is no word_001.gt.txt beside it" in {problem.reason for problem in read_source(tmp_path)[1]}
    (tmp_path / "word_002.gt.txt").write_text("x" * 2_097_152)
    assert "too large: 2.0 MiB; the maximum is 1 MiB" in {each.reason for each in read_source(tmp_path)[1]}


def test_rows_of_lists(tmp_path: Path, ubuntu_font: str) -> None:
    images(tmp_path / "images", ubuntu_font, "word {}.png".format)
    rows = [
        ('word 0.png\t"1," 2', '"1," 2'),
        ("images/word 1.png\ta b.png c", "a b.png c"),
        ("word 2.png 3", None),
        ("\t4", None),
        ('word 3.png\t[{"transcription": "5"}]', None),
        ("word 4.png\t\0", None),
        ("word 5.png\t" + "6" * 70_000, None),
        ("word 6.png\t", ""),
    ]
    table = tmp_path / "labels.txt"
    table.write_text("filename\tlabel\n" + "".join(f"{row}\n\n" for row, _ in rows))
    samples, problems = read_source(table)
    assert [sample.label for sample in samples] == [label for _, label in rows if label is not None]
    assert [sample.image for sample in samples[:2]] == [
        str(tmp_path / "images" / f"word {each}.png") for each in (0, 1)
    ]
    assert [problem.where for problem in problems] == [f"{table}, row {number}" for number in (6, 8, 10, 12, 14)]
    for part, problem in zip(
        ("a tab and a label", "no path", "JSON list", "NUL", "70011 characters"), problems, strict=True
    ):
        assert part in problem.reason
    table.write_text("word 0.png 1 2\nword 1.png\t3\nimages/word 2.png  4\nnothing\n")
    samples, problems = read_source(table)
    assert [sample.label for sample in samples] == ["1 2", "3", " 4"]
    assert [problem.reason for problem in problems] == [
        "expected the path of an image, a space and a label, got 'nothing'"
    ]
    # Rows of a CSV file, whatever its name.
    table.write_text("images/word 0.png,1\n")
    assert [sample.label for sample in read_source(table)[0]] == ["1"]
    table.write_text("images/word 0.png\t|ch|a|\n")
    assert [sample.units for sample in read_source(table)[0]] == [("ch", "a")]
    table.write_text("images/word 0.png\t1|2\n")
    assert [sample.label for sample in read_source(table, SourceOptions(delimiter="|"))[0]] == ["2"]


def test_a_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctc_ocr.datasets.sources.lists.MAX_BYTES", 10)
    monkeypatch.setattr("ctc_ocr.datasets.sources.labels_json.MAX_BYTES", 10)
    for name, content in (("labels.txt", "a.png\t12345\n"), ("labels.json", '{"a.png": "1"}')):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=r"too large: \d+ bytes; the maximum is 10"):
            read_source(tmp_path / name)


def test_entries_of_json(tmp_path: Path) -> None:
    table = tmp_path / "labels.json"
    table.write_text(
        '{"a.png": "1", "b.png": "2", "b.png": "3", "c.png": "4", "c.png": "4", "d.png": {"polygons": []}, '
        '"e.png": 5, "": "6", "f.png": "\\ud800", "g.png": null, "h\\u0000.png": "7"}'
    )
    samples, problems = read_source(table)
    assert [(Path(sample.image).name, sample.label) for sample in samples] == [("a.png", "1"), ("c.png", "4")]
    assert [problem.where for problem in problems] == [
        f"{table}, entry {each}" for each in (2, 3, 5, 6, 7, 8, 9, 10, 11)
    ]
    reasons = (
        "contradicting labels: the name has 2 entries", "contradicting", "the name has an entry already", "an object",
        "a number", "not the path", "not valid Unicode", "null", "not the path",
    )  # fmt: skip
    assert [part for part, problem in zip(reasons, problems, strict=True) if part not in problem.reason] == []
    for content, complaint in (("{", "not JSON"), ("[]", "expected {"), ("[" * 100_000, "not JSON")):
        table.write_text(content)
        with pytest.raises(InputError, match=complaint):
            read_source(table)
    with pytest.raises(InputError, match="pattern has no effect on a JSON file"):
        read_source(table, SourceOptions(pattern="(.)"))


@pytest.mark.parametrize("suffix", [".TXT", ".Txt", ".GT.TXT", ".gt.TXT"])
def test_text_files_may_have_capitals(tmp_path: Path, ubuntu_font: str, suffix: str) -> None:
    found = images(tmp_path, ubuntu_font, "word_{:03}.PNG".format)
    write_texts(tmp_path, found, suffix)
    assert labels(tmp_path) == found
    (tmp_path / f"word_003{suffix}").unlink()
    (tmp_path / f"word_004{suffix}").write_text("two\nlines")
    (tmp_path / f"alone{suffix}").write_text("1")
    rows = open_source(tmp_path)
    assert [Path(row.where).name for row in rows if isinstance(row, Problem)] == [
        "word_003.PNG", f"word_004{suffix}", f"alone{suffix}",
    ]  # fmt: skip
    assert rows.form == f"the {suffix.lower()} files beside the images"


def test_a_name_that_is_repeated_many_times_takes_no_long_time(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{" + ", ".join(['"a.png": "1"'] * 20_000) + "}")
    before = time.process_time()
    samples, problems = read_source(tmp_path / "labels.json")
    assert (len(samples), len(problems)) == (1, 19_999)
    assert time.process_time() - before < 4  # seconds: it was 12


@pytest.mark.parametrize("name", ["Labels.CSV", "LABELS.csv", "Labels.JSON", "images/Rec_GT.TXT"])
def test_the_case_of_a_name_does_not_count(tmp_path: Path, ubuntu_font: str, name: str) -> None:
    found = images(tmp_path / "images", ubuntu_font)
    table = tmp_path / name
    if name.endswith("JSON"):
        write_json(table, found)
    elif name.endswith("TXT"):
        write_list(table, found)
    else:
        write_labels(table, [(f"images/{image}", label) for image, label in found.items()])
    assert labels(tmp_path) == found


def test_captchas_are_not_written_beside_labels_in_another_case(tmp_path: Path) -> None:
    """Of two such files, nobody could say which one has the labels."""
    (tmp_path / "Labels.CSV").write_text("image,label\n")
    with pytest.raises(InputError, match=r"contains images or labels\.csv: use another folder"):
        CaptchaWriter.create(Data(), seed=1).write_folder(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["Labels.CSV"]


def test_several_lists_are_refused_and_named(tmp_path: Path, ubuntu_font: str) -> None:
    found = images(tmp_path / "train", ubuntu_font)
    for part in ("train", "test"):
        write_list(tmp_path / f"rec_gt_{part}.txt", found, prefix="train/")
    with pytest.raises(InputError, match=r"rec_gt_test\.txt, rec_gt_train\.txt\. Use one of them as the source"):
        read_source(tmp_path)
    assert labels(tmp_path / "rec_gt_train.txt") == found
    (tmp_path / "rec_gt_test.txt").unlink()
    write_labels(tmp_path / "labels.csv", [])
    with pytest.raises(InputError, match=r"labels\.csv, rec_gt_train\.txt\."):
        read_source(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "table.csv", "table.TSV", "deep/down/a.json", "a.jsonl", "a.xlsx", "word_001.xml", "labels.txt"],
)
def test_a_file_that_may_contain_the_labels_is_not_passed_over(name: str, tmp_path: Path, ubuntu_font: str) -> None:
    images(tmp_path, ubuntu_font, "{0}_{0}.png".format)
    assert len(read_source(tmp_path)[0]) == COUNT
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("1\n2\n")
    with pytest.raises(InputError) as error:
        read_source(tmp_path)
    assert error.value.reason.startswith(f"are its labels in {name}, or in the names of its images? Use a file with")
    assert "--pattern" in error.value.reason
    assert len(read_source(tmp_path, SourceOptions(pattern=DEFAULT_PATTERN))[0]) == COUNT


def test_files_that_contain_no_labels_are_passed_over(tmp_path: Path, ubuntu_font: str) -> None:
    images(tmp_path, ubuntu_font, "{0}_{0}.png".format)
    others = ("README.txt", "readme_en.txt", "LICENSE", "licence.txt", "m-symbol.json", "m.json", "m-history.csv",
              "p.rec", "p.idx", "p.json", ".hidden.csv")  # fmt: skip
    for name in others:
        (tmp_path / name).touch()
    assert len(read_source(tmp_path)[0]) == COUNT
    assert open_source(tmp_path).form.endswith(
        "; not read: 1 .csv, 1 .idx, 3 .json, 1 .rec, 3 .txt, 1 without a suffix"
    )


def test_the_images_of_a_data_set_are_not_taken_without_their_list(tmp_path: Path, ubuntu_font: str) -> None:
    found = images(tmp_path / "images", ubuntu_font, "{0}_{0}.png".format)
    assert len(read_source(tmp_path / "images")[0]) == COUNT
    for name, write in (("labels.txt", write_list), ("labels.json", write_json)):
        table = write(tmp_path / name, found)
        with pytest.raises(InputError, match=rf"are its labels in {table}, or in the names"):
            read_source(tmp_path / "images")
        table.unlink()
    write_list(tmp_path / "labels.txt", found, prefix="others/")  # of other images
    assert len(read_source(tmp_path / "images")[0]) == COUNT


DEVICES = [
    "IMG_{:04}", "img-20240131-wa{:04}", "DSC{:05}", "DSC_{:04}", "_DSC{:04}", "DSCN{:04}", "PXL_20240131_1205{:02}123",
    "Scan_{:04}", "Scan {}", "scan{:03}", "CamScanner {:02}", "Screenshot 2024-01-31 at 12.05.{:02}",
    "Screenshot_20240131-1205{:02}", "WhatsApp Image 2024-01-31 at 12.05.{:02}", "P10{:05}", "image ({})",
    "20240131_1205{:02}", "2024-01-31 12.05.{:02}", "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4b{:02}", "{:032x}",
]  # fmt: skip


@pytest.mark.parametrize("name", DEVICES)
def test_names_of_cameras_and_scanners_are_no_labels(name: str, tmp_path: Path) -> None:
    for number in range(10, 40):
        (tmp_path / f"{name.format(number)}.png").touch()
    with pytest.raises(InputError, match="30 of 30 names are those of a camera or scanner") as error:
        open_source(tmp_path)
    assert "--pattern" in error.value.reason
    assert name.format(10) in error.value.reason
    assert open_source(tmp_path, SourceOptions(pattern="(.*)")).total == 30


@pytest.mark.parametrize(
    "names",
    [
        [f"{number:04}" for number in range(1, 31)],
        [f"{number:06}" for number in range(30)],
        [str(number) for number in range(1, 31)],
        [f"{number:04}" for number in range(100, 130) if number not in (107, 120)],
        [f"{number:03}_crop" for number in range(30)],
        [f"{number}_crop" for number in range(20)],
        [f"captcha{number:03}" for number in range(30)],
        [f"page-{number}" for number in range(1, 31)],
        [*(f"{number:04}" for number in range(30)), "cover"],
    ],
)
def test_running_numbers_are_no_labels(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / f"{name}.png").touch()
    with pytest.raises(InputError, match="the names differ in a running number only"):
        open_source(tmp_path)
    assert open_source(tmp_path, SourceOptions(pattern="(.*)")).total == len(names)


@pytest.mark.parametrize("form", ["{}_{}", "{:02}_{}", "{}-{}", "{} {}"])
def test_a_number_before_the_label_is_not_taken_for_it(form: str, tmp_path: Path, ubuntu_font: str) -> None:
    made = images(tmp_path, ubuntu_font, lambda number: f"{form.format(number, f'{number * 7919 % 10_000:04}')}.png")
    with pytest.raises(InputError) as error:
        open_source(tmp_path)
    assert error.value.reason.startswith(f"the names begin with a running number ({min(made)}, ")
    assert repr(AFTER_NUMBER) in error.value.reason
    found = read_source(tmp_path, SourceOptions(pattern=AFTER_NUMBER))[0]
    assert {sample.label for sample in found} == {Path(name).stem[-4:] for name in made}
    assert open_source(tmp_path, SourceOptions(pattern=DEFAULT_PATTERN)).total == len(made)


def two_part_notes(folder: Path) -> list[str]:
    return [note.reason for note in open_source(folder).notes if "last underscore" in note.reason]


@pytest.mark.parametrize("form", ["{word}_{other}", "{digits}_{number7}", "set_{digits}_{other}"])
def test_names_that_can_be_read_in_two_ways_are_noted(form: str, tmp_path: Path) -> None:
    for name in two_part_names(form):
        (tmp_path / f"{name}.png").touch()
    first = min(tmp_path.iterdir()).name
    label = first.rpartition("_")[0]
    assert two_part_notes(tmp_path) == [
        f"the labels are what is before the last underscore of the names: {label!r} in {first}. --pattern "
        f"{AFTER_UNDERSCORE!r} takes what follows it"
    ]


@pytest.mark.parametrize(
    "form", ["{word}", "{word}_{number}", "{word}_{number7}", "{digits}_{number:04}", "{word}_{number:032x}",
             "{word}_train", "{digits}_{number}"],
)  # fmt: skip
def test_names_that_can_be_read_in_one_way_are_not_noted(form: str, tmp_path: Path) -> None:
    for name in two_part_names(form):
        (tmp_path / f"{name}.png").touch()
    assert two_part_notes(tmp_path) == []


def two_part_names(form: str) -> list[str]:
    letters = "kqmzxw"
    return [
        form.format(
            number=number, number7=number * 7, digits=number * 7919 % 10_000,
            word=f"{letters[number % 6]}{letters[number // 6]}a", other=f"b{letters[number // 6]}{letters[number % 6]}",
        )
        for number in range(30)
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", "image,label\n"])
def test_a_folder_whose_labels_csv_is_empty_says_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "ab_1.png").touch()
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(InputError) as error:
        read_source(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: contains no labelled images; its labels were expected in {tmp_path}/labels.csv (delimiter ',', "
        "each character a unit)"
    )


def test_labels_that_are_all_alike_are_refused(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"plate_{number:02}.png").touch()
    with pytest.raises(InputError, match=r"by their names, 30 of 30 images have the label 'plate' \(plate_00\.png"):
        open_source(tmp_path)
    (tmp_path / "cover.png").touch()
    with pytest.raises(InputError, match="30 of 31 images have the label 'plate'"):
        open_source(tmp_path)


@pytest.mark.parametrize("name", ["{label}", "{label}_{number:04}", "{label}_1", "{label}_{number:032x}"])
def test_captchas_of_digits_are_named_by_their_labels(name: str, tmp_path: Path, ubuntu_font: str) -> None:
    """Also many of them, which are dense among the numbers of four digits."""
    found = images(tmp_path / "all", ubuntu_font)
    expected = []
    for number, (image, label) in enumerate(found.items()):
        (tmp_path / "named").mkdir(exist_ok=True)
        (tmp_path / "all" / image).rename(tmp_path / "named" / f"{name.format(label=label, number=number)}.png")
        expected.append(label)
    assert sorted(sample.label for sample in read_source(tmp_path / "named")[0]) == sorted(set(expected))
    (tmp_path / "many").mkdir()
    for number in range(0, 10_000, 2):
        (tmp_path / "many" / f"{name.format(label=f'{number * 7919 % 10_000:04}', number=number)}.png").touch()
    assert open_source(tmp_path / "many").total == 5000


def test_a_few_names_of_devices_are_noted(tmp_path: Path, ubuntu_font: str) -> None:
    found = images(tmp_path, ubuntu_font, lambda number: f"{'abcdefghij'[number % 10]}{number}x_1.png")
    shutil.copy(tmp_path / next(iter(found)), tmp_path / "IMG_0001.png")
    notes = [note for note in check_source(tmp_path).notes if "camera" in note.reason]
    assert [str(note) for note in notes] == [f"{tmp_path}: names like those of a camera or scanner: 1 (IMG_0001.png)"]


@pytest.mark.parametrize("end", [" - Kopie", " - Copy", " (2)", "(2)", " copy", " copy 3", " - Copy (2)"])
def test_names_that_end_like_a_copys_are_noted(end: str, tmp_path: Path, ubuntu_font: str) -> None:
    found = images(tmp_path, ubuntu_font, "ab{0}c_{0}.png".format)
    first = next(iter(found))
    copied = tmp_path / f"{Path(first).stem}{end}.png"
    shutil.copy(tmp_path / first, copied)
    (note,) = (each for each in check_source(tmp_path).notes if "copy's" in each.reason)
    assert (note.where, f"1 ({copied.stem})" in note.reason) == (str(tmp_path), True)
    # The pattern that the note names leaves it out, and then there is no note.
    assert repr(WITHOUT_COPY) in note.reason
    checked = check_source(tmp_path, SourceOptions(pattern=WITHOUT_COPY))
    labels = {Path(each.sample.image).name: each.sample.label for each in checked.samples}
    assert labels == {name: Path(name).stem.partition("_")[0] for name in found} | {copied.name: "ab0c"}
    assert not [each for each in checked.notes if "copy's" in each.reason]


def test_units_that_occur_once_are_noted_together(tmp_path: Path, ubuntu_font: str) -> None:
    found = images(tmp_path, ubuntu_font)
    rare = dict(zip(found, "ghijklmnopqr", strict=False))
    common = dict.fromkeys(found, "abab")
    table = write_list(tmp_path / "labels.txt", {**common, "word_007.png": "abz"})
    (note,) = (each for each in check_source(tmp_path).notes if "once" in each.reason)
    assert str(note) == f"units that occur once in all labels: 1: 'z' ({table}, row 8)"
    write_list(table, {**common, **rare})
    (note,) = (each for each in check_source(tmp_path).notes if "once" in each.reason)
    assert note.reason.startswith(f"units that occur once in all labels: 12: 'g' ({table}, row 1), 'h'")
    assert note.reason.endswith("and 2 more")
    assert note.reason.count("row") == 10
    write_list(table, common)
    assert [each for each in check_source(tmp_path).notes if "once" in each.reason] == []


def test_the_command_line_refuses_and_says_what_to_do(
    tmp_path: Path, ubuntu_font: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images(tmp_path / "set", ubuntu_font, "IMG_{:04}.png".format)
    assert data(["check", str(tmp_path / "set")]) == 2
    assert "are not taken for labels. Use a file with the labels as the source, or --pattern" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "set")
    source, expected, _ = doctr(tmp_path / "set", ubuntu_font)
    assert data(["check", str(source), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == len(expected)
    with pytest.raises(InputError, match="delimiter has no effect on a JSON file"):
        read_source(source, SourceOptions(delimiter=","))


def test_names_are_read_from_a_scanned_folder(tmp_path: Path) -> None:
    for name in ("ab_1.png", "sub/cd_1.PNG", ".hidden/ef_1.png", "x.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    rows = read_names(scan_folder(tmp_path), SourceOptions())
    assert (rows.total, rows.form.endswith("; not read: 1 .heic")) == (2, True)
