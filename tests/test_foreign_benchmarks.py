"""Benchmarks on captchas of other generators: drawing, splitting, resuming and the table.

The generators are installed from registries, which tests do not reach. In their place stand drivers, and a package of
the same name as one of PyPI, whose images our own renderer drew.
"""

import csv
import sys
from pathlib import Path

import pytest

from benchmarks.foreign import audit, curve, make, measure, results, runs, unlabelled
from benchmarks.foreign.environments import TO_INSTALL, Driver
from benchmarks.foreign.generators import DEVELOPMENT, GENERATORS, HELD_OUT, Generator, chosen
from benchmarks.foreign.images import read_rows, write_images, write_rows
from benchmarks.foreign.planting import plant
from benchmarks.foreign.splits import FILES, write_splits
from benchmarks.foreign.without_labels import accuracies
from ctc_ocr.cli import generate
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.images.files import read_image
from tests.commands import run_here
from tests.models import save_own_model

COUNT = 30
FIVE = Generator("five", "PyPI", ("none==0",), "none", "23456789", (5, 5), None, False, "our own", "development")
# Copies the captchas of a folder one after the other, the first one twice, and says their texts.
COPYING = """
import csv, shutil, sys
rows = list(csv.reader(open(f"{folder}/labels.csv")))[1:]
for path, (image, label) in zip(sys.stdin, [rows[0], *rows]):
    shutil.copy(f"{folder}/{image}", path.strip())
    print(label, flush=True)
print("no more", file=sys.stderr)
"""
# The part of the package easy-captcha-python that the driver calls.
PACKAGE = """
import csv, pathlib
from PIL import Image
rows = iter(list(csv.reader(open(FOLDER + "/labels.csv")))[1:])
class SpecCaptcha:
    def out(self, stream):
        image, self.label = next(rows)
        Image.open(pathlib.Path(FOLDER, image)).save(stream, "JPEG")
        return True
    def text(self):
        return self.label
"""


@pytest.fixture(scope="module")
def captchas(tmp_path_factory, ubuntu_font):
    """A folder of captchas with digits from 2 on, as our renderer draws them."""
    folder = tmp_path_factory.mktemp("captchas")
    done = run_here(generate.main, folder, ubuntu_font, f"--count={COUNT}", "--output_dir=all", "--seed=3",
                    "--alphabet=23456789", "--min_length=5", "--max_length=5")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "all"


def driver(code, folder=""):
    return Driver((sys.executable, "-c", f"folder = {str(folder)!r}\n{code}"), {})


def test_drawn_images_are_a_labelled_folder_without_those_that_repeat(tmp_path, captchas):
    write_images(FIVE, driver(COPYING, captchas), tmp_path / "all", 20, seed=0)
    assert read_rows(tmp_path / "all" / "labels.csv") == [
        (f"{index:05}.png", label) for index, (_, label) in enumerate(read_rows(captchas / "labels.csv")[:20])
    ]
    assert {path.name for path in (tmp_path / "all").iterdir()} == {
        "labels.csv", *(f"{index:05}.png" for index in range(20))
    }  # fmt: skip
    source = read_rows(captchas / "labels.csv")[7][0]
    assert (read_image(tmp_path / "all" / "00007.png") == read_image(captchas / source)).all()


@pytest.mark.parametrize(
    ("code", "count", "reason"),
    [
        (COPYING, COUNT + 1, "its driver ended: no more"),
        ("import sys; sys.exit('broken package')", 1, "its driver ended: broken package"),
        ("import time; time.sleep(60)", 1, "no image within 1 seconds"),
        ("input(); print(234, flush=True); input()", 1, "said '234' and drew no image"),
        ("open(input(), 'w').write('text'); print(234, flush=True); input()", 1, "said '234' and drew no image"),
        (COPYING.replace("print(label", "print(label[1:]"), 1, "is not 5 to 5 of 23456789"),
        (COPYING.replace("print(label", "print('0' + label[1:]"), 1, "is not 5 to 5 of 23456789"),
        (COPYING.replace("[rows[0], *rows]", "rows[:1] * 1000"), 2, "draws the same images again and again: 1"),
    ],
)
def test_a_generator_that_fails_says_why_and_leaves_no_folder(tmp_path, captchas, code, count, reason):
    # Only the sleeping one waits for the end of its second; a slow start of Python is no failure of the others.
    seconds = 1 if "sleep" in code else 60
    with pytest.raises(RunError, match=reason):
        write_images(FIVE, driver(code, captchas), tmp_path / "all", count, seed=0, seconds=seconds)
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize(
    ("count", "parts"), [(25, (15, 5, 5)), (2500, (1500, 500, 500)), (3000, (1500, 500, 1000)), (7, (4, 1, 2))]
)
def test_parts_share_no_image_and_are_all_images(tmp_path, count, parts):
    (tmp_path / "all").mkdir()
    rows = [(f"{index:05}.png", str(index)) for index in range(count)]
    write_rows(tmp_path / "all" / "labels.csv", [("image", "label"), *rows])
    write_splits(tmp_path)
    train, test, unlabelled = (read_rows(tmp_path / name) for name in FILES)
    assert (len(train), len(test), len(unlabelled)) == parts
    assert train[0] == ("all/00000.png", "0")
    assert test[-1] == (f"all/{count - 1:05}.png", str(count - 1))
    assert sorted(row[0] for row in train + test + unlabelled) == [f"all/{image}" for image, _ in rows]
    assert {len(row) for row in unlabelled} == {1}


@pytest.fixture
def environments(tmp_path, captchas):
    """Environments that need no registry: one of a package with our captchas, and one whose Python ends at once."""
    for name, python in (
        ("easy-captcha-python", f"PYTHONPATH='{tmp_path}/package' exec '{sys.executable}' \"$@\""),
        ("gvcode", "echo no such package >&2; exit 1"),
    ):
        binaries = tmp_path / "made" / "environments" / name / "venv" / "bin"
        binaries.mkdir(parents=True)
        (binaries / "python").write_text(f"#!/bin/sh\n{python}\n")
        (binaries / "python").chmod(0o755)
        (binaries.parents[1] / "finished").touch()
    (tmp_path / "package" / "easy_captcha").mkdir(parents=True)
    code = PACKAGE.replace("FOLDER", repr(str(captchas)))
    (tmp_path / "package" / "easy_captcha" / "__init__.py").write_text(code)


def test_make_goes_on_after_a_failure_and_makes_nothing_twice(tmp_path, environments, captchas):
    command = ("made", "--only", "gvcode", "easy-captcha-python", "--count=25")
    done = run_here(make.main, tmp_path, *command)
    assert done.returncode == 1
    assert done.stderr.startswith("gvcode: failed: its driver ended: no such package")
    assert done.stdout == "easy-captcha-python: made\n"
    own = tmp_path / "made" / "easy-captcha-python"
    assert len(read_rows(own / "train.csv")) == 15
    image = own / read_rows(own / "train.csv")[0][0]
    assert image.read_bytes().startswith(b"\x89PNG")  # the package gave JPEG
    before = image.stat().st_mtime_ns
    (own / "unlabelled.csv").unlink()
    assert run_here(make.main, tmp_path, *command).stdout == "easy-captcha-python: made\n"
    assert run_here(make.main, tmp_path, *command).stdout == "easy-captcha-python: is there\n"
    assert image.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "reason"), [(("--count=4",), "--count: 5 or more"), (("--only", "x"), "unknown generator 'x'")]
)
def test_bad_arguments_of_make_end_with_2(tmp_path, arguments, reason):
    done = run_here(make.main, tmp_path, "made", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert not (tmp_path / "made").exists()


def test_generators_are_chosen_by_name_and_by_part():
    assert chosen(["development"]) == list(DEVELOPMENT)
    assert chosen(["held_out", "svg-captcha"]) == [GENERATORS["svg-captcha"], *HELD_OUT]
    assert len(chosen(["all", "gvcode"])) == len(GENERATORS) == len(DEVELOPMENT) + len(HELD_OUT)
    with pytest.raises(InputError, match="unknown generator 'captcha'; accepted: all, development"):
        chosen(["captcha"])


def test_every_generator_has_its_version_and_its_part():
    for generator in GENERATORS.values():
        assert any(mark in generator.packages[0][1:] for mark in ("==", "@", "=")), generator.name
        assert generator in (DEVELOPMENT if generator.part == "development" else HELD_OUT)
        assert len(set(generator.alphabet)) == len(generator.alphabet)


def row(generator, labels=100, seed=0, accuracy=0.5, init_from="default"):
    return results.Row(generator, labels, seed, init_from, accuracy, 0.25, 1.5, 7, "abc123")


def test_rows_are_read_as_they_were_added(tmp_path):
    rows = [row("a"), row("b, c", 500, 2, 1 / 3, "models/ocr")]
    for each in rows:
        results.append(tmp_path / "rows.csv", each)
    assert results.read(tmp_path / "rows.csv") == rows
    assert results.read(tmp_path / "none.csv") == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("image,label\n", "rows.csv: expected the columns generator"),
        (",".join(results.COLUMNS) + "\na,x,0,none,1,0,1,1,c\n", "rows.csv: row 2: invalid literal"),
        (",".join(results.COLUMNS) + "\na,1\n", "rows.csv: row 2: "),
    ],
)
def test_a_file_of_something_else_is_an_error(tmp_path, text, where):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        results.read(tmp_path / "rows.csv")
    assert where in str(caught.value)


def test_the_table_has_means_over_seeds_then_mean_and_minimum_over_generators():
    rows = [row("a", seed=0, accuracy=0.5), row("a", seed=1, accuracy=0.7), row("b", accuracy=0.2)]
    rows += [row("a", 500, accuracy=0.9), row("b", 0, accuracy=0.1, init_from="digits")]
    assert results.summary(rows).splitlines() == [
        "| generator | untrained, from digits | 100 labels | 500 labels |",
        "| --- | --- | --- | --- |",
        "| a | - | 0.600 | 0.900 |",
        "| b | 0.100 | 0.200 | - |",
        "| **mean** | 0.100 | 0.400 | 0.900 |",
        "| **minimum** | 0.100 | 0.200 | 0.900 |",
    ]


def test_fewer_labels_of_a_seed_are_among_its_more(tmp_path):
    write_rows(tmp_path / "train.csv", [("image", "label"), *((f"all/{index}.png", str(index)) for index in range(50))])
    found = {}
    for count, seed in ((10, 0), (30, 0), (10, 1)):
        runs.write_subset(tmp_path / "train.csv", tmp_path / "some.csv", count, seed)
        found[count, seed] = read_rows(tmp_path / "some.csv")
    assert found[30, 0][:10] == found[10, 0] != found[10, 1]
    assert len(set(found[30, 0])) == 30
    assert all(image == f"{tmp_path}/all/{label}.png" for image, label in found[30, 0])
    with pytest.raises(InputError, match="has 50 images, fewer than 51"):
        runs.write_subset(tmp_path / "train.csv", tmp_path / "some.csv", 51, 0)


@pytest.fixture
def made(tmp_path, environments):
    run_here(make.main, tmp_path, "made", "--only", "easy-captcha-python", "--count=25")
    return tmp_path


ONE = ("made", "--generators", "easy-captcha-python", "--out=rows.csv")


def test_finished_runs_are_skipped_and_a_failed_one_stops_nothing(made):
    for labels, accuracy in ((10, 0.25), (20, 0.75)):
        results.append(made / "rows.csv", row("easy-captcha-python", labels, 0, accuracy))
    written = (made / "rows.csv").read_bytes()
    done = run_here(measure.main, made, *ONE, "--labels", "10", "16", "20", "--seeds", "0")
    assert done.returncode == 1
    assert "16 labels, seed 0, default: failed: " in done.stderr
    assert "train.csv: has 15 images, fewer than 16" in done.stderr
    assert "| easy-captcha-python | 0.250 | 0.750 |" in done.stdout
    assert (made / "rows.csv").read_bytes() == written
    assert run_here(measure.main, made, *ONE, "--labels", "10", "20", "--seeds", "0").returncode == 0


def test_a_model_is_tested_as_it_is_and_labels_it_does_not_know_count(made):
    (made / "some").mkdir()
    save_own_model(str(made / "some" / "model"), "23")
    command = (*ONE, "--init_from", "some/model", "--model_only")
    done = run_here(measure.main, made, *command)
    assert done.returncode == 0, done.stderr
    (found,) = results.read(made / "rows.csv")
    assert (found.generator, found.labels, found.epoch, found.accuracy) == ("easy-captcha-python", 0, 0, 0.0)
    assert "| easy-captcha-python | 0.000 |" in done.stdout
    assert len(list((made / "rows-runs").glob("easy-captcha-python-*/report.json"))) == 1
    with (made / "made" / "easy-captcha-python" / "test.csv").open() as file:
        assert any(set(each["label"]) - set("23") for each in csv.DictReader(file))
    assert run_here(measure.main, made, *command).returncode == 0
    assert len(results.read(made / "rows.csv")) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--model_only",), "--model_only needs a model"),
        (("--generators", "captcha"), "unknown generator 'captcha'"),
        (("--generators", "gvcode"), "no images of gvcode: run benchmarks.foreign.make first"),
        (("--labels", "1", "100"), "--labels: 2 or more"),
        (("--out", "nowhere/rows.csv"), "nowhere/rows.csv: --out: its folder does not exist"),
    ],
)
def test_bad_arguments_end_with_2_before_anything_runs(made, arguments, reason):
    done = run_here(measure.main, made, *ONE, *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert not (made / "rows.csv").exists()


@pytest.mark.long
def test_a_run_trains_with_the_defaults_and_adds_its_row(made):
    done = run_here(measure.main, made, *ONE, "--labels", "15", "--seeds", "0")
    assert done.returncode == 0, done.stderr
    (found,) = results.read(made / "rows.csv")
    assert found.run == ("easy-captcha-python", 15, 0, "default")
    assert found.minutes > 0
    assert found.epoch > 0
    assert 0 <= found.accuracy <= 1


def test_planted_labels_are_of_three_kinds_and_all_others_stay():
    labels = [f"{number:04}" for number in range(500)]
    wrong, planted = plant(labels, 20, seed=1)
    assert planted == [index for index, (one, other) in enumerate(zip(labels, wrong, strict=True)) if one != other]
    assert len(planted) == 20
    missing = [index for index in planted if len(wrong[index]) == 3]
    swapped = [index for index in planted if wrong[index] in {labels[other] for other in planted} - {labels[index]}]
    assert len(missing) in (6, 7)
    assert len(swapped) >= 6
    assert plant(labels, 20, seed=1) == (wrong, planted)
    assert plant(labels, 20, seed=2)[1] != planted


def test_planted_images_are_those_of_the_file(made, monkeypatch):
    source = made / "made" / "easy-captcha-python" / "train.csv"
    planted = audit.write_planted(source, made / "some.csv", 15, seed=0)
    assert planted == set()  # 2 % of 15 are less than a half
    right = {str((source.parent / image).resolve()): label for image, label in read_rows(source)}
    monkeypatch.setattr(audit, "WRONG", 0.4)
    planted = audit.write_planted(source, made / "some.csv", 15, seed=0)
    changed = {image for image, label in read_rows(made / "some.csv") if right[image] != label}
    assert (planted, len(planted)) == (changed, 6)


def test_finished_audits_and_curves_are_skipped_and_shown(made):
    known = ("easy-captcha-python", 100, 0, "some/model")
    results.append(made / "audit.csv", audit.Row(*known, 20, 18, 19, 40, 3.5, "", "abc"))
    results.append(made / "curve.csv", curve.Row(*known, 200, 0.97, 0.94, 0.99, 0.965, 3.5, "--num_epoch 2", "abc"))
    common = ("made", "--generators", "easy-captcha-python", "--seeds", "0", "--init_from", "some/model")
    done = run_here(audit.main, made, *common, "--labels", "100", "--out", "audit.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| easy-captcha-python | 1 | 20 | 0.900 | 0.950 | 40 |" in done.stdout
    done = run_here(curve.main, made, *common, "--labels", "100", "--target", "200", "--out", "curve.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| easy-captcha-python | 0 | 100 to 200 | 0.970 | 0.940 to 0.990 | 0.965 |" in done.stdout
    results.append(made / "more.csv", unlabelled.Row(*known[:3], 900, 0.7, 0.9, 1.5, 4.5, "", "abc"))
    done = run_here(unlabelled.main, made, *common[:-2], "--labels", "100", "--out", "more.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| easy-captcha-python | 0 | 100 | 900 | 0.700 | 0.900 |" in done.stdout
    failed = run_here(audit.main, made, *common, "--labels", "60", "--out", "audit.csv")
    assert failed.returncode == 1
    assert "train.csv: has 15 images, fewer than 60" in failed.stderr


def test_unlabelled_images_are_none_of_the_labelled_ones(made):
    source = made / "made" / "easy-captcha-python" / "train.csv"
    unlabelled.copy_others(source, made / "others", skip=10, count=5, seed=0)
    runs.write_subset(source, made / "some.csv", 10, seed=0)
    labelled = {Path(image).name for image, _ in read_rows(made / "some.csv")}
    copied = {path.name for path in (made / "others").iterdir()}
    assert len(copied) == 5
    assert not labelled & copied
    with pytest.raises(InputError, match="has 15 images, fewer than 10 \\+ 6"):
        unlabelled.copy_others(source, made / "others", skip=10, count=6, seed=0)


@pytest.mark.parametrize(
    ("main", "arguments", "reason"),
    [
        (audit.main, ("--labels", "10"), "--labels: 50 or more"),
        (curve.main, ("--labels", "10", "--target", "10"), "--target: expected more than 10, the --labels"),
    ],
)
def test_bad_numbers_of_labels_are_refused(made, main, arguments, reason):
    done = run_here(main, made, *ONE, "--init_from", "model", *arguments)
    assert done.returncode == 2
    assert reason in done.stderr


def test_readings_without_labels_are_compared_exactly_and_in_any_case() -> None:
    assert accuracies(["aB1", "AB1", "x"], ["aB1", "ab1", "y"]) == (1 / 3, 2 / 3)


def test_debian_packages_are_fetched_in_their_new_version() -> None:
    simulated = (
        "Reading package lists...\n"
        "Inst perl-base [5.36.0-7+deb12u2] (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64]) []\n"
        "Inst libgd-perl (2.76-4+deb12u1 Debian:12.12/oldstable [amd64])\n"
        "Conf libgd-perl (2.76-4+deb12u1 Debian:12.12/oldstable [amd64])\n"
    )
    assert TO_INSTALL.findall(simulated) == [
        ("perl-base", "5.36.0-7+deb12u4"),
        ("libgd-perl", "2.76-4+deb12u1"),
    ]
