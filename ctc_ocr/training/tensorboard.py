"""TensorBoard files of a run: loss, accuracy, character error rate and learning rate over the updates."""

import time
from typing import Any

from ctc_ocr.checkpoint.run_files import tensorboard_folder
from ctc_ocr.errors import InputError
from ctc_ocr.training.events import EpochEnd, Progress

OF_PROGRESS = ("loss", "accuracy", "cer", "learning_rate")
OF_EPOCHS = (
    "train_loss", "train_accuracy", "train_cer", "validation_loss", "validation_accuracy", "validation_cer",
    "learning_rate",
)  # fmt: skip


class TensorBoard:
    """Writes event files into PREFIX-tensorboard: batches/... every few batches, epochs/... every epoch.

    `updates_done` are the updates before a resumed run: what was written of later ones is dropped. Use it as a context
    manager. Raises InputError if tensorboardX is not installed, or the folder cannot be made.
    """

    def __init__(self, prefix: str, updates_done: int = 0) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise InputError("tensorboardX is not installed: pip install 'ctc_ocr[tensorboard]'") from None
        folder = tensorboard_folder(prefix)
        try:
            self._writer = SummaryWriter(
                str(folder),
                purge_step=updates_done + 1 if updates_done else None,
                filename_suffix=f".{time.time_ns()}",  # tensorboardX's own names are unique per second only
            )
        except OSError as error:
            raise InputError(f"cannot be written to: {error.strerror}", folder) from None

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.close()

    def __call__(self, event: Any) -> None:
        if isinstance(event, Progress):
            self._write("batches", OF_PROGRESS, event)
        elif isinstance(event, EpochEnd):
            self._write("epochs", OF_EPOCHS, event)
            self._writer.flush()

    def _write(self, group: str, names: tuple[str, ...], event: Progress | EpochEnd) -> None:
        for name in names:
            self._writer.add_scalar(f"{group}/{name}", getattr(event, name), event.update)
