"""ONNX models beside MXNet: `python -m benchmarks.onnx_models DIR [--rounds N] [--images N] [--also MODEL ...]`.

For each kind of model: the file's size, a cold start (from the start of a process to its first text), one image in a
warm process, many images, and the peak of memory. Each figure is the median of rounds in turns, in processes of one
thread. The models are hardly trained: their weights do not change what reading costs. Texts are decoded greedily, since
such models read texts of unexpected lengths, which would all be searched for.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ctc_ocr
from benchmarks.common import Row, comparison, in_turns, row
from ctc_ocr.export.onnx import export_onnx

SHORT = {"num_epoch": 1, "samples_per_epoch": 64, "validation_samples": 16, "batch_size": 16}
COLD = """
import ctc_ocr, sys
predictor = ctc_ocr.Predictor(sys.argv[1])
predictor.decoder = ctc_ocr.Decoder().bind(predictor.alphabet)
predictor.read(sys.argv[2])
"""
WARM = """
import json, statistics, sys, time
import cv2
cv2.setNumThreads(1)
from pathlib import Path
import ctc_ocr
model, folder, count, batch_size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
predictor = ctc_ocr.Predictor(model, batch_size=batch_size)
predictor.decoder = ctc_ocr.Decoder().bind(predictor.alphabet)
files = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
def seconds(job):
    start = time.perf_counter()
    job()
    return time.perf_counter() - start
for each in files[:20]:
    predictor.read(each)
one = statistics.median(seconds(lambda: predictor.read(each)) for each in files[:200])
predictor.predict(files)
def read_all():
    for start in range(0, count, len(files)):
        predictor.predict(files[: count - start], confidence=False)
many = seconds(read_all)
# Not getrusage: its maximum has what the parent used before this process began.
status = Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([1000 * one, many, peak]))
"""
ENVIRONMENT = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MXNET_OMP_MAX_THREADS", "OPENBLAS_NUM_THREADS"), "1")}


@dataclass(frozen=True)
class Kind:
    """A kind of model: its hyperparameters, whether it reads lines, the ratio for one image that is aimed at, and the
    batch size that is best for each of MXNet and ONNX Runtime."""

    settings: ctc_ocr.Hyperparameters
    lines: bool
    one_image: float
    batch_sizes: tuple[int, int] = (128, 16)


def kinds() -> dict[str, Kind]:
    def made(preset: str, **network: object) -> ctc_ocr.Hyperparameters:
        lines = {"data": {"alphabet": "abcdefghijklmnopqrstuvwxyz "}} if preset == "line" else {}
        return ctc_ocr.preset(preset, network=network, training=SHORT, augmentation={"augment": False}, **lines)

    return {
        "lstm, unrolled": Kind(made("lstm", lstm_graph="unrolled"), lines=False, one_image=1.3),
        "lstm, fused": Kind(made("lstm"), lines=False, one_image=1.3),
        "crnn": Kind(made("crnn"), lines=False, one_image=2.0),
        "word": Kind(made("word"), lines=False, one_image=2.0),
        "line": Kind(made("line"), lines=True, one_image=2.0),
    }


def prepared(folder: Path, name: str, kind: Kind) -> tuple[Path, Path, Path]:
    """The model, its export, and a folder of images for it."""
    images, prefix = _images(folder, kind), folder / name.replace(", ", "_")
    bundle, exported = Path(f"{prefix}.zip"), Path(f"{prefix}.onnx")
    if not exported.is_file():
        data = str(images) if kind.settings.data.keep_ratio else ctc_ocr.Captchas()
        ctc_ocr.train(kind.settings, data, prefix, num_proc=1, cpu=1, overwrite=True, init_from="none", progress=False)
        ctc_ocr.bundle_model(prefix, bundle, overwrite=True)
        export_onnx(bundle, exported)
    return bundle, exported, images


def given(folder: Path, number: int, model: str, kind: Kind) -> tuple[Path, Path, Path]:
    """The same of a model that is there."""
    exported = folder / f"given_{number}.onnx"
    export_onnx(model, exported, overwrite=True)
    return Path(model), exported, _images(folder, kind)


def _images(folder: Path, kind: Kind) -> Path:
    images = folder / ("lines" if kind.lines else "captchas")
    if not images.is_dir():
        settings = ctc_ocr.Data(
            alphabet=kind.settings.data.alphabet,
            min_length=30 if kind.lines else 4,
            max_length=40 if kind.lines else 4,
            width=900 if kind.lines else 80,
            draw_width=900 if kind.lines else 160,
        )
        ctc_ocr.CaptchaWriter.create(settings, seed=1).write_folder(images, 300)
    return images


def figures(name: str, kind: Kind, paths: tuple[Path, Path, Path], rounds: int, count: int) -> list[Row]:
    """Of a model, its export, and a folder of images."""
    bundle, exported, images = paths
    first = str(next(images.glob("*.png")))

    def cold(model: Path) -> Callable[[], float]:
        return lambda: _seconds_of([sys.executable, "-c", COLD, str(model), first])

    warm: dict[Path, list[list[float]]] = {exported: [], bundle: []}
    cold_onnx, cold_mxnet = in_turns(rounds, cold(exported), cold(bundle))
    for _ in range(rounds):
        for model, batch_size in ((exported, kind.batch_sizes[1]), (bundle, kind.batch_sizes[0])):
            arguments = [sys.executable, "-c", WARM, str(model), str(images), str(count), str(batch_size)]
            done = subprocess.run(arguments, env=ENVIRONMENT, check=True, capture_output=True, text=True)
            warm[model].append(json.loads(done.stdout))

    def both(number: int) -> tuple[list[float], list[float]]:
        ours, baseline = ([each[number] for each in warm[model]] for model in (exported, bundle))
        return ours, baseline

    sizes = [exported.stat().st_size / 2**20], [bundle.stat().st_size / 2**20] if bundle.is_file() else []
    file = row(f"{name}: file", "MiB", *sizes, 1.0)
    return [
        _less_is_better(file) if file.ratio else file,
        row(f"{name}: cold start", "s", cold_onnx, cold_mxnet, 4.0),
        row(f"{name}: one image", "ms", *both(0), kind.one_image),
        row(f"{name}: {count:,} images", "s", *both(1), 0.95),
        _less_is_better(row(f"{name}: peak of memory", "MB", *both(2), 3.0)),
    ]


def _less_is_better(found: Row) -> Row:
    """With the ratio turned round."""
    assert found.baseline is not None
    return Row(found.what, found.unit, found.ours, found.baseline, found.baseline / found.ours, found.target)


def _seconds_of(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(arguments, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - start


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="benchmarks.onnx_models", description="ONNX models beside MXNet.")
    made.add_argument("folder", type=Path, metavar="DIR", help="for models and images; they are kept")
    made.add_argument("--rounds", type=int, default=5, help="turns of each measurement (default: 5)")
    made.add_argument("--images", type=int, default=10_000, help="images of the long measurement (default: 10000)")
    made.add_argument("--models", nargs="*", choices=list(kinds()), default=list(kinds()), help="default: all")
    made.add_argument(
        "--also", nargs="+", default=[], metavar="MODEL", help="measure these too, of MXNet's example/ctc say"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = [
        each
        for name in options.models
        for each in figures(
            name, kinds()[name], prepared(options.folder, name, kinds()[name]), options.rounds, options.images
        )
    ]
    for number, model in enumerate(options.also):
        kind = kinds()["lstm, unrolled"]
        paths = given(options.folder, number, model, kind)
        rows += figures(Path(model).name, kind, paths, options.rounds, options.images)
    print(comparison(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
