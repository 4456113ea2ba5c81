"""As a program: the files of a run are saved while the disk fails, and each is then as it was or as it should be.

Argument: `calls`, for a fault at each operation in turn, by the library of benchmarks/chaos that is preloaded; or
`sizes`, for a small file system of each size in steps of 4 KB, which is mounted on the folder and needs root. Prints a
line for each fault, and what was wrong.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import history, model_files, run_files, training_state
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.bundling import bundle_model
from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.known_images import KnownImages, save_known_images
from ctc_ocr.checkpoint.stored_model import PARAMS
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Network
from ctc_ocr.errors import RunError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.file_callbacks import ValidationPredictions
from tests.models import chosen
from tests.training_runs import epoch_end

FOLDER = Path("saved")
PREFIX = str(FOLDER / "ocr")
SYMBOL = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="pred_fc")
STEP, LARGEST = 4096, 40  # bytes, and file systems


def save(version: int) -> None:
    """What a run writes after an epoch, in its order; all of it is different for each version."""
    model = Model(Hyperparameters(network=Network(num_hidden=10 + version)), Alphabet(("0", "1")))
    weights = {"pred_fc_weight": mx.nd.full((3, 500), version), "pred_fc_bias": mx.nd.full((3,), version)}
    training_state.save_state(run_files.unfinished_path(PREFIX), {"a": np.full(900, version)}, {"version": version})
    training_state.save_training_state(PREFIX, 1, {"0.0": np.full(700, version)}, {"version": version})
    model_files.save(PREFIX, 1, SYMBOL, weights, {}, model)
    save_known_images(PREFIX, KnownImages(np.arange(version, 20, dtype=np.uint64), np.zeros(0, np.uint64)))
    history.write(PREFIX, [epoch_end().row] * version)
    ValidationPredictions(PREFIX, [f"{version}", "b"])(epoch_end())
    save_calibrations(PREFIX, {1: chosen(Calibration(float(version), 0.0))})
    bundle_model(PREFIX, f"{FOLDER / 'bundle.zip'}", overwrite=True)


def contents() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}


def wrong(failed: bool, before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """What must not be after a fault: a file that is neither the older nor the newer one, or an error that was lost."""
    now = contents()
    found = [name for name, content in now.items() if content not in (before.get(name), after.get(name))]
    found += [f"{name} is missing" for name in before if name not in now]
    if not failed and now != after:
        found.append("no error, and not all is there")
    if not found and "ocr-0001.params" in now:
        with suppress(RunError):
            assert find_model(PREFIX, 1).read(PARAMS)
    return found


def attempt() -> bool:
    """Whether saving the second version fails, with an error for people."""
    try:
        save(2)
        return False
    except RunError:
        return True


def restore(before: dict[str, bytes]) -> None:
    for path in FOLDER.iterdir():
        path.unlink()
    for name, content in before.items():
        (FOLDER / name).write_bytes(content)


def faults_of_calls(before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[str]:
    library: Any = ctypes.CDLL(os.environ["LD_PRELOAD"])
    library.fault_count.restype = ctypes.c_long
    for action in (b"fail", b"full"):
        for number in range(1, 10_000):
            restore(before)
            library.fault_arm(str(FOLDER.resolve()).encode(), ctypes.c_long(number), action)
            failed = attempt()
            count = library.fault_count()
            library.fault_arm(b"", ctypes.c_long(0), b"")
            if count < number:
                break
            yield from (f"{action.decode()} {number}: {each}" for each in wrong(failed, before, after))
            print("fault", flush=True)


def faults_of_sizes(before: dict[str, bytes], after: dict[str, bytes]) -> Iterator[str]:
    for pages in range(1, LARGEST):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STEP * pages}", "tmpfs", FOLDER], check=True)
        try:
            with suppress(RunError):
                save(1)
            there = contents()
            failed = attempt()
            yield from (f"{pages} pages: {each}" for each in wrong(failed, there, after))
            if failed:
                print("fault", flush=True)
        finally:
            subprocess.run(["umount", FOLDER], check=True)


def main() -> None:
    FOLDER.mkdir()
    save(2)
    after = contents()
    restore({})
    save(1)
    before = contents()
    if sys.argv[1] == "sizes":
        restore({})
    for each in (faults_of_sizes if sys.argv[1] == "sizes" else faults_of_calls)(before, after):
        print("wrong:", each, flush=True)


if __name__ == "__main__":
    main()
