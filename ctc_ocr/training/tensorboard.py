"""TensorBoard files of a run: loss, accuracy, character error rate and learning rate over the updates."""

import importlib.util
import time
from typing import Any

from ctc_ocr.checkpoint.run_files import tensorboard_folder
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.training.events import EpochEnd, Progress, Restarted

OF_PROGRESS = ("loss", "accuracy", "cer", "learning_rate")
OF_EPOCHS = (
    "train_loss", "train_accuracy", "train_cer", "validation_loss", "validation_accuracy", "validation_cer",
    "learning_rate",
)  # fmt: skip


def require_tensorboard() -> None:
    """Raises InputError if tensorboardX is not installed."""
    if importlib.util.find_spec("tensorboardX") is None:
        raise InputError("tensorboardX is not installed: pip install 'ctc_ocr[tensorboard]'")


class TensorBoard:
    """Writes event files into PREFIX-tensorboard: batches/... every few batches, epochs/... every epoch.

    `updates_done` are the updates before a resumed run: what was written of later ones is dropped, and so it is when a
    run diverges and goes back. Use it as a context manager. Raises InputError if tensorboardX is not installed, or the
    folder cannot be made, and RunError if the file cannot be written.
    """

    def __init__(self, prefix: str, updates_done: int = 0) -> None:
        require_tensorboard()
        # Not its SummaryWriter, whose thread ends silently on a full disk, and then lets the run wait for ever.
        from tensorboardX import event_file_writer, summary
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        self._event, self._session, self._scalar = Event, SessionLog, summary.scalar
        self._folder = tensorboard_folder(prefix)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # tensorboardX's own names are unique per second only.
            self._writer = event_file_writer.EventsWriter(str(self._folder / "events"), f".{time.time_ns()}")
        except OSError as error:
            raise InputError(f"cannot be written to: {error.strerror}", self._folder) from None
        if updates_done:
            self._drop_after(updates_done)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        try:
            self._writer.close()
        except OSError as failed:
            if kind is None:  # else it is what has been said, once more
                raise self._cannot_write(failed) from None

    def __call__(self, event: Any) -> None:
        if isinstance(event, Progress):
            self._write("batches", OF_PROGRESS, event)
        elif isinstance(event, EpochEnd):
            self._write("epochs", OF_EPOCHS, event)
        elif isinstance(event, Restarted):
            self._drop_after(event.updates_done)

    def _drop_after(self, updates: int) -> None:
        step, start = updates + 1, self._session(status=self._session.START)
        self._add(self._event(step=step, file_version="brain.Event:2"), self._event(step=step, session_log=start))

    def _write(self, group: str, names: tuple[str, ...], event: Progress | EpochEnd) -> None:
        summaries = [self._scalar(f"{group}/{name}", getattr(event, name)) for name in names]
        self._add(*(self._event(step=event.update, wall_time=time.time(), summary=each) for each in summaries))

    def _add(self, *events: Any) -> None:
        try:
            for event in events:
                self._writer.write_event(event)
            self._writer.flush()
        except OSError as error:
            raise self._cannot_write(error) from None

    def _cannot_write(self, error: OSError) -> RunError:
        return RunError(f"cannot be written to: {error.strerror}", self._folder)
