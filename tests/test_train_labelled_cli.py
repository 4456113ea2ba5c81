"""Training on labelled images through the command line: small runs."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.checkpoint.calibration_file import has_been_chosen
from ctc_ocr.checkpoint.history import rank
from ctc_ocr.checkpoint.history import read as read_history
from ctc_ocr.cli.generate import main as generate
from ctc_ocr.cli.train import main as train
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.run_lock import locked_prefix
from tests.commands import Done, run_here

# A network that learns 40 captchas in seconds.
SMALL = (
    "--preset=word", "--height=16", "--width=64", "--features=8,16", "--kernels=3,3", "--strides=1,1",
    "--pool_heights=2,2", "--pool_widths=2,1", "--num_hidden=24", "--dropout=0", "--batch_size=8", "--warmup_updates=0",
    "--cpu=1", "--num_proc=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, fonts_folder: Path) -> Path:
    """40 captchas of two or three of the characters abc."""
    folder = tmp_path_factory.mktemp("photos")
    arguments = ["--count=40", "--alphabet=abc", "--min_length=2", "--max_length=3", "--seed=3", "--num_proc=1"]
    assert generate([*arguments, "--output_dir", str(folder / "all"), str(fonts_folder / "Ubuntu-M.ttf")]) == 0
    return folder / "all"


def run(folder: Path, *arguments: str) -> Done:
    return run_here(train, folder, *SMALL, *arguments)


@pytest.mark.slow
def test_a_model_learns_labelled_images_and_says_what_they_are(tmp_path: Path, photos: Path) -> None:
    done = run(tmp_path, f"--data={photos}", f"--validation={photos}", "--num_epoch=4", "--learning_rate=0.01",
               "--augment=false", "--keep=2", "--tensorboard")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 images for training, 40 for validation; 3 units, labels of up to 3" in done.stderr
    assert "40 validation images are also training images" in done.stderr
    history = read_history(tmp_path / "ocr")
    assert [row.epoch for row in history] == [1, 2, 3, 4]
    assert history[-1].validation_accuracy >= 0.9
    assert len(list(tmp_path.glob("ocr-*.params"))) <= 3
    assert list((tmp_path / "ocr-tensorboard").iterdir())
    with (tmp_path / "ocr-validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    stored = json.loads((tmp_path / "ocr.json").read_text())
    assert stored["alphabet"] == {"a": 1, "b": 2, "c": 3}
    # What the trainer read, the predictor reads, with confidences that were looked at.
    labels = dict(csv.reader((photos / "labels.csv").read_text().splitlines()))
    paths = sorted(photos.glob("*.png"))
    predictor = Predictor(tmp_path / "ocr", "newest")
    assert has_been_chosen(tmp_path / "ocr", predictor.epoch)
    best = min(history, key=lambda row: rank(row.validation_cer, row.validation_loss))
    assert Predictor(tmp_path / "ocr").epoch == best.epoch
    readings = predictor.predict(paths)
    right = [reading.text == labels[path.name] for path, reading in zip(paths, readings, strict=True)]
    assert np.mean(right) == pytest.approx(history[-1].validation_accuracy)
    told = {Path(row["image"]).name: (row["label"], row["prediction"]) for row in rows}
    assert told == {path.name: (labels[path.name], each.text) for path, each in zip(paths, readings, strict=True)}


def test_invalid_samples_are_reported_and_too_many_refused(tmp_path: Path, photos: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "000003.png").write_bytes(b"no image")
    labels = (tmp_path / "photos" / "labels.csv").read_text().replace("000005.png,", "gone.png,")
    (tmp_path / "photos" / "labels.csv").write_text(labels)
    refused = run(tmp_path, "--data=photos", "--max_invalid=0.04")
    assert refused.returncode == 1
    assert "row 5: " in refused.stderr
    assert "gone.png: No such file" in refused.stderr
    assert "--max_invalid: photos: 5.0% of its samples are invalid, more than the accepted 4.0%\n" in refused.stderr
    assert not list(tmp_path.glob("ocr*"))
    done = run(tmp_path, "--data=photos", "--max_invalid=0.05", "--num_epoch=1")
    assert done.returncode == 0, done.stderr
    assert "31 images for training, 7 for validation" in done.stderr
    for line in (
        "samples: 38 valid, 2 invalid (5.00%)",
        "alphabet: 3 units, the most frequent first",
        "widths: 80 (0%)",
    ):
        assert line in done.stderr


def test_samples_outside_the_alphabet_are_skipped(tmp_path: Path, photos: Path) -> None:
    flags = (f"--data={photos}", "--alphabet=ab", "--num_epoch=1", "--max_invalid=0")
    refused = run(tmp_path, *flags)
    assert refused.returncode == 1
    assert "of its samples are invalid, more than the accepted 0.0%" in refused.stderr
    done = run(tmp_path, *flags, "--only_alphabet")
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader((photos / "labels.csv").read_text().splitlines()))[1:]
    count = sum("c" in label for _, label in rows)
    assert 0 < count < len(rows)
    assert f"samples: {len(rows) - count} valid, 0 invalid (0.00%)" in done.stderr
    assert f"skipped: {count} samples with units that are not in the alphabet" in done.stderr
    none = run(tmp_path, f"--data={photos}", "--alphabet=x", "--only_alphabet", "--prefix=none")
    assert (none.returncode, f"none of its {len(rows)} samples is valid" in none.stderr) == (1, True)
    assert run(tmp_path, f"--data={photos}", "--only_alphabet").returncode == 2


@pytest.mark.slow
def test_init_from_another_alphabet_and_resume(tmp_path: Path, photos: Path) -> None:
    first = run(tmp_path, f"--data={photos}", "--num_epoch=1", "--prefix=first")
    assert first.returncode == 0, first.stderr
    (tmp_path / "lookup.json").write_text(json.dumps({"z": 1, "a": 2, "b": 3, "c": 4}))
    tuned = run(tmp_path, f"--data={photos}", "--lookup", "lookup.json", "--num_epoch=1", "--init_from=first",
                "--prefix=tuned", "--learning_rate=1e-9")  # fmt: skip
    assert tuned.returncode == 0, tuned.stderr
    assert "Starting from first-0001.params: copied: conv0, conv1, l0_forward, l0_backward" in tuned.stderr
    assert "of pred_fc the blank and 3 of 4 units" in tuned.stderr
    resumed = run(tmp_path, f"--data={photos}", "--num_epoch=2", "--prefix=first", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "Epoch 2: " in resumed.stderr
    assert [row.epoch for row in read_history(tmp_path / "first")] == [1, 2]
    assert train(["--prefix", str(tmp_path / "first"), "--resume", "--num_epoch=2"]) == 2  # --data is forgotten
    for flags, status, said in (
        ([f"--validation={photos}"], 2, "the run has other images, or another split"),
        (["--seed=7"], 0, "The run ended after 2 epochs"),  # the split is the run's
        (["--validation_fraction=0.5"], 2, "the run was not begun with validation_fraction 0.5; leave it out"),
        (["--init_from=tuned"], 2, "--init_from: has no effect on a run that is resumed"),
        (["--config=first.json"], 0, "The run ended after 2 epochs"),
    ):
        again = run(tmp_path, f"--data={photos}", "--num_epoch=2", "--prefix=first", "--resume", *flags)
        assert (again.returncode, said in again.stderr) == (status, True), again.stderr
    assert "Calibrating" not in again.stderr
    (tmp_path / "first-calibration.json").unlink()  # as if it had been killed before
    again = run(tmp_path, f"--data={photos}", "--num_epoch=2", "--prefix=first", "--resume")
    assert "Calibrating on the validation images: epoch " in again.stderr
    assert has_been_chosen(tmp_path / "first", 2)


@pytest.mark.slow
def test_every_sources_form_gives_the_same_training_data(tmp_path: Path, photos: Path) -> None:
    """labels.csv, names and a pack of the same images: the same batches, and so the same weights."""
    labels = list(csv.reader((photos / "labels.csv").read_text().splitlines()))[1:]
    (tmp_path / "names").mkdir()
    for number, (name, label) in enumerate(labels):
        shutil.copy(photos / name, tmp_path / "names" / f"{number:04}-{label}.png")
    from ctc_ocr.cli.data import main as data

    assert data(["pack", str(photos), str(tmp_path / "pack")]) == 0
    sources = [[f"--data={photos}"], ["--data=names", r"--pattern=-(?P<label>\w+)$"], ["--data=pack.rec"]]
    weights = []
    for number, source in enumerate(sources):
        done = run(tmp_path, *source, "--num_epoch=1", f"--prefix=run{number}")
        assert done.returncode == 0, done.stderr
        weights.append((tmp_path / f"run{number}-0001.params").read_bytes())
    assert weights[0] == weights[1] == weights[2]


@pytest.mark.slow
def test_number_of_processes_changes_nothing(tmp_path: Path, photos: Path) -> None:
    for count in (1, 3):
        done = run(tmp_path, f"--data={photos}", "--num_epoch=2", f"--num_proc={count}", f"--prefix=run{count}")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run1-0002.params").read_bytes() == (tmp_path / "run3-0002.params").read_bytes()


@pytest.mark.slow
def test_print_network_and_the_network_and_alphabet_of_a_run(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(tmp_path, f"--data={photos}", "--print_network")
    assert done.returncode == 0, done.stderr
    assert "Convolution 3x3" in done.stdout
    assert "pred_fc" in done.stdout
    assert "parameters" in done.stdout
    assert not list(tmp_path.iterdir())
    small = ("--features=4,4", "--kernels=3,3", "--strides=1,1", "--pool_heights=2,2", "--pool_widths=2,1")
    shape = (f"--data={photos}", "--init_from=none", "--height=20", "--num_hidden=8", *small)
    printed = run(tmp_path, *shape, "--print_network").stdout
    assert run(tmp_path, *shape, "--num_epoch=1", "--prefix=run").returncode == 0
    of_run = run(tmp_path, f"--data={photos}", "--resume", "--prefix=run", "--print_network").stdout
    assert printed == of_run  # of a run that is resumed: its own network
    other = run(tmp_path, f"--data={photos}", "--resume", "--prefix=run", "--alphabet=xyz")
    assert other.returncode == 2
    assert other.stderr.splitlines()[-1].startswith(
        "ctc-ocr train: error: run: cannot resume: the run has another alphabet; --init_from run and another --prefix"
    )


def test_impossible_settings_are_refused(tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one").mkdir()
    Image.new("L", (40, 20), 200).save(tmp_path / "one" / "a_1.png")
    for arguments, status, said in (
        (["--data", str(photos), "some.ttf"], 2, "a font (some.ttf) and --data: images are either"),
        (["--lookup", "x.json"], 2, "--lookup: has no effect without --data"),
        ([str(photos)], 2, "expected a font, and these are images; to train on images, name them with --data"),
        ([str(photos / "labels.csv")], 2, "to train on images, name them with --data"),
        (["--data", str(photos), "--prefix", str(tmp_path)], 2, f"it is a folder; {tmp_path}/ocr would be in it"),
        (["--max_bad", "0.5"], 2, "--max_invalid: has no effect without --data"),
        (["--data", str(photos), "--validation_share=1"], 2, "expected a number between 0 and 1, both excluded"),
        (["--data", str(photos), "--print_network", "--tensorboard"], 2, "--tensorboard: has no effect with --print_"),
        (["--overfit_batch", "--overwrite"], 2, "--overwrite: has no effect with --overfit_batch"),
        (
            ["--preset", "word"],
            2,
            "keep_ratio, normalise image, augment, samples_per_epoch 0: for labelled images only",
        ),
        (["--channels=3", "--ink=auto"], 2, "channels 3, ink auto: for labelled images only"),
        (["--data", str(photos), "--renderer=fast"], 2, "--renderer: has no effect with --data"),
        (["--data", str(photos), "--alphabet=abc", "--lookup=x.json"], 2, "--lookup and --alphabet both set the"),
        (["--data", str(photos), "--alphabet=abb"], 2, "units of an alphabet must be distinct"),
        (["--data", str(photos), "--alphabet=ab"], 1, "of its samples are invalid, more than the accepted 10.0%"),
        (["--data", str(tmp_path / "none")], 2, "No such file"),
        (["--data", str(tmp_path / "one"), "--prefix", str(tmp_path / "x")], 1, "too few images to hold out any"),
        (["--data", str(photos), "--init_from", str(tmp_path / "no")], 2, "no model under this prefix"),
        (["--data", str(photos), "--preset=word", "--kernels=4,3,3,3,3"], 2, "--kernels: 4 is even"),
        (["--data", str(photos), "--preset=word", "--height=8"], 2, "too small for these convolutions. Width x height"),
    ):
        assert train(["--cpu=1", "--num_proc=1", *arguments]) == status, arguments
        assert said in capsys.readouterr().err


def test_a_folder_of_fonts_may_have_a_picture_in_it(tmp_path: Path, fonts_folder: Path) -> None:
    shutil.copy(fonts_folder / "Ubuntu-M.ttf", tmp_path)
    Image.new("L", (40, 20), 200).save(tmp_path / "sample.png")
    assert train([str(tmp_path), "--print_network", "--cpu=1", "--num_proc=1"]) == 0


@pytest.mark.slow
def test_resume_takes_the_settings_of_the_run(tmp_path: Path, photos: Path) -> None:
    first = run(tmp_path, f"--data={photos}", "--num_epoch=1", "--learning_rate=0.0123", "--keep=7", "--prefix=r")
    assert first.returncode == 0, first.stderr
    done = run_here(train, tmp_path, f"--data={photos}", "--prefix=r", "--resume", "--num_epoch=2")
    assert done.returncode == 0, done.stderr
    assert "Resuming with num_epoch=2; it was 1 before" in done.stderr
    assert done.stderr.count("Resuming with") == 1
    stored = json.loads((tmp_path / "r.json").read_text())["hyperparameters"]["training"]
    assert (stored["learning_rate"], stored["keep"], stored["num_epoch"]) == (0.0123, 7, 2)


@pytest.mark.slow
def test_two_runs_under_one_prefix_are_refused(tmp_path: Path, photos: Path) -> None:
    with locked_prefix(str(tmp_path / "." / "r")):
        refused = run(tmp_path, f"--data={photos}", "--num_epoch=1", "--prefix=r")
        assert refused.returncode == 1
        assert "r: another process is training under this prefix" in refused.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["r.lock"]
        assert run(tmp_path, f"--data={photos}", "--num_epoch=1", "--prefix=other").returncode == 0
    assert run(tmp_path, f"--data={photos}", "--num_epoch=1", "--prefix=r").returncode == 0


@pytest.mark.slow
def test_a_warning_about_ink_before_training(tmp_path: Path, photos: Path) -> None:
    flags = (f"--data={photos}", "--num_epoch=1", "--max_invalid=1")
    light = run(tmp_path, *flags, "--ink=light")
    assert "40 of 40 images seem to have dark ink on light paper: use --ink dark" in light.stderr
    dark = run(tmp_path, *flags, "--prefix=dark")
    assert "images that seem to have light ink on dark paper: 0" in dark.stderr
    assert "dark ink, the whole image; --crop, --ink would change it" in dark.stderr
    assert "use --ink" not in dark.stderr


@pytest.mark.parametrize("name", ["data", "validation", "config", "init_from"])
def test_a_name_that_is_empty_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        train([f"--{name}", ""])
    assert ended.value.code == 2
    assert f"--{name}: expected a name, got an empty one" in capsys.readouterr().err


def test_narrow_images_of_one_digit_can_be_trained_on(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(["--data", str(photos), "--width=24", "--max_units=3", "--print_network", "--cpu=1"]) == 0
    assert "pred_fc" in capsys.readouterr().out
