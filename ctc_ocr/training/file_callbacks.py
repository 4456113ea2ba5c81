"""Callbacks that write and remove the files of a run, besides its checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.checkpoint.known_images import KnownImages, save_known_images
from ctc_ocr.runtime.table_files import replacing_table
from ctc_ocr.training.events import EpochEnd, Restarted, Saved, StateSaved


class RemoveOldRun:
    """Removes the files of the run that is overwritten, once the first checkpoint of the new one is written; and its
    own state within an epoch, if the run diverges and goes back."""

    def __init__(self, prefix: str, files: Sequence[Path]) -> None:
        self._prefix, self._files = prefix, list(files)

    def __call__(self, event: Any) -> None:
        if isinstance(event, Saved | StateSaved) and self._files:
            state = Path(event.path.removesuffix(".params") + ".state.npz")
            description, symbol = run_files.description_path(self._prefix), run_files.symbol_path(self._prefix)
            for path in set(self._files) - {description, symbol, Path(event.path), state}:
                path.unlink(missing_ok=True)
            self._files = []
        elif isinstance(event, Restarted) and not self._files:  # else it is still that of the other run
            run_files.remove_unfinished(self._prefix)


class ImagesFile:
    """Writes PREFIX-images.csv with the first checkpoint of a run."""

    def __init__(self, prefix: str, images: KnownImages) -> None:
        self._prefix, self._images = prefix, images
        self._is_written = False

    def __call__(self, event: Any) -> None:
        if isinstance(event, Saved | StateSaved) and not self._is_written:
            save_known_images(self._prefix, self._images)
            self._is_written = True


class History:
    """Writes PREFIX-history.csv after each epoch.

    `rows`: of the epochs before, of a run that is resumed. They are those of its training state, which was written
    with the checkpoint: the file is made from it, and lacks a row if the run was killed between the two.
    """

    def __init__(self, prefix: str, rows: Sequence[Row] = ()) -> None:
        self._prefix, self._rows = prefix, list(rows)
        if rows:
            history.write(prefix, rows)

    def __call__(self, event: Any) -> None:
        if isinstance(event, EpochEnd):
            self._rows.append(event.row)
            history.write(self._prefix, self._rows)
        elif isinstance(event, Restarted):
            kept = [row for row in self._rows if row.epoch <= event.epochs_done]
            if len(kept) < len(self._rows):  # the checkpoint of the last epoch is damaged
                self._rows = kept
                history.write(self._prefix, kept)


class ValidationPredictions:
    """Writes PREFIX-validation.csv after each epoch: image, label, prediction, correct (1 or 0) and edits.

    `names` are the images', in the order of validation; without it the column `image` has numbers.
    """

    def __init__(self, prefix: str, names: Sequence[str] | None = None) -> None:
        self._path, self._names = run_files.validation_path(prefix), names

    def __call__(self, event: Any) -> None:
        if isinstance(event, EpochEnd):
            names = self._names or range(len(event.predictions))
            with replacing_table(self._path, ("image", "label", "prediction", "correct", "edits")) as write:
                for name, each in zip(names, event.predictions, strict=True):
                    write((name, each.label, each.text, int(not each.edits), each.edits))


class Pruning:
    """Keeps the `keep` newest checkpoints and the best one, after each epoch."""

    def __init__(self, prefix: str, keep: int) -> None:
        self._prefix, self._keep = prefix, keep

    def __call__(self, event: Any) -> None:
        if isinstance(event, EpochEnd):
            run_files.keep_newest(self._prefix, self._keep, event.best_epoch)
