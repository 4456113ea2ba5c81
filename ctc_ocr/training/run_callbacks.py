"""The callbacks of a run: those that keep its files and show its progress, then the user's."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ctc_ocr.training.events import Callback
from ctc_ocr.training.job import Begun
from ctc_ocr.training.run_data import TrainingData
from ctc_ocr.training.settings import RunOptions


def run_callbacks(
    options: RunOptions, data: TrainingData, begun: Begun, replaced: list[Path], users: Sequence[Callback],
    stack: ExitStack,
) -> list[Callback]:  # fmt: skip
    """In the order in which they are called. `replaced`: files of an earlier run. Context managers are entered, and
    left with the stack."""
    from ctc_ocr.training.callbacks import LogLines, ProgressBar
    from ctc_ocr.training.file_callbacks import History, ImagesFile, Pruning, RemoveOldRun, ValidationPredictions
    from ctc_ocr.training.tensorboard import TensorBoard

    prefix = options.prefix
    made: list[Callback] = [
        *([ProgressBar()] if options.progress else []),
        LogLines(),
        RemoveOldRun(prefix, replaced),
        *([ImagesFile(prefix, data.known)] if data.known else []),
        History(prefix, begun.history),
        ValidationPredictions(prefix, data.validation_names),
        Pruning(prefix, data.hyperparameters.training.keep),
        *([TensorBoard(prefix, begun.updates_done)] if options.tensorboard else []),
        *users,
    ]
    return [stack.enter_context(each) if hasattr(each, "__enter__") else each for each in made]  # type: ignore[arg-type]


def calling(callbacks: Sequence[Callback]) -> Callback:
    """One callback that calls all of them."""

    def call(event: Any) -> None:
        for callback in callbacks:
            callback(event)

    return call
