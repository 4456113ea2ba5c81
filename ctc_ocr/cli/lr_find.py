"""ctc-ocr lr-find: which learning rate suits a network and its images."""

import argparse
from dataclasses import fields
from pathlib import Path

from ctc_ocr.cli.arguments import MAX_UPDATES, Parser, integer, number
from ctc_ocr.cli.running import inputs_of, refuse_inputs, run, set_up_logging
from ctc_ocr.cli.train import add_set_up, run_options, set_up
from ctc_ocr.config.sections import Augmentation, Data, Network
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.atomic_files import is_device
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import shown_progress
from ctc_ocr.training.learning_rate import FEWEST_UPDATES, MAX_RATE, MIN_RATE, NUM_UPDATES, find_learning_rate
from ctc_ocr.training.rate_curve import RateCurve, write_curve
from ctc_ocr.training.rate_plot import plot_curve, require_plots

PROG = "ctc-ocr lr-find"
DEFAULT_PLOT = Path("lr-find.png")
# Those of the training that have an effect on a few hundred updates without validation.
OF_UPDATES = (
    "loss", "batch_size", "optimizer", "momentum", "weight_decay", "clip_gradient", "label_smoothing", "balance",
    "freeze", "seed",
)  # fmt: skip
OF_SECTIONS = tuple(field.name for section in (Data, Network, Augmentation) for field in fields(section))
HYPERPARAMETERS = (*(name for name in OF_SECTIONS if name != "views"), *OF_UPDATES)  # views are for reading


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if the loss does not fall."""
    return run(PROG, _find, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(
        prog=PROG,
        description="Find a learning rate: make updates whose learning rate rises until the loss explodes. No model is "
        "saved.",
    )
    made.add_argument(
        "--min_rate", type=number, default=MIN_RATE, metavar="X", help=f"first learning rate (default: {MIN_RATE:g})"
    )
    made.add_argument(
        "--max_rate", type=number, default=MAX_RATE, metavar="X", help=f"last learning rate (default: {MAX_RATE:g})"
    )
    made.add_argument(
        "--num_updates", type=integer(FEWEST_UPDATES, MAX_UPDATES), default=NUM_UPDATES, metavar="N",
        help=f"updates from the one to the other (default: {NUM_UPDATES})",
    )  # fmt: skip
    made.add_argument(
        "--plot", type=Path, metavar="FILE.png",
        help=f"draw loss over learning rate into this file (extra [plots]; default: {DEFAULT_PLOT}, or no picture with "
        "--csv)",
    )  # fmt: skip
    made.add_argument(
        "--csv", type=Path, metavar="FILE.csv", help="write learning rate and loss of each update into this file"
    )
    made.add_argument("--overwrite", action="store_true", help="replace FILE.png and FILE.csv if they exist")
    add_set_up(made, HYPERPARAMETERS)
    return made


def _find(argv: list[str]) -> None:
    arguments = parser().parse_args(argv)
    set_up_logging()
    plot = arguments.plot or (None if arguments.csv else DEFAULT_PLOT)
    _check_outputs(plot, arguments)
    options = run_options(arguments)
    settings, data = set_up(arguments)
    with shown_progress("update") as progress:
        curve = find_learning_rate(
            settings, data, options, min_rate=arguments.min_rate, max_rate=arguments.max_rate,
            num_updates=arguments.num_updates, progress=progress,
        )  # fmt: skip
    if arguments.csv:
        write_curve(arguments.csv, curve)
    if plot:
        plot_curve(plot, curve)
    print(_summary(curve))
    for path in filter(None, (plot, arguments.csv)):
        print(f"Wrote {path}")
    if curve.suggestion is None:
        raise RunError(
            "the loss does not fall: no learning rate is suggested; try other --min_rate and --max_rate, or more "
            "--num_updates"
        )


def _check_outputs(plot: Path | None, arguments: argparse.Namespace) -> None:
    """Before the updates are made. Raises InputError for files that cannot be written."""
    csv, inputs = arguments.csv, inputs_of(arguments)
    if plot:
        require_plots()
        refuse_inputs("--plot", plot, inputs)
    if csv:
        refuse_inputs("--csv", csv, inputs)
    if plot and csv and plot.resolve() == csv.resolve():
        raise InputError("is the file of --csv too: use another name", f"--plot {plot}")
    refuse_existing([path for path in (plot, csv) if path and not is_device(path)], arguments.overwrite)


def _summary(curve: RateCurve) -> str:
    lowest = curve.lowest
    lines = [
        f"{len(curve.losses)} updates, learning rate {curve.rates[0]:.3g} to {curve.rates[-1]:.3g}",
        f"lowest smoothed loss: {curve.smoothed[lowest]:.4g} at {curve.rates[lowest]:.2g}",
    ]
    if curve.num_stable < len(curve.losses):
        lines.append(f"the loss explodes at {curve.rates[curve.num_stable]:.2g}")
    if curve.suggestion is not None:
        lines.append(f"it falls most steeply at {curve.steepest:.2g}")
        lines.append(f"suggested, a tenth of the rate with the lowest loss: --learning_rate {curve.suggestion:.2g}")
    return "\n".join(lines)
