"""What a run leaves beside its checkpoints: history, validation predictions, TensorBoard's files; what is removed."""

import csv
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.training.events import Callback, EpochEnd, Progress, Restarted, StateSaved, ValidationPrediction
from ctc_ocr.training.file_callbacks import History, Pruning, RemoveOldRun, ValidationPredictions
from ctc_ocr.training.resume import newest
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import RunOptions
from ctc_ocr.training.tensorboard import TensorBoard
from tests.models import chosen
from tests.training_runs import epoch_end, make_source, run, training


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_history_has_a_row_per_epoch_and_is_continued_by_a_resumed_run(source: GeneratedSource, tmp_path: Path) -> None:
    prefix = str(tmp_path / "ocr")
    settings = training(samples_per_epoch=16)
    _, events = run(settings, source, tmp_path / "ocr", callbacks=[History(prefix)])
    for file in tmp_path.glob("ocr-0002.*"):
        file.unlink()
    _, again = run(
        settings, source, tmp_path / "ocr", first=2, callbacks=[History(prefix, newest(prefix).state.history)]
    )
    ends = [event for event in [*events[:-1], *again] if isinstance(event, EpochEnd)]
    rows = history.read(prefix)
    assert [row.epoch for row in rows] == [1, 2] == [end.epoch + 1 for end in ends]
    assert [row.samples for row in rows] == [16, 32]
    for row, end in zip(rows, ends, strict=True):
        for name in history.COLUMNS[1:]:
            assert getattr(row, name) == getattr(end, name), name
    assert events[-1].validation_loss == again[-1].validation_loss


def test_the_best_epoch_is_that_of_the_history_that_is_still_there(tmp_path: Path) -> None:
    prefix = str(tmp_path / "ocr")
    assert run_files.best_epoch(prefix) is None
    write = History(prefix)
    for epoch, cer in enumerate([0.5, 0.1, 0.3, float("nan")]):
        write(epoch_end(epoch=epoch, cer=cer))
    assert run_files.best_epoch(prefix) is None  # without checkpoints
    for epoch in (1, 2, 3, 4):
        (tmp_path / f"ocr-{epoch:04d}.params").touch()
    assert run_files.best_epoch(prefix) == 2
    (tmp_path / "ocr-0002.params").unlink()
    assert run_files.best_epoch(prefix) == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not the history of a run"),
        ("a,b\n", "row 1: expected the columns epoch, samples, seconds"),
        (",".join(history.COLUMNS) + "\n1,2,3\n", "row 2: expected 11 numbers, got '1,2,3'"),
        (",".join(history.COLUMNS) + "\n1,2,3,4,5,6,7,8,9,x,11\n", "row 2: expected 11 numbers"),
        (",".join(history.COLUMNS) + "\n1,2,3,4,5,6,7,8,9,10,11,12\n", "row 2: expected 11 numbers"),
        ("\0\xff", "ocr-history.csv"),
    ],
)
def test_a_file_that_is_no_history_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "ocr-history.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"ocr-history\.csv") as error:
        history.read(tmp_path / "ocr")
    assert complaint in str(error.value)


def test_validation_predictions_are_written(source: GeneratedSource, tmp_path: Path) -> None:
    images = [f"folder/{number}.png" for number in range(16)]
    write = ValidationPredictions(str(tmp_path / "ocr"), images)
    _, events = run(training(samples_per_epoch=16), source, tmp_path / "ocr", callbacks=[write])
    with (tmp_path / "ocr-validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == images
    assert [(row["label"], row["prediction"]) for row in rows] == [(r.label, r.text) for r in events[-1].predictions]
    assert np.mean([int(row["correct"]) for row in rows]) == pytest.approx(events[-1].validation_accuracy)
    units = sum(len(row["label"]) for row in rows)
    assert sum(int(row["edits"]) for row in rows) / units == pytest.approx(events[-1].validation_cer)
    assert all((row["edits"] == "0") == (row["label"] == row["prediction"]) for row in rows)


def test_validation_predictions_of_any_text_and_file_name(tmp_path: Path) -> None:
    texts = ['a,"b"', "c\nd", "ß漢 "]
    files = ["a.png", "caf\udce9.png", "x"]
    predictions = tuple(ValidationPrediction(text, text, 0) for text in texts)
    ValidationPredictions(str(tmp_path / "ocr"), files)(replace(epoch_end(), predictions=predictions))
    written = tmp_path / "ocr-validation.csv"
    with written.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["image"]) for row in rows] == list(zip(texts, files, strict=True))
    with pytest.raises(RunError, match=r"ocr-validation\.csv: cannot be written"):
        ValidationPredictions(str(tmp_path / "missing" / "ocr"))(epoch_end())


def test_the_newest_checkpoints_and_the_best_are_kept(source: GeneratedSource, tmp_path: Path) -> None:
    prefix = str(tmp_path / "ocr")
    # The first stays the best.
    settings = training(num_epoch=5, samples_per_epoch=8, learning_rate=1e-20, schedule="constant")
    run(settings, source, tmp_path / "ocr", callbacks=[Pruning(prefix, keep=2)])
    kept = {f"ocr-000{epoch}.{kind}" for epoch in (1, 4, 5) for kind in ("params", "state.npz")}
    assert names(tmp_path) == {"ocr.json", "ocr-symbol.json", *kept}


def test_checkpoints_are_removed_when_the_next_is_written_and_not_before(
    source: GeneratedSource, tmp_path: Path
) -> None:
    seen = []

    def record(event: Any) -> None:
        seen.append((type(event).__name__, run_files.epochs(tmp_path / "ocr")))

    pruning = Pruning(str(tmp_path / "ocr"), keep=1)
    run(training(num_epoch=3), source, tmp_path / "ocr", callbacks=[record, pruning, record])
    assert [each for each in seen if each[0] == "Saved"][::2] == [("Saved", [1]), ("Saved", [1, 2]), ("Saved", [2, 3])]
    assert [each for each in seen if each[0] == "EpochEnd"][1::2][-1] == ("EpochEnd", [3])


def test_all_checkpoints_are_kept_by_default(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        (tmp_path / f"ocr-000{epoch}.params").touch()
    Pruning(str(tmp_path / "ocr"), keep=0)(epoch_end(epoch=2))
    assert run_files.epochs(tmp_path / "ocr") == [1, 2, 3]


def test_existing_files_are_all_files_of_a_run_and_a_new_run_replaces_them(
    source: GeneratedSource, tmp_path: Path
) -> None:
    prefix = str(tmp_path / "ocr")
    settings = training(samples_per_epoch=16)

    def go(old: list[Path], settings: Any) -> None:
        with TensorBoard(prefix) as board:
            callbacks: list[Callback] = [
                RemoveOldRun(prefix, old),
                History(prefix),
                ValidationPredictions(prefix),
                board,
            ]
            run(settings, source, tmp_path / "ocr", callbacks=callbacks)

    go([], settings)
    save_calibrations(prefix, {2: chosen(Calibration())})
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(run_files.existing_files(prefix)) == files
    assert len(files) == 10
    (tmp_path / "ocr-2-history.csv").touch()  # another run's
    prefix = f"{tmp_path}/./ocr"  # the same, written otherwise
    go(run_files.existing_files(prefix), training(samples_per_epoch=16, num_epoch=1))
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(left & files) == 6  # of one epoch; the old TensorBoard file is gone
    assert len(left) == 8
    assert len(history.read(prefix)) == 1
    assert {tmp_path / "ocr.json", tmp_path / "ocr-symbol.json", tmp_path / "ocr-0001.params"} < left


def events_of(folder: Path) -> list[Event]:
    """The events of TensorBoard's files: records of a length, its checksum, the event, and its checksum."""
    found = []
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        rest = path.read_bytes()
        while rest:
            (size,) = struct.unpack("<Q", rest[:8])
            found.append(Event.FromString(rest[12 : 12 + size]))
            rest = rest[16 + size :]
    return found


def test_tensorboard_shows_epochs_and_batches(tmp_path: Path) -> None:
    prefix = str(tmp_path / "ocr")
    with TensorBoard(prefix) as board:
        board(Progress(0, 50, 300, 50, 100.0, 0.004, 3.5, 0.25, 0.5))
        board(epoch_end(epoch=6))
    found = {
        (value.tag, event.step): value.simple_value
        for event in events_of(tmp_path / "ocr-tensorboard")
        for value in event.summary.value
    }
    expected = {
        ("batches/loss", 50): 3.5,
        ("batches/accuracy", 50): 0.25,
        ("batches/cer", 50): 0.5,
        ("batches/learning_rate", 50): 0.004,
        ("epochs/train_loss", 70): 9.0,
        ("epochs/train_accuracy", 70): 0.0,
        ("epochs/train_cer", 70): 0.75,
        ("epochs/validation_loss", 70): 8.5,
        ("epochs/validation_accuracy", 70): 0.5,
        ("epochs/validation_cer", 70): 0.4,
        ("epochs/learning_rate", 70): 0.003,
    }
    assert found == pytest.approx(expected)


def test_tensorboard_purges_what_a_resumed_run_repeats(tmp_path: Path) -> None:
    with TensorBoard(str(tmp_path / "ocr"), updates_done=40) as board:
        board(epoch_end())
    starts = [event.step for event in events_of(tmp_path / "ocr-tensorboard") if event.HasField("session_log")]
    assert starts == [41]


def test_tensorboard_purges_what_a_run_repeats_that_goes_back(tmp_path: Path) -> None:
    with TensorBoard(str(tmp_path / "ocr")) as board:
        board(Progress(0, 50, 300, 50, 100.0, 0.004, 3.5, 0.25, 0.5))
        board(Restarted(0, 0, "the loss is not finite"))
    starts = [event.step for event in events_of(tmp_path / "ocr-tensorboard") if event.HasField("session_log")]
    assert starts == [1]


def test_a_run_that_goes_back_removes_its_own_unfinished_state_and_not_that_of_the_run_it_replaces(
    tmp_path: Path,
) -> None:
    prefix = str(tmp_path / "ocr")
    state = run_files.unfinished_path(prefix)
    state.touch()
    callback = RemoveOldRun(prefix, [state])
    callback(Restarted(0, 0, "the loss is not finite"))
    assert state.exists()  # nothing of the new run is saved yet
    callback(StateSaved(str(state)))
    callback(Restarted(0, 0, "the loss is not finite"))
    assert not state.exists()


def test_without_tensorboardx_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r"pip install 'ctc_ocr\[tensorboard\]'"):
        TensorBoard(str(tmp_path / "ocr"))
    with pytest.raises(InputError, match=r"pip install 'ctc_ocr\[tensorboard\]'"):  # before anything else is done
        TrainingSession(options=RunOptions(str(tmp_path / "ocr"), tensorboard=True))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "ocr-tensorboard").touch()
    with pytest.raises(InputError, match="ocr-tensorboard: cannot be written to"):
        TensorBoard(str(tmp_path / "ocr"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("models/a", ("models/a", None)),
        ("models/a-0007.params", ("models/a", 7)),
        ("a-1-12345.params", ("a-1", 12345)),
        ("a-007.params", ("a-007.params", None)),
    ],
)
def test_a_checkpoint_is_named_by_its_prefix_or_its_file(name: str, expected: tuple[str, int | None]) -> None:
    assert run_files.resolve_model(name) == expected


def test_a_folder_with_one_model_names_it(source: GeneratedSource, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    run(training(num_epoch=1), source, tmp_path / "models" / "ocr")
    assert run_files.resolve_model(tmp_path / "models") == (str(tmp_path / "models" / "ocr"), None)
    assert Predictor(tmp_path / "models").epoch == Predictor(tmp_path / "models" / "ocr-0001.params").epoch == 1
    (tmp_path / "models" / "other-symbol.json").touch()
    with pytest.raises(InputError, match="2 models in this folder"):
        run_files.resolve_model(tmp_path / "models")
