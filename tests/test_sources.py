"""Every kind of source: what it reads, which problems it reports, and that what is written can be read."""

import json
import os
import pickle
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet, read_lookups, write_lookup
from ctc_ocr.cli.data import main as data
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Training
from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.checking import check, check_source
from ctc_ocr.datasets.csv_files.writing import write_delimited
from ctc_ocr.datasets.labelled import LabelledBatches, LabelledImage
from ctc_ocr.datasets.labels_csv import write_labels
from ctc_ocr.datasets.pack_writing import write_pack
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.datasets.samples import Problem, Rows, Sample, SourceOptions
from ctc_ocr.datasets.sources import SOURCES, open_source, read_source, register_source
from ctc_ocr.datasets.splitting import SplitOptions, split_source
from ctc_ocr.errors import InputError
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.runtime.mxnet import mx


def picture(path: Path, level: int = 0) -> Path:
    """A small image file, another one for each level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((6, 12), 255, np.uint8)
    image[2:4, 3:9] = level
    encoded, file = cv2.imencode(".png", image)
    assert encoded
    path.write_bytes(file.tobytes())
    return path


def table(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def units(path: Path, **options: Any) -> list[tuple[str, ...]]:
    """Labels of a source without problems."""
    samples, problems = read_source(path, SourceOptions(**options))
    assert problems == []
    return [sample.units for sample in samples]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("a.png;|u|n|i|t|s|\nb.png;|ch|a|\n", {}, [tuple("units"), ("ch", "a")]),
        ("\ufeffa.png;|1|\r\nb.png;|2|\r\n", {}, [("1",), ("2",)]),
        ("a.png;|,|;|\n", {}, None),  # a delimiter within a label that is not quoted
        ('a.png;"|,|;|"\n', {}, [(",", ";")]),
        ("a.png,12\nb.png,3;4\n", {}, [("1", "2"), ("3", ";", "4")]),
        ('a.png,"1,""2"\n', {}, [tuple('1,"2')]),
        ("a.png\t1,2\n", {}, [tuple("1,2")]),
        ("image,label\na.png,|1|2|\n", {}, [tuple("|1|2|")]),
        ("image,label\na.png,|1|2|\n", {"splitter": "|"}, [("1", "2")]),
        ("image;#label#\na.png;#1#|#\n", {}, [("1", "|")]),
        ("a.png;|1|2|\n", {"splitter": ""}, [tuple("|1|2|")]),
        ("a.png:+1+2+\n", {"delimiter": ":", "splitter": "+"}, [("1", "2")]),
        ("a;b.png,1\n", {"delimiter": ";"}, [tuple("b.png,1")]),
        ("no_suffix;|1|\n", {}, [("1",)]),
        ("a.png, 1 \n", {}, [tuple(" 1 ")]),
        ("a.png;||\nb.png;|1|\nc.png;|2|\n", {}, [(), ("1",), ("2",)]),
        ("a.png,\u0041\u030a\n", {"unicode_form": "NFC"}, [("\u00c5",)]),
        ("a.png;|A\u030a|\n", {"unicode_form": "NFC"}, [("\u00c5",)]),
    ],
)
def test_forms_of_csv(
    tmp_path: Path, content: str, options: dict[str, Any], expected: list[tuple[str, ...]] | None
) -> None:
    path = table(tmp_path / "set.csv", content)
    if expected is None:
        assert "got 3" in str(read_source(path, SourceOptions(**options))[1][0])
    else:
        assert units(path, **options) == expected


def test_paths_start_from_the_folder_of_the_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = picture(tmp_path / "elsewhere" / "b.png")
    picture(tmp_path / "sets" / "images" / "a.png")
    table(tmp_path / "sets" / "set.csv", f"images/a.png,1\n{elsewhere},2\n")
    monkeypatch.chdir(tmp_path)
    samples, _ = read_source("sets/set.csv")
    assert [sample.where for sample in samples] == ["sets/set.csv, row 1", "sets/set.csv, row 2"]
    assert [sample.image for sample in samples] == ["sets/images/a.png", str(elsewhere)]
    assert [sample.label for sample in samples] == ["1", "2"]
    assert samples[1].read_bytes() == elsewhere.read_bytes()


def test_bad_rows_are_problems_and_stop_nothing(tmp_path: Path) -> None:
    rows = [
        b"a.png;|1|",
        b"b.png",
        b"c.png;|2|;|3|",
        b'd.png;"|4|',
        b'e.png;"|5|"6',
        b"f.png;|\xff|",
        b"g.png;|\0|",
        b"h.png;7",
        b"i.png;|8||9|",
        b";|1|",
        b"",
        b"z.png;|2|",
    ]
    (tmp_path / "set.csv").write_bytes(b"\n".join(rows))
    samples, problems = read_source(tmp_path / "set.csv")
    assert [sample.label for sample in samples] == ["1", "2"]
    assert [problem.where for problem in problems] == [f"{tmp_path}/set.csv, row {number}" for number in range(2, 11)]
    expected = (
        "got 1",
        "got 3",
        "quoting",
        "quoting",
        "0xff at byte 8",
        "NUL",
        "start and end",
        "empty unit",
        "no path",
    )
    assert [part for part, problem in zip(expected, problems, strict=True) if part not in problem.reason] == []


@pytest.mark.parametrize(
    "labels",
    [
        [" 1 ", '"', 'a"b', ",", ";", "|", "|a|", "", "a,b;c|d", "'"],
        [("ch", "a"), (";",), (",", '"'), (" ", "x"), (), ('"', "ab")],
        [("ch", "|"), ("!", "#", ";"), ("a|b",), ("$",), ()],
    ],
)
def test_written_labels_are_read_again(tmp_path: Path, labels: list[str | tuple[str, ...]]) -> None:
    rows = [(f'dir, "a"/{number};.png', tuple(label)) for number, label in enumerate(labels)]
    write_delimited(tmp_path / "set.csv", rows)
    samples, problems = read_source(tmp_path / "set.csv")
    assert problems == []
    assert [(os.path.relpath(sample.image, tmp_path), sample.units) for sample in samples] == rows
    assert [path.name for path in tmp_path.iterdir()] == ["set.csv"]


def test_rows_that_a_csv_cannot_contain_are_refused(tmp_path: Path) -> None:
    for image in ("a\nb.png", "a\udcff.png"):
        with pytest.raises(InputError, match="cannot be written"):
            write_delimited(tmp_path / "set.csv", [(image, ("1",))])
    assert list(tmp_path.iterdir()) == []


def test_labels_in_names(tmp_path: Path) -> None:
    for name in ("1a2b_0001.png", "x_y_2.PNG", "plain.jpg", "sub/deep_1.png", ".hidden_1.png", "notes.md"):
        picture(tmp_path / name)
    samples, problems = read_source(tmp_path)
    assert ([sample.label for sample in samples], problems) == (["1a2b", "plain", "deep", "x_y"], [])
    assert samples[0].where == samples[0].image == str(tmp_path / "1a2b_0001.png")
    samples, problems = read_source(tmp_path, SourceOptions(pattern=r"^(?P<label>[a-z]+)(_|$)"))
    assert [sample.label for sample in samples] == ["plain", "deep", "x"]
    assert "1a2b_0001.png: the pattern" in str(problems[0])


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    picture(tmp_path / "1_1.png")
    (tmp_path / "\udcff_1.png").write_bytes(b"")
    samples, problems = read_source(tmp_path)
    assert ([sample.label for sample in samples], [problem.reason for problem in problems]) == (
        ["1"], ["the name is not UTF-8"]
    )  # fmt: skip


def test_texts_beside_images(tmp_path: Path) -> None:
    for name, text in {"a": "Fließ\n", "b": "two\nlines\n", "d": "end\r\n", "sub/e": "\ufeffbelow"}.items():
        picture(tmp_path / f"{name}.png").with_suffix(".txt").write_bytes(text.encode())
    picture(tmp_path / "c.png").with_suffix(".txt").write_bytes(b"\xe9")
    picture(tmp_path / "f_1.png")
    (tmp_path / "g.txt").write_text("alone")
    samples, problems = read_source(tmp_path)
    assert [sample.label for sample in samples] == ["Fließ", "end", "below"]
    reasons = {Path(problem.where).name: problem.reason for problem in problems}
    assert reasons.keys() == {"b.txt", "c.txt", "f_1.png", "g.txt"}
    assert "2 lines" in reasons["b.txt"]
    assert "UTF-8" in reasons["c.txt"]


def test_which_kind_of_folder_wins(tmp_path: Path) -> None:
    picture(tmp_path / "name_1.png")
    assert units(tmp_path) == [tuple("name")]
    (tmp_path / "name_1.txt").write_text("text")
    assert units(tmp_path) == [tuple("text")]
    write_labels(tmp_path / "labels.csv", [("name_1.png", "table")])
    assert units(tmp_path) == units(tmp_path / "labels.csv") == [tuple("table")]
    assert units(tmp_path, pattern="^(....)") == [tuple("name")]


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "1_1.png")
    (tmp_path / "empty").mkdir()
    table(tmp_path / "nothing.csv", "\n")
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("missing.csv", {}, "No such file"),
        ("empty", {}, "no image files"),
        ("nothing.csv", {}, "contains no labelled images"),
        ("images", {"pattern": "("}, "not a regular expression"),
        ("images", {"pattern": "abc"}, r"needs a group, such as \(\?P<label>"),
        ("images", {"delimiter": ","}, "delimiter has no effect on a folder"),
        ("nothing.csv", {"pattern": "(.)"}, "pattern has no effect on a CSV file"),
        ("nothing.csv", {"delimiter": ";;"}, "expected one character"),
        ("nothing.csv", {"delimiter": "|", "splitter": "|"}, "the same"),
        ("missing.rec", {}, "missing.json: No such file"),
        ("images/1_1.png", {}, "an image; accepted: a folder of images"),
    ]
    for name, options, complaint in refused:
        with pytest.raises(InputError, match=complaint):
            read_source(tmp_path / name, SourceOptions(**options))


# What a record may hold: also the number that marks the start of a record, aligned and not, at its end and twice.
RECORDS = [
    b"", b"a", b"abcd", recordio.MAGIC, b"abc" + recordio.MAGIC, b"abcd" + recordio.MAGIC * 2 + b"ef",
    recordio.MAGIC + b"xyz" + recordio.MAGIC + b"1" + recordio.MAGIC, bytes(range(256)) * 9,
]  # fmt: skip


def test_records_are_those_of_mxnet(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.rec", tmp_path / "theirs.rec"
    writer = mx.recordio.MXIndexedRecordIO(str(theirs.with_suffix(".idx")), str(theirs), "w")
    with ours.open("wb") as file:
        for key, content in enumerate(RECORDS):
            for labels in ([], [1], [3, 1, 2]):
                header = mx.recordio.IRHeader(0, labels, key, 0)
                recordio.write_record(file, recordio.pack(labels, key, content))
                writer.write_idx(10 * key + len(labels), mx.recordio.pack(header, content))
    writer.close()
    assert ours.read_bytes() == theirs.read_bytes()
    for key, content in enumerate(RECORDS):
        for labels in ([], [1], [3, 1, 2]):
            read = recordio.read_key(str(theirs), 10 * key + len(labels))
            assert recordio.unpack(read) == (tuple(labels), content)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack of three images, one with an empty label, and units of several characters."""
    labels = [("ch", "a"), (), ("a", "a", "|")]
    samples = [
        Sample(str(picture(tmp_path / f"{number}.png", number)), label, "here") for number, label in enumerate(labels)
    ]
    assert write_pack(tmp_path / "set", samples, Alphabet(("a", "ch", "|"))) == 3
    return tmp_path / "set.rec"


def test_a_pack_gives_back_what_it_was_made_of(pack: Path) -> None:
    samples, problems = read_source(pack)
    assert problems == []
    assert [sample.units for sample in samples] == [("ch", "a"), (), ("a", "a", "|")]
    assert samples[2].where == f"{pack}, record 2"
    again = pickle.loads(pickle.dumps(samples))
    assert [sample.read_bytes() for sample in again] == [
        (pack.parent / f"{each}.png").read_bytes() for each in range(3)
    ]
    assert not list(pack.parent.glob("*.part"))


def test_mxnet_reads_a_pack(pack: Path) -> None:
    reader = mx.recordio.MXIndexedRecordIO(str(pack.with_suffix(".idx")), str(pack), "r")
    header, image = mx.recordio.unpack_img(reader.read_idx(2), cv2.IMREAD_GRAYSCALE)
    reader.close()
    assert header.label.tolist() == [1, 1, 3]
    assert np.array_equal(image, cv2.imread(str(pack.parent / "2.png"), cv2.IMREAD_GRAYSCALE))


def test_a_damaged_pack_gives_its_complete_records(pack: Path) -> None:
    content = pack.read_bytes()
    pack.write_bytes(content[:-60])
    samples, problems = read_source(pack)
    assert [sample.record for sample in samples] == [0, 1]
    assert ([problem.where for problem in problems], "damaged" in problems[0].reason) == ([f"{pack}, record 2"], True)
    pack.write_bytes(content[:40])
    with pytest.raises(InputError, match="record 1: damaged pack"):
        samples[1].read_bytes()
    pack.with_suffix(".json").write_text('{"alphabet": {"a": 1}}')
    pack.write_bytes(content)
    samples, problems = read_source(pack)
    assert [sample.record for sample in samples] == [1]
    assert "code 2 in the label; the pack's alphabet has the codes 1 to 1" in problems[0].reason
    for name, damage in (("set.idx", "0\t0\nx"), ("set.json", '{"alphabet": 1}'), ("set.json", "{"), ("set.rec", "")):
        whole = (pack.parent / name).read_bytes()
        (pack.parent / name).write_text(damage)
        with pytest.raises(InputError, match=name):
            read_source(pack)
        (pack.parent / name).write_bytes(whole)


def test_lookups_merge_and_alphabets_are_built_from_labels(tmp_path: Path) -> None:
    digits = table(tmp_path / "digits.json", json.dumps({"b": 7, "a": 0, "ch": 40}))
    more = table(tmp_path / "more.json", json.dumps({"ü": 1, "a": 2}))
    assert read_lookups([digits, more]).units == ("a", "b", "ch", "ü")
    write_lookup(tmp_path / "again.json", read_lookups([more, digits]))
    assert read_lookups([tmp_path / "again.json"]).lookup == {"ü": 1, "a": 2, "b": 3, "ch": 4}
    assert Alphabet.from_labels(["aab", ("ch", "b")]).units == ("a", "b", "ch")
    assert Alphabet.from_labels(["aab", ("ch", "b")], min_count=2).units == ("a", "b")
    for content, complaint in (
        ("{", "not JSON"), ("[1]", "expected {unit"), ('{"a": true}', "expected"), ('{"": 1}', "expected"),
        ('{"a": 1, "b": 1}', "'a' and 'b' have the same code"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=complaint):
            read_lookups([digits, table(tmp_path / "bad.json", content)])
    with pytest.raises(InputError, match=r"none.json: No such file"):
        read_lookups([tmp_path / "none.json"])


def test_rows_are_read_one_by_one_as_often_as_asked_for(tmp_path: Path) -> None:
    rows = open_source(table(tmp_path / "many.csv", "".join(f"{number}.png,{number}\n" for number in range(5000))))
    assert rows.total == 5000
    firsts = [next(iter(rows)) for _ in range(2)]
    assert [row.label for row in firsts if isinstance(row, Sample)] == ["0", "0"]
    assert [row.label for row in rows if isinstance(row, Sample)] == [str(number) for number in range(5000)]
    tracemalloc.start()
    for _ in rows:
        pass
    assert tracemalloc.get_traced_memory()[1] < 200_000  # all of them take 20 times that
    tracemalloc.stop()


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_all_line_ends_and_no_others_end_rows(tmp_path: Path, ends: str) -> None:
    path = table(tmp_path / "ends.csv", ends.join(["\ufeffa.png,1\u2028\x0b2", "b.png,3", ""]))
    assert [sample.label for sample in read_source(path)[0]] == ["1\u2028\x0b2", "3"]


def test_a_header_of_other_words_is_skipped(tmp_path: Path) -> None:
    path = table(tmp_path / "named.csv", "path,text\na.png,1\nb.png,2\n")
    assert [sample.label for sample in read_source(path)[0]] == ["1", "2"]
    picture(tmp_path / "path")  # an image without a suffix
    assert [sample.label for sample in read_source(path)[0]] == ["text", "1", "2"]


def test_the_form_of_the_labels_is_described_and_no_table_ignored(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "12_1.png")
    assert "file names" in open_source(tmp_path / "images").form
    split = table(tmp_path / "images" / "plates.csv", "12_1.png;|1|2|\n")
    assert open_source(split).form.endswith("(delimiter ';', units separated by '|')")
    with pytest.raises(InputError, match=r"are its labels in plates\.csv, or in the names of its images\?"):
        open_source(tmp_path / "images")
    assert "file names" in open_source(tmp_path / "images", SourceOptions(pattern="(.*)_")).form
    split.unlink()
    for name in ("ocr-symbol.json", "ocr.json", "ocr-history.csv"):  # a model beside its images
        (tmp_path / "images" / name).touch()
    assert "file names" in open_source(tmp_path / "images").form
    (tmp_path / "images" / "other.csv").touch()
    with pytest.raises(InputError, match=r"are its labels in other\.csv,"):
        open_source(tmp_path / "images")
    for path in (tmp_path / "images").glob("o*"):
        path.unlink()
    for name in ("a.heic", "b.HEIC", "c.pdf"):
        (tmp_path / "images" / name).touch()
    assert open_source(tmp_path / "images").form.endswith("; not read: 2 .heic, 1 .pdf")
    (tmp_path / "images" / "12_1.txt").write_text("12")
    assert ".txt files" in open_source(tmp_path / "images").form


def test_image_names_of_what_is_no_image_file(tmp_path: Path) -> None:
    picture(tmp_path / "12_1.png")
    (tmp_path / "34_1.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "56_1.png").mkdir()
    os.mkfifo(tmp_path / "78_1.png")
    checked = check(*read_source(tmp_path))
    assert [each.sample.label for each in checked.samples] == ["12"]
    reasons = {Path(problem.where).name: problem.reason for problem in checked.invalid}
    assert reasons["34_1.png"] == "No such file or directory"
    assert reasons["56_1.png"] == "Is a directory"
    assert reasons["78_1.png"] == "a device or a pipe; expected a file"


@dataclass(frozen=True)
class InMemory(Sample):
    """A sample that has its encoded image itself."""

    encoded: bytes = b""

    def read_bytes(self) -> bytes:
        return self.encoded


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """`lines:N` has N samples of files, `memory:N` N samples of a class of its own and a problem."""
    monkeypatch.setattr(SOURCES, "_parts", {})
    images = [picture(tmp_path / f"{number}.png", 20 * number) for number in range(5)]

    @register_source("lines")
    def lines(argument: str, options: SourceOptions) -> Iterator[Sample | Problem]:
        if not argument.isdigit():
            raise InputError(f"{argument!r} is not a number", "argument")
        return (Sample(str(path), tuple(options.splitter or "ab"), str(path)) for path in images[: int(argument)])

    @register_source("memory")
    def memory(argument: str, options: SourceOptions) -> Rows:
        def read() -> Iterator[Sample | Problem]:
            for number in range(int(argument)):
                yield InMemory("", ("ch", str(number)), f"row {number}", encoded=images[number].read_bytes())
            yield Problem("row 9", "planted")

        return Rows("a dictionary", int(argument), read)

    return tmp_path


def test_a_registered_source_is_opened_by_its_name(registered: Path) -> None:
    rows = open_source("lines:3")
    assert (rows.form, rows.total) == ("the source lines:3", 3)
    for _ in range(2):
        assert [row.label for row in rows if isinstance(row, Sample)] == ["ab"] * 3
    assert read_source("lines:1", SourceOptions(splitter="x"))[0][0].units == ("x",)
    result = check_source("memory:4")
    assert [each.units for each in result.samples] == [("ch", str(number)) for number in range(4)]
    assert result.invalid == (Problem("row 9", "planted"),)
    assert result.form == "a dictionary"
    assert result.samples[2].sample.read_bytes() == (registered / "2.png").read_bytes()


def test_a_registered_source_is_split_packed_and_read_by_image_processes(registered: Path, tmp_path: Path) -> None:
    parts = split_source("lines:5", tmp_path / "parts", SplitOptions(counts=(3, 2, 0))).parts
    assert [len(part.samples) for part in parts] == [3, 2, 0]
    assert len(read_source(tmp_path / "parts" / "train.csv")[0]) == 3
    with pytest.raises(InputError, match="not files that a CSV file can name"):
        split_source("memory:4", tmp_path / "others")
    pack = pack_source("memory:4", tmp_path / "pack.rec")
    assert (pack.num_samples, pack.alphabet.units) == (4, ("0", "1", "2", "3", "ch"))
    assert [sample.units[1] for sample in read_source(pack.path)[0]] == ["0", "1", "2", "3"]
    settings = Hyperparameters(Data(width=12, height=6), training=Training(batch_size=2))
    images = [LabelledImage(each.sample, (1,), each.size) for each in check_source("memory:4").samples]
    with BatchPool(LabelledBatches(images, settings, 1, shuffle=False), 1, range(2)) as pool:
        assert sorted(int(image.min()) for each in pool for image in each["images"]) == [0, 20, 40, 60]


def test_names_of_sources(registered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(registered)
    picture(Path("lines:2") / "file_1.png")
    assert units(Path("lines:2")) == [tuple("file")]  # a path that exists
    for source, where, reason in (
        ("pages:1", "pages:1", "no such file, nor a registered source 'pages'; registered: lines, memory"),
        ("lines:x", "lines:x: argument", "'x' is not a number"),
        ("C:\\images.csv", "C:\\images.csv", "No such file"),
        ("a/b:c", "a/b:c", "No such file"),
        ("lines:0", "lines:0", "contains no labelled images"),
    ):
        with pytest.raises(InputError) as error:
            read_source(source)
        assert (error.value.where, error.value.reason.startswith(reason)) == (where, True)
    with pytest.raises(InputError, match="two letters or more"):
        register_source("c")
    texts: Any = ["a.png"]
    register_source("wrong")(lambda argument, options: texts)
    with pytest.raises(InputError, match="must give Sample and Problem objects, got str"):
        read_source("wrong:")


OWN_PARTS = """
from pathlib import Path
from ctc_ocr import Sample, register_source

@register_source("backwards")
def backwards(argument, options):
    for path in sorted(Path(argument).glob("*.png")):
        yield Sample(str(path), tuple(path.stem[::-1]), str(path))
"""


def test_the_command_line_opens_a_source_of_an_imported_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SOURCES, "_parts", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_parts.py").write_text(OWN_PARTS)
    for number in range(12):
        picture(tmp_path / "images" / f"{number:02}.png", number)
    source = f"backwards:{tmp_path}/images"
    assert data(["check", source]) == 2
    assert "nor a registered source 'backwards'; registered: none (see --import)" in capsys.readouterr().err
    assert data(["check", source, "--import", str(tmp_path / "own_parts.py"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 12
    assert data(["split", source, str(tmp_path / "parts"), "--counts", "9,2,1"]) == 0
    files = [tmp_path / "parts" / f"{part}.csv" for part in ("train", "validation", "test")]
    labels = [sample.label for file in files for sample in read_source(file)[0]]
    assert sorted(labels) == sorted(f"{number:02}"[::-1] for number in range(12))
