"""Train on a folder of labelled images. Here it is a folder of captchas; put your own images in their place."""

import logging
from pathlib import Path

import ctc_ocr

IMAGES = 3_000
EPOCHS = 8
SAMPLES_PER_EPOCH = 1600
HEIGHT = 40

logging.basicConfig(level=logging.INFO, format="%(message)s")

# 000000.png, 000001.png, ... and labels.csv, with their labels. Other formats: docs/reference/data_formats.md.
if not Path("photos").exists():
    captchas = ctc_ocr.Data(alphabet="abcdefgh", min_length=4, max_length=6)
    ctc_ocr.CaptchaWriter.create(captchas, seed=1).write_folder("photos", IMAGES, num_proc=2)

# Preset: "word" for one word or number in each image, "line" for lines of text. A tenth is held out for validation.
settings = ctc_ocr.preset(
    "word", data={"height": HEIGHT}, training={"num_epoch": EPOCHS, "samples_per_epoch": SAMPLES_PER_EPOCH}
)
result = ctc_ocr.train(settings, "photos", prefix="models/photos", overwrite=True)
print(f"epoch {result.best_epoch} is the best: accuracy {result.accuracy:.3f}, CER {result.cer:.4f} of the validation")

# Images that the training has never seen say more than those for validation.
if not Path("new_photos").exists():
    captchas = ctc_ocr.Data(alphabet="abcdefgh", min_length=4, max_length=6)
    ctc_ocr.CaptchaWriter.create(captchas, seed=2).write_folder("new_photos", IMAGES // 10)
evaluation = ctc_ocr.evaluate("models/photos", "new_photos")
print(f"{evaluation.num_samples} new images: accuracy {evaluation.accuracy:.3f}")
