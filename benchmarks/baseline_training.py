"""Baseline: how the example's network learns as it was trained, until 0.95 of the captchas are read or the cut-off.

Plain SGD (0.01, momentum 0.9), 128 samples per batch, nothing clipped, Xavier weights everywhere, biases 0, paper 1 and
ink 0. The fused graph over the same weights saves time and changes nothing else. Takes about 15 minutes.

    python -m benchmarks.baseline_training --json FILE [--samples 600000] [--threads 1]
"""

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common import CLASSES, FONT, HEIGHT, HIDDEN, LAYERS, MAX_LENGTH, WIDTH
from ctc_ocr.runtime.threads import set_threads

ENOUGH = 0.95
BATCH_SIZE = 128
VALIDATE_EVERY = 15_000
VALIDATION_SAMPLES = 3_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.baseline_training", description="Samples that plain SGD needs.")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file for the validations")
    parser.add_argument("--samples", type=int, default=600_000, help="cut-off (default: 600000)")
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads (default: 1)")
    options = parser.parse_args()
    set_threads(options.threads)
    found = {"validations": measure(options.samples, options.json)}
    print(f"{found['validations'][-1]}", file=sys.stderr)


def symbol() -> Any:
    """Loss (N,) and best path (N, 80) of data (N, 30, 80) uint8 and label (N, 4)."""
    from ctc_ocr import losses
    from ctc_ocr.runtime.mxnet import mx
    from ctc_ocr.symbols import lstm

    levels = mx.sym.cast(mx.sym.Variable("data"), dtype="float32") / 255
    columns = mx.sym.transpose(levels, axes=(2, 0, 1))
    hidden = lstm.fused(columns, lstm.parameters(LAYERS, HIDDEN, HEIGHT), HIDDEN)
    return losses.attach("ctc", lstm.classify(hidden, CLASSES), mx.sym.Variable("label"))


def bound(batch_size: int) -> Any:
    """The module with its first weights and its optimizer."""
    from ctc_ocr.runtime.mxnet import mx

    module = mx.mod.Module(symbol(), ["data"], ["label"], context=mx.cpu())
    module.bind(
        [mx.io.DataDesc("data", (batch_size, HEIGHT, WIDTH), dtype="uint8")],
        [mx.io.DataDesc("label", (batch_size, MAX_LENGTH))],
    )
    module.init_params(mx.init.Mixed([".*bias", ".*"], [mx.init.Zero(), mx.init.Xavier()]))
    settings = {"learning_rate": 0.01, "momentum": 0.9, "rescale_grad": 1 / batch_size}
    module.init_optimizer(kvstore=None, optimizer="sgd", optimizer_params=settings)
    return module


def measure(samples: int, file: Path, every: int = VALIDATE_EVERY, held_out: int = VALIDATION_SAMPLES) -> list[Any]:
    """[{samples, accuracy, loss, seconds}] of each validation, written to a file as {"validations": ...} each time."""
    from ctc_ocr.config.sections import Data
    from ctc_ocr.datasets.generated import GeneratedSource
    from ctc_ocr.datasets.iterator import cached_batches, streamed_batches
    from ctc_ocr.generation.pool import BatchPool
    from ctc_ocr.generation.seeds import TRAIN, VALIDATION
    from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
    from ctc_ocr.rendering.fast import FastRenderer
    from ctc_ocr.runtime.mxnet import mx
    from ctc_ocr.training.sums import Sums

    mx.random.seed(0)
    started = time.perf_counter()
    renderer = FastRenderer((FONT,))
    renderer.prepare()
    train = GeneratedSource(renderer, Data(), BATCH_SIZE, 0, TRAIN)
    validation = cached_batches(
        GeneratedSource(CaptchaLibraryRenderer((FONT,)), Data(), BATCH_SIZE, 0, VALIDATION), held_out, 1
    )
    module, found = bound(BATCH_SIZE), list[Any]()
    with BatchPool(train, 1, itertools.count()) as pool:
        iterator = streamed_batches(train, pool, every)
        while not found or (found[-1]["samples"] < samples and found[-1]["accuracy"] < ENOUGH):
            sums = Sums()
            for batch in iterator:
                module.forward_backward(batch)
                module.update()
            iterator.reset()
            for batch in validation:
                module.forward(batch, is_train=False)
                size = BATCH_SIZE - batch.pad
                sums.add(*(each.asnumpy()[:size] for each in [*module.get_outputs(), batch.label[0]]))
            validation.reset()
            found.append(
                {
                    "samples": (len(found) + 1) * iterator.num_batches * BATCH_SIZE,
                    "accuracy": sums.tally.accuracy,
                    "loss": sums.mean_loss,
                    "seconds": time.perf_counter() - started,
                }
            )
            print(found[-1], file=sys.stderr, flush=True)
            file.write_text(json.dumps({"validations": found}, indent=2) + "\n", encoding="utf-8")
    return found


if __name__ == "__main__":
    main()
