"""A callback of your own: a line for each epoch, and a CSV file of the mistakes. On the command line:

ctc-ocr train --import own_callback.py --callback mistakes
"""

import csv
from pathlib import Path

import ctc_ocr

EPOCHS = 4
CAPTCHAS_PER_EPOCH = 5_000
VALIDATION_CAPTCHAS = 1_000


@ctc_ocr.register_callback("mistakes")
class Mistakes:
    """Writes mistakes.csv. A callback that is a context manager is entered for the duration of the run."""

    def __enter__(self):
        self._file = Path("mistakes.csv").open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["epoch", "label", "prediction", "edits"])
        return self

    def __exit__(self, *error):
        self._file.close()

    def __call__(self, event):
        """Called after every update, too; what happened is the type of the event."""
        if isinstance(event, ctc_ocr.EpochEnd):
            incorrect = [each for each in event.predictions if each.edits]
            self._writer.writerows([event.epoch + 1, each.label, each.text, each.edits] for each in incorrect)
            print(f"epoch {event.epoch + 1}: {len(incorrect)} mistakes, {event.speed:.0f} captchas/s")


if __name__ == "__main__":  # --import registers the callback, and does not train
    settings = ctc_ocr.preset(
        "crnn",
        training={
            "num_epoch": EPOCHS, "samples_per_epoch": CAPTCHAS_PER_EPOCH, "validation_samples": VALIDATION_CAPTCHAS,
        },
    )  # fmt: skip
    ctc_ocr.train(settings, prefix="models/mistakes", callbacks=[Mistakes()], overwrite=True)
