"""How well does a model read? Evaluates the model of train_captchas.py on new captchas."""

import json

import ctc_ocr

MODEL = "models/captchas"
CAPTCHAS = 500

predictor = ctc_ocr.Predictor(MODEL)
ctc_ocr.CaptchaWriter.create(predictor.hyperparameters.data, seed=7).write_folder("test", CAPTCHAS, overwrite=True)

evaluation = ctc_ocr.evaluate(predictor, "test", min_confidence=0.9)
figures = evaluation.result
low, high = figures.confidence_interval
print(f"{evaluation.num_samples} images read, {evaluation.num_invalid} could not be")
print(f"accuracy {figures.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f}), CER {figures.cer:.4f}")
print(f"coverage {figures.min_confidence.coverage:.3f} with a confidence of at least 0.9")
for each in figures.confusions[:3]:
    print(f"  {each.label!r} was read as {each.predicted!r} {each.count} times")  # None: nothing, or too much

with open("evaluation.json", "w", encoding="utf-8") as file:  # noqa: PTH123
    json.dump(evaluation.to_dict(), file, indent=2)
