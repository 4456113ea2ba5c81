"""CSV files as people have them: more columns, other encodings, what Excel and Windows write, and broken bytes."""

import os
import random
from pathlib import Path

import pytest

from ctc_ocr.cli.data import main as data
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.csv_files.header import IMAGE_NAMES, LABEL_NAMES
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.inference.image_list import read_image_list
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.runtime.similar_files import similar_path
from tests.test_sources import picture

ROOT = Path(__file__).resolve().parent.parent


def csv_file(folder: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "set.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(path: Path, options: SourceOptions | None = None) -> list[tuple[str, str]]:
    """(path from the folder, label) of a source without problems."""
    samples, problems = read_source(path, options or SourceOptions())
    assert problems == []
    return [(Path(each.image).relative_to(path.parent).as_posix(), each.label) for each in samples]


@pytest.mark.parametrize(
    "content",
    [
        "id,FileName,Transcription,writer\n1,a.png,x,me\n2,b.png,y,\n",
        "label;note;image path\nx;;a.png\ny;n;b.png\n",
        "Text\tFile\nx\ta.png\ny\tb.png\n",
        "file,words\nno_suffix,x\nother,y\n",
        "Bild;Kennzeichen;leer\na.png;x;\nb.png;y;\n",
        "Datei;Beschriftung\na.png;x;\nb.png;y;\n",
        "x,a.png\ny,b.png\n",
        "a.png,x,\nb.png,y,\n",
        "a.png,x,,\n",
        "image,label,\na.png,x,\nb.png,y,\n",
        "image,label\na.png,x,\nb.png,y,\n",
        "path,label,note\na.png,x\nb.png,y,seen\n",
        "sep=;\r\nimage;label\r\na.png;x\r\nb.png;y\r\n",
        "sep=;\na.png;x\nb.png;y\n",
        '"sep=\t"\na.png\tx\nb.png\ty\n',
        "\ufeffsep=,\nb.png,y,z\na.png,x,\n",
    ],
)
def test_columns_are_found(tmp_path: Path, content: str) -> None:
    names = {"no_suffix": "a.png", "other": "b.png"}
    if "b.png,y,z" in content:  # two columns, one row of three
        with pytest.raises(InputError, match="labels may be in column 2 or column 3"):
            read_source(csv_file(tmp_path, content))
        return
    found = [(names.get(name, name), label) for name, label in read(csv_file(tmp_path, content))]
    assert found == [("a.png", "x"), ("b.png", "y")][: len(found)]
    assert len(found) == (1 if content == "a.png,x,,\n" else 2)


@pytest.mark.parametrize("bad", ["c.png ;z", "c;z", ";z", "c.png;z;y"])
def test_a_bad_row_does_not_make_a_row_of_the_header(tmp_path: Path, bad: str) -> None:
    path = csv_file(tmp_path, f"Datei;Beschriftung \n{bad}\na.png;x\nb.png;y\n")
    samples, problems = read_source(path, SourceOptions())
    assert f"{path}, row 1" not in [each.where for each in samples] + [each.where for each in problems]
    assert ([each.label for each in samples][-2:], len(samples) + len(problems)) == (["x", "y"], 3)


def test_a_word_above_few_names_of_images_is_a_row(tmp_path: Path) -> None:
    assert read(csv_file(tmp_path, "one,x\ntwo,y\na.png,z\n")) == [("one", "x"), ("two", "y"), ("a.png", "z")]
    samples, problems = read_source(csv_file(tmp_path, "one\na.png,x\nb.png,y\n"), SourceOptions())
    assert (len(samples), len(problems)) == (2, 1)


def test_units_among_other_columns(tmp_path: Path) -> None:
    for content in (
        "a.png;|x|yy|;k\nb.png;||;l\n", "image;|label|;note\na.png;|x|yy|;|k|\nb.png;||;\n",
        "nr;#text#;image\n1;#x#yy#;a.png\n2;##;b.png\n",
    ):  # fmt: skip
        samples, problems = read_source(csv_file(tmp_path, content))
        assert ([each.units for each in samples], problems) == ([("x", "yy"), ()], [])


@pytest.mark.parametrize(
    ("content", "options", "complaint"),
    [
        (
            "id,file,text,label\n1,a.png,x,2\n",
            {},
            r"the labels may be in column 3 'text' or column 4 'label'; there are column 1 'id' \(as in '1'\), .*, "
            r"column 4 'label' \(as in '2'\)\. Name the one with --label_column",
        ),
        ("a.png,x,1\nb.png,y,2\n", {}, r"labels may be in column 2 or column 3; .*2 \(as in 'x'\).*must be quoted"),
        ("image,mask,text\na,b,x\n", {"label_column": "mask", "image_column": 2}, "the images is column 2 too"),
        ("image,path,text\na,b,x\n", {}, "image paths may be in column 1 'image' or column 2 'path'.*--image_column"),
        ("a,b,c\nd,e,f\n", {}, "no column is known to have the image paths.*column 1 .as in 'a'"),
        ("a.png;|x|;|y|\nb.png;|x|;|y|\n", {}, "labels may be in column 2 or column 3"),
        ("file,text\na.png,x\n", {"label_column": "words"}, "label_column: no column is named 'words'; there are col"),
        ("a.png,x\n", {"label_column": "words"}, "no header has the name 'words': give a number"),
        ("file,text\na.png,x\n", {"image_column": "3"}, "image_column: no column 3; there are column 1 'file'"),
        ("file,text\na.png,x\n", {"image_column": 0}, "no column 0"),
        ("a.png,x\n", {"encoding": "klingon"}, "encoding: no encoding 'klingon'; accepted: .*cp1252"),
        ("a.png,x\n", {"encoding": "base64"}, "no encoding 'base64'"),
        ("a.png,x\n", {"encoding": "idna"}, "not idna"),
        (
            "PK\x03\x04x",
            {},
            r"an \.xlsx or \.ods spreadsheet.*accepted: a CSV file\. Open it and save it as CSV",
        ),
    ],
)
def test_what_is_open_or_cannot_be_is_an_error(
    tmp_path: Path, content: str, options: dict[str, str | int], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        read_source(csv_file(tmp_path, content), SourceOptions(**options))  # type: ignore[arg-type]


def test_a_file_whose_rows_have_one_field_is_told_once(tmp_path: Path) -> None:
    """Of a list of images without labels, and of another delimiter: each of its rows would have the same error."""
    hint = "; --delimiter (delimiter in Python) names another delimiter"
    for content, options, reason in (
        ("image\na.png\nb.png\n", SourceOptions(), f"',' as in the header, got one field: 'a.png'{hint}"),
        ("image,label\na.png;x\n", SourceOptions(), f"',' as in the header, got one field: 'a.png;x'{hint}"),
        ("a.png|x\nb.png|y\n", SourceOptions(), f"',', got one field: 'a.png|x'{hint}"),
        ("sep=|\na.png;x\n", SourceOptions(), f"'|', got one field: 'a.png;x'{hint}"),
        ("a.png;x\nb.png;y\n", SourceOptions(delimiter="|"), "'|', got one field: 'a.png;x'"),
    ):
        with pytest.raises(InputError) as error:
            read_source(csv_file(tmp_path, content), options)
        where = f"{tmp_path}/set.csv"
        assert str(error.value) == f"{where}: expected rows of an image and a label, separated by {reason}"
    assert read(csv_file(tmp_path, "a.png|x\n"), SourceOptions(delimiter="|")) == [("a.png", "x")]


def test_columns_that_are_named(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "id,file,text,label,mask\n1,a.png,x,2,m.png\n")
    for label in ("Label", "label", "4", 4):
        assert read(path, SourceOptions(label_column=label, image_column="file")) == [("a.png", "2")]
    with pytest.raises(InputError, match="no column is known|may be in"):
        read(csv_file(tmp_path, "Bild,Maske,Wert\na.png,b.png,2\n"), SourceOptions(label_column="Wert"))
    options = SourceOptions(image_column="maske", label_column="Wert")
    assert read(tmp_path / "set.csv", options) == [("b.png", "2")]
    assert open_source(tmp_path / "set.csv", options).form.endswith(
        "(images in column 2 'Maske', labels in column 3 'Wert', delimiter ',', each character a unit)"
    )
    path = csv_file(tmp_path, "a.png,x,1\nb.png,y\nc.png,z,3,4\n")
    samples, problems = read_source(path, SourceOptions(label_column=2))
    assert [each.label for each in samples] == ["x", "y"]
    assert "row 3: expected 3 fields separated by ',', got 4" in str(problems[0])


def test_an_unquoted_delimiter_among_two_columns_is_an_error_of_its_row(tmp_path: Path) -> None:
    """Also where the other rows end with a delimiter: no text is ever cut."""
    starts = ("", "image,label\n", "image,label,\n", "File,Text,,\n")
    for start, usual in [(start, usual) for start in starts for usual in ("a.png,x\n", "a.png,x,\n")]:
        samples, problems = read_source(csv_file(tmp_path, f"{start}{usual * 20}b.png,Hello, world\n"))
        assert {each.label for each in samples} == {"x"}
        assert [each.reason for each in problems] == [
            "expected 2 fields separated by ',', got 3; a field that contains ',' must be quoted"
        ]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-16-le", "shift_jis"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    label = "Größe" if encoding != "shift_jis" else "日本"
    path = csv_file(tmp_path, f"image,label\r\na.png,{label}\r\n\r\nb.png,2\r\n", encoding)
    given = None if encoding == "utf-16" else encoding  # which has a byte order mark
    assert read(path, SourceOptions(encoding=given)) == [("a.png", label), ("b.png", "2")]
    assert encoding.upper() in open_source(path, SourceOptions(encoding=given)).form
    if given:
        assert read_source(path)[1] != []


def test_bytes_of_another_encoding(tmp_path: Path) -> None:
    samples, problems = read_source(csv_file(tmp_path, b"a.png,1\n\xc3\xa4.png,gr\xfcn\n"))
    assert [each.label for each in samples] == ["1"]
    assert problems[0].where.endswith("set.csv, row 2")
    assert problems[0].reason.startswith("not UTF-8: 0xfc at byte 10 of the row; save the file as UTF-8 (in Excel: ")
    assert problems[0].reason.endswith("or name its encoding, such as --encoding cp1252")
    problem = read_source(csv_file(tmp_path, b"a.png,1\nb.png,\x81\n"), SourceOptions(encoding="cp1252"))[1][0]
    assert problem.reason == "not CP1252: 0x81 at byte 7 of the row; is this the encoding of the file?"
    odd = "a.png,1\nb.png,2".encode("utf-16") + b"\x41"
    assert "not UTF-16: 0x41 at byte 15 of the row" in read_source(csv_file(tmp_path, odd))[1][0].reason
    reasons = {each.reason for each in read_source(csv_file(tmp_path, "a.png,1\n", "utf-16-be"))[1]}
    assert all("NUL" in each and "--encoding utf-16-le" in each for each in reasons)


def test_paths_of_windows(tmp_path: Path) -> None:
    inside = picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "a.png", 9)
    picture(tmp_path / "with\\backslash.png")
    for written in (r"images\a.png", r"C:\data\images\a.png", "c:/data/images/a.png", r"\\server\all\images\a.png"):
        path = csv_file(tmp_path, f"{written},1\nimages/a.png,1\n")
        assert [Path(each.image) for each in read_source(path)[0]] == [inside, inside]
    assert read(csv_file(tmp_path, "with\\backslash.png,1\n")) == [("with\\backslash.png", "1")]
    samples, problems = read_source(csv_file(tmp_path, "C:\\x\\none.png,1\nb\\none.png,2\nnone/c.png,3\n"))
    assert [each.reason for each in problems] == [
        f"no such file: C:\\x\\none.png; tried also {tmp_path}/x/none.png, {tmp_path}/none.png",
        f"no such file: b\\none.png; tried also {tmp_path}/b/none.png",
    ]
    with pytest.raises(InputError, match=f"row 3: {tmp_path}/none/c.png: No such file"):
        samples[0].read_bytes()


def test_rows_that_were_emptied_in_a_spreadsheet_are_skipped(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ";;\r\nimage;label;note\r\na.png;x;\r\n;;\r\nb.png;y;good\r\n;;\r\n;;;;\r\n")
    assert read(path) == [("a.png", "x"), ("b.png", "y")]
    assert [each.name for each in read_image_list(path)] == ["a.png", "b.png"]
    assert [each.where for each in read_source(path)[0]] == [f"{path}, row 3", f"{path}, row 5"]


@pytest.mark.parametrize(
    ("existing", "written", "hint"),
    [
        ("b_004.JPG", "B_004.jpg", "; there is 'b_004.JPG'"),
        ("b.png", "b.png ", "; there is 'b.png'"),
        (" b.png", "b.png", "; there is ' b.png'"),
        ("Gr\u00fc\u00dfe.png", "Gru\u0308\u00dfe.PNG", "; there is 'Gr\u00fc\u00dfe.png'"),
        ("Fotos/b.png", "fotos/B.png", "; there is '{folder}/Fotos/b.png'"),
        ("b.png", "bb.png", ""),
        ("b.png", "none/b.png", ""),
        ("b.png", "b", "; there is 'b.png'"),
        ("b.1.PNG", "b.1", "; there is 'b.1.PNG'"),
        ("b.png", "b.jpg", "; there is 'b.png'"),
        ("b.png", "{name}/b.png", "; there is '{folder}/b.png'"),
        ("b.png", "{name}", ""),
    ],
)
def test_a_missing_file_is_compared_with_names_nearly_the_same(
    tmp_path: Path, existing: str, written: str, hint: str
) -> None:
    picture(tmp_path / existing)
    written = written.format(name=tmp_path.name)
    path = csv_file(tmp_path, f"image,label\n{written},x\n")
    said = f"No such file or directory{hint.format(folder=tmp_path)}"
    (problem,) = check_source(path).invalid
    assert problem == Problem(f"{path}, row 2: {tmp_path / written}", said)
    with pytest.raises(InputError) as error:
        read_image(tmp_path / written)
    assert error.value.reason == said


@pytest.mark.parametrize(
    ("existing", "written", "hint"),
    [
        ("photos/b.png", "fotos", "; there is 'photos'"),
        ("photos/b.png", "Photo", "; there is 'photos'"),
        ("labels.csv", "lables.csv", "; there is 'labels.csv'"),
        ("photos/labels.csv", "fotos/lables.csv", "; there is '{folder}/photos/labels.csv'"),
        ("labels.csv", "labels", ""),
        ("fold1/b.png", "fold2", ""),
        ("photos/b.png", "plates", ""),
    ],
)
def test_a_missing_source_is_compared_with_what_is_nearly_called_so(
    tmp_path: Path, existing: str, written: str, hint: str
) -> None:
    picture(tmp_path / existing)
    with pytest.raises(InputError) as error:
        open_source(tmp_path / written)
    assert str(error.value) == f"{tmp_path / written}: No such file or directory{hint.format(folder=tmp_path)}"


def test_a_missing_list_of_images_is_compared_too(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("a.png\n")
    with pytest.raises(InputError) as error:
        read_image_list(tmp_path / "image.csv")
    assert str(error.value) == f"{tmp_path / 'image.csv'}: No such file or directory; there is 'images.csv'"


def test_a_missing_folder_of_images_or_fonts_is_compared_too(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "b.png")
    for written, there in (("fotos", "photos"), ("fotos/b.png", f"{tmp_path}/photos/b.png")):
        with pytest.raises(InputError) as error:
            read_image(tmp_path / written)
        assert error.value.reason == f"No such file or directory; there is '{there}'"
    with pytest.raises(InputError, match="no such font file or folder; there is 'photos'"):
        find_fonts(tmp_path / "fotos")


def test_a_folder_that_has_changed_is_read_again(tmp_path: Path) -> None:
    assert similar_path(tmp_path / "B.png") is None
    picture(tmp_path / "b.png")
    os.utime(tmp_path, ns=(0, 0))  # the clock of a file system may be coarse
    assert similar_path(tmp_path / "B.png") == "b.png"
    assert similar_path(tmp_path / "b.png") is None


def test_status_is_read_of_predictions_only(tmp_path: Path) -> None:
    rows = "a.png,,0.1,rejected\nb.png,1,0.9,read\nc.png,2,0.2,rejected\n\nd.png,3,1\n"
    path = csv_file(tmp_path, f"image,text,confidence,status\n{rows}")
    assert read(path) == [("b.png", "1"), ("c.png", "2"), ("d.png", "3")]  # a text was filled in: it is a label
    assert open_source(path).form.endswith("; skipped: 1 rejected")
    other = csv_file(tmp_path, f"image,text,score,status\n{rows}")
    assert read(other) == [("a.png", ""), ("b.png", "1"), ("c.png", "2"), ("d.png", "3")]


def test_commands_take_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "images" / "é.png")
    path = csv_file(tmp_path, "nr;datei;wert;name\n1;images\\é.png;ü;x\n", "cp1252")
    options = ["--encoding", "cp1252", "--image-column", "datei", "--label_column", "3"]
    assert data(["check", str(path), *options]) == 0
    assert "labels in column 3 'wert'" in capsys.readouterr().out
    assert data(["check", str(path), *options[2:]]) == 1
    for flag, value in zip(options[::2], options[1::2], strict=True):
        assert data(["check", str(tmp_path / "images"), flag, value]) == 2
        name = flag[2:].replace("-", "_")
        assert f"{name} has no effect on a folder without labels.csv" in capsys.readouterr().err


def test_the_documented_names_are_the_known_ones() -> None:
    page = (ROOT / "docs" / "reference" / "data_formats.md").read_text(encoding="utf-8")
    for names, what in ((IMAGE_NAMES, "images"), (LABEL_NAMES, "labels")):
        line = next(line for line in page.splitlines() if line.strip().startswith(f"| {what} | `"))
        assert line.strip() == f"| {what} | {', '.join(f'`{name}`' for name in names)} |"


SEEDS = [
    b'image,label\na.png,12\nb.png,"x, y"\n',
    "sep=;\r\nimage;text;confidence;status;x\r\nsub\\a.png;é;0,9;read;\r\nb.png;;;rejected;\r\n".encode(),
    "image\ttext\na.png\tx\n".encode("utf-16"),
    b"a.png;|u|n|i|\nb.png;|ch|a|\n",
    b"id,file,note,words\n1,C:\\x\\sub\\a.png,,x\n2,sub/a.png,n,y\n",
    b"a.png,x,\nb.png,y,\n",
]
PIECES = [b"\0", b'"', b"\r", b"\n", b",", b";", b"|", b"\t", b"\\", b"\xff", b"\xfe", b"=", b"A" * 400]


def damaged(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        place = generator.randrange(len(changed) + 1)
        kind = generator.randrange(3)
        if kind == 0:
            changed[place : place + 1] = bytes([generator.randrange(256)])
        elif kind == 1:
            changed[place:place] = generator.choice(PIECES)
        else:
            del changed[place : place + generator.randrange(1, 5)]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_damaged_files_give_problems_or_one_error(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    outcomes: set[type] = set()
    for _ in range(150):
        path = csv_file(tmp_path, damaged(SEEDS[seed], generator))
        options = SourceOptions(encoding=generator.choice((None, None, None, "cp1252", "utf-16", "shift_jis", "utf-7")))
        for reader in (open_source, read_image_list):
            try:
                outcomes |= {type(row) for row in reader(path, options)}
            except InputError:
                outcomes.add(InputError)
    assert outcomes >= {Sample, Problem, InputError}
