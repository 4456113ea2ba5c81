"""Train a network on captchas, then read one. The captchas are rendered while it trains: a few minutes on two cores."""

import logging

import ctc_ocr

ALPHABET = "0123456789"
EPOCHS = 4
CAPTCHAS_PER_EPOCH = 10_000
VALIDATION_CAPTCHAS = 1_000

logging.basicConfig(level=logging.INFO, format="%(message)s")  # show what the training logs

settings = ctc_ocr.preset(
    "crnn",
    data={"alphabet": ALPHABET, "min_length": 4, "max_length": 4},
    training={
        "num_epoch": EPOCHS, "samples_per_epoch": CAPTCHAS_PER_EPOCH, "validation_samples": VALIDATION_CAPTCHAS,
    },
)  # fmt: skip
result = ctc_ocr.train(settings, prefix="models/captchas", overwrite=True)
print(f"{result.accuracy:.1%} of the validation captchas are read correctly by epoch {result.best_epoch}")

# A new captcha, as an image file, and what the model reads in it.
text = ctc_ocr.CaptchaWriter.create(settings.data, seed=1).write("captcha.png")
prediction = ctc_ocr.Predictor("models/captchas").read("captcha.png")
print(f"captcha.png shows {text}, read as {prediction.text!r} with confidence {prediction.confidence:.3f}")
