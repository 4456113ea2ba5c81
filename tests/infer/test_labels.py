"""Labels beside predictions: ctc-ocr infer --labels."""

import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.infer import main
from ctc_ocr.datasets.pack_writing import write_pack
from ctc_ocr.datasets.samples import Sample
from tests.infer.outputs import expected


def test_labels_are_printed_beside_the_predictions_of_their_images(prefix, folder, tmp_path, capsys):
    paths = sorted(folder.iterdir())
    read = [prediction.text for _, prediction in expected(prefix, folder)]
    rows = [f"{folder.name}/{path.name},{text}" for path, text in zip(paths, read, strict=True)]
    rows[0] = rows[0].rpartition(",")[0] + ",none of these"
    (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows[:-1]]) + "\n")
    assert main([str(folder), "--prefix", prefix, "--labels", str(tmp_path / "labels.csv")]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == f"{paths[0]}\t{read[0]}\tnone of these\tincorrect"
    assert lines[1] == f"{paths[1]}\t{read[1]}\t{read[1]}\tcorrect"
    assert lines[len(paths) - 1] == f"{paths[-1]}\t{read[-1]}"
    assert lines[-1].startswith(f"{len(paths) - 2} of {len(paths) - 1} correct (")
    assert f"labels.csv: no label for 1 image(s), the first is {paths[-1]}" in printed.err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("image,label\nimages/00.png\n", "row 2: expected 2 fields separated by ',', got 1"),
        ('image,label\nimages/00.png,"1\nimages/01.png,2\n', "row 2: bad quoting"),
        ("image,label\nimages/00.png,1\nb\0.png,2\n", "row 3: contains a NUL byte"),
    ],
)
def test_invalid_rows_of_labels_are_told_and_the_others_used(prefix, folder, tmp_path, capsys, text, complaint):
    (tmp_path / "labels.csv").write_text(text + "images/02.png,none of these\n")
    assert main([str(folder), "--prefix", prefix, "--labels", str(tmp_path / "labels.csv")]) == 1
    printed = capsys.readouterr()
    assert f"ctc-ocr infer: invalid: {tmp_path}/labels.csv, {complaint}" in printed.err
    assert printed.out.splitlines()[2].endswith("\tnone of these\tincorrect")


def test_labels_are_those_of_any_source(prefix, folder, tmp_path, capsys):
    """As evaluate takes them: names, .txt files, a table with other columns, options; a pack has no image files."""
    (folder / "sub").mkdir()
    for name, label in (("00.png", 7), ("01.png", 8)):
        (folder / name).rename(folder / "sub" / f"{label}_{name}")
    (tmp_path / "table.csv").write_bytes("sep=;\nnr;text;file\n1;\xe9;images\\sub\\7_00.png\n".encode("cp1252"))
    write_pack(tmp_path / "pack", [Sample(str(folder / "02.png"), ("1",), "")], Alphabet(("1",)))

    def labels(*arguments, status=0):
        assert main(["--prefix", prefix, str(folder / "sub"), "--labels", *map(str, arguments)]) == status
        return [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()[:2] if line.count("\t") == 3]

    assert labels(folder / "sub") == ["7", "8"]
    assert labels(folder / "sub", "--pattern", "_(.*)") == ["00", "01"]
    assert labels(tmp_path / "table.csv", "--encoding", "cp1252") == ["\xe9"]
    assert labels(tmp_path / "table.csv", "--encoding", "cp1252", "--label_column", "nr") == ["1"]
    assert main(["--prefix", prefix, str(folder / "sub"), "--labels", str(tmp_path / "table.csv")]) == 1
    assert "row 3: not UTF-8: 0xe9 at byte 3 of the row" in capsys.readouterr().err
    (folder / "sub" / "7_00.txt").write_text("x")
    assert labels(folder / "sub", status=1) == ["x"]
    assert main(["--prefix", prefix, str(folder / "sub"), "--labels", str(tmp_path / "pack.rec")]) == 2
    assert "pack.rec: its images are not files" in capsys.readouterr().err


def test_a_link_to_itself_cannot_be_read(prefix, folder, tmp_path, capsys):
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (tmp_path / "labels.csv").write_text("image,label\nimages/loop.png,1\n")
    arguments = ["--prefix", prefix, "--labels", str(tmp_path / "labels.csv"), str(folder / "loop.png")]
    assert main(arguments) == 1
    assert "loop.png: Too many levels of symbolic links" in capsys.readouterr().err
