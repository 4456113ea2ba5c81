"""The network behind a Predictor."""

from ctc_ocr.inference.mxnet_reader import MXNetReader
from ctc_ocr.inference.network import Network
from ctc_ocr.inference.predictor import Predictor


def network_of(predictor: Predictor) -> Network:
    assert isinstance(predictor._reader, MXNetReader)
    return predictor._reader.network
