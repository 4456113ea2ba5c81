"""Several training workers: the same training as with one, and what happens when one of them is lost."""

import logging
import os
import signal
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.history import read as read_history
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.checkpoint.training_state import load_training_state
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.distributed.cluster import free_port, on_this_machine
from ctc_ocr.distributed.serving_process import serve_quietly
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.pool import Arrays, BatchSource
from ctc_ocr.generation.rows import Rows
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.parent import interrupts_withheld
from ctc_ocr.runtime.processes import pack, start_process
from ctc_ocr.training.data import training_data
from ctc_ocr.training.events import BatchEnd, EpochEnd, Saved
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.number_of_workers import with_workers
from ctc_ocr.training.schedules import Course, Schedule
from ctc_ocr.training.settings import Captchas, RunOptions
from ctc_ocr.training.worker_processes import WorkerProcesses
from tests import test_generated_prepared, test_labelled
from tests.training_runs import CRNN, SMALL, filled, make_source, training

SECONDS_TO_STOP = 30.0


def trained(prefix: Path, settings: Hyperparameters, workers: int, **options: Any) -> dict[str, np.ndarray]:
    """The weights and moving averages after a training."""
    ctc_ocr.train(with_number(settings, workers), prefix=prefix, progress=False, num_proc=1, **options)
    return saved(prefix)


def saved(prefix: Path, epoch: int | None = None) -> dict[str, np.ndarray]:
    checkpoint = load(str(prefix), epoch or len(list(prefix.parent.glob(f"{prefix.name}-*.params"))))
    return {n: a.asnumpy() for n, a in {**checkpoint.arg_params, **checkpoint.aux_params}.items()}


def same_bits(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all((first[name] == second[name]).all() for name in first)


SGD = training(optimizer="sgd", learning_rate=0.1, samples_per_epoch=80, validation_samples=19)


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.long)])
def test_several_workers_compute_what_one_does(workers: int, tmp_path: Path) -> None:
    """20 updates; three workers take 3, 3 and 2 of the 8 rows."""
    one = trained(tmp_path / "one", SGD, 1)
    several = trained(tmp_path / "several", SGD, workers)
    for name, expected in one.items():
        np.testing.assert_allclose(several[name], expected, atol=1e-4 * abs(expected).max(), rtol=0)
    rows, expected_rows = read_history(tmp_path / "several"), read_history(tmp_path / "one")
    for row, expected_row in zip(rows, expected_rows, strict=True):
        assert row.train_loss == pytest.approx(expected_row.train_loss, rel=1e-4)
        assert row.validation_loss == pytest.approx(expected_row.validation_loss, rel=1e-4)
        assert row.validation_cer == pytest.approx(expected_row.validation_cer, abs=0.05)
    images = [(tmp_path / f"{name}-validation.csv").read_text().count("\n") for name in ("one", "several")]
    assert images == [20, 20]  # with the header
    assert load(str(tmp_path / "several"), 1).model.hyperparameters.training.workers == workers  # type: ignore[union-attr]


@pytest.mark.slow
def test_workers_wait_for_callbacks_that_see_the_files_of_the_run(tmp_path: Path) -> None:
    """A slow one finds what an event tells of, and what is older or newer is not removed for it."""
    settings = training(samples_per_epoch=16, num_epoch=4, keep=2)
    trained(tmp_path / "m", replace(settings, training=replace(settings.training, keep=0, num_epoch=6)), 1)
    seen: list[Any] = []

    def slow(event: Any) -> None:
        if isinstance(event, BatchEnd) and not seen:
            time.sleep(5)  # in which the workers could do all four epochs
        elif isinstance(event, Saved):
            assert Path(event.path).is_file()
        elif isinstance(event, EpochEnd):
            newest = max(path.stat().st_mtime for path in tmp_path.glob("m-*.params"))
            of_event = (tmp_path / f"m-{event.epoch + 1:04}.params").stat().st_mtime
            seen.append((event.epoch, newest == of_event, event.best_epoch))

    ctc_ocr.train(
        with_number(settings, 2), prefix=tmp_path / "m", overwrite=True, progress=False, num_proc=1, callbacks=[slow]
    )
    best = seen[-1][2]
    assert [each[:2] for each in seen] == [(0, True), (1, True), (2, True), (3, True)]
    kept = sorted({best, 3, 4})
    assert sorted(path.name for path in tmp_path.glob("m-*.params")) == [f"m-{epoch:04}.params" for epoch in kept]


@pytest.mark.long
def test_workers_part_in_what_dropout_drops_only(tmp_path: Path) -> None:
    settings = replace(training(samples_per_epoch=16, num_epoch=1), network=replace(SMALL.network, dropout=0.5))
    first, again = (trained(tmp_path / name, settings, 2) for name in ("first", "again"))
    assert same_bits(first, again)


@pytest.mark.long
def test_two_workers_interrupted_and_resumed_give_the_same_bits(tmp_path: Path) -> None:
    settings = training(num_epoch=2, samples_per_epoch=3200)  # long enough to be stopped on a busy machine
    whole = trained(tmp_path / "whole", settings, 2)
    result = ctc_ocr.train(with_number(settings, 2), prefix=tmp_path / "part", progress=False, callbacks=[ctrl_c(30)])
    assert not result.finished
    _, values = load_training_state(str(tmp_path / "part"), result.newest_epoch)
    assert 30 <= 400 * values["epochs_done"] + values["batches_done"] < 800
    resumed = trained(tmp_path / "part", settings, 2, resume=True)
    assert same_bits(resumed, whole)
    assert read_history(tmp_path / "part")[-1].validation_cer == read_history(tmp_path / "whole")[-1].validation_cer


def with_number(settings: Hyperparameters, workers: int) -> Hyperparameters:
    return replace(settings, training=replace(settings.training, workers=workers))


def ctrl_c(update: int) -> Any:
    """A callback that presses Ctrl-C after so many updates; some more may follow before the workers know."""
    count = 0

    def callback(event: Any) -> None:
        nonlocal count
        count += isinstance(event, BatchEnd)
        if isinstance(event, BatchEnd) and count == update:
            os.kill(os.getpid(), signal.SIGINT)

    return callback


@pytest.mark.slow
def test_moving_averages_are_the_mean_of_those_of_the_workers(tmp_path: Path) -> None:
    settings = replace(training(samples_per_epoch=8, num_epoch=1), network=CRNN)
    both = trained(tmp_path / "both", settings, 2)
    halves = [moving_averages(settings, Rows(rank, 2)) for rank in range(2)]
    assert halves[0]
    for name, half in halves[0].items():
        assert not np.array_equal(half, halves[1][name])
        np.testing.assert_allclose(both[name], (half + halves[1][name]) / 2, rtol=1e-5)


def moving_averages(settings: Hyperparameters, rows: Rows) -> dict[str, np.ndarray]:
    """Those of batch norm after one update with some rows of the first batch."""
    data, size = training_data(settings, Captchas()), settings.training.batch_size
    source = replace(data.train, rows=rows)
    iterator = BatchIter(source, size, lambda: filled(source, [0]), rows=rows, batch_size=size)
    network = TrainingNetwork(Model(data.hyperparameters, data.alphabet), iterator, [mx.cpu()])
    network.init_optimizer(settings.training, Schedule(settings.training, Course(1)), 0)
    network.begin_update(iterator.next(), 0)
    network.finish_update()
    return {name: array.asnumpy() for name, array in network.parameters()[1].items()}


def batch_of(source: BatchSource, number: int) -> Arrays:
    (arrays,) = filled(source, [number])
    return arrays


@pytest.mark.parametrize("kind", ["captchas", "wild", "labelled"])
def test_workers_share_the_rows_of_each_batch(kind: str, fonts_folder: Path, ubuntu_font: str, tmp_path: Path) -> None:
    source: Any = {
        "captchas": lambda: make_source(ubuntu_font),
        "wild": lambda: test_generated_prepared.source(
            fonts_folder, test_generated_prepared.settings(7), training=True
        ),
        "labelled": lambda: test_labelled.make_source(tmp_path, list(range(10, 60))),
    }[kind]()
    for number in range(3):
        whole = batch_of(source, number)
        for rank in range(3):
            rows = Rows(rank, 3)
            part = batch_of(replace(source, rows=rows), number)
            width = int(part["width"][0]) if "width" in part else None
            assert (part["labels"] == rows.of(whole["labels"])).all()
            assert (part["images"][:, :, :width] == rows.of(whole["images"])[:, :, :width]).all()
            assert (part["steps"] == rows.of(whole["steps"])).all() if width else True


def test_padding_is_divided_too(ubuntu_font: str) -> None:
    """19 samples in batches of 8: the last one has 3."""
    source = make_source(ubuntu_font)
    for rank, counts in enumerate(([4, 4, 2], [4, 4, 1])):
        rows = Rows(rank, 2)
        part = replace(source, rows=rows)
        iterator = BatchIter(part, 19, partial(filled, part, range(3)), rows=rows, batch_size=8)
        assert [batch.data[0].shape[0] - batch.pad for batch in iterator] == counts


class Watched(WorkerProcesses):
    """Keeps the process ids of the last run."""

    ids: dict[str, int]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        type(self).ids = self.process_ids


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    monkeypatch.setattr("ctc_ocr.training.running.WorkerProcesses", Watched)
    return Watched


def after_one_epoch(action: Any) -> Any:
    """A callback for the end of the first epoch."""
    done = False

    def callback(event: Any) -> None:
        nonlocal done
        if isinstance(event, EpochEnd) and not done:
            done = True
            action()

    return callback


def descendants(pid: int) -> set[int]:
    children = {int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()}
    return children.union(*map(descendants, children))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["worker 1", *(pytest.param(each, marks=pytest.mark.long) for each in ("worker 0", "server", "scheduler"))],
)
def test_a_lost_process_ends_all_and_the_run_can_be_resumed(name: str, tmp_path: Path, watched: type[Watched]) -> None:
    settings, prefix = training(num_epoch=6, samples_per_epoch=400), tmp_path / "m"
    lost = 0.0
    left: set[int] = set()

    def kill() -> None:
        nonlocal lost
        left.update(descendants(os.getpid()))
        os.kill(watched.ids[name], signal.SIGKILL)
        lost = time.monotonic()

    with pytest.raises(RunError, match=rf"{name} \(pid \d+\) was killed by signal 9.*--resume goes on"):
        ctc_ocr.train(with_number(settings, 4), prefix=prefix, progress=False, callbacks=[after_one_epoch(kill)])
    assert time.monotonic() - lost < SECONDS_TO_STOP
    deadline = time.monotonic() + 10
    left.difference_update(descendants(os.getpid()))  # what the tests themselves have started
    while any(map(is_alive, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, left))
    assert not any(map(is_alive, watched.ids.values()))
    resumed = ctc_ocr.train(with_number(settings, 3), prefix=prefix, progress=False, resume=True)
    assert resumed.finished
    assert resumed.newest_epoch == 6
    assert [row.epoch for row in resumed.history] == list(range(1, 7))


def listening_addresses(pid: int) -> set[str]:
    """Local addresses (hexadecimal) at which a process listens."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(link.readlink()))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].partition(":")[0])
    return found


@pytest.mark.slow
def test_the_processes_listen_on_the_loopback_interface_only(tmp_path: Path, watched: type[Watched]) -> None:
    addresses: dict[str, set[str]] = {}

    def look() -> None:
        addresses.update({name: listening_addresses(pid) for name, pid in watched.ids.items()})

    ctc_ocr.train(with_number(SMALL, 2), prefix=tmp_path / "m", progress=False, callbacks=[after_one_epoch(look)])
    assert set(addresses) == {"scheduler", "server", "worker 0", "worker 1"}
    assert all(each == {"0100007F"} for each in addresses.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DMLC_USE_KUBERNETES", "DMLC_LOCAL"])
def test_the_scheduler_listens_on_the_loopback_interface_in_a_pod_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    cluster = on_this_machine(free_port(), 2)
    with interrupts_withheld():
        connection, process = start_process()
    try:
        connection.send_bytes(pack(serve_quietly, cluster, "scheduler"))
        assert process.pid is not None
        deadline = time.monotonic() + 30
        while not (found := listening_addresses(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found == {"0100007F"}
    finally:
        process.kill()
        process.join()
        connection.close()


@pytest.mark.slow
def test_nothing_is_left_of_a_run(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    ctc_ocr.train(with_number(SMALL, 2), prefix=tmp_path / "m", progress=False)
    left = descendants(os.getpid()) - before
    deadline = time.monotonic() + 5
    while any(map(is_alive, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, left))


@pytest.mark.slow
def test_callbacks_are_called_in_this_process_and_their_errors_end_the_run(tmp_path: Path) -> None:
    ids, samples = set(), 0

    def look(event: Any) -> None:
        nonlocal samples
        ids.add((os.getpid(), threading.get_ident()))
        if isinstance(event, BatchEnd):
            samples += event.num_samples
        if isinstance(event, EpochEnd) and event.epoch == 1:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        ctc_ocr.train(with_number(SMALL, 2), prefix=tmp_path / "m", progress=False, callbacks=[look])
    assert ids == {(os.getpid(), threading.get_ident())}
    assert samples == 2 * SMALL.training.samples_per_epoch


@pytest.mark.slow
def test_a_worker_that_fails_says_why(tmp_path: Path) -> None:
    settings = training(learning_rate=1e38, optimizer="sgd", clip_gradient=0.0, num_epoch=9, warmup_updates=0)
    with pytest.raises(RunError, match="not finite after"):
        ctc_ocr.train(with_number(settings, 2), prefix=tmp_path / "m", progress=False)


@pytest.mark.slow
def test_what_the_first_worker_logs_is_logged_here(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        ctc_ocr.train(with_number(SMALL, 2), prefix=tmp_path / "m", progress=False)
    started = [each for each in caplog.messages if each.startswith("Starting MXNet and image processes")]
    assert len(started) == 1
    assert "2 training workers, each with a part of every batch" in caplog.text


@pytest.mark.parametrize(
    ("given", "options", "cores", "expected"),
    [
        ({}, {}, 2, 2),
        ({}, {}, 8, 2),  # 16 of 32 rows each
        ({"batch_size": 128, "num_epoch": 100}, {}, 4, 4),
        ({}, {"cpu": 1}, 2, 1),
        ({}, {"gpu": 1}, 2, 1),
        ({"num_epoch": 1, "samples_per_epoch": 10_000}, {}, 2, 1),  # 313 updates
        ({"workers": 5}, {"cpu": 1}, 2, 5),
        ({"samples_per_epoch": 0, "num_epoch": 2}, {}, 2, 2),  # of wild images: 938 updates
        ({"samples_per_epoch": 0, "num_epoch": 1}, {}, 2, 1),
    ],
)
def test_the_number_of_workers_where_nobody_says(
    given: dict[str, Any], options: dict[str, Any], cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctc_ocr.training.number_of_workers.available_cores", lambda: cores)
    settings = ctc_ocr.preset("lstm", training=given)
    assert with_workers(settings, Captchas(), RunOptions(**options)).training.workers == expected


@pytest.mark.parametrize(
    ("given", "options", "reason"),
    [
        ({"workers": 9, "batch_size": 8}, {}, "9 are more than the 8 samples of a batch"),
        ({"workers": 2}, {"gpu": 2}, "one process uses several GPUs: set it to 1"),
    ],
)
def test_a_number_of_workers_that_cannot_be(given: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=f"workers: .*{reason}"):
        with_workers(ctc_ocr.preset("lstm", training=given), Captchas(), RunOptions(**options))
