"""Loss and gradient of a batch: warp-ctc against MXNet's own CTC operator, as they are attached to a network.

Both are symbols bound on the CPU that run forward and backward over the same random logits and labels, in turns; the
ratio is that of the medians. Prints a Markdown table.

    python -m benchmarks.losses [--threads 1] [--steps 80] [--seconds 2] [--json FILE]
"""

import argparse
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import processor

CLASSES = (11, 100, 1000, 5000)
BATCHES = (1, 32, 128)
LABEL_LENGTH = 4
MIN_ROUNDS = 5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time of both CTC losses over classes and batch sizes.")
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads (default 1)")
    parser.add_argument("--steps", type=int, default=80, help="time steps of the logits (default 80)")
    parser.add_argument("--seconds", type=float, default=2.0, help="minimum time to spend on each size (default 2)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def runner(loss: Callable[[Any, Any], Any], logits: Any, labels: Any) -> Callable[[], None]:
    """A function that computes loss and gradient once and waits for both."""
    from ctc_ocr.runtime.mxnet import mx

    symbol = mx.sym.make_loss(loss(mx.sym.var("data"), mx.sym.var("label")))
    grad_req = {"data": "write", "label": "null"}
    executor = symbol.simple_bind(mx.cpu(), data=logits.shape, label=labels.shape, grad_req=grad_req)
    executor.arg_dict["data"][:] = logits
    executor.arg_dict["label"][:] = labels

    def run() -> None:
        executor.forward(is_train=True)
        executor.backward()
        executor.outputs[0].wait_to_read()
        executor.grad_dict["data"].wait_to_read()

    run()
    return run


def seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(steps: int, batch: int, classes: int, min_seconds: float) -> dict[str, float]:
    """Medians in ms of both losses, their ratio, and the number of rounds."""
    import numpy as np

    from ctc_ocr.losses import ctc, warpctc

    generator = np.random.default_rng(0)
    logits = generator.normal(size=(steps, batch, classes)).astype(np.float32)
    labels = generator.integers(1, classes, (batch, LABEL_LENGTH)).astype(np.float32)
    runners = [runner(loss, logits, labels) for loss in (ctc.loss, warpctc.loss)]
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + min_seconds
    while len(times[0]) < MIN_ROUNDS or time.perf_counter() < end:
        for run, taken in zip(runners, times, strict=True):
            taken.append(seconds(run))
    contrib, warp = (1e3 * statistics.median(taken) for taken in times)
    return {
        "classes": classes,
        "batch": batch,
        "ctc_ms": contrib,
        "warpctc_ms": warp,
        "ratio": contrib / warp,
        "rounds": len(times[0]),
    }


def conditions(options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from ctc_ocr.losses import warpctc_library
    from ctc_ocr.runtime.mxnet import mx
    from ctc_ocr.runtime.threads import available_cores

    return {
        "processor": processor(),
        "cores": available_cores(),
        "threads": options.threads,
        "steps": options.steps,
        "label_length": LABEL_LENGTH,
        "python": platform.python_version(),
        "mxnet": mx.__version__,
        "numpy": np.__version__,
        "warpctc": warpctc_library.find().source,
    }


def main() -> None:
    options = arguments()
    from ctc_ocr.runtime.threads import set_threads

    set_threads(options.threads)
    found = conditions(options)
    print(
        f"{found['processor']}, {found['cores']} cores, {found['threads']} thread(s); Python {found['python']}, MXNet "
        f"{found['mxnet']}, NumPy {found['numpy']}, libwarpctc of {found['warpctc']}; {found['steps']} time steps, "
        f"labels of {found['label_length']} codes.\n"
    )
    print("| classes | batch | ctc, ms | warpctc, ms | ctc / warpctc |\n|---:|---:|---:|---:|---:|")
    rows = []
    for classes, batch in itertools.product(CLASSES, BATCHES):
        row = measure(options.steps, batch, classes, options.seconds)
        rows.append(row)
        print(
            f"| {classes:,} | {batch} | {row['ctc_ms']:.2f} | {row['warpctc_ms']:.2f} | {row['ratio']:.2f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({"conditions": found, "results": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
