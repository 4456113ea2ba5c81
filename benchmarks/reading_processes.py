"""Two reading processes beside one: `python -m benchmarks.reading_processes DIR [--rounds N] [--images N]`.

Captchas are read from files, by models of MXNet and of ONNX Runtime: with the processes started and warm, and by the
whole commands, from their start to their end. Both sides take turns, one thread in each process. A figure is the median
of the rounds. The models are hardly trained: their weights do not change what reading costs. Texts are decoded
greedily, since such models read texts of unexpected lengths, which would all be searched for.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ctc_ocr
from benchmarks.common import Row, comparison, in_turns, row, seconds
from benchmarks.onnx_models import ENVIRONMENT, kinds, prepared

TARGET = 1.8
MXNET, ONNX = "MXNet", "ONNX"
WARM = """
import sys, time
from pathlib import Path
import ctc_ocr
from ctc_ocr.images.folders import find_images
from ctc_ocr.inference.batch import predict_files
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.readers import open_reader
model, folder, num_proc = sys.argv[1:]
images = [ListedImage(str(path), path) for path in find_images([folder])]
decoder = ctc_ocr.Decoder(lengths=ctc_ocr.Lengths.parse("any"))
with open_reader(model, len(images), int(num_proc), decoder=decoder) as reader:
    def read(some):
        for _ in predict_files(reader, some, confidence=False, places=False):
            pass
    read(images[:2000])  # so many that each process has some
    start = time.perf_counter()
    read(images)
    print(time.perf_counter() - start)
"""


def measure(folder: Path, names: Sequence[str], engines: Sequence[str], count: int, rounds: int) -> list[Row]:
    """Two processes beside one, of models that are made in a folder if they are not there."""
    images = folder / f"files_{count}"
    if not images.is_dir():
        ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(), seed=2).write_folder(images, count)
    rows = []
    for name in names:
        bundle, exported, _ = prepared(folder, name, kinds()[name])
        for engine in engines:
            model = {MXNET: bundle, ONNX: exported}[engine]
            shown = f"{name}, {engine}, {count:,} images"
            jobs = {
                f"{shown}: warm": partial(_warm, model, images),
                f"{shown}: infer": partial(_command, "infer", model, [images]),
                f"{shown}: evaluate": partial(_command, "evaluate", model, [images / "labels.csv"]),
            }
            rows += [_row(what, job, rounds) for what, job in jobs.items()]
    return rows


def _row(what: str, job: Callable[[int], float], rounds: int) -> Row:
    two, one = in_turns(rounds, partial(job, 2), partial(job, 1))
    return row(what, "s", two, one, TARGET)


def _warm(model: Path, images: Path, num_proc: int) -> float:
    arguments = [sys.executable, "-c", WARM, str(model), str(images), str(num_proc)]
    return float(subprocess.run(arguments, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _command(command: str, model: Path, sources: list[Path], num_proc: int) -> float:
    flags = ["--model", str(model), "--lengths", "any", "--num_proc", str(num_proc)]
    arguments = [sys.executable, "-m", "ctc_ocr", command, *flags, *map(str, sources)]
    run = partial(subprocess.run, arguments, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return seconds(lambda: run(stderr=subprocess.DEVNULL))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.reading_processes", description="Two processes beside one.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="for models and images; they are kept")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measurement (default: 3)")
    parser.add_argument("--images", type=int, default=10_000, help="number of images (default: 10000)")
    parser.add_argument("--models", nargs="+", choices=list(kinds()), default=["lstm, fused", "word"])
    parser.add_argument("--engines", nargs="+", choices=(MXNET, ONNX), default=[MXNET, ONNX], help="default: both")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"Load of the machine before: {load:.1f}\n")
    print(comparison(measure(options.folder, options.models, options.engines, options.images, options.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
