"""ctc-ocr infer with files: lists of images in, predictions out."""

import csv
import os
from pathlib import Path
from typing import Literal

import pytest

from ctc_ocr.cli.data import main as data
from ctc_ocr.cli.infer import main
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.inference.image_list import read_image_list
from tests.infer.outputs import expected, rows_of
from tests.models import save_own_model

FORMS = {
    "a header and other columns": 'image,label,more\na.png,"1, 2",x\nb c.png,3,y\n',
    "a label with another delimiter in it": 'a.png,"x; y"\nb c.png,z\n',
    "a byte order mark and tabs": "\ufeffa.png\tx, y\nb c.png\t;\n",
    "units": "a.png;|x|yz|\nb c.png;|,|\n",
    "a header with a splitter": "image;|label|\na.png;|x|\nb c.png;|y|\n",
    "line ends of Windows": "image,label\r\na.png,x\r\nb c.png,y\r\n",
    "line ends of old Macs": "a.png,x\rb c.png,y\r",
    "paths alone, an empty line, and no line end": "a.png\n\nb c.png",
    "quoted paths": '"a.png",x\n"b c.png"\n',
    "what is a line end in Unicode alone": "a.png,x\u2028y\u0085z\v\f\nb c.png,\u2029\n",
    "a header of other words": "Bild;Kennzeichen\na.png;x\nb c.png;y\n",
    "earlier predictions": "image,text,confidence,status\na.png,x,0.9,read\nb c.png,,,unreadable\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_csv_files(tmp_path, form):
    table = tmp_path / "in.csv"
    table.write_bytes(FORMS[form].encode())
    assert [(each.name, each.path, each.problem) for each in read_image_list(table)] == [
        (name, tmp_path / name, "") for name in ("a.png", "b c.png")
    ]


def test_csv_in_and_out(prefix, folder, tmp_path, capsys):
    """A row for each row, with the path from the new folder, or the row itself if that names no image."""
    predictions = {f"images/{Path(path).name}": each for path, each in expected(prefix, folder)}
    (folder / "a, b.png").write_bytes((folder / "03.png").read_bytes())
    given = [
        b"image,label",
        b"images/00.png,x",
        b'images/01.png,"never closed',
        b",no path",
        b"images/none.png,x",
        b"images/\x00.png,x",
        b"images/\xff.png,x",
        b'"images/a, b.png",x',
        b"images/02.png,x",
    ]
    table, out = tmp_path / "in.csv", tmp_path / "new" / "out.csv"
    table.write_bytes(b"\n".join(given))
    assert main(["--model", prefix, "--csv", str(table), "--out", str(out)]) == 1
    printed, notices = capsys.readouterr()
    assert printed == ""
    assert [line.split(": ")[:3] for line in notices.splitlines()] == [
        ["ctc-ocr infer", f"{table}, row 3", "bad quoting"],
        ["ctc-ocr infer", f"{table}, row 4", "no path"],
        ["ctc-ocr infer", f"{table}, row 5", str(folder / "none.png")],
        ["ctc-ocr infer", f"{table}, row 6", "contains a NUL byte"],
        ["ctc-ocr infer", f"{table}, row 7", "not UTF-8"],
    ]
    data = out.read_bytes()
    assert [line.rsplit(b",", 1)[1] for line in data.splitlines()[1:]] == [
        b"read", *[b"unreadable"] * 5, b"read", b"read",
    ]  # fmt: skip
    assert b"images/\xff.png" in data
    assert rb"images/\x00.png" in data
    out.write_bytes(data.replace(b"\xff", b"").replace(rb"\x00", b""))
    rows = rows_of(out)
    assert [row["image"] for row in rows] == [
        "../images/00.png", 'images/01.png,"never closed', "", "../images/none.png", "images/.png,x", "images/.png,x",
        "../images/a, b.png", "../images/02.png",
    ]  # fmt: skip
    for row, name in ((rows[0], "images/00.png"), (rows[6], "images/03.png"), (rows[7], "images/02.png")):
        assert row["text"] == predictions[name].text
        assert float(row["confidence"]) == pytest.approx(predictions[name].confidence, abs=1e-5)
    assert {row["text"] + row["confidence"] for row in rows[1:6]} == {""}
    assert main(["--model", prefix, "--csv", str(table)]) == 1
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines == [[row["image"].removeprefix("../"), row["text"]] for row in rows if row["status"] == "read"]


def test_top_k_of_one_is_one_prediction_for_each_image(prefix, folder, tmp_path):
    out = [tmp_path / "without.csv", tmp_path / "with.csv"]
    for path, flags in zip(out, ((), ("--top_k", "1")), strict=True):
        assert main(["--model", prefix, *flags, "--out", str(path), str(folder)]) == 0
    assert out[0].read_bytes() == out[1].read_bytes()


@pytest.mark.parametrize("text", ["", "\n\n", "image,label\n", "\ufeffimage\n"])
def test_a_csv_file_that_names_no_images(prefix, tmp_path, capsys, text):
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    assert main(["--model", prefix, "--csv", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")]) == 2
    assert "in.csv: names no images" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_the_file_of_predictions_replaces_nothing_without_overwrite(prefix, folder, tmp_path, capsys):
    out, table, image = tmp_path / "out.csv", tmp_path / "in.csv", str(folder / "00.png")
    beside = tmp_path / "out.csv.part"
    beside.write_text("a file of somebody's")
    table.write_text("images/00.png\n")
    arguments = ["--model", prefix, "--out", str(out), image]
    assert main(arguments) == 0
    first = out.read_text()
    assert main([*arguments[:-1], str(folder / "01.png")]) == 2
    assert "out.csv: exists already: replace it with --overwrite" in capsys.readouterr().err
    assert out.read_text() == first
    assert main([*arguments[:-1], str(folder / "01.png"), "--overwrite"]) == 0
    assert [row["image"] for row in rows_of(out)] == ["images/01.png"]
    assert beside.read_text() == "a file of somebody's"
    for flag in ("--csv", "--labels"):
        others = [] if flag == "--csv" else [image]
        assert main(["--model", prefix, "--overwrite", flag, str(table), "--out", str(table), *others]) == 2
        assert f"in.csv: would replace {flag}: use another name" in capsys.readouterr().err
    assert table.read_text() == "images/00.png\n"


def test_the_target_of_a_link_and_a_pipe_are_written_to(prefix, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link, pipe = tmp_path / "elsewhere" / "target.csv", tmp_path / "link.csv", tmp_path / "pipe"
    target.write_text("old")
    link.symlink_to(target)
    image = str(folder / "00.png")
    assert main(["--model", prefix, "--out", str(link), "--overwrite", image]) == 0
    assert link.is_symlink()
    assert [row["image"] for row in rows_of(target)] == ["images/00.png"]  # from the folder of the link
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["--model", prefix, "--out", str(pipe), image]) == 0
        assert os.read(reader, 2**16) == target.read_bytes().replace(b"images/00.png", image.encode())
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_prefix_wins_over_a_folder_of_its_name_and_a_params_file_is_its_epoch(prefix, folder, capsys):
    def texts(model):
        assert main(["--model", str(model), str(folder)]) == 0
        return [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]

    newest, first = ([prediction.text for _, prediction in expected(prefix, folder, epoch)] for epoch in (2, 1))
    Path(prefix).mkdir()
    assert texts(prefix) == newest
    assert texts(f"{prefix}-0001.params") == first
    assert newest != first
    save_own_model(Path(prefix) / "inner", epoch=1, seed=1)
    assert texts(f"{prefix}/inner") == first


def test_predictions_are_a_source_from_any_folder(half_rejected, folder, tmp_path, capsys, monkeypatch):
    """Rejected and unreadable images are counted and give no sample."""
    flags, predictions, rejected = half_rejected
    (folder / "70.png").write_text("no image")
    monkeypatch.chdir(folder)
    assert main([*flags, "--out", "../elsewhere/out.csv", "."]) == 1
    monkeypatch.chdir(tmp_path)
    assert open_source("elsewhere/out.csv").form.endswith(f"; skipped: {sum(rejected)} rejected, 1 unreadable")
    samples, problems = read_source("elsewhere/out.csv")
    assert problems == []
    assert [each.label for each in samples] == [
        each.text for (_, each), is_low in zip(predictions, rejected, strict=True) if not is_low
    ]
    assert all(each.read_bytes() for each in samples)
    capsys.readouterr()
    assert data(["check", "elsewhere/out.csv"]) == 0
    assert f"skipped: {sum(rejected)} rejected, 1 unreadable" in capsys.readouterr().out
    out = tmp_path / "elsewhere" / "none.csv"
    assert main([*flags, "--min_confidence", "1", "--out", str(out), str(folder / "00.png")]) == 0
    assert data(["check", str(out)]) == 2
    assert "none.csv: no row has a text: 1 rejected. Fill in the texts" in capsys.readouterr().err


# How spreadsheets save a file again: delimiter, encoding, line ends, and whether (1) all fields are quoted.
SAVED: dict[str, tuple[str, str, str, Literal[0, 1]]] = {
    "LibreOffice": (",", "utf-8", "\n", 0),
    "LibreOffice, all text quoted": (";", "utf-8", "\n", 1),
    "Excel, CSV UTF-8": (";", "utf-8-sig", "\r\n", 0),
    "Excel, Unicode text": ("\t", "utf-16", "\r\n", 0),
}


@pytest.mark.parametrize("program", SAVED)
def test_predictions_corrected_in_a_spreadsheet_are_labels(prefix, folder, tmp_path, capsys, program):
    """An added column, corrected texts, a rejected text filled in, a comma in numbers."""
    out = tmp_path / "out.csv"
    assert main(["--prefix", prefix, "--out", str(out), str(folder)]) == 0
    rows = rows_of(out)
    rows[1] |= {"text": "", "status": "rejected"}
    rows[2] |= {"text": "", "status": "rejected"}
    corrected = ["Gew\xe4sser; 1, 2", "\u0142\xf3d\u017a", None, *[row["text"] for row in rows[3:]]]
    delimiter, encoding, end, quoting = SAVED[program]
    with (tmp_path / "saved.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerow([*rows[0], "checked by"])
        for row, text in zip(rows, corrected, strict=True):
            row |= {"text": text or "", "confidence": row["confidence"].replace(".", ",")}  # as in German
            writer.writerow([*row.values(), "me" if text else ""])
    samples, problems = read_source(tmp_path / "saved.csv")
    assert problems == []
    assert [each.label for each in samples] == [each for each in corrected if each is not None]
    assert data(["check", str(tmp_path / "saved.csv")]) == 0
    printed = capsys.readouterr().out
    assert "skipped: 1 rejected" in printed
    assert "samples: 69 valid, 0 invalid" in printed
    assert "\u017a 1" in printed


def test_texts_beside_the_images_are_a_source(half_rejected, folder, tmp_path, capsys):
    flags, predictions, rejected = half_rejected
    (folder / "70.png").write_text("no image")
    assert main([*flags, "--txt", str(folder)]) == 1
    assert capsys.readouterr().out == ""
    given = {Path(path).stem: each.text for (path, each), low in zip(predictions, rejected, strict=True) if not low}
    assert {path.stem: path.read_bytes().decode() for path in folder.glob("*.txt")} == {
        name: f"{text}\n" for name, text in given.items()
    }
    assert {Path(each.image).stem: each.label for each in read_source(folder)[0]} == given
    assert not list(folder.glob(".*"))

    first = folder / f"{next(iter(given))}.txt"
    first.write_text("corrected")
    assert main([*flags, "--txt", str(folder)]) == 2
    assert f".txt: exists already, and {len(given) - 1} more, beside the images" in capsys.readouterr().err
    assert first.read_text() == "corrected"
    assert main([*flags, "--txt", "--overwrite", "--min_confidence", "1", str(folder / first.stem) + ".png"]) == 0
    assert not first.exists()  # rejected now
    assert main([*flags, "--txt", "--overwrite", str(folder)]) == 1
    assert first.read_text() == f"{given[first.stem]}\n"


def test_two_images_do_not_share_a_text(prefix, folder, capsys):
    (folder / "00.jpg").write_bytes((folder / "00.png").read_bytes())
    (folder / "x.txt").write_bytes((folder / "00.png").read_bytes())
    assert main(["--prefix", prefix, "--txt", str(folder)]) == 2
    assert f"00.txt: would be the text of {folder / '00.jpg'} and of {folder / '00.png'}" in capsys.readouterr().err
    assert main(["--prefix", prefix, "--txt", "--overwrite", str(folder / "x.txt")]) == 2
    assert "x.txt: an image of this name cannot have a .txt file beside it" in capsys.readouterr().err
    assert (folder / "x.txt").read_bytes() == (folder / "00.png").read_bytes()


def test_an_image_that_is_named_twice_has_one_text(prefix, folder, tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("image\nimages/00.png\nimages/01.png\nimages/../images/00.png\nimages/00.png\n")
    assert main(["--prefix", prefix, "--csv", str(table), "--txt", "--out", str(tmp_path / "out.csv")]) == 0
    assert sorted(path.name for path in folder.glob("*.txt")) == ["00.txt", "01.txt"]
    first, _, *others = rows_of(tmp_path / "out.csv")
    assert [row["text"] for row in others] == [first["text"]] * 2
    assert (folder / "00.txt").read_text(encoding="utf-8") == f"{first['text']}\n"


def test_a_list_of_images_in_another_column_and_encoding(tmp_path):
    for content, options in (
        ("nr;Datei;text\n1;\xe9.png;x\n", {"encoding": "cp1252"}),
        ("nr,a,b\n1,\xe9.png,x.png\n", {"image_column": "A"}),
        ("1,x.png,\xe9.png\n", {"image_column": "3"}),
    ):
        encoding = options.get("encoding", "utf-8")
        (tmp_path / "list.csv").write_bytes(content.encode(encoding))
        listed = read_image_list(tmp_path / "list.csv", SourceOptions(**options))  # type: ignore[arg-type]
        assert [(each.name, each.problem) for each in listed] == [("\xe9.png", "")]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").touch()
    (tmp_path / "list.csv").write_text("sub\\a.png\nsub\\b.png\n")
    found, missing = read_image_list(tmp_path / "list.csv")
    assert (found.name, found.path, found.problem) == ("sub\\a.png", tmp_path / "sub" / "a.png", "")
    assert missing.problem == f"no such file: sub\\b.png; tried also {tmp_path / 'sub' / 'b.png'}"
