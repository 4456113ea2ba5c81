"""ctc-ocr data: check, split, pack and preview, and what they refuse."""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli.data import main, parser
from ctc_ocr.cli.generate import main as generate
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.images.contact_sheet import BACKGROUND, contact_sheet
from ctc_ocr.rendering.fonts import find_fonts

ROOT = Path(__file__).resolve().parent.parent


def run(*argv: object) -> int:
    """The exit status of a command line."""
    try:
        return main([str(each) for each in argv])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1


def picture(path: Path, level: int, width: int = 40) -> Path:
    image = np.full((12, width), 255, np.uint8)
    image[3:9, 3:-3] = level
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 images of 4 works, all different: work2_13.png is labelled by its text file."""
    for number in range(40):
        path = picture(tmp_path / "lines" / f"work{number % 4}_{number:02}.png", number)
        path.with_suffix(".txt").write_text(f"l{number % 7} {number}\n")
    return tmp_path / "lines"


def labels(table: Path) -> dict[str, str]:
    samples, problems = read_source(table)
    assert problems == []
    assert all(Path(sample.image).is_file() for sample in samples)
    return {Path(sample.image).name: sample.label for sample in samples}


def parts(folder: Path) -> dict[str, dict[str, str]]:
    return {path.stem: labels(path) for path in folder.glob("*.csv")}


def test_check_of_a_good_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder) == 0
    output = capsys.readouterr()
    assert output.err == ""
    for line in (
        "samples: 40 valid, 0 invalid (0.00%)",
        "alphabet: 12 units",
        "        4       10 ###",
        "widths: 40 (0%)",
    ):
        assert line in output.out
    assert "invalid:" not in output.out


def test_check_lists_each_invalid_sample_in_text_and_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "work0_00.png").write_bytes(b"")
    (folder / "work1_01.txt").unlink()
    assert run("check", folder) == 1
    said = capsys.readouterr().out
    assert f"  {folder}/work0_00.png: the file is empty\n" in said + "\n"
    assert f"  {folder}/work1_01.png: there is no work1_01.txt beside it\n" in said + "\n"
    assert run("check", folder, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["samples"], report["invalid"], report["alphabet"]["l"]) == (38, 2, 38)
    assert {Path(each["where"]).name for each in report["invalid_samples"]} == {"work0_00.png", "work1_01.png"}
    assert report["labels"].startswith("the .txt files")
    assert report["notes"] == []


def test_check_with_alphabet_length_and_network(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lookup = folder.parent / "lookup.json"
    assert run("check", folder, "--write_lookup", lookup) == 0
    assert run("check", folder, "--lookup", lookup) == 0
    assert run("check", folder, "--write_lookup", lookup) == 2
    assert "already" in capsys.readouterr().err
    lookup.write_text(json.dumps({unit: code for code, unit in enumerate("l012345678 ")}))
    (folder.parent / "more.json").write_text('{"9": 0}')
    assert run("check", folder, "--lookup", lookup) == 1
    said = capsys.readouterr().out
    assert "not in the alphabet: '9'" in said
    assert said.count("not in the alphabet") == 4
    assert run("check", folder, "--lookup", lookup, folder.parent / "more.json") == 0
    assert [run("check", folder, "--alphabet", characters) for characters in ("0123456789l ", "01234567l ")] == [0, 1]
    assert "not in the alphabet: '8'" in capsys.readouterr().out
    assert run("check", folder, "--max_units", 4) == 1
    assert capsys.readouterr().out.count("5 units; the maximum is 4") == 30
    config = folder.parent / "config.json"
    for width, status in ((8, 0), (4, 1)):
        config.write_text(json.dumps({"data": {"width": width, "min_length": 1, "max_length": 2}}))
        assert run("check", folder, "--config", config) == status
    assert "needs 5 time steps (5 units), and the network makes 4" in capsys.readouterr().out


def test_a_lookup_is_extended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = folder.parent / "old.json", folder.parent / "new.json"
    old.write_text(json.dumps({"9": 1, "x": 2, "l": 3}))
    assert run("check", folder, "--lookup", old, "--write_lookup", new) == 0
    assert f"Wrote 13 units to {new}, 10 of them new" in capsys.readouterr().out
    expected = {unit: code for code, unit in enumerate("9xl 012345678", start=1)}
    assert json.loads(new.read_text()) == expected
    assert run("check", folder, "--alphabet", "9xl", "--write_lookup", new, "--overwrite", "--json") == 0
    assert json.loads(capsys.readouterr().out)["invalid"] == 0
    assert json.loads(new.read_text()) == expected
    assert run("check", folder, "--lookup", new, "--write_lookup", new, "--overwrite") == 0
    assert ", 0 of them new" in capsys.readouterr().out
    assert run("check", folder, "--lookup", old) == 1
    for flags, complaint in (
        (("--only_alphabet",), "--only_alphabet: has no effect with --write_lookup"),
        (("--strip_accents",), "--write_lookup: keeps the codes of the given alphabet"),
    ):
        old.write_text(json.dumps({"e": 1, "\u00e9": 2}))
        capsys.readouterr()
        assert run("check", folder, "--lookup", old, "--write_lookup", new, "--overwrite", *flags) == 2
        assert complaint in capsys.readouterr().err
    assert json.loads(new.read_text()) == expected


def test_only_samples_of_the_alphabet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--alphabet", "l 01234567", "--only_alphabet")  # of 40 labels, 8 have an 8 or a 9
    kept = {path.name: path.with_suffix(".txt").read_text().rstrip() for path in folder.glob("*.png")}
    kept = {name: label for name, label in kept.items() if not set(label) & set("89")}
    assert len(kept) == 32
    assert run("check", folder, "--alphabet", "l 01234567") == 1
    assert "samples: 32 valid, 8 invalid" in capsys.readouterr().out
    assert run("check", folder, *flags) == 0
    said = capsys.readouterr().out
    assert "samples: 32 valid, 0 invalid" in said
    assert "skipped: 8 samples with units that are not in the alphabet" in said
    assert run("check", folder, *flags, "--json") == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 8
    assert run("split", folder, folder.parent / "out", *flags, "--max_units", 4) == 0
    said_by_split = capsys.readouterr()
    assert "skipped: 8 samples" in said_by_split.out
    assert "5 units; the maximum is 4" in said_by_split.err
    short = {name: label for name, label in kept.items() if len(label) <= 4}
    found = parts(folder.parent / "out")
    assert {**found["train"], **found["validation"], **found["test"]} == short
    assert run("pack", folder, folder.parent / "set", *flags) == 0
    said_by_pack = capsys.readouterr()
    assert ("skipped: 8 samples" in said_by_pack.out, said_by_pack.err) == (True, "")
    assert sorted(sample.label for sample in read_source(folder.parent / "set.rec")[0]) == sorted(kept.values())
    assert run("check", folder, "--only_alphabet") == 2
    assert "--only_alphabet: has no effect without --lookup or --alphabet" in capsys.readouterr().err
    assert run("split", folder, folder.parent / "none", "--alphabet", "x", "--only_alphabet") == 1
    assert "none of its 40 samples is valid; 40 have units that are not in the alphabet" in capsys.readouterr().err


def test_accents_are_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder / "set.csv"
    labels = ["\u00e9\u00f8", "e\u0301", "\u1ebf\uac00", "\u0301"]
    table.write_text("".join(f"work{n % 4}_{n:02}.png,{label}\n" for n, label in enumerate(labels)), encoding="utf-8")
    assert run("check", table, "--strip_accents", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["alphabet"] == {"e": 3, "\u00f8": 1, "\uac00": 1}
    assert report["labels"].endswith("; accents removed")
    assert [each["reason"] for each in report["invalid_samples"]] == ["the label is empty"]
    table.write_text("work0_00.png;|\u00e9a|e\u0301|\n", encoding="utf-8")
    flags = ("--strip_accents", "--unicode_form", "NFD", "--alphabet")
    lookup = folder.parent / "lookup.json"
    lookup.write_text(json.dumps({"\u00e9a": 1, "\u00e9": 2}))
    assert run("check", table, "--strip_accents", "--lookup", lookup, "--json") == 0
    assert json.loads(capsys.readouterr().out)["alphabet"] == {"ea": 1, "e": 1}
    table.write_text("work0_00.png,\u00e9\uac00\n", encoding="utf-8")
    assert run("check", table, *flags, "\u00e9\uac00", "--json") == 0
    assert json.loads(capsys.readouterr().out)["alphabet"] == {"e": 1, "\u1100": 1, "\u1161": 1}


def test_source_options_reach_the_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder, "--pattern", "^work(?P<label>.)_", "--json") == 0
    assert json.loads(capsys.readouterr().out)["alphabet"] == {"0": 10, "1": 10, "2": 10, "3": 10}
    table = folder / "set.csv"
    table.write_text("work0_00.png\t+A\u030a+b+\n")
    arguments = ("check", table, "--delimiter", r"\t", "--splitter", "+", "--json")
    assert run(*arguments) == 0
    assert json.loads(capsys.readouterr().out)["alphabet"] == {"A\u030a": 1, "b": 1}
    assert run(*arguments, "--unicode_form", "NFC") == 0
    assert json.loads(capsys.readouterr().out)["alphabet"] == {"\u00c5": 1, "b": 1}


def test_split_by_fractions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "out" / "first"
    assert run("split", folder, out, "--fractions", "0.7,0.2,0.1") == 0
    assert f"train: 28 samples, {out}/train.csv" in capsys.readouterr().out
    found = parts(out)
    assert {name: len(part) for name, part in found.items()} == {"train": 28, "validation": 8, "test": 4}
    assert {**found["train"], **found["validation"], **found["test"]} == {
        path.name: path.with_suffix(".txt").read_text().rstrip("\n") for path in folder.glob("*.png")
    }
    for seed, same in ((0, True), (1, False)):
        again = folder.parent / f"seed{seed}"
        assert run("split", folder, again, "--fractions", "0.7,0.2,0.1", "--seed", seed) == 0
        assert (parts(again) == found) == same


def test_split_overwrites_only_with_the_flag(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "out"
    assert run("split", folder, out) == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert run("split", folder, out, "--seed", 1) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert run("split", folder, out, "--fractions", "0.5,0.5,0", "--overwrite") == 0
    assert sorted(path.name for path in out.iterdir()) == ["train.csv", "validation.csv"]
    assert "test: 0 samples, no file" in capsys.readouterr().out


def test_an_empty_part_that_was_wanted_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = folder.parent / "few"
    few.mkdir()
    for path in sorted(folder.glob("*.png"))[:4]:
        for each in (path, path.with_suffix(".txt")):
            shutil.copy(each, few / each.name)
    assert run("split", few, folder.parent / "parts") == 0
    said = capsys.readouterr()
    assert "test: 0 samples, no file" in said.out
    assert said.err == (
        "ctc-ocr data split: the test part is empty: for a fraction of 0.1 there are too few samples, or too many that "
        "stay together; use other --fractions, or --counts\n"
    )
    for flags in (("--fractions", "0.75,0.25,0"), ("--counts", "3,1,0"), ("--counts", "2,1,1")):
        assert run("split", few, folder.parent / "parts", *flags, "--overwrite") == 0
        assert capsys.readouterr().err == ""


def test_shares_is_the_old_name_of_fractions(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, flag in enumerate(("--shares", "--fractions")):
        assert run("split", folder, folder.parent / str(number), flag, "0.5,0.5,0") == 0
    assert parts(folder.parent / "0") == parts(folder.parent / "1")
    assert run("split", "--help") == 0
    assert "--shares" not in capsys.readouterr().out


def test_split_by_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("split", folder, folder.parent / "out", "--counts", "20,5,3") == 0
    assert {name: len(part) for name, part in parts(folder.parent / "out").items()} == {
        "train": 20, "validation": 5, "test": 3
    }  # fmt: skip
    assert "in no part: 12 samples" in capsys.readouterr().out


def test_split_by_groups(folder: Path) -> None:
    assert run("split", folder, folder.parent / "out", "--group", "^(.*)_", "--fractions", "0.5,0.25,0.25") == 0
    works = [{name[:5] for name in part} for part in parts(folder.parent / "out").values()]
    assert sorted(map(len, works)) == [1, 1, 2]
    assert len(set.union(*works)) == 4


def test_split_with_named_groups_splits_the_others_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "work3_03.png", folder / "work0_99.png")
    (folder / "work0_99.txt").write_text("copy")
    out = folder.parent / "out"
    arguments = ("--group", r"(?P<group>work\d)", "--test_groups", "work1,work3", "--fractions", "0.9,0.1,0")
    assert run("split", folder, out, *arguments) == 0
    found = parts(out)
    assert {name[:5] for name in found["test"]} == {"work1", "work3"}
    assert {name: len(part) for name, part in found.items()} == {"train": 19, "validation": 2, "test": 20}
    said = capsys.readouterr()
    assert "duplicates: 2 images, not all in one part" in said.out
    assert f"{folder}/work0_99.png = {folder}/work3_03.png" in said.err


def test_duplicates_stay_in_one_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        picture(tmp_path / "set" / f"{number}_1.png", number // 3)
    assert run("split", tmp_path / "set", tmp_path / "out", "--fractions", "0.4,0.3,0.3") == 0
    assert "duplicates: 30 images, kept together" in capsys.readouterr().out
    found = [{int(name.split("_")[0]) // 3 for name in part} for part in parts(tmp_path / "out").values()]
    assert sum(map(len, found)) == len(set.union(*found)) == 10


def test_a_split_keeps_units_of_several_characters(tmp_path: Path) -> None:
    rows = ["|ch|a|", "|a|,|", '|"|;|'] * 10
    for number in range(30):
        picture(tmp_path / f"{number}.png", number)
    lines = [f'{number}.png;"{row.replace(chr(34), chr(34) * 2)}"\n' for number, row in enumerate(rows)]
    (tmp_path / "set.csv").write_text("".join(lines))
    assert run("split", tmp_path / "set.csv", tmp_path / "out") == 0
    before = {Path(sample.image).name: sample.units for sample in read_source(tmp_path / "set.csv")[0]}
    after = [
        sample for part in ("train", "validation", "test") for sample in read_source(tmp_path / f"out/{part}.csv")[0]
    ]
    assert {Path(sample.image).name: sample.units for sample in after} == before
    assert len(after) == 30


def test_invalid_samples_are_left_out_and_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "work0_00.png").write_bytes(b"no image")
    for arguments in (("split", folder, folder.parent / "out"), ("pack", folder, folder.parent / "set")):
        assert run(*arguments) == 0
        assert f"invalid: {folder}/work0_00.png: not an image" in capsys.readouterr().err
    assert sum(map(len, parts(folder.parent / "out").values())) == 39
    assert len(read_source(folder.parent / "set.rec")[0]) == 39
    for path in folder.glob("*.png"):
        path.write_bytes(b"")
    assert run("split", folder, folder.parent / "none") == 1
    error = capsys.readouterr().err
    assert f"none of its 40 samples is valid; the first: {folder}/work0_00.png: the file is empty" in error


def test_pack_contains_the_same_samples(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "packs" / "set.rec"
    assert run("pack", folder, out) == 0
    assert f"Packed 40 images in {out}" in capsys.readouterr().out
    samples, packed = read_source(folder)[0], read_source(out)[0]
    assert [sample.units for sample in packed] == [sample.units for sample in samples]
    assert [sample.read_bytes() for sample in packed] == [sample.read_bytes() for sample in samples]
    assert run("check", out) == 0
    assert run("pack", folder, out) == 2
    lookup = folder.parent / "few.json"
    lookup.write_text(json.dumps({unit: code for code, unit in enumerate(" l0123456")}))
    assert run("pack", out, out, "--overwrite", "--lookup", lookup, "--max_units", 4) == 0
    assert "not in the alphabet: '7'" in capsys.readouterr().err
    assert sorted(sample.label for sample in read_source(out)[0]) == [f"l{number} {number}" for number in range(7)]
    assert sorted(path.name for path in out.parent.iterdir()) == ["set.idx", "set.json", "set.rec"]
    assert run("split", out, folder.parent / "out") == 2
    assert "split what it was made of" in capsys.readouterr().err


def test_preview_shows_images_and_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder.parent / "config.json"
    config.write_text(json.dumps({"data": {"height": 20, "width": 100, "keep_ratio": True}}))
    out = folder.parent / "sheets" / "plain.png"
    assert run("preview", folder, out, "--count", 7, "--config", config, "--preset", "lstm") == 0
    assert f"Wrote 7 images to {out}" in capsys.readouterr().out
    sheet = np.asarray(Image.open(out))
    count, _, stats, _ = cv2.connectedComponentsWithStats((sheet == 255).all(axis=2).astype(np.uint8))
    papers = stats[1:][stats[1:, cv2.CC_STAT_HEIGHT] == 20]
    assert (len(papers), set(papers[:, cv2.CC_STAT_WIDTH])) == (7, {67})  # 40 x 12 at a height of 20
    levels = {int(sheet[top + 10, left + 30, 0]) for left, top, *_ in papers}
    assert len(levels) == 7  # each image once
    texts = sheet[papers[0][1] + 20 : papers[0][1] + 40]
    assert (texts == 0).any()
    assert run("preview", folder, out) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_preview_is_changed_by_augmentation_and_seed(folder: Path) -> None:
    pictures = []
    for number, (settings, seed) in enumerate([({}, 0), ({"augment": True, "max_noise": 20.0}, 0), ({}, 1), ({}, 0)]):
        config, out = folder.parent / "config.json", folder.parent / f"{number}.png"
        config.write_text(json.dumps({"augmentation": settings}))
        assert run("preview", folder, out, "--count", 3, "--seed", seed, "--config", config) == 0
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[3]
    assert len(set(pictures)) == 3


def test_preview_shows_what_training_without_more_options_sees(folder: Path) -> None:
    pictures = []
    for number, flags in enumerate(([], ["--preset", "word"], ["--augment", "false"], ["--normalise", "fixed"])):
        assert run("preview", folder, folder.parent / f"{number}.png", "--count", 3, *flags) == 0
        pictures.append((folder.parent / f"{number}.png").read_bytes())
    assert pictures[0] == pictures[1]
    assert len(set(pictures)) == 3


def test_a_disk_that_is_full_leaves_the_old_files(folder: Path, tmp_path: Path) -> None:
    old = {name: tmp_path / name for name in ("lookup.json", "sheet.png")}
    for path in old.values():
        path.write_text("old")
    for arguments in (["check", folder, "--write_lookup", old["lookup.json"]], ["preview", folder, old["sheet.png"]]):
        command = [sys.executable, "-m", "ctc_ocr", "data", *map(str, arguments), "--overwrite"]
        limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", *command]
        done = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1
        assert "cannot be written: File too large" in done.stderr
        assert "Traceback" not in done.stderr
    assert {path.read_text() for path in old.values()} == {"old"}
    assert {path.name for path in tmp_path.iterdir()} == {*old, "lines"}


def test_split_by_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.iterdir()):
        (folder / path.name[:5]).mkdir(exist_ok=True)
        path.rename(folder / path.name[:5] / path.name[6:])
    out = folder.parent / "parts"
    assert run("split", folder, out, "--group", "([^/]*)/[^/]*$", "--fractions", "0.5,0.25,0.25") == 0
    for part, count in (("train", 2), ("validation", 1), ("test", 1)):
        images = [Path(row.split(",")[0]) for row in (out / f"{part}.csv").read_text().splitlines()[1:]]
        assert len({image.parent for image in images}) == count
        assert len(images) == 10 * count


def test_split_does_not_replace_its_own_source(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "parts"
    assert run("split", folder, out) == 0
    before = (out / "train.csv").read_text()
    assert run("split", out / "train.csv", out, "--overwrite") == 2
    assert "would be replaced by a part of itself" in capsys.readouterr().err
    assert (out / "train.csv").read_text() == before


def test_preview_of_fewer_images_than_asked_for_and_of_bad_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "set" / "12_1.png", 0)
    (tmp_path / "set" / "3_1.png").write_bytes(b"")
    assert run("preview", tmp_path / "set", tmp_path / "p.png", "--count", 5) == 0
    said = capsys.readouterr()
    assert "Wrote 5 images" in said.out
    assert "3_1.png: the file is empty" in said.err
    assert run("preview", tmp_path / "set", tmp_path / "p.jpg") == 2
    (tmp_path / "set" / "12_1.png").write_bytes(b"")
    assert run("preview", tmp_path / "set", tmp_path / "q.png") == 1


def test_preview_tells_first_what_its_flags_cause(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "work0_00.png").write_bytes(b"")
    assert run("preview", folder, folder.parent / "p.png", "--count", 40, "--width", 8) == 1
    said = capsys.readouterr().err
    assert "none of its 40 samples is valid; the first: " in said
    assert "the label is too long for its image" in said
    assert "the file is empty" not in said


def test_contact_sheet_takes_the_font_that_has_the_label(ubuntu_font: str) -> None:
    droid = find_fonts(None)[0]
    grey, colour = np.zeros((10, 20), np.uint8), np.full((30, 50, 3), (255, 0, 0), np.uint8)
    sheet = np.asarray(contact_sheet([grey, colour], ["a", "b"], [droid]))
    assert (sheet[0, 0].tolist(), sheet[8, 8].tolist()) == (list(BACKGROUND), [0, 0, 0])
    assert (sheet == (255, 0, 0)).all(axis=2).sum() == 30 * 50
    # U+E0FF: a sign of their own that the Ubuntu fonts have in the area for private use.
    first, second = (np.asarray(contact_sheet([grey], ["\ue0ff"], fonts)) for fonts in ([droid], [droid, ubuntu_font]))
    assert first.shape != second.shape or not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "usage: ctc-ocr data COMMAND"),
        (
            ("chek",),
            "no command 'chek'; expected one of check, split, pack, preview, audit, curve, correct, cut, pages, fetch; "
            "did you m",
        ),
        (("check",), "required: SOURCE"),
        (("check", "nowhere"), "nowhere: No such file"),
        (("check", "lines", "--delimiter", ","), "has no effect on"),
        (("check", "lines", "--pattern", "("), "not a regular expression"),
        (("check", "lines", "--lookup", "none.json"), "none.json: No such file"),
        (("check", "lines", "--config", "none.json"), "none.json"),
        (("check", "lines", "--unicode_form", "NFX"), "invalid choice"),
        (("check", "lines", "--unknown"), "unrecognized arguments: --unknown"),
        (("split", "lines", "out", "--fractions", "0.5,0.5"), "expected 3 fractions"),
        (("split", "lines", "out", "--fractions", "0.5,0.5,0.5"), "the sum 1"),
        (("split", "lines", "out", "--fractions", "nan,0.5,0.5"), "expected 3 fractions"),
        (("split", "lines", "out", "--counts", "1,2"), "expected 3 numbers"),
        (("split", "lines", "out", "--counts", "39,2,0"), "there are 40 valid samples"),
        (("split", "lines", "out", "--counts", "1,2,3", "--fractions", "1,0,0"), "not allowed with"),
        (("split", "lines", "out", "--counts", "1,2,3", "--group", "(.)"), "use --fractions"),
        (("split", "lines", "out", "--test_groups", "a"), "need --group"),
        (("split", "lines", "out", "--group", "work"), "needs a group"),
        (("split", "lines", "out", "--group", "(x)"), "does not match the name of"),
        (("split", "lines", "out", "--group", "(work.)", "--test_groups", "work9"), "in the group work9"),
        (
            ("split", "lines", "out", "--group", "(work.)", "--test_groups", "work1", "--validation_groups", "work1"),
            "in --validation_groups and in --test_groups",
        ),
        (
            ("split", "lines", "out", "--group", "(work.)", "--test_groups", "work1", "--fractions", "0,0,1"),
            "nothing is left for",
        ),
        (("split", "lines", "lookup.json/out"), "not a folder"),
        (("pack", "lines", "lookup.json/out"), "not a folder"),
        (("preview", "lines", "p.png", "--count", "0"), "less than 1"),
        (("preview", "lines", "p.png", "--font", "none.ttf"), "none.ttf"),
    ],
)
def test_what_is_refused(
    folder: Path, arguments: tuple[str, ...], complaint: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(folder.parent)
    Path("lookup.json").write_text("{}")
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert (said.out, "Traceback" in said.err) == ("", False)
    assert sorted(path.name for path in Path().iterdir()) in (["lines", "lookup.json"], ["lines", "lookup.json", "out"])
    assert not list(Path().glob("out/*"))


def test_the_commands_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fonts_folder: Path) -> None:
    page = (fonts_folder.parent / "docs" / "reference" / "data_formats.md").read_text(encoding="utf-8")
    lines = [line[2:] for line in page.splitlines() if line.startswith("$ ")]
    assert len(lines) > 10
    (tmp_path / "fonts").symlink_to(fonts_folder)
    monkeypatch.chdir(tmp_path)
    for line in lines:
        name, *arguments = shlex.split(line)
        command, *arguments = arguments
        assert name == "ctc-ocr"
        assert (generate(arguments) if command == "generate" else run(*arguments)) == 0, line
    assert len(parts(Path("works"))["test"]) == 20


def test_options_that_the_docs_list_exist() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "reference" / "data_formats.md").read_text(
        encoding="utf-8"
    )
    commands = next(action for action in parser()._actions if isinstance(action.choices, dict)).choices
    assert isinstance(commands, dict)
    flags = {
        name: {
            flag
            for flag, action in command._option_string_actions.items()
            if action.help != argparse.SUPPRESS and flag.startswith("--")
        }
        for name, command in commands.items()
    }
    named = set(re.findall(r"`(--\w+)", page))
    assert named - set.union(*flags.values()) == set()
    assert flags["split"] - named <= {"--help", "--overwrite", "--seed", "--import"}
