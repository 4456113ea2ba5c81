"""An architecture of your own: convolutions alone, without an LSTM. On the command line:

ctc-ocr train --import own_architecture.py --architecture convolutions

For images that keep their aspect ratio, it would have to ignore what follows the time steps of each image (`steps`).
"""

import ctc_ocr
from ctc_ocr import mxnet as mx

EPOCHS = 4
CAPTCHAS_PER_EPOCH = 10_000
VALIDATION_CAPTCHAS = 1_000


@ctc_ocr.register_architecture("convolutions", columns_per_step=4)
def convolutions(images, hyperparameters, num_classes, steps=None):
    """Logits (T, N, num_classes) of images (N, H, W) uint8; four columns are one time step: T = W / 4."""
    network = hyperparameters.network
    maps = (network.input_mean - mx.sym.cast(images, dtype="float32")) / network.input_scale
    maps = mx.sym.expand_dims(maps, axis=1)  # (N, 1, H, W)
    for number, filters in enumerate((16, 32, 64)):
        stride = (2, 2) if number < 2 else (2, 1)  # (rows, columns)
        maps = mx.sym.Convolution(maps, num_filter=filters, kernel=(5, 5), stride=stride, pad=(2, 2), no_bias=True)
        maps = mx.sym.relu(mx.sym.BatchNorm(maps, fix_gamma=False))
    columns = mx.sym.reshape(mx.sym.transpose(maps, axes=(3, 0, 1, 2)), shape=(0, 0, -1))  # (T, N, features)
    # The last layer has this name in every architecture.
    return mx.sym.FullyConnected(columns, num_hidden=num_classes, flatten=False, name="pred_fc")


if __name__ == "__main__":  # --import registers the architecture, and does not train
    settings = ctc_ocr.preset(
        "lstm",
        network={"architecture": "convolutions"},
        training={
            "num_epoch": EPOCHS, "samples_per_epoch": CAPTCHAS_PER_EPOCH, "validation_samples": VALIDATION_CAPTCHAS,
        },
    )  # fmt: skip
    result = ctc_ocr.train(settings, prefix="models/convolutions", overwrite=True)
    print(f"{result.accuracy:.1%} of the validation captchas are read correctly")
    ctc_ocr.CaptchaWriter.create(settings.data, seed=1).write_folder("captchas", 20, overwrite=True)
    evaluation = ctc_ocr.evaluate("models/convolutions", "captchas")
    print(f"{evaluation.accuracy:.1%} of {evaluation.num_samples} new captchas are read correctly")
