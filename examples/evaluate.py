"""How well does a model read? Evaluates the model of train_captchas.py on new captchas."""

import json

import ctc_ocr

MODEL = "models/captchas"
CAPTCHAS = 500

predictor = ctc_ocr.Predictor(MODEL, epoch="best")
ctc_ocr.CaptchaWriter.create(predictor.hyperparameters.data, seed=7).write_folder("test", CAPTCHAS, overwrite=True)

result = ctc_ocr.evaluate(predictor, "test", min_confidence=0.9)
report = result.report
low, high = report["interval"]
print(f"{result.num_samples} images read, {result.num_invalid} could not be")
print(f"accuracy {report['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}), CER {report['cer']:.4f}")
print(f"coverage {report['min_confidence']['coverage']:.3f} with a confidence of at least 0.9")
for each in report["confusions"][:3]:
    print(f"  {each['truth']!r} was read as {each['read']!r} {each['count']} times")  # None: nothing, or too much

with open("evaluation.json", "w", encoding="utf-8") as file:  # noqa: PTH123
    json.dump(result.to_dict(), file, indent=2)
