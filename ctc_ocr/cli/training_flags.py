"""The flags of `ctc-ocr train` for the commands that train in order to find something out."""

import argparse
from collections.abc import Sequence

from ctc_ocr.cli import train
from ctc_ocr.training.session import TrainingSession

# Those that name a run and its files, and those of captchas.
NOT_SHARED = {
    "help", "version", "imported", "font", "data", "prefix", "resume", "overwrite", "overfit_batch", "print_network",
    "tensorboard", "callback", "folds", "unlabelled", "keep", "kv_store", *train.OF_CAPTCHAS,
}  # fmt: skip


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """All flags of a training on labelled images, but those that name a run and its files."""
    training = train.parser()
    for action in list(training._actions):
        if action.dest in NOT_SHARED:
            training._remove_action(action)
    for group in list(training._mutually_exclusive_groups):
        if all(action.dest in NOT_SHARED for action in group._group_actions):
            training._mutually_exclusive_groups.remove(group)
    parser._add_container_actions(training)  # as argparse does it with `parents`


def training_session(arguments: argparse.Namespace, sources: Sequence[str]) -> TrainingSession:
    """The training that the flags ask for, on these sources. Raises InputError for flags that contradict each other."""
    own = {name: value for name, value in vars(arguments).items() if name not in NOT_SHARED}
    defaults = vars(train.parser().parse_args([]))
    return train.session_of(argparse.Namespace(**{**defaults, **own, "data": list(sources)}))
