"""Read an image with a model of train_captchas.py: greedy, masked, with alternatives, and with rejection."""

import ctc_ocr
from ctc_ocr import Decoder, Predictor

MODEL = "models/captchas"
MIN_CONFIDENCE = 0.9

data = Predictor(MODEL).hyperparameters.data
text = ctc_ocr.CaptchaWriter.create(data, seed=3).write("captcha.png")
print("label:           ", text)

# The most probable class at each time step.
print("greedy:          ", Predictor(MODEL).read("captcha.png").text)

# Only these characters; all others get the probability 0.
masked = Predictor(MODEL, decoder=Decoder(allowed=sorted(set(text))))
print("of these alone:  ", masked.read("captcha.png").text)

# The most probable text over all its alignments, and the next best ones.
search = Predictor(MODEL, decoder=Decoder(beam_width=20, top_k=3))
best = search.read("captcha.png")
for each in (best, *best.alternatives):
    print(f"beam search:      {each.text!r}, probability {each.confidence:.4f}")

# Rejection: no text rather than one that is probably incorrect.
print("with rejection:  ", best.text if (best.confidence or 0) >= MIN_CONFIDENCE else "rejected")
