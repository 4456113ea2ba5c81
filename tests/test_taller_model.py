"""A model that reads taller images with the same weights."""

import cv2
import numpy as np

import ctc_ocr
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.taller_model import TallerModel
from ctc_ocr.config.taller_images import for_height


def test_a_taller_model_reads_with_the_same_weights() -> None:
    own, taller = ctc_ocr.Predictor("starter"), ctc_ocr.Predictor(TallerModel(find_model("starter"), 64))
    height, width = own.hyperparameters.data.height, own.hyperparameters.data.width
    network = for_height(own.hyperparameters, 64).network
    assert taller.hyperparameters.network == network != own.hyperparameters.network
    assert taller.hyperparameters.data.height == 64
    assert taller.hyperparameters.data.width >= width * 64 / height
    image = np.full((64, 180), 230, np.uint8)
    cv2.putText(image, "7294", (30, 42), cv2.FONT_HERSHEY_DUPLEX, 1.1, 30, 2)
    assert taller.prepare(image).shape == (64, 180)
    assert own.prepare(image).shape == (height, round(180 * height / 64))
    assert taller.read(image).text == "7294"
    assert (taller.prefix, taller.epoch) == (own.prefix, own.epoch)
