"""Messages about training, where a run is written, resuming and starting, each provoked by what leads to it."""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr import mxnet as mx
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import run_files
from ctc_ocr.checkpoint.description import MAX_OUTPUT, Model
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.checkpoint.training_state import VALUES_NAME, checksum
from ctc_ocr.cli.main import main
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.datasets import iterator
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.experiments.self_training import train_with_unlabelled
from ctc_ocr.generation.pool import Arrays, BatchSource
from ctc_ocr.generation.rows import Rows
from ctc_ocr.runtime import run_lock
from ctc_ocr.runtime.types import MXArray
from ctc_ocr.training import job, session
from ctc_ocr.training.divergence import Diverged
from ctc_ocr.training.events import BatchEnd
from ctc_ocr.training.learning_rate import find_learning_rate
from ctc_ocr.training.resume import newest
from ctc_ocr.training.start import earlier_start
from ctc_ocr.training.trainer import Trainer
from ctc_ocr.training.workers import OneWorker
from tests.models import save_own_model
from tests.test_contract import network
from tests.test_divergence import trainer_with
from tests.training_runs import SMALL, begin, cached, filled, make_source, run, streamed, training

STEADY = training(average_power=0.0)  # what is validated are the weights themselves
LARGEST = 3e38  # nats: a float32 can be little larger


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    """A folder with a run `ocr` of one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    run(training(num_epoch=1, samples_per_epoch=8, validation_samples=8), make_source(ubuntu_font), folder / "ocr")
    return folder


@pytest.fixture
def prefix(trained: Path, tmp_path: Path) -> Path:
    """A copy of that run."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run" / "ocr"


class PoolOfOne:
    """A BatchPool whose batches are filled in this process: an image process takes a second to start."""

    seconds_waited = 0.0

    def __init__(self, source: BatchSource, num_proc: int, numbers: Iterable[int], niceness: int = 0) -> None:
        self._batches = filled(source, numbers)

    def __enter__(self) -> "PoolOfOne":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> "PoolOfOne":
        return self

    def __next__(self) -> Arrays:
        return next(self._batches)

    def kill(self) -> None:
        pass


@pytest.fixture
def _no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (iterator, job, session):
        monkeypatch.setattr(module, "BatchPool", PoolOfOne)


# --- divergence -------------------------------------------------------------------------------------------------------


def ruling_out(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None) -> Any:
    """A network of the user that rules out all classes but the blank."""
    levels = LARGEST * (2 * (mx.sym.arange(num_classes) == 0) - 1)
    return mx.sym.broadcast_add(
        network(images, hyperparameters, num_classes, steps), mx.sym.reshape(levels, (1, 1, -1))
    )


@pytest.fixture
def ruled_out() -> Iterator[Any]:
    """Hyperparameters with this network: its loss is infinite, and its weights and their gradient are not."""
    ctc_ocr.register_architecture("ruling_out", columns_per_step=2)(ruling_out)
    data = replace(STEADY.data, renderer="captcha")
    yield replace(STEADY, data=data, network=replace(STEADY.network, architecture="ruling_out"))
    ARCHITECTURES._parts.pop("ruling_out", None)


def make_hopeless(trainer: Trainer) -> None:
    """The network takes all for blank, but its weights are numbers."""
    values = trainer.network.values()
    values["pred_fc_bias"][:] = [LARGEST, -LARGEST, -LARGEST]
    trainer.network.set_values(values)


def spoil_optimizer(trainer: Trainer) -> None:
    arrays = trainer.network.optimizer_state()
    next(iter(arrays.values())).reshape(-1)[0] = np.inf
    trainer.network.restore_optimizer(arrays)


def test_a_loss_that_is_infinite_from_the_start(source: GeneratedSource, tmp_path: Path, ruled_out: Any) -> None:
    _, fit = trainer_with(ruled_out, source, lambda event: None)
    with pytest.raises(Diverged, match="^the loss is not finite after 2 updates; try a lower --learning_rate$"):
        fit(tmp_path / "ocr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_no_processes")
def test_no_learning_rate_for_a_loss_that_is_infinite_from_the_start(
    tmp_path: Path, ubuntu_font: str, ruled_out: Any
) -> None:
    options = ctc_ocr.RunOptions(str(tmp_path / "ocr"), num_proc=1, cpu=1)
    with pytest.raises(RunError, match="^the loss is not finite before the first update: check the hyperparameters$"):
        find_learning_rate(ruled_out, ctc_ocr.Captchas(ubuntu_font), options)


@pytest.mark.parametrize(
    ("spoil", "batch", "minutes", "reason"),
    [
        (make_hopeless, 4, 0.0, "the validation loss is not finite after 4 updates; try a lower --learning_rate"),
        (spoil_optimizer, 4, 0.0, r"the optimizer state \S+ has values that are not finite"),
        (spoil_optimizer, 2, 1e-9, r"the state \S+ has values that are not finite"),
    ],
)
def test_what_is_no_longer_finite_is_named_and_not_saved(
    source: GeneratedSource, tmp_path: Path, spoil: Callable[[Trainer], None], batch: int, minutes: float, reason: str
) -> None:
    def callback(event: Any) -> None:
        if isinstance(event, BatchEnd) and event.batch == batch:
            spoil(trainer)

    trainer, fit = trainer_with(training(average_power=0.0, checkpoint_minutes=minutes), source, callback)
    with pytest.raises(Diverged, match=f"^{reason}$"):
        fit(tmp_path / "ocr")
    assert run_files.epochs(tmp_path / "ocr") == []


class WithAnother(OneWorker):
    """The first of two workers. The other one has the same gradient, and gives up after some updates."""

    rows = Rows(0, 2)

    def __init__(self, updates: int) -> None:
        self._left = updates

    def sum(self, name: str, vector: MXArray) -> None:
        vector *= 2
        if name == "gradient":
            self._left -= 1
            vector[-1:] = float(self._left <= 0)  # the last of its wishes

    def gather(self, values: Sequence[float]) -> list[list[float]]:
        return [list(values), [float("nan")]]  # the losses of both


def test_all_workers_end_with_the_one_that_diverges(source: GeneratedSource, tmp_path: Path) -> None:
    model = Model(STEADY, Alphabet(tuple(STEADY.data.alphabet)))
    batches = streamed(source, STEADY.training.samples_per_epoch)
    trainer = Trainer(model, batches, [mx.cpu()], workers=WithAnother(3))
    with pytest.raises(Diverged) as error:
        trainer.fit(batches, cached(source, 8), str(tmp_path / "ocr"), lambda: 0.0)
    assert str(error.value) == "the loss is not finite after 3 updates; try a lower --learning_rate"
    assert list(tmp_path.iterdir()) == []


# --- where a run is written -------------------------------------------------------------------------------------------


def test_a_prefix_that_is_not_utf_8(tmp_path: Path, ubuntu_font: str) -> None:
    prefix = str(tmp_path / "caf\udce9")
    with pytest.raises(InputError) as error:
        begin(prefix, ubuntu_font)
    assert (error.value.reason, error.value.where) == (
        "MXNet accepts only file names in UTF-8", f"prefix {prefix!r}"
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_set(tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(run_lock, "_lock", broken)
    with pytest.raises(RunError, match=rf"ocr\.lock: cannot be locked: {os.strerror(errno.EIO)}$"):
        begin(str(tmp_path / "ocr"), ubuntu_font)
    assert run_files.existing_files(tmp_path / "ocr") == []


# --- resuming, and starting from a model ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrays", "kind"),
    [
        ({"a": np.zeros(3)}, "KeyError"),
        ({VALUES_NAME: np.array("{")}, "JSONDecodeError"),
        ({VALUES_NAME: np.array(["{}", "{}"])}, "ValueError"),
    ],
)
def test_a_training_state_of_something_else(prefix: Path, arrays: dict[str, Any], kind: str) -> None:
    np.savez(run_files.state_path(prefix, 1), **arrays)
    with pytest.raises(InputError, match=rf"ocr-0001\.state\.npz: broken training state \({kind}\)$"):
        newest(str(prefix))


def test_a_run_without_its_description_is_not_resumed(prefix: Path) -> None:
    run_files.description_path(prefix).unlink()
    with pytest.raises(InputError, match=r"ocr\.json: missing, and needed to resume a run$"):
        newest(str(prefix))


@pytest.mark.parametrize(
    ("key", "change", "reason"),
    [
        ("init_from", 5, "init_from must be a path"),
        (
            "alphabet",
            {chr(0x4E00 + code): code + 1 for code in range(4000)},
            f"more than {MAX_OUTPUT:,} outputs for one image: time steps times classes",
        ),
    ],
)
def test_a_description_that_asks_for_too_much_or_names_no_path(
    prefix: Path, key: str, change: object, reason: str
) -> None:
    path = run_files.description_path(prefix)
    values = json.loads(path.read_text(encoding="utf-8"))
    values["hyperparameters"]["data"]["width"] = 10_000
    path.write_text(json.dumps({**values, key: change}), encoding="utf-8")
    for read in (newest, ctc_ocr.Predictor):
        with pytest.raises(InputError) as error:
            read(str(prefix))
        assert str(error.value) == f"{path}: {reason}"


def test_a_damaged_start_is_told_and_not_averaged_with(
    prefix: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_own_model(tmp_path / "start")
    named, params = "../start-0001.params", prefix.parent / ".." / "start-0001.params"
    weights = checksum(load(str(tmp_path / "start"), 1).arg_params)
    assert earlier_start(None, str(prefix), None) is None
    for known in (None, weights):
        assert earlier_start(named, str(prefix), known) is not None
    assert not caplog.messages
    assert earlier_start(named, str(prefix), weights ^ 1) is None
    params.write_bytes(params.read_bytes()[:-40])
    assert earlier_start(named, str(prefix), weights) is None
    params.unlink()
    assert earlier_start(named, str(prefix), weights) is None
    assert earlier_start("a" * 300, str(prefix), weights) is None
    told = "The model that the run started from cannot be used any more, so weights are not averaged with it: "
    assert caplog.messages[:2] == [
        f"{told}{params}: it has other weights than when the run began",
        f"{told}{params}: broken parameters: the file is truncated",
    ]
    assert caplog.messages[2].startswith(
        f"{told}{str(params).removesuffix('-0001.params')}: no model under this prefix"
    )
    assert caplog.messages[3].startswith(told)


def test_trainings_with_unlabelled_images_are_not_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data=labelled", "--unlabelled=others", "--resume"]) == 2
    assert capsys.readouterr().err == (
        "ctc-ocr train: error: --resume: the trainings of --unlabelled cannot be resumed: only the last one is kept\n"
    )


@pytest.mark.usefixtures("_no_processes")
def test_unlabelled_images_that_are_not_read_surely(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ubuntu_font: str
) -> None:
    """Two updates teach nothing. The next training is what the first one was."""
    for name, seed in (("labelled", 1), ("others", 2)):
        writer = ctc_ocr.CaptchaWriter.create(SMALL.data, seed, ubuntu_font)
        writer.write_folder(tmp_path / name, 12)
    broken = tmp_path / "others" / "broken.png"
    broken.write_bytes(b"none")
    settings = training(num_epoch=1, samples_per_epoch=16)
    options = ctc_ocr.RunOptions(str(tmp_path / "ocr"), init_from="none", num_proc=1, cpu=1, progress=False)
    data = ctc_ocr.LabelledImages(tmp_path / "labelled", max_invalid=1.0, choose=())
    assert train_with_unlabelled(data, tmp_path / "others", settings, options, rounds=1).finished
    said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert (
        said.count("No unlabelled image was read with enough confidence: the next training has labelled images only")
        == 1
    )
    unreadable = [each for each in said if each.startswith("Unlabelled images that cannot be read: 1 of 13; ")]
    assert len(unreadable) == 1
    assert f"{broken}: not an image" in unreadable[0]
