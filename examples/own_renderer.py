"""Train on images from a renderer of your own: here, licence plates. The class is all that the package needs."""

import cv2
import numpy as np

import ctc_ocr

EPOCHS = 4
PLATES_PER_EPOCH = 5_000
VALIDATION_PLATES = 500


class Plates(ctc_ocr.Renderer):
    """A text in black on white, in a frame, slightly rotated and blurred."""

    def render(self, text: str, generator: np.random.Generator) -> np.ndarray:
        image = np.full((60, 240), 250, np.uint8)
        cv2.rectangle(image, (3, 3), (236, 56), 60, 2)
        cv2.putText(image, text, (14, 42), cv2.FONT_HERSHEY_DUPLEX, generator.uniform(1.1, 1.25), 20, 2, cv2.LINE_AA)
        rotation = cv2.getRotationMatrix2D((120, 30), generator.uniform(-3, 3), generator.uniform(0.9, 1.05))
        image = cv2.warpAffine(image, rotation, (240, 60), borderValue=150)
        image = cv2.GaussianBlur(image, (5, 5), generator.uniform(0.3, 1.5))
        return cv2.add(image, generator.integers(0, 20, image.shape, np.uint8))


settings = ctc_ocr.preset(
    "crnn",
    data={"alphabet": "ABCDEFGHKLMNPRSTUVWXYZ0123456789-", "min_length": 6, "max_length": 8, "width": 120},
    training={
        "num_epoch": EPOCHS, "samples_per_epoch": PLATES_PER_EPOCH, "validation_samples": VALIDATION_PLATES,
    },
)  # fmt: skip
plates = Plates(data=settings.data)
result = ctc_ocr.train(settings, ctc_ocr.Captchas(renderer=plates), prefix="models/plates", overwrite=True)
print(f"{result.accuracy:.1%} of the validation plates are read correctly")

image = plates.render("KA-4729", np.random.default_rng(0))
print("KA-4729 is read as", ctc_ocr.Predictor("models/plates").read(image).text or "nothing")
