"""What TensorBoard shows of a run: loss, accuracy, character error rate and learning rate over the steps."""

import time
from typing import Any

from ctc_ocr.checkpoint.run_files import tensorboard_folder
from ctc_ocr.errors import InputError
from ctc_ocr.training.events import EpochEnd, Report

OF_REPORTS = ("loss", "accuracy", "cer", "learning_rate")
OF_EPOCHS = (
    "train_loss", "train_accuracy", "train_cer", "validation_loss", "validation_accuracy", "validation_cer",
    "learning_rate",
)  # fmt: skip


class TensorBoard:
    """Writes event files into PREFIX-tensorboard: batches/... every few batches, epochs/... every epoch.

    `steps_done` are the steps that a resumed run has behind it: what was shown of later ones goes. Use it as a context
    manager. Raises InputError if tensorboardX is not installed, or the folder cannot be made.
    """

    def __init__(self, prefix: str, steps_done: int = 0) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise InputError("tensorboardX is not installed: pip install 'ctc_ocr[tensorboard]'") from None
        folder = tensorboard_folder(prefix)
        try:
            self._writer = SummaryWriter(
                str(folder),
                purge_step=steps_done + 1 if steps_done else None,
                filename_suffix=f".{time.time_ns()}",  # its own names differ from one second to the next only
            )
        except OSError as error:
            raise InputError(f"cannot be written to: {error.strerror}", folder) from None

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.close()

    def __call__(self, event: Any) -> None:
        if isinstance(event, Report):
            self._show("batches", OF_REPORTS, event)
        elif isinstance(event, EpochEnd):
            self._show("epochs", OF_EPOCHS, event)
            self._writer.flush()

    def _show(self, group: str, names: tuple[str, ...], event: Report | EpochEnd) -> None:
        for name in names:
            self._writer.add_scalar(f"{group}/{name}", getattr(event, name), event.step)
