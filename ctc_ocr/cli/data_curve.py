"""ctc-ocr data curve: how accuracy grows with the number of labels, and what more of them would give."""

import argparse
import json
from pathlib import Path

from ctc_ocr.cli.arguments import integer, non_empty
from ctc_ocr.cli.data_options import print_invalid
from ctc_ocr.cli.evaluation_table import aligned
from ctc_ocr.cli.running import inputs_of, refuse_inputs, set_up_logging
from ctc_ocr.cli.training_flags import add_training_flags, training_session
from ctc_ocr.errors import InputError
from ctc_ocr.experiments.learning_curve import FOLDS, LearningCurve, learning_curve
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.training.settings import LabelledImages

PROG = "ctc-ocr data curve"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=non_empty, metavar="SOURCE", nargs="+", help="labelled images, as for ctc-ocr train --data"
    )
    parser.add_argument(
        "--more", type=integer(1, 10**9), nargs="+", metavar="N",
        help="numbers of labels in addition, to say what they would give (default: as many again, three times as many)",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=integer(2), default=FOLDS, metavar="K",
        help=f"parts that are read, each by networks that are trained on images of the others (default: {FOLDS})",
    )  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write all figures into this file too")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --report")
    add_training_flags(parser)


def curve(arguments: argparse.Namespace) -> int:
    if arguments.report:
        refuse_inputs("--report", arguments.report, inputs_of(arguments))
        refuse_existing([arguments.report], arguments.overwrite)
    elif arguments.overwrite:
        raise InputError("has no effect without --report", "--overwrite")
    set_up_logging()
    session = training_session(arguments, arguments.source)
    assert isinstance(session.data, LabelledImages)
    found = learning_curve(session.data, session.hyperparameters, session.options, arguments.folds)
    print_invalid(found.invalid, PROG)
    more = arguments.more or [found.num_labels, 3 * found.num_labels]
    try:  # the file first: the program that reads what is printed may end before
        if arguments.report:
            text = json.dumps(found.to_dict(more), indent=2, allow_nan=False)
            with replacing(arguments.report) as temporary:
                temporary.write_text(f"{text}\n", encoding="utf-8")
    finally:
        print(table(found))
        print("\n".join(sentences(found, more)))
    return 0


def table(found: LearningCurve) -> str:
    """A row for each number of labels."""
    rows = [["labels", "trainings", "accuracy", "lowest", "highest"]]
    for each in found.points:
        accuracies = (f"{value:.4f}" for value in (each.accuracy, each.lowest, each.highest))
        rows.append([str(each.labels), str(each.trainings), *accuracies])
    return aligned(rows, ">>>>>")


def sentences(found: LearningCurve, more: list[int]) -> list[str]:
    """What all labels will give, and so many more of them."""
    said = []
    for added in [0, *more]:
        which = f"With {added} more" if added else f"With all {found.num_labels} labels"
        expected = found.expected(found.num_labels + added)
        accuracy, low, high = (f"{100 * value:.1f}" for value in (expected.accuracy, expected.low, expected.high))
        said.append(f"{which} you would read about {accuracy} % ({low} to {high} %)")
    return said
