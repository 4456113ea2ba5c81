"""Cross-validation, audits and learning curves with real, small trainings."""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from ctc_ocr import Hyperparameters, InputError, LabelledImages, RunOptions
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.known_images import KnownImages, save_known_images
from ctc_ocr.cli import data, data_audit, train
from ctc_ocr.cli.generate import main as generate
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.experiments.audit import chain_that_has_seen, settings_of, unseen_start
from ctc_ocr.experiments.cross_validation import cross_validate
from ctc_ocr.experiments.label_readings import read_labelled
from ctc_ocr.experiments.trial import Experiment
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.advice import without_advice
from ctc_ocr.training.results import TrainingResult, log_advice
from tests.commands import Done, run_here
from tests.models import save_line_model
from tests.test_train_labelled_cli import SMALL
from tests.training_runs import epoch_end

LEARNING = ("--num_epoch=4", "--schedule=cosine", "--learning_rate=0.01", "--augment=false")
QUICK = ("--num_epoch=1", "--samples_per_epoch=64", "--augment=false")
WRONG = {3: "ab", 17: "bca", 40: "cc"}  # {index: label that is planted}

pytestmark = pytest.mark.xdist_group("experiments")  # one process trains the model of all


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    """Two folders of captchas, `one` with planted wrong labels, and a model under `model` of the other one."""
    made = tmp_path_factory.mktemp("experiments")
    for name, seed, count in (("one", 3, 64), ("other", 4, 96)):
        arguments = [f"--count={count}", "--alphabet=abc", "--min_length=2", "--max_length=3", f"--seed={seed}"]
        assert generate([*arguments, "--num_proc=1", "--output_dir", str(made / name), ubuntu_font]) == 0
    labels = made / "one" / "labels.csv"
    rows = list(csv.reader(labels.read_text().splitlines()))
    for index, label in WRONG.items():
        assert rows[index + 1][1] != label
        rows[index + 1][1] = label
    labels.write_text("".join(f"{image},{label}\n" for image, label in rows))
    done = run_here(train.main, made, *SMALL, *LEARNING, "--data=other", "--prefix=model")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which is empty."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def planted(paths: list[str]) -> set[int]:
    return {index for index in WRONG if any(path.endswith(f"{index:06}.png") for path in paths)}


def audited(folder: Path, *arguments: str) -> Done:
    return run_here(data.main, folder, "audit", *arguments, "--cpu=1", "--num_proc=1")


def few_epochs(folder: Path, number: int) -> Hyperparameters:
    """To go on from the model without forgetting what it has learned."""
    settings = Predictor(folder / "model").hyperparameters
    return replace(settings, training=replace(settings.training, num_epoch=number, learning_rate=0.001))


def test_train_folds_prints_a_table_and_leaves_nothing(folder: Path, tmp_path: Path, temporary: Path) -> None:
    done = run_here(train.main, tmp_path, *SMALL, *QUICK, f"--data={folder / 'one'}", "--folds=2")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["fold", "trained", "on", "read", "accuracy", "CER"]
    assert [line[:3] for line in lines[1:3]] == [["1", "32", "32"], ["2", "32", "32"]]
    accuracies = [float(line[3]) for line in lines[1:3]]
    assert float(lines[3][1]) == pytest.approx(sum(accuracies) / 2, abs=1e-4)
    assert lines[4][:2] == ["standard", "deviation"]
    assert "held-out images" in done.stderr
    assert "_part" not in done.stderr
    assert done.stderr.count(f"{folder / 'one'}:\n") == 3  # all images, and those of each training
    assert done.stderr.count("; 32 of 64 images\n") == 2
    assert "ctc-ocr infer" not in done.stderr
    assert "--resume" not in done.stderr
    assert sorted(tmp_path.iterdir()) == [temporary]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--folds=2",), "--folds: has no effect without --data"),
        (("--data=one", "--folds=1"), "--folds: 1 is less than 2"),
        (("--data=one", "--folds=65"), "--folds: expected 2 to 64, the number of different images, got 65"),
        *(
            (("--data=one", "--folds=2", flag), "has no effect with --folds, which leaves no model")
            for flag in ("--resume", "--overwrite", "--prefix=x", "--overfit_batch", "--print_network", "--keep=2",
                         "--tensorboard")
        ),
    ],
)  # fmt: skip
def test_flags_without_effect_on_folds_are_refused(folder: Path, arguments: tuple[str, ...], reason: str) -> None:
    done = run_here(train.main, folder, *SMALL, *arguments)
    assert done.returncode == 2
    assert reason in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_an_image_is_read_by_a_network_that_has_not_seen_it(
    folder: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also of a pack, whose images are not files: the readings are in the order of the source."""
    pack_source(folder / "one", temporary.parent / "pack")
    done = cross_validate(
        temporary.parent / "pack.rec",
        2,
        few_epochs(folder, 4),
        RunOptions(cpu=1, num_proc=1, init_from=folder / "model"),
    )
    result = check_source(folder / "one")
    assert [each.label for each in done.readings] == [each.sample.label for each in result.samples]
    assert [each.num_trained + each.num_read for each in done.folds] == [64, 64]
    assert {each.fold for each in done.readings} == {1, 2}
    assert "has seen" not in caplog.text
    # The wrong labels are not read by anybody who has not learned them by heart.
    assert done.accuracy.mean >= 0.8
    assert {index for index, each in enumerate(done.readings) if not each.correct} >= set(WRONG)
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_start_that_has_seen_the_images_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture, temporary: Path
) -> None:
    options = RunOptions(cpu=1, num_proc=1, init_from=folder / "model")
    cross_validate(folder / "other", 2, few_epochs(folder, 1), options)
    assert "model has seen 96 of the images: the figures are too good" in caplog.text


def test_a_training_that_fails_leaves_nothing(folder: Path, temporary: Path) -> None:
    with pytest.raises(InputError, match="no model under this prefix"):
        cross_validate(folder / "one", 2, options=RunOptions(cpu=1, num_proc=1, init_from=temporary / "none"))
    assert list(temporary.iterdir()) == []


def test_a_model_of_other_images_reads_them_itself(folder: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "suspects.csv", tmp_path / "sheet.png"
    done = audited(folder, "model", "one", f"--out={out}", f"--sheet={sheet}", "--top=4")
    assert done.returncode == 0, done.stderr
    assert "64 images read by the model: " in done.stdout
    assert "Epoch" not in done.stderr
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert planted([row["image"] for row in rows[:4]]) == set(WRONG)
    assert all((tmp_path / row["image"]).exists() for row in rows)
    assert all(float(row["score"]) > 0 and row["accept"] == "" and row["label"] != row["suggestion"] for row in rows)
    assert sheet.stat().st_size > 1000
    assert re.search(r"^1 +one/0000\d\d.png +[abc]+ +[abc]+ +\d+\.\d$", done.stdout, re.MULTILINE)
    assert audited(folder, "model", "one", f"--out={out}").returncode == 2


def unread(folder: Path, *arguments: str) -> int:
    """The exit status of a command whose output nobody reads, as after `| head`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "ctc_ocr", *arguments, "--cpu=1", "--num_proc=1"]
        return subprocess.run(command, cwd=folder, stdout=writer, stderr=subprocess.DEVNULL, timeout=240).returncode
    finally:
        os.close(writer)


def test_suspects_are_written_before_they_are_printed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "suspects.csv"
    unread(folder, "data", "audit", "model", "one", f"--out={out}")
    assert len(out.read_text().splitlines()) > len(WRONG)


@pytest.mark.slow
def test_a_report_of_a_curve_is_written_before_it_is_printed(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "curve.json"
    unread(folder, "data", "curve", "one", "--folds=2", *SMALL, *QUICK, f"--report={report}")
    assert json.loads(report.read_text())["expected"]


@pytest.mark.slow
def test_a_model_that_has_seen_some_images_only_says_how_to_train(folder: Path, tmp_path: Path) -> None:
    """It knows the images of `other`: folds are trained, of its own kind of network."""
    rows = [f"{each.sample.image},{each.sample.label}" for each in check_source(folder / "one").samples]
    rows += [f"{each.sample.image},{each.sample.label}" for each in check_source(folder / "other").samples[:8]]
    (tmp_path / "all.csv").write_text("\n".join(["image,label", *rows]) + "\n")
    out = tmp_path / "suspects.csv"
    done = audited(folder, "model", str(tmp_path / "all.csv"), "--folds=2", f"--out={out}")
    assert done.returncode == 0, done.stderr
    assert "72 images read by networks of 2 folds" in done.stdout
    assert done.stderr.count("Epoch 4: ") == 2
    assert "starter model" not in done.stderr  # from nothing, as the model: the starter is not looked at
    with out.open(newline="") as file:
        first = [row["image"] for row in csv.DictReader(file)][:6]
    assert len(planted(first)) >= 2


def test_parts_have_no_images_that_are_only_trained_on_and_resume_has_no_effect(folder: Path) -> None:
    """They could be those of the part that is read."""
    images = LabelledImages(folder / "one", training_only=(str(folder / "one"),))
    with pytest.raises(InputError, match="training_only: cannot be used here"):
        cross_validate(images, 2)
    options = RunOptions(prefix=str(folder / "model"), resume=True, overwrite=True, init_from="none")
    experiment = Experiment.of(folder / "one", options=options)
    assert (experiment.options.resume, experiment.options.overwrite) == (False, False)


@pytest.mark.slow
def test_images_that_choose_the_epoch_are_not_divided(folder: Path) -> None:
    images = LabelledImages(folder / "one", validation=str(folder / "one"))
    with pytest.raises(InputError, match=r"validation: \d+ of these images are also among those to be read"):
        Experiment.of(images)
    apart = Experiment.of(LabelledImages(folder / "one", validation=str(folder / "other")))
    assert set("".join(each.sample.label for each in apart.checked.samples)) <= set(apart.alphabet.units)


def test_a_run_of_generated_images_hides_nothing_that_the_run_before_it_has_seen(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("model*"):
        if path.is_file():
            os.link(path, tmp_path / path.name)
            if path.suffix != ".csv":  # a run of generated images has no list of them
                os.link(path, tmp_path / path.name.replace("model", "generated"))
    description = tmp_path / "generated.json"
    content = json.loads(description.read_text()) | {"init_from": "model-0004.params"}
    description.unlink()
    description.write_text(json.dumps(content))
    own, others = (check_source(folder / name).digests for name in ("one", "other"))
    generated = find_model(tmp_path / "generated")
    assert unseen_start(chain_that_has_seen(generated, others)) is None
    start = unseen_start(chain_that_has_seen(generated, own))
    assert start is not None
    assert start.resolve() == tmp_path / f"generated-{generated.epoch:04}.params"


@pytest.mark.parametrize("kind", ["labelled", "generated"])
def test_an_audit_keeps_the_height_of_its_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Small text would get more: but no layer fits another height."""
    for path in folder.glob("model*"):
        if path.is_file() and (kind == "labelled" or "images.csv" not in path.name):
            os.link(path, tmp_path / path.name)
    chosen = list[tuple[str, ...] | None]()

    def seen(model: object, data: LabelledImages, *others: object) -> None:
        chosen.append(None if data.choose is None else tuple(data.choose))
        raise InputError("enough")

    monkeypatch.setattr(data_audit, "audit_labels", seen)
    assert audited(folder, str(tmp_path / "model"), "one").returncode == 2
    (names,) = chosen
    assert names is not None
    assert "height" not in names
    assert ("width" in names) == (kind == "generated")


def test_an_audit_trains_as_the_model_was_trained(folder: Path) -> None:
    settings = json.loads(json.dumps(settings_of(folder / "model")))  # with lists, as in the file
    of_model = json.loads((folder / "model.json").read_text())["hyperparameters"]
    assert of_model["training"].pop("workers") == 1  # it is found anew on the machine of the audit
    assert settings == of_model


@pytest.mark.slow
def test_a_model_of_generated_images_is_the_start_of_each_fold(folder: Path, tmp_path: Path) -> None:
    """Its run tells of no labelled images."""
    for path in folder.glob("model*"):
        if path.is_file() and "images.csv" not in path.name:
            os.link(path, tmp_path / path.name)
    done = audited(
        folder,
        str(tmp_path / "model"),
        "one",
        "--folds=2",
        "--num_epoch=1",
        "--samples_per_epoch=64",
        "--learning_rate=0",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Starting from ") == 2
    first = [line.split()[0] for line in done.stdout.splitlines() if line.strip().startswith(("1 ", "2 ", "3 "))]
    assert first == ["1", "2", "3"]
    assert "networks of 2 folds" in done.stdout


@pytest.mark.slow
def test_a_model_names_its_start_and_folds_begin_with_the_first_that_has_not_seen_the_images(
    folder: Path, tmp_path: Path
) -> None:
    """Also after it was resumed. Without the start, nothing is left to begin with."""
    for path in folder.glob("model*"):
        if path.is_file():
            os.link(path, tmp_path / path.name)
    command = (*SMALL, "--augment=false", f"--data={folder / 'one'}", "--prefix=runs/next")
    assert run_here(train.main, tmp_path, *command, "--num_epoch=1", "--init_from=model").returncode == 0
    best = find_model(tmp_path / "model").epoch
    for _ in range(2):
        assert json.loads((tmp_path / "runs" / "next.json").read_text())["init_from"] == f"../model-{best:04}.params"
        done = run_here(train.main, tmp_path, *command, "--num_epoch=2", "--resume")
        assert done.returncode == 0, done.stderr
    own, others = (check_source(folder / name).digests for name in ("one", "other"))
    model = find_model(tmp_path / "runs" / "next")
    start = unseen_start(chain_that_has_seen(model, own))
    assert start is not None
    assert start.resolve() == tmp_path / f"model-{best:04}.params"
    assert unseen_start(chain_that_has_seen(model, [bytes(16)])) == tmp_path / "runs" / f"next-{model.epoch:04}.params"
    assert unseen_start(chain_that_has_seen(model, others)) is None
    (tmp_path / f"model-{best:04}.params").unlink()
    assert unseen_start(chain_that_has_seen(model, own)) is None


def test_an_audit_by_a_model_that_cannot_read_says_so(folder: Path, tmp_path: Path) -> None:
    """One with random weights, that was trained on another image."""
    save_line_model(str(tmp_path / "random"), alphabet="abc")
    save_known_images(tmp_path / "random", KnownImages.of([bytes(16)], []))
    done = audited(folder, str(tmp_path / "random"), "one")
    assert done.returncode == 0, done.stderr
    assert "64 images read by the model: " in done.stdout
    assert "Fewer than half were read as labelled" in done.stdout


def test_labels_outside_the_alphabet_are_impossible(folder: Path, tmp_path: Path) -> None:
    image = folder / "one" / "000000.png"
    (tmp_path / "labels.csv").write_text(f"image,label\n{image},a~\n")
    predictor = Predictor(folder / "model")
    (found,) = read_labelled(predictor, [each.sample for each in check_source(tmp_path / "labels.csv").samples])
    assert found.label_log_probability == float("-inf")
    assert found.margin == float("inf")


@pytest.mark.slow
def test_the_curve_says_what_more_labels_give(folder: Path, tmp_path: Path, temporary: Path) -> None:
    report = tmp_path / "curve.json"
    done = run_here(data.main, folder, "curve", "one", "--folds=2", *SMALL, *QUICK, f"--init_from={folder / 'model'}",
                    "--more", "100", f"--report={report}")  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [["4", "4"], ["8", "4"], ["16", "2"], ["32", "2"]]
    assert re.fullmatch(r"With all 64 labels you would read about [\d.]+ % \([\d.]+ to [\d.]+ %\)", lines[5])
    assert lines[6].startswith("With 100 more you would read about ")
    told = json.loads(report.read_text())
    assert [each["labels"] for each in told["expected"]] == [64, 164]
    assert len(told["trainings"]) == 12
    assert list(temporary.iterdir()) == []


def test_too_few_images_for_a_curve_are_refused(folder: Path, tmp_path: Path) -> None:
    images = [f"{folder / 'one' / f'{index:06}.png'},ab" for index in range(40)]
    (tmp_path / "few.csv").write_text("\n".join(["image,label", *images]) + "\n")
    done = run_here(data.main, folder, "curve", str(tmp_path / "few.csv"), *SMALL)
    assert done.returncode == 2
    assert (
        "too few images: an eighth of the 26 that a fold leaves is less than 4; expected about 48 or more"
        in done.stderr
    )


def test_the_log_of_a_trial_does_not_say_how_to_use_its_model(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ctc_ocr")
    result = TrainingResult("gone", finished=True, best_epoch=1, newest_epoch=1, history=(epoch_end().row,))
    with without_advice():
        log_advice(result)
    assert caplog.messages == []
    log_advice(result)
    assert caplog.messages == [
        "Best epoch: 1, newest: 1. To read images with the best: ctc-ocr infer --model gone IMAGE"
    ]
    log_advice(TrainingResult("gone", finished=False))
    assert len(caplog.messages) == 1
