"""ctc-ocr train --folds: cross-validation in place of a model."""

import argparse

from ctc_ocr.cli.evaluation_table import aligned
from ctc_ocr.errors import InputError
from ctc_ocr.experiments.cross_validation import CrossValidation, cross_validate
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import LabelledImages

# Flags that are about a model, and there is none.
OF_A_MODEL = (
    "prefix",
    "unlabelled",
    "resume",
    "overwrite",
    "overfit_batch",
    "print_network",
    "tensorboard",
    "callback",
    "keep",
)


def refuse_of_a_model(arguments: argparse.Namespace, defaults: argparse.Namespace) -> None:
    """Raises InputError for a flag that has no effect with --folds."""
    for name in OF_A_MODEL:
        if getattr(arguments, name, None) != getattr(defaults, name, None):
            raise InputError("has no effect with --folds, which leaves no model", f"--{name}")


def print_folds(session: TrainingSession, folds: int) -> None:
    """Train so many times, and print how well each fold is read."""
    assert isinstance(session.data, LabelledImages)
    print(table(cross_validate(session.data, folds, session.hyperparameters, session.options)))


def table(found: CrossValidation) -> str:
    """A row for each fold, then mean and standard deviation."""
    rows = [["fold", "trained on", "read", "accuracy", "CER"]]
    for each in found.folds:
        counts = [str(each.number), str(each.num_trained), str(each.num_read)]
        rows.append([*counts, f"{each.accuracy:.4f}", f"{each.cer:.4f}"])
    rows.append(["mean", "", "", f"{found.accuracy.mean:.4f}", f"{found.cer.mean:.4f}"])
    rows.append(["standard deviation", "", "", f"{found.accuracy.deviation:.4f}", f"{found.cer.deviation:.4f}"])
    return aligned(rows, "<>>>>")
