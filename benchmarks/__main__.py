"""All figures in one table: python -m benchmarks [--long [--sgd FILE]] [--json FILE]. See docs/benchmarks.md."""

import argparse
import importlib.metadata
import json
import platform
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common import Row, comparison, isolated, processor, row
from ctc_ocr.runtime.threads import available_cores

PACKAGES = ("mxnet", "numpy", "captcha", "opencv-python-headless", "numba", "pillow")
THREADS = (1, 2)  # tried in training
TRAINING_TARGET = 3
WALL_TIMES = {"lstm": 300, "crnn": 90}  # preset -> s, aimed at
SAMPLES_TARGET = 10


def main() -> None:
    options = arguments()
    rows, efficiency = quick(options.rounds)
    if options.long:
        rows += long(options.sgd)
    found = conditions()
    print(f"{found['processor']}, {found['cores']} cores; Python {found['python']}, {found['packages']}.")
    print(f"Medians of {options.rounds} rounds in turns; one thread unless stated otherwise.\n")
    print(comparison(rows))
    print(f"\n{in_words(efficiency)}")
    if options.json:
        result = {
            "conditions": found,
            "rows": [asdict(each) | {"reached": each.reached} for each in rows],
            "efficiency": efficiency,
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Speed, beside the baselines, in one run.")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each measurement (default: 5)")
    parser.add_argument("--long", action="store_true", help="also train until 0.99 of the captchas are read: minutes")
    parser.add_argument("--sgd", type=Path, metavar="FILE", help="what benchmarks.baseline_training wrote, for --long")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the figures")
    return parser.parse_args()


def quick(rounds: int) -> tuple[list[Row], dict[str, float]]:
    """The rows that take seconds, and how much of a core's peak the network reaches."""
    report("captcha images on one core")
    rows = isolated(1, "rendering", rounds, 2560, 120)
    report("the whole iterator")
    rows += isolated(1, "feeding", rounds, 100, 4)
    trained = {}
    for threads in THREADS:
        report(f"training with {threads} thread(s)")
        trained[threads] = isolated(threads, "training", rounds, 10, 4)
    rows.append(training_row(trained))
    report("reading")
    rows += isolated(1, "reading", rounds, 50, 10_000, 300, 10_000)
    return rows, efficiency(trained[1], one_image=rows[-2], many_images=rows[-1])


def training_row(trained: dict[int, Any]) -> Row:
    """Of the number of threads that is best for each side."""
    ours, baseline = (
        max((found[side] for found in trained.values()), key=statistics.median) for side in ("ours", "baseline")
    )
    return row("training, generation and metrics included", "samples/s", ours, baseline, TRAINING_TARGET)


def efficiency(trained: dict[str, Any], one_image: Row, many_images: Row) -> dict[str, float]:
    """Floating-point operations (FLOPs), one core's peak (FLOP/s), and the fractions of it that are reached."""
    peak, training = max(trained["peak"]), trained["flops"]
    prediction = training / 3
    return {
        "peak": peak,
        "training_sample": training,
        "prediction": prediction,
        "training_fraction": training * statistics.median(trained["ours"]) / peak,
        "one_image_fraction": prediction / (1e-3 * one_image.ours) / peak,
        "many_images_fraction": prediction * many_images.ours / peak,
    }


def in_words(found: dict[str, float]) -> str:
    return (
        f"Floating-point operations: {found['training_sample'] / 1e6:.1f} million per training sample, "
        f"{found['prediction'] / 1e6:.1f} million per prediction. Of the {found['peak'] / 1e9:.0f} GFLOP/s that a "
        f"large product of matrices reaches on one core, training makes {found['training_fraction']:.0%}, reading one "
        f"image {found['one_image_fraction']:.0%}, and many {found['many_images_fraction']:.0%}."
    )


def long(sgd: Path | None) -> list[Row]:
    """The rows that take minutes: the real command. The baseline's figure is read from a file, if there is one."""
    from benchmarks import accuracy

    rows = []
    for preset, bound in WALL_TIMES.items():
        report(f"ctc-ocr train --preset {preset} until 0.99")
        run = accuracy.train(preset, 0.99, report)
        if preset == "lstm" and sgd is not None:
            rows.append(accuracy.samples_row(run, sgd, SAMPLES_TARGET))
        rows.append(row(f"start of the command to 0.99, {preset}", "s", [run.seconds_to(0.99)], [], bound))
    return rows


def conditions() -> dict[str, Any]:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return {
        "processor": processor(),
        "cores": available_cores(),
        "python": platform.python_version(),
        "packages": ", ".join(versions),
    }


def report(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
