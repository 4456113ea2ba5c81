"""ctc-ocr data audit and correct: find labels that are probably wrong, and replace those that somebody accepted."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctc_ocr.cli.arguments import integer, non_empty
from ctc_ocr.cli.data_options import add_source, hyperparameters, print_invalid, source_options
from ctc_ocr.cli.evaluation_table import aligned
from ctc_ocr.cli.model_options import MODEL_HELP, files_of_model
from ctc_ocr.cli.running import inputs_of, refuse_inputs, set_up_logging
from ctc_ocr.cli.training_flags import add_training_flags, training_session
from ctc_ocr.errors import InputError
from ctc_ocr.experiments.audit import Audit, Suspect, audit_labels, settings_of
from ctc_ocr.experiments.cross_validation import FOLDS
from ctc_ocr.experiments.suspects_file import correct_labels, write_suspects
from ctc_ocr.experiments.suspects_sheet import suspects_sheet
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.training.settings import LabelledImages

PROG = "ctc-ocr data"
TOP = 20


def add_audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=f"{MODEL_HELP}: it reads the images, or says how to train")
    parser.add_argument("source", type=non_empty, metavar="SOURCE", help="labelled images, as for ctc-ocr train --data")
    parser.add_argument(
        "--folds", type=integer(2), default=FOLDS, metavar="K",
        help=f"trainings, each without a K-th of the images, if MODEL may have seen them (default: {FOLDS})",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write all suspects, for ctc-ocr data correct")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="draw the first suspects with their labels")
    parser.add_argument(
        "--top", type=integer(1, 10_000), default=TOP, metavar="N",
        help=f"number of suspects that are printed and drawn (default: {TOP})",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace the files of --out and --sheet")
    add_training_flags(parser)


def run_audit(arguments: argparse.Namespace) -> int:
    if arguments.sheet and arguments.sheet.suffix.lower() != ".png":
        raise InputError("the name must end in .png", arguments.sheet)
    if arguments.overwrite and not (arguments.out or arguments.sheet):
        raise InputError("has no effect without --out or --sheet", "--overwrite")
    inputs = {**inputs_of(arguments), **{f"the model's {each}": each for each in files_of_model(arguments.model)}}
    for flag, path in (("--out", arguments.out), ("--sheet", arguments.sheet)):
        if path:
            refuse_inputs(flag, path, inputs)
    refuse_existing(filter(None, (arguments.out, arguments.sheet)), arguments.overwrite)
    set_up_logging()
    start = {} if arguments.config or arguments.preset else settings_of(arguments.model)
    session = training_session(arguments, [arguments.source])
    assert isinstance(session.data, LabelledImages)
    if start:
        arguments.data, arguments.preset = [arguments.source], "word"
        settings = hyperparameters(arguments, start)
    else:
        settings = session.hyperparameters
    data = session.data
    if "training" in start:  # as MODEL was trained: nothing is chosen from the images again
        data = replace(data, choose=())
    elif start:  # its layers fit no other height
        data = replace(data, choose=tuple(name for name in data.choose or () if name != "height"))
    options = replace(session.options, init_from=arguments.init_from)  # audit knows what else is a start
    found = audit_labels(arguments.model, data, arguments.folds, settings, options)
    print_invalid(found.invalid, f"{PROG} audit")
    shown = found.suspects[: arguments.top]
    try:  # the file first: the program that reads what is printed may end before
        if arguments.out:
            write_suspects(arguments.out, found.suspects)
    finally:
        print(_summary(found))
        if shown:
            print(table(shown))
    if arguments.out:
        print(f"Wrote {len(found.suspects)} suspects to {arguments.out}")
    if arguments.sheet and shown:
        with replacing(arguments.sheet) as temporary:
            suspects_sheet(shown).save(temporary, format="PNG")
        print(f"Drew {len(shown)} suspects in {arguments.sheet}")
    return 0


def table(suspects: Sequence[Suspect]) -> str:
    """A row for each suspect."""
    rows = [["", "image", "label", "read", "score"]]
    for number, each in enumerate(suspects, 1):
        place = each.sample.image if each.sample.is_file else each.sample.where
        rows.append([str(number), place, each.label, each.suggestion, f"{each.score:.1f}"])
    return aligned(rows, "><<<>")


def _summary(found: Audit) -> str:
    how = f"networks of {found.num_folds} folds" if found.num_folds else "the model"
    text = (
        f"{found.num_read} images read by {how}: {found.num_correct} as labelled, "
        f"{len(found.suspects)} suspected label errors"
    )
    if not found.is_reliable:
        text += (
            "\nFewer than half were read as labelled, so most of these are mistakes of the reader: start from a model "
            "that reads such images (--init_from), or train longer (--num_epoch)"
        )
    return text


def add_correct(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suspects", metavar="SUSPECTS.csv", help="what ctc-ocr data audit --out wrote")
    add_source(parser)
    parser.add_argument("out", metavar="OUT.csv", type=Path, help="all labels of SOURCE, with those that were accepted")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.csv")


def run_correct(arguments: argparse.Namespace) -> int:
    done = correct_labels(
        arguments.source, arguments.suspects, arguments.out, source_options(arguments), arguments.overwrite
    )
    print_invalid(done.problems, f"{PROG} correct")
    print(f"Wrote {done.num_labels} labels to {arguments.out}, {done.num_changed} of them changed")
    return 0
