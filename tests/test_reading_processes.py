"""Reading processes: the same as one process reads, errors, what they leave behind, and the scripts that start them."""

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.cli.evaluate import main as evaluate_command
from ctc_ocr.cli.infer import main as infer_command
from ctc_ocr.config.architectures import register_architecture
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.images.pixels import invert
from ctc_ocr.inference import readers
from ctc_ocr.inference.batch import predict_files
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.ink import InkCheck
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.inference.reader_pool import CHUNKS_AHEAD, ReaderPool
from ctc_ocr.inference.readers import LEAST_IMAGES, LEAST_IMAGES_ONNX, fastest_num_proc, open_reader
from ctc_ocr.runtime.supervision import MAX_DEATHS, Patience
from ctc_ocr.runtime.threads import available_cores
from tests.models import save_line_model, save_own_model
from tests.test_pool import ENVIRONMENT, alive, wait_until_gone

NUM_IMAGES, BATCH_SIZE = 40, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of MXNet, the same as ONNX, a model of lines, and images of several widths, one with light
    ink and one that is broken; and their labels, with a row that names no image."""
    folder = tmp_path_factory.mktemp("reading")
    save_own_model(folder / "m", seed=2)
    save_line_model(folder / "line")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for number in range(NUM_IMAGES):
        levels = np.where(rng.random((12, 16 + number % 5)) < 0.3, rng.integers(0, 120, (12, 16 + number % 5)), 240)
        pixels = levels.astype(np.uint8)
        Image.fromarray(invert(pixels) if number == 8 else pixels).save(folder / "images" / f"{number:02}.png")
    ctc_ocr.export_onnx(folder / "m", folder / "m.onnx", images=sorted((folder / "images").glob("*.png")))
    (folder / "images" / "20.png").write_bytes(b"no image")
    rows = [f"images/{number:02}.png,{number}" for number in range(NUM_IMAGES)]
    (folder / "labels.csv").write_text("\n".join([*rows[:15], "images/none.png,1", "no label", *rows[15:]]) + "\n")
    return folder


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def pool(folder: Path) -> Iterator[ReaderPool]:
    """Of the ONNX model, whose processes start in a fraction of the time."""
    with ReaderPool(folder / "m.onnx", 2, batch_size=BATCH_SIZE) as pool:
        yield pool


def paths_of(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.png"))


def listed(folder: Path) -> list[ListedImage]:
    found = [ListedImage(path.name, path) for path in paths_of(folder)]
    return [*found[:30], ListedImage("x", Path("x"), "list.csv, row 31", "no path"), *found[30:]]


def same(ours: object, theirs: object) -> bool:
    """Predictions that are equal, and errors that say the same."""
    return repr(ours) == repr(theirs) and type(ours) is type(theirs)


@pytest.mark.parametrize("confidence", [True, False])
def test_what_one_process_reads(folder: Path, pool: ReaderPool, confidence: bool) -> None:
    """Errors and the count of light ink too, and relative paths start from where the parent is now."""
    predictor, inks = Predictor(folder / "m.onnx", batch_size=BATCH_SIZE), (InkCheck("dark"), InkCheck("dark"))
    os.chdir(folder / "images")
    images = [ListedImage("relative", Path("03.png")), *listed(folder)]
    expected = list(predict_files(predictor, images, confidence=confidence, places=confidence, ink=inks[0]))
    found = list(predict_files(pool, images, confidence=confidence, places=confidence, ink=inks[1]))
    assert [image for image, _ in found] == images
    assert all(same(each, other) for (_, each), (_, other) in zip(found, expected, strict=True))
    assert [str(each) for _, each in found if isinstance(each, InputError)] == [
        f"{folder}/images/20.png: not an image; accepted: BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP",
        "list.csv, row 31: no path",
    ]
    assert len({each.text for _, each in found if isinstance(each, Prediction)}) > 10
    assert inks[0].count == inks[1].count == 1


def test_models_of_mxnet_and_of_several_widths(folder: Path) -> None:
    decoder = Decoder(allowed="abc")
    expected = list(predict_files(Predictor("line", batch_size=BATCH_SIZE, decoder=decoder), listed(folder)))
    with ReaderPool("line", 2, batch_size=BATCH_SIZE, decoder=decoder) as pool:
        found = list(predict_files(pool, listed(folder)))
    assert all(same(each, other) for (_, each), (_, other) in zip(found, expected, strict=True))
    assert any(isinstance(each, Prediction) and each.text for _, each in found)


def test_images_of_every_kind(folder: Path, pool: ReaderPool) -> None:
    path = paths_of(folder)[0]
    content, pixels = path.read_bytes(), np.array(Image.open(path))
    kinds: list[Any] = [path, str(path), content, bytearray(content), memoryview(content), pixels, 7, "none.png"]
    *read, wrong, missing = pool.predict(kinds)
    expected = Predictor("m.onnx").read(path)
    for each in read:
        assert isinstance(each, Prediction)
        assert each.text == expected.text
        assert each.confidence == pytest.approx(expected.confidence, rel=1e-4)
    assert str(wrong).startswith("images[6]: expected a path")
    assert str(missing) == "none.png: No such file or directory"
    assert list(pool.predict([])) == []


def test_a_bounded_number_of_images_is_taken(folder: Path, pool: ReaderPool) -> None:
    taken = 0

    def images() -> Iterator[Path]:
        nonlocal taken
        for taken in itertools.count(1):  # noqa: B007
            yield paths_of(folder)[0]

    results = pool.predict(images())
    for number in range(1, 61):
        assert isinstance(next(results), Prediction)
        assert taken <= number + (2 * CHUNKS_AHEAD + 1) * BATCH_SIZE
    with pytest.raises(InputError, match="reads other images already"):
        next(pool.predict([]))
    results.close()
    # What was given up is not taken for what is read now.
    text = Predictor("m.onnx").read(paths_of(folder)[1]).text
    assert [getattr(each, "text", each) for each in pool.predict(paths_of(folder)[1:2] * 9)] == [text] * 9


@pytest.mark.parametrize(
    "flags",
    [
        ["images", "--json"],
        ["images", "--sort", "confidence", "--labels", "labels.csv", "--batch_size", "4"],
        ["--csv", "labels.csv", "--out", "out.csv", "--min_confidence", "0.000001"],
    ],
)
def test_infer(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for num_proc in ("1", "2"):
        status = infer_command(["--model=m.onnx", "--batch_size=3", *flags, "--num_proc", num_proc])
        written = Path("out.csv").read_text() if "--out" in flags else ""
        Path("out.csv").unlink(missing_ok=True)
        found.append((status, *capsys.readouterr(), written))
    assert found[0] == found[1]
    status, printed, notices, written = found[0]
    assert status == 1
    assert "20.png: not an image" in notices
    assert len((printed + written).splitlines()) >= NUM_IMAGES - 1


def test_evaluate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model of MXNet that knows some of the images."""
    from ctc_ocr.checkpoint.known_images import KnownImages, save_known_images
    from ctc_ocr.images.digest import pixel_digest
    from ctc_ocr.images.files import read_image

    digests = [pixel_digest(read_image(path, channels=3)) for path in paths_of(folder)[:8]]
    save_known_images(folder / "m", KnownImages.of(digests[:5], digests[5:]))
    found = []
    for num_proc in ("1", "2"):
        flags = ["--report=report.json", "--out=readings.csv", "--overwrite", "--batch_size=2", "--num_proc", num_proc]
        status = evaluate_command(["--model=m", "labels.csv", *flags])
        found.append((status, *capsys.readouterr(), Path("report.json").read_text(), Path("readings.csv").read_text()))
    assert found[0] == found[1]
    figures = json.loads(found[0][3])
    assert (figures["samples"], figures["invalid"]["samples"]) == (NUM_IMAGES - 1, 3)
    assert (figures["trained_on"], figures["validated_with"], figures["inverted"]) == (5, 3, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGKILL, "was killed by signal 9"), (signal.SIGSTOP, "did nothing for 2.5 s")],
)
def test_a_process_that_dies_or_is_stopped_is_replaced(
    folder: Path, caplog: pytest.LogCaptureFixture, number: signal.Signals, said: str
) -> None:
    paths = paths_of(folder) * 20
    with ReaderPool("m.onnx", 2, batch_size=BATCH_SIZE, patience=Patience(warn=1, replace=2.5)) as pool:
        expected = [each.text if isinstance(each, Prediction) else str(each) for each in pool.predict(paths)]
        results = pool.predict(paths)
        found = [next(results)]
        pids = pool.process_ids
        os.kill(pids[1], number)
        found += list(results)
        pids += pool.process_ids
    assert [each.text if isinstance(each, Prediction) else str(each) for each in found] == expected
    assert f"A reading process (pid {pids[1]}) {said}; another one does its work" in caplog.text
    assert not any(map(alive, pids))


@pytest.mark.slow
def test_processes_that_die_again_and_again_end_the_reading(folder: Path) -> None:
    with ReaderPool("m.onnx", 1, batch_size=BATCH_SIZE) as pool:
        results = pool.predict(itertools.repeat(paths_of(folder)[0]))

        def read_and_kill() -> None:
            for _ in range(50 * MAX_DEATHS):
                next(results)
                os.kill(pool.process_ids[0], signal.SIGKILL)

        with pytest.raises(RunError, match="killed by signal 9 before its work was done, like those before it"):
            read_and_kill()


def test_models_and_numbers_that_are_refused(folder: Path) -> None:
    before = set(multiprocessing.active_children())
    (folder / "broken.onnx").write_bytes(b"no model")
    refused: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("broken.onnx", {}, "broken.onnx: "),
        ("m.onnx", {"batch_size": 0}, "batch_size: expected 1 to"),
        ("m.onnx", {"num_proc": 0}, "num_proc: 0 is less than 1"),
        ("m.onnx", {"decoder": Decoder(allowed="é")}, "not in the alphabet: 'é'"),
    )
    for model, options, reason in refused:
        with pytest.raises(InputError, match=reason):
            ReaderPool(model, **{"num_proc": 1, **options})
    assert set(multiprocessing.active_children()) == before


PARENT = """
import itertools, sys
from ctc_ocr.inference.reader_pool import ReaderPool
pool = ReaderPool("m.onnx", 2, batch_size=3)
for number, _ in enumerate(pool.predict(itertools.repeat("images/00.png"))):
    if number == 9:
        print(*pool.process_ids, flush=True)
"""


def test_a_parent_that_is_killed_leaves_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as parent:
        assert parent.stdout is not None
        pids = [int(each) for each in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        parent.kill()
    assert wait_until_gone(pids) == []


NOT_CLOSED = """
import ctc_ocr

pool = ctc_ocr.ReaderPool("m.onnx", 2)
print(*pool.process_ids)
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(0)", "pool.predict(['images/00.png']).__next__()"])
def test_a_program_that_does_not_close_its_pool_ends(end: str) -> None:
    command = [sys.executable, "-c", NOT_CLOSED + end]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert wait_until_gone([int(each) for each in done.stdout.split()]) == []


def test_a_pool_that_nobody_uses_any_more_ends_its_processes() -> None:
    pool = ReaderPool("m.onnx", 1)
    ids = pool.process_ids
    del pool
    assert wait_until_gone(ids) == []


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_ctrl_c_ends_all(folder: Path) -> None:
    """All of the terminal's processes get it."""
    (folder / "many.csv").write_text("images/00.png\n" * 200_000)
    command = [sys.executable, "-m", "ctc_ocr", "infer", "--model=m.onnx", "--csv=many.csv", "--num_proc=2"]
    before = set(Path(os.environ.get("TMPDIR", "/tmp")).glob("pymp-*"))  # noqa: S108
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        pids = children_of(running.pid)
        assert len(pids) >= 2
        os.killpg(running.pid, signal.SIGINT)
        _, notices = running.communicate(timeout=60)
    assert (running.returncode, notices.splitlines()[-1]) == (130, "ctc-ocr infer: interrupted")
    assert "Traceback" not in notices
    assert wait_until_gone(pids) == []
    assert set(Path(os.environ.get("TMPDIR", "/tmp")).glob("pymp-*")) == before  # noqa: S108


def test_an_image_that_only_the_command_has_open(folder: Path) -> None:
    path = paths_of(folder)[0]
    command = [sys.executable, "-m", "ctc_ocr", "infer", "--model=m.onnx", "--num_proc=2", "/dev/stdin", str(path)]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, env=ENVIRONMENT, timeout=60)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 2
    assert lines[0].replace("/dev/stdin", str(path)) == lines[1]
    assert done.stderr == b""


UNGUARDED = """
from pathlib import Path
import ctc_ocr

class Upside(ctc_ocr.Sample):
    def read_bytes(self):
        return Path(self.image).read_bytes()

@ctc_ocr.register_source("upside")
def read(argument, options):
    samples = [Upside(f"images/{number:02}.png", ("1",), f"{number}") for number in range(8)]
    return ctc_ocr.datasets.samples.Rows("a test", 8, lambda: iter(samples))

print("started", flush=True)
with ctc_ocr.ReaderPool("m.onnx", 2, batch_size=1) as pool:
    print(ctc_ocr.evaluate(pool, "upside:").num_samples)
"""


def test_a_script_without_a_guard_runs_once_and_its_samples_reach_the_processes(folder: Path) -> None:
    (folder / "unguarded.py").write_text(UNGUARDED)
    done = subprocess.run([sys.executable, "unguarded.py"], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert (done.stdout, done.stderr) == ("started\n8\n", "")


OWN = """
import ctc_ocr

@ctc_ocr.register_architecture("of_the_readers", columns_per_step=1, needs_steps=False)
def build(images, hyperparameters, num_classes, steps=None):
    from ctc_ocr.symbols.lstm import logits
    return logits(images, hyperparameters, num_classes, steps)
"""


def test_an_imported_architecture_reaches_the_processes(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "own_network.py").write_text(OWN)
    for path in folder.glob("m[.-]*"):
        (folder / f"own_{path.name}").write_bytes(path.read_bytes())
    described = json.loads((folder / "m.json").read_text())
    described["hyperparameters"]["network"]["architecture"] = "of_the_readers"
    (folder / "own_m.json").write_text(json.dumps(described))
    flags = ["--model=own_m", "--import=own/own_network.py", "--num_proc=2", "--batch_size=3", "images"]
    done = subprocess.run(
        [sys.executable, "-m", "ctc_ocr", "infer", *flags], capture_output=True, text=True, env=ENVIRONMENT, timeout=120
    )
    texts = [line.split("\t")[-1] for line in done.stdout.splitlines()]
    assert len(texts) == NUM_IMAGES - 1, done.stderr
    paths = [path for path in paths_of(folder) if path.name != "20.png"]
    assert [line.endswith(each.text) for line, each in zip(texts, Predictor("m").predict(paths), strict=True)] == [
        True
    ] * len(paths)


@dataclass
class Columns:
    """Cannot be pickled."""

    lock: object

    def __call__(self, network: object) -> int:
        return 1


def test_what_cannot_be_sent_is_read_in_one_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ARCHITECTURES, "_parts", dict(ARCHITECTURES._parts))
    register_architecture("with_a_lock", Columns(threading.Lock()))(lambda images, hyperparameters, classes, steps: 0)
    if available_cores() > 1:
        with open_reader("m.onnx", 100_000) as reader:
            assert isinstance(reader, Predictor)
        assert "Reading in one process: a registered architecture cannot be sent to other processes: " in caplog.text
    with pytest.raises(InputError, match="cannot be sent to other processes"), open_reader("m.onnx", 100_000, 2):
        pass


def test_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = available_cores()
    for model, least in (("m", LEAST_IMAGES), ("m.onnx", LEAST_IMAGES_ONNX)):
        assert fastest_num_proc(model, 0) == fastest_num_proc(model, 2 * least - 1) == 1
        assert fastest_num_proc(model, 2 * least) == min(2, cores)
        assert fastest_num_proc(model, 10**9) == cores
        with monkeypatch.context() as patch:  # as on Windows
            patch.setattr(readers, "CAN_START_PROCESSES", False)
            assert fastest_num_proc(model, 10**9) == 1
            with pytest.raises(InputError, match="num_proc: this system can read with one process only"):
                open_reader(model, 10**9, 2).__enter__()
        assert fastest_num_proc(model, 10**9, threads=cores) == fastest_num_proc(model, 10**9, threads=cores + 1) == 1


def test_few_images_are_read_by_the_command_itself() -> None:
    with open_reader("m.onnx", NUM_IMAGES) as reader:
        assert isinstance(reader, Predictor)


def test_a_gpu_has_one_process() -> None:
    from ctc_ocr.runtime.mxnet import mx

    with pytest.raises(InputError, match="one process reads with a GPU"), open_reader("m", 1, 2, context=mx.cpu()):
        pass
    with open_reader("m", 10**9, context=mx.cpu()) as reader:
        assert isinstance(reader, Predictor)
