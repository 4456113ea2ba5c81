"""One Predictor for many threads, as in a web server. Uses the model of train_captchas.py."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ctc_ocr

MODEL = "models/captchas"
CAPTCHAS = 400
THREADS = 8

predictor = ctc_ocr.Predictor(MODEL)
writer = ctc_ocr.CaptchaWriter.create(predictor.hyperparameters.data, seed=5)
writer.write_folder("requests", CAPTCHAS, overwrite=True)
paths = sorted(Path("requests").glob("*.png"))

start = time.perf_counter()
with ThreadPoolExecutor(THREADS) as threads:
    predictions = list(threads.map(predictor.read, paths))
print(f"{len(paths) / (time.perf_counter() - start):.0f} images/s, one at a time, by {THREADS} threads")

# Batches are faster where many images are there at once, and give the same texts.
start = time.perf_counter()
together = predictor.predict(paths)
print(f"{len(paths) / (time.perf_counter() - start):.0f} images/s in batches")
assert [each.text for each in together] == [each.text for each in predictions]
