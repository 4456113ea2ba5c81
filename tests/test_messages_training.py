"""Messages about training, resuming, workers, own parts, Python and command-line values that are seldom met, each
provoked by what leads to it; other processes and GPUs are played where a test cannot have them."""

import ctypes
import errno
import importlib
import json
import logging
import multiprocessing
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import ctc_ocr
from ctc_ocr import mxnet as mx
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import run_files
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.description import MAX_OUTPUT, Model
from ctc_ocr.checkpoint.starter import starter_path
from ctc_ocr.checkpoint.training_state import VALUES_NAME
from ctc_ocr.cli.main import main
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.datasets import iterator
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.datasets.sources.registered import SOURCES
from ctc_ocr.distributed import server
from ctc_ocr.distributed.cluster import CHECKS, Cluster, on_this_machine
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.experiments.self_training import train_with_unlabelled
from ctc_ocr.generation.pool import Arrays, BatchSource
from ctc_ocr.generation.rows import Rows
from ctc_ocr.inference.reader_pool import ReaderPool
from ctc_ocr.losses import warpctc
from ctc_ocr.runtime import run_lock
from ctc_ocr.runtime.devices import gpu_count
from ctc_ocr.runtime.types import MXArray
from ctc_ocr.symbols.summary import describe_network
from ctc_ocr.training import cluster as training_cluster
from ctc_ocr.training import job, session, worker_process, worker_processes
from ctc_ocr.training.data import training_data
from ctc_ocr.training.divergence import Diverged
from ctc_ocr.training.events import BatchEnd, Callback
from ctc_ocr.training.learning_rate import find_learning_rate
from ctc_ocr.training.resume import newest
from ctc_ocr.training.start import earlier_start
from ctc_ocr.training.trainer import Trainer
from ctc_ocr.training.workers import OneWorker
from tests.models import save_own_model
from tests.test_contract import network
from tests.test_divergence import trainer_with
from tests.training_runs import SMALL, cached, filled, make_source, run, streamed, training

LOOPBACK = Cluster("127.0.0.1", 9100, 2, node_host="127.0.0.1")
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


class Missing:
    """Its unpickling imports a module that is not there."""

    def __reduce__(self) -> tuple[object, ...]:
        return importlib.import_module, ("not_here",)


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


def test_all_workers_end_with_the_one_that_diverges(source: GeneratedSource, tmp_path: Path) -> None:
    model = Model(STEADY, Alphabet(tuple(STEADY.data.alphabet)))
    batches = streamed(source, STEADY.training.samples_per_epoch)
    trainer = Trainer(model, batches, [mx.cpu()], workers=WithAnother(3))
    with pytest.raises(Diverged) as error:
        trainer.fit(batches, cached(source, 8), str(tmp_path / "ocr"), lambda: 0.0)
    assert str(error.value) == (
        "the loss of another worker is not finite, or has exploded after 3 updates; try a lower --learning_rate"
    )
    assert list(tmp_path.iterdir()) == []


# --- where a run is written -------------------------------------------------------------------------------------------


def begin(prefix: str, font: str, **options: Any) -> None:
    """A run that is to fail before it does anything."""
    options = {"num_proc": 1, "cpu": 1, **options}
    ctc_ocr.TrainingSession(SMALL, ctc_ocr.Captchas(font), ctc_ocr.RunOptions(prefix, **options)).run()


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
    path = run_files.description_path(prefix)
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, "init_from": "../start-0001.params"}), encoding="utf-8")
    stored = find_model(prefix)
    assert earlier_start(stored) is not None
    params = tmp_path / "start-0001.params"
    params.write_bytes(params.read_bytes()[:-40])
    assert earlier_start(stored) is None
    assert caplog.messages == [
        "The model that the run started from cannot be read, and is not averaged with: "
        f"{path.parent / '..' / 'start-0001.params'}: broken parameters: the file is truncated"
    ]


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
    settings = training(num_epoch=1, samples_per_epoch=16)
    options = ctc_ocr.RunOptions(str(tmp_path / "ocr"), init_from="none", num_proc=1, cpu=1, progress=False)
    data = ctc_ocr.LabelledImages(tmp_path / "labelled", max_invalid=1.0, choose=())
    assert train_with_unlabelled(data, tmp_path / "others", settings, options, rounds=1).finished
    said = "No unlabelled image was read with enough confidence: the next training has labels alone"
    assert [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING].count(said) == 1


# --- several workers, clusters and GPUs -------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["server", "scheduler"])
def test_only_workers_train(role: str, tmp_path: Path, ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOOPBACK.environment(role).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=f"^DMLC_ROLE: a {role} does not train: ctc_ocr.serve_cluster runs it$"):
        begin(str(tmp_path / "ocr"), ubuntu_font, kv_store="dist_sync")
    assert list(tmp_path.iterdir()) == []


class OfTwo(OneWorker):
    """One of two workers; what the first one says is kept for the second."""

    def __init__(self, rank: int, said: list[float]) -> None:
        self.rows = Rows(rank, 2)
        self._said = said

    def sum_values(self, values: Sequence[float]) -> list[float]:
        if self.is_first:
            self._said += values
            return list(values)
        return [self._said.pop(0)]


@pytest.mark.parametrize(
    ("change", "name"), [({}, ""), ({"seed": 1}, "hyperparameters"), ({"alphabet": "02"}, "alphabet")]
)
def test_workers_have_to_agree(change: dict[str, Any], name: str, ubuntu_font: str) -> None:
    """Each part is compared by itself: the alphabets differ where the hyperparameters are those of another worker."""
    first = training_data(SMALL, ctc_ocr.Captchas(ubuntu_font))
    other = replace(SMALL, training=replace(SMALL.training, seed=change.get("seed", 0)))
    second = training_data(other, ctc_ocr.Captchas(ubuntu_font))
    if "alphabet" in change:
        second = replace(second, alphabet=Alphabet(tuple(change["alphabet"])))
    said: list[float] = []
    training_cluster.check_agreement(OfTwo(0, said), first)  # type: ignore[arg-type]
    assert len(said) == 3
    if not name:
        training_cluster.check_agreement(OfTwo(1, said), second)  # type: ignore[arg-type]
        return
    with pytest.raises(InputError, match=f"^{name}: other ones than those of the first worker: all need the same$"):
        training_cluster.check_agreement(OfTwo(1, said), second)  # type: ignore[arg-type]


def test_an_unexpected_error_of_a_worker_is_sent_to_its_parent() -> None:
    here, there = multiprocessing.Pipe()
    threads = cv2.getNumThreads()
    try:
        worker_process.work(there, 1, 1, on_this_machine(9100, 2), logging.INFO, pickle.dumps(Missing()))
        result = here.recv()
    finally:
        cv2.setNumThreads(threads)
        here.close()
        there.close()
    assert isinstance(result.error, RunError)
    assert result.error.reason.startswith("a training worker failed:\nTraceback (most recent call last):\n")
    assert result.error.reason.endswith("\nModuleNotFoundError: No module named 'not_here'")


def test_a_worker_that_cannot_start(ubuntu_font: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(multiprocessing.active_children())
    monkeypatch.setattr(worker_processes, "work", Missing())
    job_of_one = job.Job(ctc_ocr.RunOptions(), training_data(SMALL, ctc_ocr.Captchas(ubuntu_font)), 1)
    reason = "^worker 0 could not start: ModuleNotFoundError: No module named 'not_here'$"
    with (
        pytest.raises(RunError, match=reason),
        worker_processes.WorkerProcesses(job_of_one, 1, 1) as processes,
    ):
        processes.run(never_begun)
    assert processes.process_ids == {}
    assert set(multiprocessing.active_children()) == before


def never_begun(begun: job.Begun) -> Callback:
    raise AssertionError


def test_a_command_to_a_server_runs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Called as MXNet's library does it, with what its own server would unpickle."""
    server.Controller(server._refuse)(0, pickle.dumps(Missing()), None)
    assert caplog.messages == [
        "A worker sent the command 0, which is refused: the optimizer runs on the workers"
    ]  # fmt: skip


def test_a_scheduler_without_mxnets_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MXNet's package is there, as after an installation that was cut off."""
    (tmp_path / "mxnet").mkdir()
    (tmp_path / "mxnet" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "mxnet")
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in LOOPBACK.environment("scheduler").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=r"^libmxnet\.so is not where MXNet is installed$"):
        server.serve_cluster()


@pytest.mark.skipif(mx.runtime.Features().is_enabled("NCCL"), reason="this MXNet has the store that is asked for")
def test_what_mxnets_library_says_of_its_store_is_passed_on() -> None:
    library = server._library()
    status = library.MXKVStoreCreate(b"nccl", ctypes.byref(ctypes.c_void_p()))
    with pytest.raises(RunError, match="^MXNet's key-value store failed: .*USE_NCCL"):
        server._check(library, status)


class Ended(Exception):
    """In place of the end of the process."""


@pytest.fixture
def _process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", end)


class AllLost:
    """MXNet's library, where a process is missed each time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def MXKVStoreGetNumDeadNode(self, handle: Any, group: int, count: Any, seconds: int) -> None:  # noqa: N802
        self.asked.append(group)
        count._obj.value = 1


@pytest.mark.usefixtures("_process_ends")
@pytest.mark.parametrize(
    ("group", "lost"),
    [
        (server.SCHEDULER, "Lost the scheduler: ending"),
        (server.SERVERS + server.WORKERS, "Lost a worker or a server: ending"),
    ],
)
def test_a_server_ends_with_the_others(
    group: int, lost: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "CHECK_SECONDS", 0)
    library = AllLost()
    with pytest.raises(Ended, match="^1$"):
        server._watch(library, ctypes.c_void_p(), group)
    assert library.asked == [group] * CHECKS
    assert caplog.messages == [lost]


@pytest.mark.usefixtures("_process_ends")
def test_a_worker_ends_with_its_scheduler(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Ended, match="^1$"):
        training_cluster._end()
    assert caplog.messages == [
        "Lost the scheduler, which ends when it has missed a worker or a server for 11 s: ending. Start all again with "
        "--resume: it goes on from the newest checkpoint"
    ]


class WithCuda:
    """What an MXNet for GPUs says of itself."""

    def is_enabled(self, name: str) -> bool:
        return name == "CUDA"


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ("0,1", "--gpu_ids: expected the number of one GPU, got 0,1"),
        ("-1", "--gpu_ids: expected the number of one GPU, got -1"),
        ("99", "GPUs with the numbers 99 were asked for, and MXNet sees {} on this machine, from 0 on"),
    ],
)
def test_gpus_that_one_reader_cannot_have(
    numbers: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mx.runtime, "Features", WithCuda)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((10, 20), np.uint8))
    assert main(["infer", f"--gpu_ids={numbers}", "--model=starter", str(tmp_path / "a.png")]) == 2
    available = gpu_count()
    assert capsys.readouterr().err == f"ctc-ocr infer: error: {reason.format(available)}\n"


# --- values on the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--gpu_ids=1,x", "expected integers separated by commas, got '1,x'"),
        ("--features=8,", "expected integers separated by commas, got '8,'"),
        ("--freeze=conv0,,conv1", "expected names separated by commas, got 'conv0,,conv1'"),
    ],
)
def test_lists_that_are_none(flag: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", flag])
    assert ended.value.code == 2
    assert f"error: {flag.partition('=')[0]}: {reason}" in capsys.readouterr().err


@pytest.fixture
def _imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that is imported adds its folder to the path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    sources = dict(SOURCES._parts)
    yield
    SOURCES._parts = sources


@pytest.mark.usefixtures("_imports_as_before")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import ctc_ocr\n1 / 0\n", "ZeroDivisionError: division by zero (own_mistake.py, line 2)"),
        ("raise RuntimeError('not today')\n", "RuntimeError: not today (own_mistake.py, line 1)"),
        ("import ctc_ocr\nx = = 1\n", "line 2: invalid syntax"),
    ],
)
def test_a_module_of_the_user_with_a_mistake(
    content: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own_mistake.py"
    path.write_text(content, encoding="utf-8")
    assert main(["train", f"--import={path}"]) == 2
    assert capsys.readouterr().err == f"ctc-ocr train: error: --import {path}: {reason}\n"
    assert "own_mistake" not in sys.modules


# --- parts of the user ------------------------------------------------------------------------------------------------

OWN_SOURCE = """
import ctc_ocr
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources import read_source

@ctc_ocr.register_source("{name}")
def rows(argument, options):
    return [{row}]
"""


@pytest.mark.usefixtures("_imports_as_before")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("'1.png'", "own_wrong_7:: a source must give Sample and Problem objects, got str"),
        (
            "Sample('1.png', '12', 'row 1')",
            "row 1: the units of a sample must be a tuple of str, got '12'",
        ),
    ],
)
def test_a_source_that_gives_something_else(
    row: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"own_source_{len(row)}.py"
    path.write_text(OWN_SOURCE.format(name=f"own_wrong_{len(row)}", row=row), encoding="utf-8")
    assert main(["data", "check", f"--import={path}", f"own_wrong_{len(row)}:"]) == 2
    assert f"error: {reason}\n" in capsys.readouterr().err
    with pytest.raises(InputError) as error:
        read_source(f"own_wrong_{len(row)}:")
    assert str(error.value) == reason


def masked(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None) -> Any:
    """As `network`, with nothing after the steps of each image."""
    logits = network(images, hyperparameters, num_classes, name="before")
    kept = mx.sym.SequenceMask(logits, sequence_length=steps, use_sequence_length=True)
    return mx.sym.FullyConnected(kept, num_hidden=num_classes, flatten=False, name="pred_fc")


@pytest.mark.parametrize(
    ("build", "needs_steps", "reason"),
    [
        (
            network,
            True,
            "does not use steps, so that padding could change what is read. Make it ignore what follows the steps of "
            "each image; if padding cannot matter, register it with needs_steps=False; or set keep_ratio to false",
        ),
        (masked, False, "uses steps, but is registered with needs_steps=False"),
        (network, False, ""),
        (masked, True, ""),
    ],
)
def test_networks_keep_their_word_about_steps(build: Any, needs_steps: bool, reason: str) -> None:
    try:
        ctc_ocr.register_architecture("of_messages", columns_per_step=2, needs_steps=needs_steps)(build)
        settings = replace(
            SMALL,
            data=replace(SMALL.data, keep_ratio=True),
            network=replace(SMALL.network, architecture="of_messages"),
        )
        if not reason:
            assert "pred_fc" in describe_network(settings, 3, 8)
            return
        with pytest.raises(InputError) as error:
            describe_network(settings, 3, 8)
        assert str(error.value) == f"architecture of_messages: {reason}"
    finally:
        ARCHITECTURES._parts.pop("of_messages", None)


def test_a_loss_of_logits_and_labels_that_do_not_fit(capfd: pytest.CaptureFixture[str]) -> None:
    """MXNet passes the error on as its own and prints ours."""
    symbol = warpctc.loss(mx.sym.var("data"), mx.sym.var("label"))
    assert symbol.infer_shape(data=(6, 3, 4), label=(3, 2))[1] == [(3,)]
    with pytest.raises(mx.base.MXNetError):
        symbol.infer_shape(data=(6, 3, 4), label=(2, 2))
    said = "warpctc: expected logits (T, N, C) and label (N, L), got shapes [6, 3, 4] and [2, 2]"
    assert said in capfd.readouterr().out


# --- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["a.png", Path("a.png"), b"\x89PNG"])
def test_one_image_in_place_of_a_list(image: Any, tmp_path: Path) -> None:
    save_own_model(tmp_path / "ocr")
    predictor = ctc_ocr.Predictor(tmp_path / "ocr")
    with pytest.raises(InputError, match="^images: expected a list of images; `read` takes one image$"):
        predictor.predict(image)
    assert predictor.predict([]) == []


def test_a_pool_that_is_closed_reads_no_more() -> None:
    with ReaderPool(starter_path().with_suffix(".onnx"), 1) as pool:
        pids = pool.process_ids
        assert len(pids) == 1
    with pytest.raises(InputError, match="^ReaderPool: is closed: make a new one$"):
        next(pool.predict(["a.png"]))
    assert pool.process_ids == []
